//! Runs of studies: one at a time, the others in a queue. Every run starts servers of its own and removes them, whether
//! it comes to its end or is cancelled.

mod order;
mod progress;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgstrata_lab::error::LabError;
use pgstrata_lab::meter::{Meter, Reading};
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_pg::Install;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::limits;
use crate::live::{News, ServerMessage};
use crate::problem::{Code, Problem};
use crate::records::Records;
use crate::routes::runs::{Pulse, Run, RunDetail, RunRequest, RunState};
use order::Order;
use progress::Reporter;

/// Points of a run's live chart that are kept.
const KEPT_PULSES: usize = 10_000;

/// The runs; cheap to clone.
#[derive(Clone)]
pub struct Runs(Arc<Shared>);

struct Shared {
    install: Option<Install>,
    records: Records,
    news: News,
    book: Mutex<Book>,
    asked: Notify,
    stop: CancellationToken,
    worker: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

#[derive(Default)]
struct Book {
    next_id: u64,
    /// Oldest first.
    runs: VecDeque<Entry>,
}

struct Entry {
    run: Run,
    pulses: VecDeque<Pulse>,
    order: Option<Order>,
    cancel: CancellationToken,
}

impl Runs {
    /// No runs yet. `install` has the binaries of their servers.
    pub fn new(install: Option<Install>, records: Records, news: News) -> Self {
        let runs = Self(Arc::new(Shared {
            install,
            records,
            news,
            book: Mutex::default(),
            asked: Notify::new(),
            stop: CancellationToken::new(),
            worker: Mutex::default(),
        }));
        let worker = tokio::spawn(work(runs.clone()));
        *runs.0.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
        runs
    }

    /// All that are remembered, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Run> {
        self.book().runs.iter().rev().map(|entry| entry.run.clone()).collect()
    }

    /// Id of the run that goes on.
    pub(crate) fn running(&self) -> Option<String> {
        let book = self.book();
        let running = book.runs.iter().find(|entry| entry.run.state == RunState::Running);
        running.map(|entry| entry.run.id.clone())
    }

    /// Takes an order for a run.
    ///
    /// # Errors
    /// If it makes no sense, too many wait already, or there is no PostgreSQL to run it on.
    pub fn ask(&self, request: RunRequest) -> Result<Run, Problem> {
        if self.0.install.is_none() {
            return Err(Problem::new(Code::NotSupported, "there are no PostgreSQL binaries to start a server with")
                .hint(
                    "install PostgreSQL 14 or newer, or `pgstrata pg install 18`, and start `pgstrata serve` again",
                ));
        }
        let order = Order::of(request)?;
        let run = {
            let mut book = self.book();
            let waiting = book.runs.iter().filter(|entry| entry.run.state == RunState::Queued).count();
            if waiting >= limits::QUEUED_RUNS {
                return Err(Problem::new(Code::LimitReached, format!("{waiting} runs wait for their turn"))
                    .hint("wait, or cancel one of them"));
            }
            book.take(order)
        };
        self.0.news.tell(ServerMessage::Run { run: run.clone() });
        self.0.asked.notify_one();
        Ok(run)
    }

    /// A run with its measurements.
    pub(crate) fn show(&self, id: &str) -> Result<RunDetail, Problem> {
        let book = self.book();
        let entry = book.find(id)?;
        Ok(RunDetail { run: entry.run.clone(), pulses: entry.pulses.iter().cloned().collect() })
    }

    /// Asks a run to end. One that has ended stays as it is.
    pub(crate) fn cancel(&self, id: &str) -> Result<Run, Problem> {
        let cancel = self.book().find(id)?.cancel.clone();
        cancel.cancel();
        // One that waits has nothing to clean up.
        let run = self.change(id, |entry| {
            if entry.run.state == RunState::Queued {
                entry.end(RunState::Cancelled);
            }
        });
        run.ok_or_else(|| missing(id))
    }

    /// Cancels what goes on, and returns when it has cleaned up.
    pub async fn close(&self) {
        self.0.stop.cancel();
        let worker = self.0.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            let _ = worker.await;
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a run and tells of it.
    fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) -> Option<Run> {
        let run = {
            let mut book = self.book();
            let entry = book.runs.iter_mut().find(|entry| entry.run.id == id)?;
            change(entry);
            entry.run.version += 1;
            entry.run.clone()
        };
        self.0.news.tell(ServerMessage::Run { run: run.clone() });
        Some(run)
    }

    /// The next that waits, marked as running.
    fn next(&self) -> Option<(String, Order, CancellationToken)> {
        let (id, order, cancel) = {
            let mut book = self.book();
            let entry = book.runs.iter_mut().find(|entry| entry.run.state == RunState::Queued)?;
            (entry.run.id.clone(), entry.order.take()?, entry.cancel.clone())
        };
        self.change(&id, |entry| {
            entry.run.state = RunState::Running;
            entry.run.began_us = Some(clock::now_us());
            "starting PostgreSQL".clone_into(&mut entry.run.now);
        });
        Some((id, order, cancel))
    }

