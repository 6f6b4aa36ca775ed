//! Plays the steps of a specification in one order of turns, in which a session that waits for another one is passed over
//! until it is free.
//!
//! PostgreSQL's own tester ([`crate::runner`]) stops at an order in which a session that waits should act. Here an order is a
//! wish: which transaction goes next if it can. Turns that come up while a session waits are taken when it is free, before
//! all others. A transaction that fails is ended at once, as an application would; with [`Retries::Once`] those that lost
//! against others (a serialization failure, a deadlock) run again behind all others. What was played is judged by
//! [`crate::serial::Judge`]; nothing is judged here.
//!
//! The last step of each session must end its transaction.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pgstrata_pg::Error;
use pgstrata_pg::simple::{Reply, ServerMessage, TransactionStatus};

use crate::runner::{Call, Part, Performed};
use crate::session::{Blocking, Seat, Sessions, Settled};
use crate::spec::{Spec, StepId};

/// SQLSTATEs after which a transaction is to be run again: serialization failure and deadlock.
pub const RETRIABLE: [&str; 2] = ["40001", "40P01"];

/// Whether transactions that lost against others run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// They do not.
    None,
    /// They do once, alone, when all others are done.
    Once,
}

/// How long things may take, and what is done about failures.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// One step, waiting included; then it is cancelled.
    pub step: Duration,
    /// What becomes of those that lost.
    pub retries: Retries,
}

/// Something that happened, in the order in which it was seen.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step was sent.
    Began(StepId),
    /// It waits for these.
    Waits(StepId, &'a [Seat]),
    /// It was answered.
    Answered(StepId, &'a [Reply]),
    /// A transaction that had lost begins again.
    Again(Seat),
}

/// An error of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step.
    pub step: StepId,
    /// What the server said.
    pub error: ServerMessage,
    /// Whether the transaction ran again afterwards, and committed.
    pub retried: bool,
}

/// What was played.
#[derive(Clone, Debug)]
pub struct Interleaved {
    /// For the judge.
    pub performed: Performed,
    /// The turns as they were taken.
    pub taken: Vec<Seat>,
    /// Steps that had to wait for another session.
    pub waited: Vec<StepId>,
    /// Steps that failed.
    pub failures: Vec<Failure>,
    /// Sessions whose transaction committed.
    pub committed: Vec<Seat>,
}

/// Runs the set-up and plays the steps by turns; a session takes as many turns as it has steps, and what is left over when
/// the turns are at an end is played behind them.
///
/// Errors: those of a server that is gone. A set-up that fails is [`Performed::stopped`].
pub async fn interleave(
    spec: &Spec,
    sessions: &mut Sessions,
    turns: &[Seat],
    rules: Rules,
    on: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Interleaved, Error> {
    let count = spec.sessions.len();
    let mut play = Play {
        spec,
        sessions,
        rules,
        on,
        actors: (0..count).map(|_| Actor::default()).collect(),
        calls: Vec::new(),
        completed: 0,
        taken: Vec::new(),
        waited: Vec::new(),
        failures: Vec::new(),
        committed: Vec::new(),
    };
    let stopped = play.set_up().await?;
    if stopped.is_none() {
        play.all(turns).await?;
    }
    let performed = Performed { text: String::new(), calls: play.calls, stopped, waits: Vec::new() };
    let Play { taken, waited, failures, mut committed, .. } = play;
    committed.sort_unstable();
    Ok(Interleaved { performed, taken, waited, failures, committed })
}

struct Play<'a> {
    spec: &'a Spec,
    sessions: &'a mut Sessions,
    rules: Rules,
    on: &'a mut (dyn FnMut(Event<'_>) + Send),
    actors: Vec<Actor>,
    calls: Vec<Call>,
    completed: usize,
    taken: Vec<Seat>,
    waited: Vec<StepId>,
    failures: Vec<Failure>,
    committed: Vec<Seat>,
}

/// How far a session is.
#[derive(Default)]
struct Actor {
    /// The step that comes next.
    next: usize,
    /// The call that is not answered.
    open: Option<usize>,
    /// Turns that came up while it waited.
    due: usize,
    is_done: bool,
}

