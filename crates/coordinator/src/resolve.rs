//! The resolver: finishes what coordinators left prepared, deposes those that are gone, raises the alarm, forgets.
//!
//! It runs when a coordinator opens and then periodically; any number of resolvers may run at once. It touches a
//! transaction only when its coordinator cannot be working on it: it is its own and no longer under way, or its epoch is
//! fenced. Even if it were wrong about that, a transaction is aborted only by writing the row of its decision first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use pgstrata_pg::sql::ToSql;

use crate::core::{Core, columns};
use crate::error::{is_busy, is_gone};
use crate::figures::count;
use crate::gid::{GlobalId, TransactionId};
use crate::settings::Peers;
use crate::shard::Branch;
use crate::step::{Act, Place, Step, Then};

/// Decisions forgotten in one statement at most, so that it holds no lock for long.
const FORGET_BATCH: i64 = 10_000;

/// What the resolver remembers from one look to the next.
#[derive(Default)]
pub(crate) struct Memory {
    /// Since when each peer has had no session.
    gone_since: BTreeMap<i32, Instant>,
}

/// What one look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Resolution {
    /// Prepared transactions that were committed.
    pub committed: u64,
    /// Prepared transactions that were rolled back.
    pub rolled_back: u64,
    /// Prepared transactions that were left alone: their coordinator lives, or a server said no.
    pub left: u64,
    /// Shards that could not be asked.
    pub unreachable: u64,
}

/// A prepared transaction, as a shard tells.
struct Found {
    gid: GlobalId,
    age_s: f64,
}

impl Core {
    /// Looks once.
    pub(crate) async fn resolve(self: &Arc<Self>, memory: &mut Memory) -> Result<Resolution, pg::Error> {
        let home = self.session(self.settings.home).await?;
        let open = self.depose_the_dead(&home, memory).await?;
        let (found, branches) = self.list_prepared().await;
        self.note_ages(&found);

        let unreachable = (self.shards.len() - branches.len()) as u64;
        let mut resolution = Resolution { unreachable, ..Resolution::default() };
        let is_ours_to_resolve = |id: TransactionId| {
            if id.epoch == self.epoch { !self.is_active(id.number) } else { !open.contains(&id.epoch) }
        };
        let (abandoned, live): (Vec<&Found>, Vec<&Found>) =
            found.iter().partition(|found| is_ours_to_resolve(found.gid.transaction));
        resolution.left = live.len() as u64;
        if !abandoned.is_empty() {
            let ids: BTreeSet<TransactionId> = abandoned.iter().map(|found| found.gid.transaction).collect();
            let committed = self.decide(&home, &ids.into_iter().collect::<Vec<_>>()).await?;
            for found in abandoned {
                let Some(branch) = branches.get(&found.gid.shard) else { continue };
                let is_commit = committed.contains(&found.gid.transaction);
                match self.finish_one(branch, found.gid, is_commit).await {
                    Ok(()) if is_commit => resolution.committed += 1,
                    Ok(()) => resolution.rolled_back += 1,
                    Err(error) => {
                        tracing::warn!(gid = %found.gid, error = %error, "a prepared transaction could not be finished");
                        resolution.left += 1;
                    }
                }
            }
        }
        self.counters.resolved_commits.fetch_add(resolution.committed, Ordering::Relaxed);
        self.counters.resolved_aborts.fetch_add(resolution.rolled_back, Ordering::Relaxed);
        if resolution.unreachable == 0 {
            self.forget(home, &found).await?;
        }
        for (shard, branch) in branches {
            self.shards[shard].give_back(branch);
        }
        Ok(resolution)
    }

    /// Fences instances that are to go; the epochs that are still open, our own not among them.
    async fn depose_the_dead(&self, home: &Branch, memory: &mut Memory) -> Result<BTreeSet<i32>, pg::Error> {
        let sql = include_str!("sql/instances.sql");
        let rows = self.bounded("list the instances", home.query(sql, &[&self.realm(), &self.class()])).await?;
        let mut open = BTreeSet::new();
        for row in rows {
            let (epoch, mut is_fenced): (i32, bool) = (row.try_get("epoch")?, row.try_get("is_fenced")?);
            if epoch == self.epoch {
                self.deposed.fetch_or(is_fenced, Ordering::Relaxed);
                continue;
            }
            if !is_fenced && self.is_to_go(epoch, row.try_get("is_alive")?, memory) {
                tracing::warn!(epoch, holder = row.try_get::<_, &str>("holder")?, "a coordinator is deposed");
                home.execute(include_str!("sql/fence_instance.sql"), &[&epoch]).await?;
                is_fenced = true;
            }
            if !is_fenced {
                open.insert(epoch);
            } else if self.fence_everywhere(epoch).await {
                home.execute(include_str!("sql/close_instance.sql"), &[&epoch]).await?;
            } else {
                // One of its sessions may still prepare: what it has prepared is resolved when none can.
                open.insert(epoch);
            }
        }
        Ok(open)
    }

