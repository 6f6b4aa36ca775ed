//! One reader: it holds a snapshot, says what it sees, and has every version on disk judged by another session. Some
//! readers write first, and are judged with their own transaction beside the snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use pgstrata_pg::{Endpoint, Session};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::ROWS;
use super::judge::{Judge, Truth, places};
use super::tally::Tally;
use super::writer::rng_of;
use crate::mvcc::TrialError;

/// How often the versions are judged for one snapshot, while the writers go on.
const ROUNDS: u32 = 2;
/// Rows looked up by their key in a round.
const LOOKUPS: u32 = 3;

/// The number of the first reader among the sessions that draw.
const FIRST_SESSION: u32 = 500;

/// One reader.
pub struct Reader {
    session: Session,
    judge: Judge,
    number: u32,
    rng: ChaCha8Rng,
    tally: Arc<Tally>,
}

impl Reader {
    /// One with two sessions of its own.
    pub async fn open(endpoint: &Endpoint, number: u32, seed: u64, tally: Arc<Tally>) -> Result<Self, TrialError> {
        let session = endpoint.connect().await?;
        let judge = Judge { session: endpoint.connect().await?, tally: Arc::clone(&tally) };
        Ok(Self { session, judge, number, rng: rng_of(seed, FIRST_SESSION + number), tally })
    }

    /// Reads until there are enough judgements.
    pub async fn run(mut self) -> Result<(), TrialError> {
        while !self.tally.is_done() {
            self.session.batch_execute("begin isolation level repeatable read").await?;
            let outcome = self.snapshot().await;
            self.session.batch_execute("rollback").await?;
            outcome?;
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<(), TrialError> {
        let snapshot: String = self.session.query_one(include_str!("sql/snapshot.sql"), &[]).await?.try_get(0)?;
        let own = if self.rng.random_bool(0.5) { Some(self.write().await?) } else { None };
        let rows = self.session.query(include_str!("sql/seen.sql"), &[]).await?;
        let seen = places(&rows)?;
        let ids = rows.iter().map(|row| row.try_get(2)).collect::<Result<Vec<i32>, _>>()?;
        let by_id: HashMap<i32, (i64, i32)> = ids.into_iter().zip(seen.iter().copied()).collect();
        let truth = Truth { snapshot, own, seen: seen.into_iter().collect(), by_id };
        self.tally.note(|proof| proof.snapshots += 1);
        for _ in 0..ROUNDS {
            self.judge.pages(&truth).await?;
            for _ in 0..LOOKUPS {
                let id = self.rng.random_range(0..ROWS);
                self.judge.row(&truth, id).await?;
            }
            Judge::own_eyes(&self.session, &self.tally, &truth).await?;
        }
        Ok(())
    }

    /// Writes rows that no writer touches, in several commands and subtransactions. The id of the transaction.
    async fn write(&mut self) -> Result<String, TrialError> {
        let first = 1000 * i32::try_from(self.number + 1).unwrap_or(1);
        for id in first..first + 4 {
            self.session.execute(include_str!("sql/insert.sql"), &[&id]).await?;
        }
        self.session.execute(include_str!("sql/update_hot.sql"), &[&first]).await?;
        self.session.batch_execute("savepoint a").await?;
        self.session.execute(include_str!("sql/update_indexed.sql"), &[&first]).await?;
        self.session.execute(include_str!("sql/delete.sql"), &[&(first + 1)]).await?;
        self.session.batch_execute("savepoint b").await?;
        self.session.execute(include_str!("sql/delete.sql"), &[&(first + 2)]).await?;
        self.session.execute(include_str!("sql/update_hot.sql"), &[&(first + 3)]).await?;
        let end = if self.rng.random_bool(0.5) { "rollback to b" } else { "release b" };
        self.session.batch_execute(end).await?;
        Ok(self.session.query_one(include_str!("sql/own_xid.sql"), &[]).await?.try_get(0)?)
    }
}
