//! One client of a load: takes an operation, sees it through to an outcome, writes down what it was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::LoadSpec;
use super::arrivals::{Arrival, Arrivals, Clock};
use super::journal::{Began, Frame, Journal};
use crate::history::{Event, Observation, Outcome, operation, uniform};
use crate::meter::Meter;
use crate::retry::{Reaction, RetryClass};
use crate::study::{Client, Operation, Reply, Rig, Setback};

/// What the watchdog sees of a client.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// When the step under way began; 0 when none is.
    pub(super) step_since_ns: AtomicU64,
    /// Tears the client down.
    pub(super) kick: Notify,
}

/// What one client saw.
#[derive(Debug, Default)]
pub(super) struct ClientReport {
    pub(super) events: Vec<Event>,
    pub(super) observations: Vec<Observation>,
    pub(super) retries: BTreeMap<RetryClass, u64>,
    pub(super) failures: Vec<String>,
}

/// How many error texts one client keeps.
const FAILURES_PER_CLIENT: usize = 4;

/// How long a client waits before it asks for a new connection again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

/// One client's task.
pub(super) struct ClientTask {
    pub(super) number: u32,
    pub(super) rig: Arc<dyn Rig>,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) slots: Arc<[Slot]>,
    pub(super) clock: Clock,
    pub(super) spec: LoadSpec,
    /// Where a worker process writes down what it begins and learns.
    pub(super) journal: Option<Arc<Journal>>,
    pub(super) abandon: CancellationToken,
    pub(super) meter: Meter,
}

/// An operation in hand.
struct InHand {
    operation: Operation,
    intended_ns: u64,
    sent_ns: u64,
    attempts: u16,
    /// An earlier attempt may have been carried out.
    may_be_done: bool,
}

impl InHand {
    fn outcome_without_decision(&self) -> Outcome {
        if self.may_be_done { Outcome::Unknown } else { Outcome::Failed }
    }
}

/// Why a client stopped working.
enum End {
    /// The load has stopped.
    Stopped,
    /// Its connection is gone.
    Lost(RetryClass),
}

/// What a client has: it outlives the connection that it works with.
struct Work {
    client: Option<Box<dyn Client>>,
    in_hand: Option<InHand>,
    report: ClientReport,
}

