//! Requests on their way through a flush, each with the place where its submitter waits.
//!
//! Requests and tickets are kept apart, so that a batch is a plain slice of requests. Nothing here waits or knows a
//! server. A ticket that is dropped without an answer reads as `Unknown` on the other side.

use std::time::Instant;

use tokio::sync::oneshot;

use crate::error::SubmitError;

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

    /// A place for one waiter, and the end that the waiter holds.
    pub(crate) fn new(deadline: Option<Instant>) -> (Self, oneshot::Receiver<Result<A, SubmitError>>) {
        let (answer, waiter) = oneshot::channel();
        (Self { answer, deadline }, waiter)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Answers and drops a ticket that needs no work; gives back one that does.
    pub(crate) fn settle(self, now: Instant, pruned: &mut Pruned) -> Option<Self> {
        match self.idle(now) {
            None => return Some(self),
            Some(Idle::Abandoned) => pruned.abandoned += 1,
            Some(Idle::Expired) => {
                pruned.expired += 1;
                self.answer(Err(SubmitError::DeadlinePassed));
            }
        }
        None
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

    /// Adds requests with their tickets, as many of one as of the other.
    pub(crate) fn extend(&mut self, requests: impl Iterator<Item = R>, tickets: impl Iterator<Item = Ticket<A>>) {
        self.requests.extend(requests);
        self.tickets.extend(tickets);
        debug_assert_eq!(self.requests.len(), self.tickets.len(), "each request has its ticket");
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
            if let Some(ticket) = ticket.settle(now, &mut pruned) {
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