/// Whether others may have become free.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freed {
    Perhaps,
    No,
}

impl Play<'_> {
    async fn set_up(&mut self) -> Result<Option<String>, Error> {
        for sql in &self.spec.setups {
            for reply in self.sessions.run_on_control(sql, self.rules.step).await? {
                match reply {
                    Reply::Error(error) => {
                        return Ok(Some(format!("setup failed: {} ({})", error.message, error.sqlstate)));
                    }
                    Reply::Closed => return Ok(Some("setup failed: the server closed the connection".to_owned())),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    async fn all(&mut self, turns: &[Seat]) -> Result<(), Error> {
        let mut left: VecDeque<Seat> = turns.iter().copied().collect();
        for seat in (0..self.actors.len()).map(Seat) {
            let named = turns.iter().filter(|turn| **turn == seat).count();
            let missing = self.spec.sessions[seat.0].steps.len().saturating_sub(named);
            left.extend(std::iter::repeat_n(seat, missing));
        }
        loop {
            while let Some(seat) = left.pop_front() {
                let actor = &mut self.actors[seat.0];
                if actor.is_done {
                    continue;
                }
                if actor.open.is_some() {
                    actor.due += 1;
                    continue;
                }
                if self.turn(seat).await? == Freed::Perhaps {
                    self.look_at_waiting(&mut left).await?;
                }
            }
            if self.actors.iter().all(|actor| actor.open.is_none()) {
                break;
            }
            self.wait_for_any(&mut left).await?;
        }
        if self.rules.retries == Retries::Once {
            self.again().await?;
        }
        Ok(())
    }

    /// Sends a session's next step, and sees whether it answers or waits.
    async fn turn(&mut self, seat: Seat) -> Result<Freed, Error> {
        let place = self.actors[seat.0].next;
        self.taken.push(seat);
        self.send(seat, place).await?;
        self.look(seat, Blocking::Allowed).await
    }

    async fn send(&mut self, seat: Seat, place: usize) -> Result<(), Error> {
        let step = StepId { session: seat, place };
        let before = self.sessions.status(seat);
        (self.on)(Event::Began(step));
        self.sessions.start_step(seat, self.spec.step(step)).await?;
        self.calls.push(Call {
            session: seat,
            part: Part::Step(step),
            replies: Vec::new(),
            status: (before, before),
            completed: usize::MAX,
        });
        let actor = &mut self.actors[seat.0];
        actor.open = Some(self.calls.len() - 1);
        actor.next = place + 1;
        Ok(())
    }

    /// Looks at a session that owes an answer.
    async fn look(&mut self, seat: Seat, blocking: Blocking) -> Result<Freed, Error> {
        let step = StepId { session: seat, place: self.actors[seat.0].next - 1 };
        match self.sessions.settle(seat, blocking, self.rules.step, &mut Vec::new()).await? {
            Settled::Answered => self.answered(seat).await,
            Settled::Blocked => {
                if !self.waited.contains(&step) {
                    self.waited.push(step);
                    let blockers = self.sessions.blockers(seat).await?;
                    (self.on)(Event::Waits(step, &blockers));
                }
                Ok(Freed::No)
            }
            Settled::Busy => {
                self.sessions.cancel(seat).await?;
                self.answered(seat).await
            }
        }
    }

    /// Takes the answer; a transaction that has failed is ended.
    async fn answered(&mut self, seat: Seat) -> Result<Freed, Error> {
        let replies = self.sessions.finish(seat, self.rules.step).await?;
        let Some(call) = self.actors[seat.0].open.take() else { return Ok(Freed::No) };
        let step = StepId { session: seat, place: self.actors[seat.0].next - 1 };
        let is_last = step.place + 1 == self.spec.sessions[seat.0].steps.len();
        self.sessions.remember(seat, self.spec.step(step), &replies);
        (self.on)(Event::Answered(step, &replies));
        let error = replies.iter().find_map(|reply| match reply {
            Reply::Error(error) => Some(error.clone()),
            Reply::Closed => Some(ServerMessage { sqlstate: "08006".to_owned(), ..ServerMessage::default() }),
            _ => None,
        });
        let failed = error.is_some();
        if let Some(error) = error {
            self.failures.push(Failure { step, error, retried: false });
        }
        self.complete(call, replies);
        let status = self.sessions.status(seat);
        if self.sessions.is_closed(seat) || is_last {
            self.actors[seat.0].is_done = true;
            if is_last && !failed {
                self.committed.push(seat);
            }
            return Ok(Freed::Perhaps);
        }
        if failed && status == TransactionStatus::Failed {
            // The last step ends the transaction; the server makes a rollback of it.
            let last = self.spec.sessions[seat.0].steps.len() - 1;
            self.send(seat, last).await?;
            self.sessions.settle(seat, Blocking::Ignored, self.rules.step, &mut Vec::new()).await?;
            let replies = self.sessions.finish(seat, self.rules.step).await?;
            if let Some(call) = self.actors[seat.0].open.take() {
                self.complete(call, replies);
            }
            self.actors[seat.0].is_done = true;
        }
        // Outside a transaction block each step is a transaction, and a failed one has let go of its locks.
        let is_over = failed || status == TransactionStatus::Idle;
        Ok(if is_over { Freed::Perhaps } else { Freed::No })
    }

    fn complete(&mut self, index: usize, replies: Vec<Reply>) {
        let call = &mut self.calls[index];
        call.replies = replies;
        call.status.1 = self.sessions.status(call.session);
        call.completed = self.completed;
        self.completed += 1;
    }

    /// Looks once at all that wait; whoever is free takes the turns that it has missed before anybody else.
    async fn look_at_waiting(&mut self, left: &mut VecDeque<Seat>) -> Result<(), Error> {
        let mut again = true;
        while again {
            again = false;
            for seat in (0..self.actors.len()).map(Seat) {
                if self.actors[seat.0].open.is_none() {
                    continue;
                }
                again |= self.look(seat, Blocking::Allowed).await? == Freed::Perhaps;
                if self.actors[seat.0].open.is_none() {
                    self.take_missed(seat, left);
                }
            }
        }
        Ok(())
    }

    fn take_missed(&mut self, seat: Seat, left: &mut VecDeque<Seat>) {
        let due = std::mem::take(&mut self.actors[seat.0].due);
        for _ in 0..due {
            left.push_front(seat);
        }
    }

    /// All who are left wait: for each other, until the server chooses one to fail, or for something else.
    async fn wait_for_any(&mut self, left: &mut VecDeque<Seat>) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            for seat in (0..self.actors.len()).map(Seat) {
                if self.actors[seat.0].open.is_none() {
                    continue;
                }
                if began.elapsed() > self.rules.step {
                    self.sessions.cancel(seat).await?;
                    self.look(seat, Blocking::Ignored).await?;
                } else {
                    self.look(seat, Blocking::Allowed).await?;
                }
                if self.actors[seat.0].open.is_none() {
                    self.take_missed(seat, left);
                    return self.look_at_waiting(left).await;
                }
            }
        }
    }

    /// Runs those that lost again, one after the other.
    async fn again(&mut self) -> Result<(), Error> {
        let lost: Vec<usize> = (0..self.failures.len())
            .filter(|index| RETRIABLE.contains(&self.failures[*index].error.sqlstate.as_str()))
            .collect();
        for index in lost {
            let seat = self.failures[index].step.session;
            if self.sessions.is_closed(seat) || self.committed.contains(&seat) {
                continue;
            }
            (self.on)(Event::Again(seat));
            self.actors[seat.0] = Actor::default();
            while !self.actors[seat.0].is_done {
                let place = self.actors[seat.0].next;
                self.taken.push(seat);
                self.send(seat, place).await?;
                self.look(seat, Blocking::Ignored).await?;
            }
            self.failures[index].retried = self.committed.contains(&seat);
        }
        Ok(())
    }
}
