//! A client of a study whose arms are allocations: draws a program, runs it at its level, keeps the answer.

use async_trait::async_trait;
use pgstrata_lab::observe::{Observer, WatchedTransaction};
use pgstrata_lab::study::{Client, Operation, Reply, Setback};
use pgstrata_pg::{Error, ErrorClass, Session};
use pgstrata_units::Isolation;
use uuid::Uuid;

use super::answers::Answers;

/// The programs of a study as one session has them.
#[async_trait]
pub(super) trait Programs: Send + 'static {
    /// One call of a program.
    type Call: Send + Sync;

    /// What an operation calls.
    fn call(&self, operation: &Operation) -> Self::Call;

    /// The level that the call runs at.
    fn level(&self, call: &Self::Call) -> Isolation;

    /// Whether it changes anything, so that its answer is kept.
    fn changes(call: &Self::Call) -> bool;

    /// Runs it inside a transaction and gives its answer.
    async fn run(&self, doing: &mut WatchedTransaction<'_>, call: &Self::Call) -> Result<i64, Error>;
}

/// A client.
pub(super) struct Teller<P> {
    session: Session,
    observer: Observer,
    answers: Answers,
    programs: P,
    /// Whether the next request may have been carried out already: by the session before this one, or by a twin.
    asks_first: bool,
}

impl<P: Programs> Teller<P> {
    pub(super) fn new(session: Session, observer: Observer, answers: Answers, programs: P) -> Self {
        Self { session, observer, answers, programs, asks_first: true }
    }

    async fn carry_out(&mut self, call: &P::Call, key: Uuid) -> Result<i64, Error> {
        if P::changes(call)
            && std::mem::take(&mut self.asks_first)
            && let Some(value) = self.answers.find(&self.session, key).await?
        {
            return Ok(value);
        }
        let mut doing = self.observer.begin(&mut self.session, self.programs.level(call)).await?;
        let value = self.programs.run(&mut doing, call).await?;
        if P::changes(call) {
            self.answers.keep(doing.unwatched(), key, value).await?;
        }
        doing.commit().await?;
        Ok(value)
    }
}

#[async_trait]
impl<P: Programs> Client for Teller<P> {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let call = self.programs.call(operation);
        match self.carry_out(&call, operation.key).await {
            Ok(value) => Ok(Reply::Accepted { value }),
            Err(error) => {
                self.asks_first |= error.class() == ErrorClass::UniqueViolation;
                Err(error.into())
            }
        }
    }
}
