//! The bounded queue between many submitters and one worker, and the places where submitters wait.
//!
//! Requests and the waiters' tickets are kept apart, so that a batch is a plain slice of requests. One short lock per
//! request and no allocation but the waiter's own; the worker is woken only when it sleeps, once. It knows no server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::error::SubmitError;

/// The bounds of the advice that goes with `QueueFull`.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(30));

/// What a flush is taken to cost per request before the first one was measured: 10 µs.
const FIRST_COST_NS: u64 = 10_000;

/// The share of the newest flush in the running mean of the cost per request: one eighth.
const COST_SHIFT: u32 = 3;

/// A full queue looks for requests that nobody waits for any more, at most this often.
const FULL_PRUNE_INTERVAL: Duration = Duration::from_millis(10);

/// One waiter's place.
#[derive(Debug)]
pub(crate) struct Ticket<A> {
    answer: oneshot::Sender<Result<A, SubmitError>>,
    deadline: Option<Instant>,
}

/// Why a ticket needs no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Expired,
    Abandoned,
}

impl<A> Ticket<A> {
    /// Answers the waiter; a waiter that is gone is no error.
    pub(crate) fn answer(self, answer: Result<A, SubmitError>) {
        let _ = self.answer.send(answer);
    }

    fn idle(&self, now: Instant) -> Option<Idle> {
        if self.answer.is_closed() {
            return Some(Idle::Abandoned);
        }
        self.deadline.is_some_and(|deadline| deadline <= now).then_some(Idle::Expired)
    }
}

/// Requests with their tickets, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Batch<R, A> {
    requests: Vec<R>,
    tickets: Vec<Ticket<A>>,
    /// How often a flush of these requests was undone for a passing reason.
    pub(crate) attempts: u32,
}

/// What was taken out of a queue or batch without work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Answered with `DeadlinePassed`.
    pub(crate) expired: u64,
    /// The waiter was gone.
    pub(crate) abandoned: u64,
}

impl std::ops::AddAssign for Pruned {
    fn add_assign(&mut self, other: Self) {
        self.expired += other.expired;
        self.abandoned += other.abandoned;
    }
}

impl<R, A> Default for Batch<R, A> {
    fn default() -> Self {
        Self { requests: Vec::new(), tickets: Vec::new(), attempts: 0 }
    }
}

impl<R, A> Batch<R, A> {
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) fn requests(&self) -> &[R] {
        &self.requests
    }

    /// Drops the requests that need no work: the deadline has passed, or the waiter is gone.
    pub(crate) fn prune(&mut self, now: Instant) -> Pruned {
        let mut pruned = Pruned::default();
        if self.tickets.iter().all(|ticket| ticket.idle(now).is_none()) {
            return pruned;
        }
        let requests = std::mem::take(&mut self.requests);
        let tickets = std::mem::take(&mut self.tickets);
        for (request, ticket) in requests.into_iter().zip(tickets) {
            if let Some(ticket) = settle(ticket, now, &mut pruned) {
                self.requests.push(request);
                self.tickets.push(ticket);
            }
        }
        pruned
    }

    /// Cuts off the second half.
    pub(crate) fn split(&mut self) -> Self {
        let half = self.len() / 2;
        Self { requests: self.requests.split_off(half), tickets: self.tickets.split_off(half), attempts: self.attempts }
    }

    /// Gives each waiter its answer, in order, and keeps the room for the next batch.
    pub(crate) fn deliver(&mut self, answers: Vec<A>) {
        assert_eq!(answers.len(), self.len(), "a flush gives one answer for each request of its batch");
        for (ticket, answer) in self.tickets.drain(..).zip(answers) {
            ticket.answer(Ok(answer));
        }
        self.requests.clear();
        self.attempts = 0;
    }

    /// Puts each request beside its answer, for a time in which neither may be given.
    pub(crate) fn with_answers(&mut self, answers: Vec<A>) -> Vec<Doubtful<R, A>> {
        let tickets = self.tickets.drain(..).zip(answers);
        self.requests
            .drain(..)
            .zip(tickets)
            .map(|(request, (ticket, answer))| Doubtful { request, answer, ticket })
            .collect()
    }

    /// Takes requests back whose answers turned out not to be true.
    pub(crate) fn without_answers(doubtful: Vec<Doubtful<R, A>>, attempts: u32) -> Self {
        let (requests, tickets) = doubtful.into_iter().map(|one| (one.request, one.ticket)).unzip();
        Self { requests, tickets, attempts }
    }

    /// Answers every waiter with the same error, and keeps the room for the next batch.
    pub(crate) fn fail(&mut self, error: &SubmitError) {
        for ticket in self.tickets.drain(..) {
            ticket.answer(Err(error.clone()));
        }
        self.requests.clear();
        self.attempts = 0;
    }
}

