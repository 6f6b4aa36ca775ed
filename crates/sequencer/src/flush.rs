//! What a user of the library writes: one set-based statement for a whole batch.

use async_trait::async_trait;
use pgstrata_pg as pg;

/// What one flush does with a batch, inside the transaction that the sequencer has opened and fenced.
///
/// The sequencer is the only writer of its shard, so a flush may decide in the statement itself (stock left, funds
/// left) without retry loops. Each request should carry a key that a table holds as unique: a client that got
/// [`crate::SubmitError::Unknown`], or no answer at all, looks its request up by that key or sends it again, and the
/// statement answers a repeated key with the first answer (`on conflict do nothing`).
#[async_trait]
pub trait Flush: Send + Sync + 'static {
    /// What is submitted.
    type Request: Send + Sync + 'static;
    /// What the submitter gets back once the flush is durable; a refusal for a reason of the business is an answer.
    type Answer: Send + 'static;
    /// What belongs to one session: its prepared statements.
    type Prepared: Send + Sync + 'static;

    /// Prepares a session, after each connect and reconnect, outside a transaction.
    async fn prepare(&self, session: &pg::Session) -> Result<Self::Prepared, pg::Error>;

    /// Runs the statement for `batch` and gives one answer for each request, in order. `batch` is not empty.
    ///
    /// It must not begin, commit or roll back. It may be called again with the same requests or some of them, after
    /// the earlier call was rolled back. An error means that nothing of the batch is to be written; if it is the
    /// server's answer to one bad request, the sequencer finds that one by halving the batch. To keep a flush at two
    /// round trips it should send all it has to send without awaiting an answer in between: what it sends first is
    /// pipelined behind `begin` and the fence.
    ///
    /// # Panics
    ///
    /// The sequencer panics, and thereby ends, when the number of answers is not that of the requests.
    async fn flush(
        &self,
        session: &pg::Session,
        prepared: &Self::Prepared,
        batch: &[Self::Request],
    ) -> Result<Vec<Self::Answer>, pg::Error>;
}
