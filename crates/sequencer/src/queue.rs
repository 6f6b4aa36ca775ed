//! The bounded queue between many submitters and one worker.
//!
//! One short lock per request, and no allocation but that of the waiter's own channel; the worker is woken only when it
//! sleeps, once. It knows no server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::batch::{Batch, Pruned, Ticket};
use crate::error::SubmitError;

/// The bounds of the advice that goes with `QueueFull`.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(30));

/// What a flush is taken to cost per request before the first one was measured: 10 µs.
const FIRST_COST_NS: u64 = 10_000;

/// The share of the newest flush in the running mean of the cost per request: one eighth.
const COST_SHIFT: u32 = 3;

/// A full queue looks for requests that nobody waits for any more, at most this often.
const FULL_PRUNE_INTERVAL: Duration = Duration::from_millis(10);

/// How many turns of the runtime a waking worker waits for more requests, while each brings some. A turn runs 61 tasks
/// of a `tokio::task::LocalSet`, or all that are ready; with nobody about to submit it is two turns, about 1 µs.
const GATHER_TURNS: u32 = 200;

/// So many turns without a new request end the gathering: in one of two, the worker may just have been run again before
/// the others were.
const GATHER_IDLE_TURNS: u32 = 2;

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
        let (ticket, waiter) = Ticket::new(deadline);
        let mut state = self.lock();
        if let Gate::Shut(error) | Gate::Closed(error) = &state.gate {
            return Err(error.clone());
        }
        if state.tickets.len() >= self.limit && !state.make_room(self.limit) {
            return Err(SubmitError::QueueFull { retry_after: self.retry_after(state.tickets.len()) });
        }
        state.requests.push_back(request);
        state.tickets.push_back(ticket);
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
        let State { requests, tickets, .. } = &mut *state;
        batch.extend(requests.drain(..count), tickets.drain(..count));
        if state.tickets.is_empty() {
            state.earliest = None;
        }
        Take::Some
    }

    /// Sleeps until a request was queued after [`Take::Nothing`], the queue was closed, or so long.
    pub(crate) async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.wake.notified()).await;
    }

    /// Lets everybody who is about to submit do so, as long as each turn of the runtime brings more requests; unless
    /// nobody waits, or `plenty` do.
    ///
    /// The clients that one flush has answered come back together. Without this a few that were run first would be
    /// alone in one flush and all the others in the next, again and again: half of the flushes for nothing.
    pub(crate) async fn gather(&self, plenty: usize) {
        let mut before = self.lock().tickets.len();
        if before == 0 || before >= plenty {
            return;
        }
        let mut idle_turns = 0;
        for _ in 0..GATHER_TURNS {
            tokio::task::yield_now().await;
            let now = self.lock().tickets.len();
            idle_turns = if now > before { 0 } else { idle_turns + 1 };
            if idle_turns >= GATHER_IDLE_TURNS {
                return;
            }
            before = now;
        }
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
    pub(crate) fn shut(&self, error: &SubmitError) {
        let mut state = self.lock();
        if !matches!(state.gate, Gate::Closed(_)) {
            state.gate = Gate::Shut(error.clone());
        }
        let (_requests, tickets) = state.empty();
        drop(state);
        fail_all(tickets, error);
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
            if let Some(ticket) = ticket.settle(now, &mut pruned) {
                self.requests.push_back(request);
                self.tickets.push_back(ticket);
            }
        }
        self.pruned += pruned;
        self.earliest = self.tickets.iter().filter_map(Ticket::deadline).min();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    type Waiter = oneshot::Receiver<Result<u32, SubmitError>>;

    fn queue(limit: usize) -> Queue<u32, u32> {
        Queue::new(limit)
    }

    fn push(queue: &Queue<u32, u32>, request: u32, deadline: Option<Instant>) -> Waiter {
        queue.push(request, deadline).expect("room in the queue")
    }

    /// What one step of a random history does.
    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Withdraw,
        Flush { limit: usize },
        Refuse { limit: usize },
        CutInTwo { limit: usize },
        Shut,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => Just(Step::Push),
            1 => Just(Step::Withdraw),
            2 => (1..9_usize).prop_map(|limit| Step::Flush { limit }),
            1 => (1..9_usize).prop_map(|limit| Step::Refuse { limit }),
            1 => (2..9_usize).prop_map(|limit| Step::CutInTwo { limit }),
            1 => Just(Step::Shut),
        ]
    }

    fn run(queue: &Queue<u32, u32>, step: &Step, pushed: &mut u32, waiters: &mut Vec<(u32, Waiter)>) {
        let mut batch = Batch::default();
        match step {
            Step::Push => {
                if let Ok(waiter) = queue.push(*pushed, None) {
                    waiters.push((*pushed, waiter));
                }
                *pushed += 1;
            }
            Step::Withdraw => drop(waiters.pop()),
            Step::Flush { limit } => {
                queue.take(&mut batch, *limit);
                batch.prune(Instant::now());
                batch.deliver(batch.requests().to_vec());
            }
            Step::Refuse { limit } => {
                queue.take(&mut batch, *limit);
                batch.fail(&SubmitError::Unknown);
            }
            Step::CutInTwo { limit } => {
                queue.take(&mut batch, *limit);
                let mut second = batch.split();
                second.deliver(second.requests().to_vec());
                batch.deliver(batch.requests().to_vec());
            }
            Step::Shut => {
                queue.shut(&SubmitError::Unreachable);
                queue.open();
            }
        }
    }

    proptest! {
        #[test]
        fn every_waiter_gets_one_answer_and_an_accepting_one_is_its_own(steps in prop::collection::vec(step(), 0..80)) {
            let queue = queue(12);
            let (mut pushed, mut waiters) = (0, Vec::new());
            for step in steps {
                run(&queue, &step, &mut pushed, &mut waiters);
                prop_assert!(queue.depth().0 <= 12, "bounded");
            }
            queue.end(&SubmitError::Stopped);
            for (request, mut waiter) in waiters {
                let answer = waiter.try_recv().expect("answered, not dropped");
                if let Ok(answer) = answer {
                    prop_assert_eq!(answer, request);
                }
            }
        }
    }

    #[test]
    fn requests_leave_in_the_order_in_which_they_came() {
        let queue = queue(10);
        let _waiters: Vec<_> = (0..5).map(|request| push(&queue, request, None)).collect();
        let mut batch = Batch::default();
        assert_eq!(queue.take(&mut batch, 3), Take::Some);
        assert_eq!(batch.requests(), [0, 1, 2]);
        batch.fail(&SubmitError::Stopped);
        assert_eq!(queue.take(&mut batch, 3), Take::Some);
        assert_eq!(batch.requests(), [3, 4]);
        batch.fail(&SubmitError::Stopped);
        assert_eq!(queue.take(&mut batch, 3), Take::Nothing);
        assert_eq!(queue.depth().1, 5, "the high-water mark");
    }

    #[test]
    fn a_full_queue_makes_room_by_dropping_those_that_nobody_waits_for() {
        let queue = queue(2);
        let stays = push(&queue, 1, None);
        drop(push(&queue, 2, None));
        let comes = push(&queue, 3, None);
        assert!(matches!(queue.push(4, None), Err(SubmitError::QueueFull { .. })));
        let mut batch = Batch::default();
        queue.take(&mut batch, 9);
        assert_eq!(batch.requests(), [1, 3]);
        assert_eq!(queue.depth().2, Pruned { expired: 0, abandoned: 1 });
        drop((stays, comes));
    }

    #[test]
    fn sweeping_answers_only_those_whose_deadline_has_passed() {
        let queue = queue(9);
        let now = Instant::now();
        let soon = now + Duration::from_secs(1);
        let mut hasty = push(&queue, 1, Some(now));
        let mut patient = push(&queue, 2, Some(soon));
        let mut endless = push(&queue, 3, None);
        queue.sweep(now);
        assert!(matches!(hasty.try_recv(), Ok(Err(SubmitError::DeadlinePassed))));
        assert!(patient.try_recv().is_err(), "still waits");
        queue.sweep(soon);
        assert!(matches!(patient.try_recv(), Ok(Err(SubmitError::DeadlinePassed))));
        queue.sweep(soon + Duration::from_hours(1));
        assert!(endless.try_recv().is_err(), "still waits");
        assert_eq!(queue.depth().2, Pruned { expired: 2, abandoned: 0 });
    }

    #[test]
    fn the_advice_of_a_full_queue_follows_the_rate_of_the_last_flushes() {
        let queue = queue(1_000);
        let _waiters: Vec<_> = (0..1_000).map(|request| push(&queue, request, None)).collect();
        let advice = || match queue.push(0, None) {
            Err(SubmitError::QueueFull { retry_after }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(advice(), Duration::from_millis(10), "before any flush: 10 µs for each of 1,000");
        for _ in 0..100 {
            queue.learn_cost(1_000, Duration::from_millis(100));
        }
        let settled = advice();
        assert!((90..=100).contains(&settled.as_millis()), "100 ms for 1,000 requests, not {settled:?}");
        for _ in 0..100 {
            queue.learn_cost(1, Duration::from_hours(1));
        }
        assert_eq!(advice(), RETRY_AFTER.1, "bounded");
    }

    #[test]
    fn a_closed_queue_gives_out_what_waits_and_says_when_it_is_finished() {
        let queue = queue(9);
        let mut waiter = push(&queue, 1, None);
        queue.close(SubmitError::Stopped);
        assert!(matches!(queue.push(2, None), Err(SubmitError::Stopped)));
        queue.shut(&SubmitError::Unreachable);
        assert!(matches!(waiter.try_recv(), Ok(Err(SubmitError::Unreachable))), "the server went away meanwhile");
        queue.open();
        assert!(matches!(queue.push(3, None), Err(SubmitError::Stopped)), "closed for good");
        assert!(queue.is_finished());
        assert_eq!(queue.take(&mut Batch::default(), 9), Take::Finished);
        queue.end(&SubmitError::Deposed);
        assert!(matches!(queue.push(4, None), Err(SubmitError::Deposed)), "the graver reason stays");
    }

    /// 2,000 clients in a closed loop that the runtime runs 61 at a time.
    #[tokio::test]
    async fn clients_that_come_back_together_are_flushed_together() {
        let queue = Arc::new(queue(4_000));
        let server = Arc::clone(&queue);
        let worker = tokio::spawn(async move {
            let (mut batch, mut sizes) = (Batch::default(), vec![0]);
            while sizes.len() < 6 {
                server.gather(sizes[sizes.len() - 1] / 2).await;
                while server.take(&mut batch, 4_000) == Take::Nothing {
                    server.wait(Duration::from_mins(1)).await;
                    server.gather(4_000).await;
                }
                sizes.push(batch.len());
                // A flush: everybody who can submit does.
                tokio::time::sleep(Duration::from_millis(5)).await;
                batch.deliver(batch.requests().to_vec());
            }
            server.end(&SubmitError::Stopped);
            sizes
        });
        let clients = tokio::task::LocalSet::new();
        for client in 0..2_000 {
            let queue = Arc::clone(&queue);
            clients.spawn_local(async move {
                while let Ok(waiter) = queue.push(client, None) {
                    if waiter.await.is_err() {
                        return;
                    }
                }
            });
        }
        let sizes = clients.run_until(worker).await.expect("the worker");
        assert_eq!(sizes[3..], [2_000; 3], "however it began: {sizes:?}");
    }
}