/// A request that may have been carried out, and what its answer is in that case.
#[derive(Debug)]
pub(crate) struct Doubtful<R, A> {
    request: R,
    answer: A,
    ticket: Ticket<A>,
}

impl<R, A> Doubtful<R, A> {
    /// It was carried out.
    pub(crate) fn confirm(self) {
        self.ticket.answer(Ok(self.answer));
    }

    /// Nobody can tell.
    pub(crate) fn give_up(self) {
        self.ticket.answer(Err(SubmitError::Unknown));
    }

    /// Whether its waiter's patience has ended.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ticket.idle(now).is_some()
    }
}

/// Answers and drops a ticket that needs no work; gives back one that does.
fn settle<A>(ticket: Ticket<A>, now: Instant, pruned: &mut Pruned) -> Option<Ticket<A>> {
    match ticket.idle(now) {
        None => return Some(ticket),
        Some(Idle::Abandoned) => pruned.abandoned += 1,
        Some(Idle::Expired) => {
            pruned.expired += 1;
            ticket.answer(Err(SubmitError::DeadlinePassed));
        }
    }
    None
}

/// Whether and why a queue takes no more requests.
#[derive(Clone, Debug)]
enum Gate {
    Open,
    /// Refuses with this until opened again.
    Shut(SubmitError),
    /// Refuses with this for good.
    Closed(SubmitError),
}

/// The queue itself.
#[derive(Debug)]
pub(crate) struct Queue<R, A> {
    state: Mutex<State<R, A>>,
    wake: Notify,
    limit: usize,
    cost_ns: AtomicU64,
}

#[derive(Debug)]
struct State<R, A> {
    requests: VecDeque<R>,
    tickets: VecDeque<Ticket<A>>,
    gate: Gate,
    /// The worker waits for `wake`.
    sleeping: bool,
    /// No deadline in the queue is earlier than this.
    earliest: Option<Instant>,
    peak: usize,
    pruned: Pruned,
    pruned_full_at: Option<Instant>,
}

/// What a worker finds in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// The batch has requests now.
    Some,
    /// Nothing waits.
    Nothing,
    /// Nothing waits, and nothing will come.
    Finished,
}