impl ClientTask {
    /// Works until the load stops, replacing `client` when its connection is lost.
    ///
    /// The work is a task of its own, and this one only waits for its end or a reason to end it: a step must not pay
    /// for asking whether it may go on.
    pub(super) async fn run(self, client: Box<dyn Client>) -> ClientReport {
        let this = Arc::new(self);
        let work = Work { client: Some(client), in_hand: None, report: ClientReport::default() };
        let work = Arc::new(Mutex::new(work));
        loop {
            let mut live = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&this).live(Arc::clone(&work))));
            let slot = &this.slots[this.number as usize];
            let end = tokio::select! {
                biased;
                () = this.abandon.cancelled() => End::Stopped,
                end = &mut live => end.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())),
                () = slot.kick.notified() => End::Lost(RetryClass::StepLimit),
            };
            live.abort();
            // Free when the task has let go of it.
            let mut work = work.lock().await;
            slot.step_since_ns.store(0, Ordering::Relaxed);
            work.client = None;
            let Work { in_hand, report, .. } = &mut *work;
            match end {
                End::Stopped => break this.give_up(in_hand, report),
                End::Lost(class) => this.note_loss(class, in_hand, report),
            }
        }
    }

    /// Leaves what is in hand undecided, and hands over what was seen.
    fn give_up(&self, in_hand: &mut Option<InHand>, report: &mut ClientReport) -> ClientReport {
        if let Some(current) = in_hand.take() {
            self.end(self.event(&current, Outcome::Unknown, 0), report);
        }
        std::mem::take(report)
    }

    /// Works with one connection, which it makes first if there is none.
    async fn live(self: Arc<Self>, work: Arc<Mutex<Work>>) -> End {
        let mut work = work.lock().await;
        let Work { client, in_hand, report } = &mut *work;
        let client = match client {
            Some(client) => client,
            None => client.insert(self.connect().await),
        };
        let step_since_ns = &self.slots[self.number as usize].step_since_ns;
        loop {
            let current = match in_hand {
                Some(current) => current,
                None => match self.arrivals.next().await {
                    Some(arrival) => in_hand.insert(self.begin(arrival)),
                    None => return End::Stopped,
                },
            };
            current.attempts = current.attempts.saturating_add(1);
            let since = if current.attempts == 1 { current.sent_ns } else { self.clock.now_ns() };
            step_since_ns.store(since, Ordering::Relaxed);
            let answer = client.step(&current.operation).await;
            step_since_ns.store(0, Ordering::Relaxed);
            match self.judge(current, answer, report) {
                Next::Done(event) => {
                    if matches!(event.outcome, Outcome::Ok | Outcome::Rejected)
                        && let Some(numbers) = client.seen()
                    {
                        self.note_seen(
                            Observation { operation: event.operation, client: self.number, numbers },
                            report,
                        );
                    }
                    self.end(event, report);
                    *in_hand = None;
                }
                Next::Retry(pause) => {
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                Next::Reconnect(class) => return End::Lost(class),
            }
        }
    }

    fn begin(&self, arrival: Arrival) -> InHand {
        if let Some(journal) = &self.journal {
            journal.write(&Frame::Began(Began {
                operation: arrival.number,
                intended_ns: arrival.intended_ns,
                sent_ns: arrival.sent_ns,
                client: self.number,
            }));
        }
        InHand {
            operation: operation(self.spec.seed, arrival.number),
            intended_ns: arrival.intended_ns,
            sent_ns: arrival.sent_ns,
            attempts: 0,
            may_be_done: arrival.resumed,
        }
    }

    /// Before the event that it belongs to, so that a killed worker leaves no event without it.
    fn note_seen(&self, observation: Observation, report: &mut ClientReport) {
        match &self.journal {
            Some(journal) => journal.write(&Frame::Saw(observation)),
            None => report.observations.push(observation),
        }
    }

    fn end(&self, event: Event, report: &mut ClientReport) {
        if let Some(journal) = &self.journal {
            journal.write(&Frame::Ended(event));
        }
        report.events.push(event);
    }

    /// Connects again and again; the load's drain limit ends it if the server never comes back.
    async fn connect(&self) -> Box<dyn Client> {
        loop {
            match self.rig.client(self.number).await {
                Ok(client) => return client,
                Err(error) => {
                    tracing::debug!(client = self.number, error = %error, "client could not connect");
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }

    fn judge(&self, current: &mut InHand, answer: Result<Reply, Setback>, report: &mut ClientReport) -> Next {
        let setback = match answer {
            Ok(Reply::Accepted { value }) => return Next::Done(self.event(current, Outcome::Ok, value)),
            Ok(Reply::Rejected { reason }) => return Next::Done(self.event(current, Outcome::Rejected, reason)),
            Err(setback) => setback,
        };
        current.may_be_done |= setback.leaves_outcome_unknown();
        let reaction = setback.reaction();
        let spent = self.is_spent(current);
        match reaction {
            Reaction::GiveUp => {
                if report.failures.len() < FAILURES_PER_CLIENT {
                    report.failures.push(describe(&setback));
                }
                Next::Done(self.event(current, current.outcome_without_decision(), 0))
            }
            _ if spent => Next::Done(self.event(current, current.outcome_without_decision(), 0)),
            Reaction::RetryNow(class) => {
                count(report, class);
                Next::Retry(Duration::ZERO)
            }
            Reaction::RetryLater(class) => {
                count(report, class);
                let draw = uniform(current.operation.draw, u64::from(current.attempts));
                Next::Retry(self.spec.retry.backoff_before(current.attempts, draw))
            }
            Reaction::Reconnect(class) => Next::Reconnect(class),
        }
    }

    /// Counts a lost connection and gives the operation up if it has been tried for too long.
    fn note_loss(&self, class: RetryClass, in_hand: &mut Option<InHand>, report: &mut ClientReport) {
        count(report, class);
        let Some(current) = in_hand else { return };
        current.may_be_done |= class != RetryClass::Database(pgstrata_pg::ErrorClass::NotConnected);
        if self.is_spent(current) {
            self.end(self.event(current, current.outcome_without_decision(), 0), report);
            *in_hand = None;
        }
    }

    /// Whether the bounds of retrying are reached: a count while the outcome is certain, a time while it is not.
    fn is_spent(&self, current: &InHand) -> bool {
        let policy = &self.spec.retry;
        if current.may_be_done {
            let limit_ns = u64::try_from(policy.resolve_limit.as_nanos()).unwrap_or(u64::MAX);
            self.clock.now_ns().saturating_sub(current.sent_ns) > limit_ns
        } else {
            current.attempts >= policy.attempts
        }
    }

    fn event(&self, current: &InHand, outcome: Outcome, value: i64) -> Event {
        let event = Event {
            operation: current.operation.number,
            intended_ns: current.intended_ns,
            sent_ns: current.sent_ns,
            finished_ns: self.clock.now_ns(),
            value,
            client: self.number,
            attempts: current.attempts,
            outcome,
        };
        self.meter.note(&event);
        event
    }
}

/// What follows from one attempt.
enum Next {
    Done(Event),
    Retry(Duration),
    Reconnect(RetryClass),
}

fn count(report: &mut ClientReport, class: RetryClass) {
    *report.retries.entry(class).or_default() += 1;
}

/// The error with its causes on one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
