//! Pages of a real table with bytes changed by lot, read by the extension inside a server. The server must still be there
//! afterwards: a backend that crashes takes all sessions with it.

use std::time::Duration;

use pgstrata_pg::sql::ClientError;
use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Session};
use rand::{Rng, RngExt};
use serde::Serialize;
use tokio::task::JoinSet;

use super::EXTENSION;
use super::writer::rng_of;
use crate::mvcc::TrialError;

/// Pages of one statement.
const BATCH: u64 = 50;
/// Most bytes changed of one page.
const MOST_CHANGES: u32 = 12;
/// Sessions that read at a time.
const SESSIONS: u32 = 2;
/// Bytes of a page's header, in which one change makes the whole page refused.
const HEADER_BYTES: usize = 24;
/// Bytes of headers and small values at the front of a tuple, where a change tells most.
const FRONT_BYTES: usize = 64;

/// What is to be read, on which server.
#[derive(Clone, Debug)]
pub struct FuzzSpec {
    /// The server, with the extension beside it.
    pub server: ClusterSpec,
    /// How many pages.
    pub pages: u64,
    /// What the changes are drawn from; they are the same for the same seed.
    pub seed: u64,
    /// How long it may take at most.
    pub limit: Duration,
}

/// What became of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fuzzed {
    /// Pages read or refused.
    pub pages: u64,
    /// Pages refused as a whole, with an error.
    pub refused: u64,
    /// Rows returned.
    pub rows: u64,
    /// Rows whose tuple was refused.
    pub problems: u64,
    /// Rows with a value that was refused.
    pub damaged: u64,
}

/// Has damaged pages read until there were enough. An error means that the server did not survive it, or was not had.
pub async fn fuzz(spec: FuzzSpec) -> Result<Fuzzed, TrialError> {
    let cluster = Cluster::create(spec.server.clone()).await?;
    let work = async {
        let session = cluster.endpoint().connect().await?;
        session.batch_execute(include_str!("sql/fuzz_schema.sql")).await?;
        session.batch_execute(include_str!("sql/fuzz_change.sql")).await?;
        session.batch_execute(&format!("create extension {EXTENSION}; create extension pageinspect")).await?;
        let rows = session.query(include_str!("sql/fuzz_pages.sql"), &[]).await?;
        let pages: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut tasks = JoinSet::new();
        for number in 0..SESSIONS {
            let reader = Reader::open(&cluster.endpoint(), pages.clone()).await?;
            tasks.spawn(reader.run(spec.pages.div_ceil(SESSIONS.into()), rng_of(spec.seed, number)));
        }
        let mut sum = Fuzzed::default();
        while let Some(ended) = tasks.join_next().await {
            let part = ended.map_err(TrialError::Task).flatten()?;
            sum.pages += part.pages;
            sum.refused += part.refused;
            sum.rows += part.rows;
            sum.problems += part.problems;
            sum.damaged += part.damaged;
        }
        // The session of before is of a server that did not start anew.
        session.batch_execute("select 1").await?;
        Ok(sum)
    };
    tokio::time::timeout(spec.limit, work).await.map_err(|_| TrialError::TooSlow { limit: spec.limit })?
}

struct Reader {
    session: Session,
    pages: Vec<Vec<u8>>,
    done: Fuzzed,
}

impl Reader {
    async fn open(endpoint: &Endpoint, pages: Vec<Vec<u8>>) -> Result<Self, TrialError> {
        let session = endpoint.connect().await?;
        // A value that claims to be long must not make the server slow, and is refused anyway.
        session.batch_execute("set statement_timeout = '60s'; set client_min_messages = 'error'").await?;
        Ok(Self { session, pages, done: Fuzzed::default() })
    }

    async fn run(mut self, pages: u64, mut rng: impl Rng + Send) -> Result<Fuzzed, TrialError> {
        while self.done.pages < pages {
            // A page that is refused ends its statement, so those that may be go alone.
            let alone = damaged(&self.pages, &mut rng, 0);
            self.read(vec![alone]).await?;
            let batch = (0..BATCH).map(|_| damaged(&self.pages, &mut rng, HEADER_BYTES)).collect();
            self.read(batch).await?;
        }
        Ok(self.done)
    }

    async fn read(&mut self, images: Vec<Vec<u8>>) -> Result<(), TrialError> {
        let count = u64::try_from(images.len()).unwrap_or(u64::MAX);
        self.done.pages += count;
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        match self.session.query_one(include_str!("sql/fuzz_read.sql"), &[&images]).await {
            Ok(row) => {
                self.done.rows += number(row.try_get(0)?);
                self.done.problems += number(row.try_get(1)?);
                self.done.damaged += number(row.try_get(2)?);
                Ok(())
            }
            Err(error) if is_refusal(&error) => {
                self.done.refused += count;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the server said that the data is damaged, and not that it broke itself.
fn is_refusal(error: &ClientError) -> bool {
    error.as_db_error().is_some_and(|error| error.code().code() == "XX001")
}

/// A page with some bytes changed, none before `from`.
fn damaged(pages: &[Vec<u8>], rng: &mut impl Rng, from: usize) -> Vec<u8> {
    let mut page = pages[rng.random_range(0..pages.len())].clone();
    let upper = page.get(14..16).map_or(0, |bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    let lower = page.get(12..14).map_or(0, |bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    for _ in 0..rng.random_range(1..=MOST_CHANGES) {
        let at = match rng.random_range(0..8) {
            // Line pointers.
            0 => rng.random_range(from..lower.max(from + 1)),
            // Where a tuple may begin: its header and its first columns.
            1..4 => (upper
                + 8 * rng.random_range(0..(page.len() - upper) / 8).min(page.len())
                + rng.random_range(0..FRONT_BYTES))
            .min(page.len() - 1),
            _ => rng.random_range(from.max(upper)..page.len()),
        };
        page[at] = match rng.random_range(0..4) {
            0 => page[at] ^ (1 << rng.random_range(0..8_u32)),
            1 => 0xFF,
            2 => 0,
            _ => rng.random(),
        };
    }
    page
}
