//! Reading over several shards: a snapshot of each, which belong together or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use pgstrata_pg as pg;
use pgstrata_units::Isolation;
use tokio::sync::{OwnedRwLockWriteGuard, OwnedSemaphorePermit};

use crate::core::{Core, at_home};
use crate::error::SnapshotError;
use crate::figures::count;
use crate::gid::{GlobalId, TransactionId};
use crate::resolve::Memory;
use crate::settings::Barrier;
use crate::shard::Branch;

/// The pause before snapshots are opened again after a commit was found interrupted.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// What snapshots of several shards have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing: each is read by itself at this level, and a transfer may be seen on one shard only.
    PerShard(Isolation),
    /// They show every transaction that was committed before, and none in part. Each is a repeatable read.
    Barrier,
}

/// A read-only transaction on every shard, each with a snapshot that is taken.
#[derive(Debug)]
pub struct Snapshots {
    core: Arc<Core>,
    branches: Vec<Branch>,
    _permit: OwnedSemaphorePermit,
}

impl Snapshots {
    /// The session of a shard's snapshot.
    ///
    /// # Panics
    /// If there is no such shard.
    #[must_use]
    pub fn branch(&self, shard: usize) -> &Branch {
        &self.branches[shard]
    }

    /// Ends them and keeps the sessions for the next.
    pub async fn close(self) {
        for (shard, branch) in self.branches.into_iter().enumerate() {
            let end = async { Ok(branch.session().batch_execute("commit").await?) };
            if self.core.bounded("end a snapshot", end).await.is_ok() {
                self.core.shards[shard].give_back(branch);
            }
        }
    }
}

/// The barrier, closed: opens when dropped, the part on the home shard by the end of its session at the latest.
struct Closed {
    _process: OwnedRwLockWriteGuard<()>,
    realm: Option<Branch>,
}

pub(crate) async fn open(
    core: &Arc<Core>,
    permit: OwnedSemaphorePermit,
    reading: Reading,
) -> Result<Snapshots, SnapshotError> {
    let branches = match reading {
        Reading::PerShard(isolation) => {
            open_each(core, isolation).await?.into_iter().map(|(branch, _)| branch).collect()
        }
        Reading::Barrier => open_together(core).await?,
    };
    Ok(Snapshots { core: Arc::clone(core), branches, _permit: permit })
}

/// Opens all snapshots while nobody commits, and looks whether a crash has interrupted somebody who did.
async fn open_together(core: &Arc<Core>) -> Result<Vec<Branch>, SnapshotError> {
    let give_up_at = Instant::now() + core.settings.finish_limit;
    let home = core.settings.home;
    let of_home = |source| SnapshotError::Shard { shard: home, source };
    loop {
        let closed = close_barrier(core).await.map_err(of_home)?;
        let opened = open_each(core, Isolation::RepeatableRead).await?;
        let prepared: Vec<TransactionId> = opened.iter().flat_map(|(_, prepared)| prepared.iter().copied()).collect();
        let interrupted = if prepared.is_empty() {
            false
        } else {
            let decided = at_home!(core, give_up_at, home => core.committed_among(home, &prepared));
            !decided.map_err(of_home)?.is_empty()
        };
        open_barrier(core, closed).await;
        if !interrupted {
            return Ok(opened.into_iter().map(|(branch, _)| branch).collect());
        }
        count(&core.counters.barrier_retries);
        for (shard, (branch, _)) in opened.into_iter().enumerate() {
            let end = async { Ok(branch.session().batch_execute("rollback").await?) };
            if core.bounded("end a snapshot", end).await.is_ok() {
                core.shards[shard].give_back(branch);
            }
        }
        if Instant::now() >= give_up_at {
            return Err(SnapshotError::Interrupted);
        }
        if let Err(error) = core.resolve(&mut Memory::default()).await {
            tracing::debug!(error = %error, "an interrupted commit could not be resolved yet");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// A snapshot on every shard, each with what the shard had prepared just before.
async fn open_each(core: &Arc<Core>, isolation: Isolation) -> Result<Vec<(Branch, Vec<TransactionId>)>, SnapshotError> {
    let open = core.shards.iter().map(|shard| async move {
        open_one(core, shard.number, isolation).await.map_err(|source| {
            if core.is_deposed() {
                SnapshotError::Deposed
            } else {
                SnapshotError::Shard { shard: shard.number, source }
            }
        })
    });
    try_join_all(open).await
}

async fn open_one(core: &Core, shard: usize, isolation: Isolation) -> Result<(Branch, Vec<TransactionId>), pg::Error> {
    let branch = core.session(shard).await?;
    let prefix = GlobalId::prefix_of(core.settings.realm);
    let begin = match isolation {
        Isolation::ReadCommitted => "begin isolation level read committed read only; select",
        Isolation::RepeatableRead => "begin isolation level repeatable read read only; select",
        Isolation::Serializable => "begin isolation level serializable read only; select",
    };
    let opening = async {
        // The order matters: what is prepared first, and then the snapshot, which the first statement takes.
        let rows = branch.query(include_str!("sql/prepared.sql"), &[&prefix]).await?;
        branch.session().batch_execute(begin).await?;
        let mut prepared = Vec::new();
        for row in rows {
            if let Ok(gid) = row.try_get::<_, &str>("gid")?.parse::<GlobalId>() {
                prepared.push(gid.transaction);
            }
        }
        Ok(prepared)
    };
    let prepared = core.bounded("open a snapshot", opening).await?;
    Ok((branch, prepared))
}

async fn close_barrier(core: &Arc<Core>) -> Result<Closed, pg::Error> {
    let process = Arc::clone(&core.barrier).write_owned().await;
    let realm = if core.settings.barrier == Barrier::Realm {
        let home = core.session(core.settings.home).await?;
        let sql = include_str!("sql/barrier_close.sql");
        core.bounded("close the commit barrier", home.execute(sql, &[&core.class()])).await?;
        Some(home)
    } else {
        None
    };
    Ok(Closed { _process: process, realm })
}

async fn open_barrier(core: &Core, closed: Closed) {
    let Some(home) = closed.realm else { return };
    let sql = include_str!("sql/barrier_open.sql");
    if core.bounded("open the commit barrier", home.execute(sql, &[&core.class()])).await.is_ok() {
        core.home().give_back(home);
    }
}
