//! The proof of the extension's central claim: who sees which version of a row. Writers do at random what can be done to
//! rows; readers hold snapshots and say what they see; another session judges every version on disk, given nothing but the
//! text of `pg_current_snapshot()`. Each difference is a wrong judgement.
//!
//! Interleavings are not repeatable, the load is: one seed. What was met is counted by reason, so that a proof says what it
//! is a proof of. Beside it two simpler formulas judge the same versions, to show that the load is one they fail on.

pub mod fuzz;
mod judge;
mod reader;
mod tally;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use pgstrata_pg::{Cluster, ClusterSpec, Endpoint};
use tokio::task::JoinSet;

use super::TrialError;
use tally::Tally;
pub use tally::{Proof, Wrong};

/// The extension that is asked.
const EXTENSION: &str = "mvcc_visualizer";
/// Rows that writers fight over.
const ROWS: i32 = 24;
/// Sessions that write.
const WRITERS: u32 = 6;
/// Sessions that read; each has a second one that judges.
const READERS: u32 = 4;
/// Prepared transactions that may wait at a time.
const PREPARED: u32 = WRITERS + 2;

/// What is to be proved, on which server.
#[derive(Clone, Debug)]
pub struct ProofSpec {
    /// The server, with the extension beside it.
    pub server: ClusterSpec,
    /// How many judgements; more are made until the load has met all that is hard ([`Proof::was_hard`]).
    pub judgements: u64,
    /// What the load is drawn from.
    pub seed: u64,
    /// How long it may take at most.
    pub limit: Duration,
}

/// Starts a private server, loads it and judges until there are enough judgements. The server is gone afterwards.
///
/// A wrong judgement is no error: it is in the result.
pub async fn prove(spec: ProofSpec) -> Result<Proof, TrialError> {
    let server = spec
        .server
        .clone()
        .with_setting("max_prepared_transactions", PREPARED.to_string())
        .with_setting("autovacuum_naptime", "1s")
        .with_setting("deadlock_timeout", "20ms");
    let cluster = Cluster::create(server).await?;
    let version = cluster.version().to_string();
    let outcome = tokio::time::timeout(spec.limit, load(&cluster.endpoint(), &spec)).await;
    let tally = outcome.map_err(|_| TrialError::TooSlow { limit: spec.limit })??;
    Ok(tally.proof(version, spec.seed))
}

async fn load(endpoint: &Endpoint, spec: &ProofSpec) -> Result<Arc<Tally>, TrialError> {
    let session = endpoint.connect().await?;
    session.batch_execute(include_str!("sql/schema.sql")).await?;
    session.batch_execute(&format!("create extension {EXTENSION}")).await?;
    session.execute(include_str!("sql/fill.sql"), &[&ROWS]).await?;
    session.batch_execute("vacuum (freeze) proof").await?;
    let tally = Arc::new(Tally::until(spec.judgements));
    let mut tasks = JoinSet::new();
    for number in 0..WRITERS {
        let writer = writer::Writer::open(endpoint, number, spec.seed, Arc::clone(&tally)).await?;
        tasks.spawn(writer.run());
    }
    for number in 0..READERS {
        let reader = reader::Reader::open(endpoint, number, spec.seed, Arc::clone(&tally)).await?;
        tasks.spawn(reader.run());
    }
    let mut first_error = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(TrialError::Task).flatten();
        if ended.is_err() && first_error.is_ok() {
            tally.stop();
            first_error = ended;
        }
    }
    first_error.map(|()| tally)
}