impl<R, A> Queue<R, A> {
    pub(crate) fn new(limit: usize) -> Self {
        let state = State {
            requests: VecDeque::new(),
            tickets: VecDeque::new(),
            gate: Gate::Open,
            sleeping: false,
            earliest: None,
            peak: 0,
            pruned: Pruned::default(),
            pruned_full_at: None,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), limit, cost_ns: AtomicU64::new(FIRST_COST_NS) }
    }

    /// Queues a request; the receiver gets its answer.
    pub(crate) fn push(
        &self,
        request: R,
        deadline: Option<Instant>,
    ) -> Result<oneshot::Receiver<Result<A, SubmitError>>, SubmitError> {
        // Made before the lock is taken: the allocation is the longest part.
        let (answer, waiter) = oneshot::channel();
        let mut state = self.lock();
        if let Gate::Shut(error) | Gate::Closed(error) = &state.gate {
            return Err(error.clone());
        }
        if state.tickets.len() >= self.limit && !state.make_room(self.limit) {
            return Err(SubmitError::QueueFull { retry_after: self.retry_after(state.tickets.len()) });
        }
        state.requests.push_back(request);
        state.tickets.push_back(Ticket { answer, deadline });
        state.peak = state.peak.max(state.tickets.len());
        if let Some(deadline) = deadline {
            state.earliest = Some(state.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        }
        let wake = std::mem::take(&mut state.sleeping);
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        Ok(waiter)
    }

    /// Moves up to `limit` requests into an empty batch.
    pub(crate) fn take(&self, batch: &mut Batch<R, A>, limit: usize) -> Take {
        debug_assert!(batch.is_empty(), "a batch is flushed before the next is taken");
        let mut state = self.lock();
        let count = state.tickets.len().min(limit);
        if count == 0 {
            if matches!(state.gate, Gate::Closed(_)) {
                return Take::Finished;
            }
            state.sleeping = true;
            return Take::Nothing;
        }
        batch.requests.extend(state.requests.drain(..count));
        batch.tickets.extend(state.tickets.drain(..count));
        if state.tickets.is_empty() {
            state.earliest = None;
        }
        Take::Some
    }

    /// Sleeps until a request was queued after [`Take::Nothing`], the queue was closed, or so long.
    pub(crate) async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.wake.notified()).await;
    }

    /// Answers the queued requests whose deadline has passed. Costs nothing while none has.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut state = self.lock();
        if state.earliest.is_some_and(|earliest| earliest <= now) {
            state.prune(now);
        }
    }

    /// Refuses new requests with `error` until [`Self::open`], and answers those that wait. Nothing of them was
    /// written. Without effect on a closed queue, except that nobody waits in it any more.
    pub(crate) fn shut(&self, error: SubmitError) {
        let mut state = self.lock();
        if !matches!(state.gate, Gate::Closed(_)) {
            state.gate = Gate::Shut(error.clone());
        }
        let (_requests, tickets) = state.empty();
        drop(state);
        fail_all(tickets, &error);
    }

    /// Takes requests again after [`Self::shut`].
    pub(crate) fn open(&self) {
        let mut state = self.lock();
        if matches!(state.gate, Gate::Shut(_)) {
            state.gate = Gate::Open;
        }
    }

    /// Takes no more requests; those that wait are still to be worked off.
    pub(crate) fn close(&self, error: SubmitError) {
        self.lock().gate = Gate::Closed(error);
        self.wake.notify_one();
    }

    /// Takes no more requests, and answers those that wait. A reason given earlier to [`Self::close`] stays.
    pub(crate) fn end(&self, error: &SubmitError) {
        let mut state = self.lock();
        if !matches!(state.gate, Gate::Closed(_)) || matches!(error, SubmitError::Deposed) {
            state.gate = Gate::Closed(error.clone());
        }
        let (_requests, tickets) = state.empty();
        drop(state);
        fail_all(tickets, error);
    }

    /// Whether nothing waits and nothing will come.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.tickets.is_empty() && matches!(state.gate, Gate::Closed(_))
    }

    /// Learns from one flush what a request costs, for the advice of a full queue.
    pub(crate) fn learn_cost(&self, requests: usize, took: Duration) {
        let requests = u64::try_from(requests.max(1)).unwrap_or(u64::MAX);
        let newest = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / requests;
        let mean = self.cost_ns.load(Ordering::Relaxed);
        self.cost_ns.store(mean - (mean >> COST_SHIFT) + (newest >> COST_SHIFT), Ordering::Relaxed);
    }

    /// How many requests wait, how many ever did at once, and what was dropped without work.
    pub(crate) fn depth(&self) -> (usize, usize, Pruned) {
        let state = self.lock();
        (state.tickets.len(), state.peak, state.pruned)
    }

    fn retry_after(&self, waiting: usize) -> Duration {
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        let ns = self.cost_ns.load(Ordering::Relaxed).saturating_mul(waiting);
        Duration::from_nanos(ns).clamp(RETRY_AFTER.0, RETRY_AFTER.1)
    }

    /// A panic under this lock leaves at worst a request without ticket; nothing here panics.
    fn lock(&self) -> MutexGuard<'_, State<R, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R, A> State<R, A> {
    /// Looks for requests that need no work in a full queue, but not for each of a storm of submitters.
    fn make_room(&mut self, limit: usize) -> bool {
        let now = Instant::now();
        if self.pruned_full_at.is_some_and(|last| now.duration_since(last) < FULL_PRUNE_INTERVAL) {
            return false;
        }
        self.pruned_full_at = Some(now);
        self.prune(now);
        self.tickets.len() < limit
    }

    fn prune(&mut self, now: Instant) {
        let mut pruned = Pruned::default();
        let requests = std::mem::take(&mut self.requests);
        let tickets = std::mem::take(&mut self.tickets);
        for (request, ticket) in requests.into_iter().zip(tickets) {
            if let Some(ticket) = settle(ticket, now, &mut pruned) {
                self.requests.push_back(request);
                self.tickets.push_back(ticket);
            }
        }
        self.pruned += pruned;
        self.earliest = self.tickets.iter().filter_map(|ticket| ticket.deadline).min();
    }

    /// Everything that waits, to be answered and dropped without the lock.
    fn empty(&mut self) -> (VecDeque<R>, VecDeque<Ticket<A>>) {
        self.earliest = None;
        (std::mem::take(&mut self.requests), std::mem::take(&mut self.tickets))
    }
}

fn fail_all<A>(tickets: VecDeque<Ticket<A>>, error: &SubmitError) {
    for ticket in tickets {
        ticket.answer(Err(error.clone()));
    }
}