    fn is_to_go(&self, epoch: i32, is_alive: bool, memory: &mut Memory) -> bool {
        match self.settings.peers {
            // One that opened later is about to depose us.
            Peers::Depose => epoch < self.epoch,
            Peers::Beside { .. } if is_alive => {
                memory.gone_since.remove(&epoch);
                false
            }
            Peers::Beside { grace } => memory.gone_since.entry(epoch).or_insert_with(Instant::now).elapsed() >= grace,
        }
    }

    /// Whether no shard has a session of the epoch any more, nor will have one.
    async fn fence_everywhere(&self, epoch: i32) -> bool {
        for shard in &self.shards {
            let Ok(branch) = self.session(shard.number).await else { return false };
            match shard.fence(&branch, epoch).await {
                Ok(alone) => {
                    shard.give_back(branch);
                    if !alone {
                        return false;
                    }
                }
                Err(error) => {
                    tracing::warn!(epoch, shard = shard.number, error = %error, "an epoch could not be fenced");
                    return false;
                }
            }
        }
        true
    }

    /// The prepared transactions of every shard that answers, and a session of each.
    async fn list_prepared(&self) -> (Vec<Found>, BTreeMap<usize, Branch>) {
        let mut found = Vec::new();
        let mut branches = BTreeMap::new();
        for shard in &self.shards {
            match self.list_on(shard.number).await {
                Ok((branch, prepared)) => {
                    found.extend(prepared);
                    branches.insert(shard.number, branch);
                }
                Err(error) => tracing::debug!(shard = shard.number, error = %error, "a shard could not be asked"),
            }
        }
        (found, branches)
    }

    async fn list_on(&self, shard: usize) -> Result<(Branch, Vec<Found>), pg::Error> {
        let branch = self.session(shard).await?;
        let prefix = GlobalId::prefix_of(self.settings.realm);
        let sql = include_str!("sql/prepared.sql");
        let mut prepared = Vec::new();
        for row in self.bounded("list the prepared transactions", branch.query(sql, &[&prefix])).await? {
            match row.try_get::<_, &str>("gid")?.parse::<GlobalId>() {
                // Another shard in the same database would list it too.
                Ok(gid) if gid.shard == shard => prepared.push(Found { gid, age_s: row.try_get("age_s")? }),
                Ok(_) => {}
                Err(foreign) => tracing::warn!(%foreign, shard, "left alone"),
            }
        }
        Ok((branch, prepared))
    }

    fn note_ages(&self, found: &[Found]) {
        let oldest = found.iter().map(|found| found.age_s).fold(0.0, f64::max);
        let oldest = Duration::from_secs_f64(oldest.max(0.0));
        self.counters.prepared.store(found.len() as u64, Ordering::Relaxed);
        let oldest_ms = u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX);
        self.counters.oldest_prepared_ms.store(oldest_ms, Ordering::Relaxed);
        if oldest > self.settings.alarm_after {
            count(&self.counters.alarms);
            tracing::error!(oldest_ms, prepared = found.len(), "a transaction has been prepared for too long");
        }
    }

    async fn finish_one(&self, branch: &Branch, gid: GlobalId, is_commit: bool) -> Result<(), pg::Error> {
        let command = if is_commit { gid.commit() } else { gid.roll_back() };
        let finish = async { Ok(branch.session().batch_execute(&command).await?) };
        match self.bounded("finish a prepared transaction", finish).await {
            // Another resolver was faster, or is at it.
            Err(error) if is_gone(&error) || is_busy(&error) => Ok(()),
            ended => ended,
        }
    }

    /// Removes decisions that nobody can need; every shard has just told what it has prepared.
    async fn forget(&self, home: Branch, found: &[Found]) -> Result<(), pg::Error> {
        let place = |branch: &Branch| Place {
            transaction: None,
            shard: self.settings.home,
            backend_pid: Some(branch.backend_pid()),
        };
        if self.step(Step::Before(Act::Forget), place(&home)).await == Then::Disconnect {
            return Ok(());
        }
        let ids: Vec<TransactionId> = found.iter().map(|found| found.gid.transaction).collect();
        let (epochs, numbers) = columns(&ids);
        let keep_s = self.settings.retention.as_secs_f64();
        let realm = self.realm();
        let parameters: [&(dyn ToSql + Sync); 5] = [&realm, &keep_s, &epochs, &numbers, &FORGET_BATCH];
        let forget = home.execute(include_str!("sql/forget.sql"), &parameters);
        let forgotten = self.bounded("forget decisions", forget).await?;
        self.counters.forgotten.fetch_add(forgotten, Ordering::Relaxed);
        if self.step(Step::After(Act::Forget), place(&home)).await == Then::GoOn {
            self.home().give_back(home);
        }
        Ok(())
    }
}