    async fn carry_out(&self, id: &str, order: Order, interrupt: &CancellationToken) {
        let chosen = order.has_chosen_arms();
        match self.measure(id, order, interrupt).await {
            Ok(record) => {
                let held = record.held(chosen);
                let kept = self.0.records.keep(record).await;
                self.change(id, |entry| {
                    entry.run.held = Some(held);
                    match kept {
                        Ok(record) => entry.run.record = Some(record),
                        Err(problem) => entry.run.problem = Some(problem),
                    }
                    entry.end(RunState::Done);
                });
            }
            Err(LabError::Interrupted) => drop(self.change(id, |entry| entry.end(RunState::Cancelled))),
            Err(error) => drop(self.change(id, |entry| {
                entry.run.problem = Some(error.into());
                entry.end(RunState::Failed);
            })),
        }
    }

    /// Tells what is measured while a run goes on.
    async fn feel_pulse(&self, id: &str, meter: &Meter) -> Infallible {
        let mut beats = tokio::time::interval(limits::PULSE);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let Some(reading) = meter.read() else { continue };
            // Between two loads there is nothing to draw.
            if reading.decided + reading.undecided > 0 && reading.seconds > 0.0 {
                self.change(id, |entry| entry.add_pulse(&reading));
            }
        }
    }

    async fn measure(
        &self,
        id: &str,
        order: Order,
        interrupt: &CancellationToken,
    ) -> Result<pgstrata_lab::record::Record, LabError> {
        let Some(install) = self.0.install.clone() else {
            return Err(LabError::usage("there are no PostgreSQL binaries", "install PostgreSQL 14 or newer"));
        };
        let servers = order.servers();
        let spec = order.spec;
        let place = SiteSpec::Private { install, servers };
        let opened = tokio::select! {
            site = Site::open(&place, &spec.faults) => site?,
            () = interrupt.cancelled() => return Err(LabError::Interrupted),
        };
        let meter = Meter::counting();
        let opened = opened.metered(meter.clone());
        let reporter = Reporter::new(self.clone(), id.to_owned());
        let outcome = tokio::select! {
            outcome = pgstrata_lab::run::run(&spec, &opened, &reporter, interrupt) => outcome,
            never = self.feel_pulse(id, &meter) => match never {},
        };
        if let Err(error) = opened.close().await {
            tracing::warn!(error = %error, "a server did not stop in order");
        }
        outcome
    }
}

/// Carries the runs out, one after the other.
async fn work(runs: Runs) {
    let stop = runs.0.stop.clone();
    loop {
        while let Some((id, order, cancel)) = runs.next() {
            let both = cancel.clone();
            let _cancel_at_the_end = {
                let stop = stop.clone();
                tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
                    stop.cancelled().await;
                    both.cancel();
                }))
            };
            runs.carry_out(&id, order, &cancel).await;
            if stop.is_cancelled() {
                return;
            }
        }
        tokio::select! {
            () = runs.0.asked.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Book {
    fn take(&mut self, order: Order) -> Run {
        self.next_id += 1;
        let run = Run {
            id: self.next_id.to_string(),
            request: order.request.clone(),
            command: order.spec.command.clone(),
            state: RunState::Queued,
            version: 0,
            asked_us: clock::now_us(),
            began_us: None,
            ended_us: None,
            trials: 0,
            trials_done: 0,
            estimate_s: 0.0,
            now: String::new(),
            record: None,
            held: None,
            problem: None,
            pulse: None,
        };
        let entry =
            Entry { run: run.clone(), pulses: VecDeque::new(), order: Some(order), cancel: CancellationToken::new() };
        self.runs.push_back(entry);
        if self.runs.len() > limits::KEPT_RUNS {
            self.forget_oldest();
        }
        run
    }

    /// Only one that has ended can be forgotten; there are far fewer others than are kept.
    fn forget_oldest(&mut self) {
        let ended = self.runs.iter().position(|entry| entry.run.ended_us.is_some());
        if let Some(oldest) = ended {
            self.runs.remove(oldest);
        }
    }

    fn find(&self, id: &str) -> Result<&Entry, Problem> {
        self.runs.iter().find(|entry| entry.run.id == id).ok_or_else(|| missing(id))
    }
}

impl Entry {
    fn end(&mut self, state: RunState) {
        self.run.state = state;
        self.run.ended_us = Some(clock::now_us());
        self.run.now.clear();
        self.order = None;
    }

    fn add_pulse(&mut self, reading: &Reading) {
        let pulse = Pulse {
            arm: reading.arm.to_owned(),
            trial: self.run.trials_done + 1,
            at_ms: reading.at_ms,
            per_second: reading.decided as f64 / reading.seconds,
            failed_per_second: reading.undecided as f64 / reading.seconds,
            latency_us_p50: reading.latency_us_p50,
            latency_us_p99: reading.latency_us_p99,
        };
        if self.pulses.len() >= KEPT_PULSES {
            self.pulses.pop_front();
        }
        self.pulses.push_back(pulse.clone());
        self.run.pulse = Some(pulse);
    }
}

fn missing(id: &str) -> Problem {
    Problem::missing(format!("there is no run {id}")).hint("`GET /api/runs` lists them")
}
