//! One writer: random transactions over few rows, so that they meet. What the server refuses it rolls back.

use std::sync::Arc;

use pgstrata_pg::sql::ClientError;
use pgstrata_pg::{Endpoint, Session};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ROWS;
use super::tally::Tally;
use crate::mvcc::TrialError;

/// Most operations of one transaction.
const MOST_OPERATIONS: u32 = 7;
/// Savepoints that are open at most.
const MOST_SAVEPOINTS: u32 = 4;

/// One writer.
pub struct Writer {
    session: Session,
    number: u32,
    rng: ChaCha8Rng,
    tally: Arc<Tally>,
    savepoints: u32,
    /// The prepared transaction that waits for its second phase.
    prepared: Option<u32>,
    prepared_so_far: u32,
}

impl Writer {
    /// One with a session of its own.
    pub async fn open(endpoint: &Endpoint, number: u32, seed: u64, tally: Arc<Tally>) -> Result<Self, TrialError> {
        let session = endpoint.connect().await?;
        // Nobody waits long: the point is to meet, not to queue.
        session.batch_execute("set lock_timeout = '20ms'").await?;
        let rng = rng_of(seed, number);
        Ok(Self { session, number, rng, tally, savepoints: 0, prepared: None, prepared_so_far: 0 })
    }

    /// Writes until there are enough judgements.
    pub async fn run(mut self) -> Result<(), TrialError> {
        while !self.tally.is_done() {
            if self.prepared.is_some() && self.rng.random_bool(0.4) {
                self.second_phase().await?;
            }
            if self.rng.random_bool(0.02) {
                self.maintain().await?;
            }
            self.transaction().await?;
        }
        if self.prepared.is_some() {
            self.second_phase().await?;
        }
        Ok(())
    }

    async fn transaction(&mut self) -> Result<(), TrialError> {
        self.savepoints = 0;
        let begun = self.body().await;
        let ended = match begun {
            Ok(is_kept) => self.end(is_kept).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => Ok(()),
            // The server refused: a lock timeout, a deadlock, a key that is there.
            Err(error) if error.as_db_error().is_some() => {
                self.tally.note(|proof| proof.rolled_back += 1);
                Ok(self.session.batch_execute("rollback").await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it is to be kept.
    async fn body(&mut self) -> Result<bool, ClientError> {
        self.session.batch_execute("begin").await?;
        for _ in 0..self.rng.random_range(1..=MOST_OPERATIONS) {
            self.operation().await?;
        }
        Ok(self.rng.random_bool(0.75))
    }

    async fn end(&mut self, is_kept: bool) -> Result<(), ClientError> {
        if !is_kept {
            self.session.batch_execute("rollback").await?;
            self.tally.note(|proof| proof.rolled_back += 1);
        } else if self.prepared.is_none() && self.rng.random_bool(0.15) {
            self.prepared_so_far += 1;
            self.session.batch_execute(&format!("prepare transaction '{}'", self.name(self.prepared_so_far))).await?;
            self.prepared = Some(self.prepared_so_far);
            self.tally.note(|proof| proof.prepared += 1);
        } else {
            self.session.batch_execute("commit").await?;
            self.tally.note(|proof| proof.committed += 1);
        }
        Ok(())
    }

    fn name(&self, prepared: u32) -> String {
        format!("proof-{}-{prepared}", self.number)
    }

    async fn second_phase(&mut self) -> Result<(), TrialError> {
        let Some(prepared) = self.prepared.take() else { return Ok(()) };
        let verb = if self.rng.random_bool(0.6) { "commit" } else { "rollback" };
        Ok(self.session.batch_execute(&format!("{verb} prepared '{}'", self.name(prepared))).await?)
    }

    /// What keeps a cluster going, which takes versions away, freezes them, and cuts old transaction tables.
    async fn maintain(&mut self) -> Result<(), TrialError> {
        let task = match self.rng.random_range(0..4) {
            0 => "vacuum (freeze) proof",
            1 => "checkpoint",
            _ => "vacuum proof",
        };
        match self.session.batch_execute(task).await {
            // Another one vacuums.
            Err(error) if error.as_db_error().is_some() => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    async fn operation(&mut self) -> Result<(), ClientError> {
        let id = self.row();
        match self.rng.random_range(0..100) {
            0..24 => self.change(include_str!("sql/update_hot.sql"), id).await,
            24..34 => self.change(include_str!("sql/update_indexed.sql"), id).await,
            34..42 => {
                let other = self.row();
                self.session.execute(include_str!("sql/update_key.sql"), &[&id, &other]).await.map(|_| ())
            }
            42..49 => self.change(include_str!("sql/delete.sql"), id).await,
            49..57 => self.change(include_str!("sql/insert.sql"), id).await,
            57..66 => self.change(include_str!("sql/for_key_share.sql"), id).await,
            66..75 => self.change(include_str!("sql/for_share.sql"), id).await,
            75..78 => self.change(include_str!("sql/for_no_key_update.sql"), id).await,
            78..80 => self.change(include_str!("sql/for_update.sql"), id).await,
            80..89 if self.savepoints < MOST_SAVEPOINTS => {
                self.savepoints += 1;
                self.session.batch_execute(&format!("savepoint s{}", self.savepoints)).await
            }
            89..94 if self.savepoints > 0 => {
                self.session.batch_execute(&format!("rollback to s{}", self.savepoints)).await
            }
            94..97 if self.savepoints > 0 => {
                self.savepoints -= 1;
                self.session.batch_execute(&format!("release s{}", self.savepoints + 1)).await
            }
            97 if self.rng.random_bool(0.6) => self.overflow().await,
            _ => Ok(()),
        }
    }

    /// More subtransactions than a session's shared memory lists (64), all with ids of their own.
    async fn overflow(&mut self) -> Result<(), ClientError> {
        self.session.batch_execute(include_str!("sql/overflow.sql")).await?;
        self.tally.note(|proof| proof.overflowed += 1);
        Ok(())
    }

    fn row(&mut self) -> i32 {
        self.rng.random_range(0..ROWS)
    }

    async fn change(&mut self, statement: &str, id: i32) -> Result<(), ClientError> {
        self.session.execute(statement, &[&id]).await.map(|_| ())
    }
}

/// What a session of the proof draws from: its own of the proof's seed.
pub fn rng_of(seed: u64, session: u32) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1000).wrapping_add(session.into()))
}
