//! Invoice numbers without gaps, thousands a second: the smallest complete use of the sequencer.
//!
//! A sequence leaves gaps, and a counter that each transaction locks until its commit is on disk is a hot row. Here one
//! statement numbers a whole batch. It starts a private server of its own, so it runs wherever PostgreSQL is
//! installed: `cargo run -p pgstrata-sequencer --example invoice_numbers`. A real service passes its own endpoint.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{self as pg, testing};
use pgstrata_sequencer::{Flush, Sequencer, Settings};
use uuid::Uuid;

const SCHEMA: &str = include_str!("invoice_schema.sql");
const NEXT_NUMBERS: &str = include_str!("invoice_numbers.sql");

/// How long a request may wait for its flush to begin.
const PATIENCE: Duration = Duration::from_secs(5);

// #region flush
/// Numbers invoices. A request is the client's key, its answer the number.
struct Numbering;

#[async_trait]
impl Flush for Numbering {
    type Request = Uuid;
    type Answer = i64;
    type Prepared = Statement;

    async fn prepare(&self, session: &pg::Session) -> Result<Statement, pg::Error> {
        Ok(session.prepare(NEXT_NUMBERS).await?)
    }

    async fn flush(&self, session: &pg::Session, statement: &Statement, keys: &[Uuid]) -> Result<Vec<i64>, pg::Error> {
        let rows = session.query(statement, &[&keys]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
// #endregion flush

/// Numbers a thousand invoices at once and asks for one of them again.
///
/// # Panics
///
/// When what it claims about the numbers is not so.
pub async fn number_invoices() -> Result<(), Box<dyn Error>> {
    let server = testing::server().await?;
    server.endpoint().connect().await?.batch_execute(SCHEMA).await?;

    // #region use
    let sequencer = Sequencer::start(server.endpoint(), Numbering, Settings::default()).await?;
    let handle = sequencer.handle();

    let keys: Vec<Uuid> = (0..1_000).map(|_| Uuid::now_v7()).collect();
    let deadline = Some(Instant::now() + PATIENCE);
    let numbers = try_join_all(keys.iter().map(|key| handle.submit(*key, deadline))).await?;
    let again = handle.submit(keys[41], deadline).await?;

    let figures = sequencer.figures();
    sequencer.stop().await;
    // #endregion use

    assert_eq!(numbers.iter().copied().collect::<BTreeSet<_>>(), (1..=1_000).collect(), "no gap, nothing twice");
    assert_eq!(again, numbers[41], "a repeated key gets the number it has");
    assert!(figures.batches < 1_000, "requests that wait together share a commit: {figures:?}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    number_invoices().await
}
