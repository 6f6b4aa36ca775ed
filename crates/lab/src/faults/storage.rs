//! Faults of the disk under the server: slow and failing fsync, and no space left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nix::errno::Errno;
use pgstrata_pg::Session;
use rand_chacha::ChaCha8Rng;

use super::catalogue::FaultKind;
use super::disk::SmallDisk;
use super::error::FaultError;
use super::fsync::{FsyncCounts, FsyncShim};
use super::recovery::{EFFECT_LIMIT, control, wait_until_ended, wait_until_whole};
use super::{Fault, InForce};
use crate::site::Server;

/// How often the disk is filled again when space was freed meanwhile (by a checkpoint, say).
const FILL_TRIES: u32 = 10;

/// The shim of a server that has been seen to go through it.
fn shim(server: &Server, fault: FaultKind) -> Result<Arc<FsyncShim>, FaultError> {
    let missing = FaultError::Missing { fault: fault.name(), what: "the fsync shim preloaded into the server" };
    let shim = server.faults.shim.clone().ok_or(missing)?;
    // A server with fsync on has called it before it accepted the first session.
    if shim.counts()?.calls() == 0 {
        return Err(FaultError::NoEffect {
            fault: fault.name(),
            seen: "the server has not made one fsync through the shim".to_owned(),
            hint: "run the server with fsync on, and from a place where libraries may be loaded (not mounted noexec)",
        });
    }
    Ok(shim)
}

/// Each fsync takes longer.
pub(super) struct SlowFsync(pub(super) Duration);

struct Slow {
    shim: Arc<FsyncShim>,
    asked: Duration,
    before: FsyncCounts,
}

#[async_trait]
impl Fault for SlowFsync {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let shim = shim(server, FaultKind::SlowFsync)?;
        let before = shim.counts()?;
        shim.set_delay(self.0)?;
        Ok(Box::new(Slow { shim, asked: self.0, before }))
    }
}

#[async_trait]
impl InForce for Slow {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        self.shim.set_delay(Duration::ZERO)?;
        let counts = self.shim.counts()?.since(&self.before);
        let asked = self.asked.as_secs_f64() * 1e3;
        Ok(match counts.mean_delay() {
            Some(mean) => {
                format!("asked {asked:.2} ms; mean {:.2} ms over {} calls", mean.as_secs_f64() * 1e3, counts.delayed)
            }
            None => format!("asked {asked:.2} ms; the server made no fsync"),
        })
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        if let Err(error) = self.shim.set_delay(Duration::ZERO) {
            tracing::warn!(%error, "fsync stays slow");
        }
    }
}

/// Each fsync fails with EIO. PostgreSQL does not try a failed fsync again, since the kernel may have forgotten the
/// pages: it panics, and recovers from the log.
pub(super) struct FailingFsync;

struct Failing {
    server: Server,
    shim: Arc<FsyncShim>,
    before: FsyncCounts,
    seen: String,
}

#[async_trait]
impl Fault for FailingFsync {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let shim = shim(server, FaultKind::FailingFsync)?;
        let witness = control(server).await?;
        let writer = control(server).await?;
        let before = shim.counts()?;
        // From here on, dropping lets fsync work again.
        let mut failing = Failing { server: server.clone(), shim, before, seen: String::new() };
        failing.shim.set_failure(Some(Errno::EIO))?;
        // Clients that write nothing would not notice, so a commit of our own is among those that fail. With
        // synchronous_commit off somebody else flushes it a little later; the witness sees the panic either way.
        let commit = "set synchronous_commit = on; select pg_logical_emit_message(true, 'pgstrata', 'failing fsync')";
        let _ = tokio::time::timeout(EFFECT_LIMIT, writer.batch_execute(commit)).await;
        let Some(said) = wait_until_ended(&witness).await else {
            return Err(FaultError::NoEffect {
                fault: FaultKind::FailingFsync.name(),
                seen: "the server went on with a log that it could not flush".to_owned(),
                hint: "run the server with fsync on and wal_sync_method fdatasync or fsync",
            });
        };
        failing.seen = said;
        Ok(Box::new(failing))
    }
}

#[async_trait]
impl InForce for Failing {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        self.shim.set_failure(None)?;
        let failed = self.shim.counts()?.since(&self.before).failed;
        let took = wait_until_whole(&self.server).await?.as_secs_f64() * 1e3;
        Ok(format!("{failed} calls failed with EIO; sessions were ended ({}); back after {took:.0} ms", self.seen))
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        if let Err(error) = self.shim.set_failure(None) {
            tracing::warn!(%error, "fsync goes on failing");
        }
    }
}

/// The file system of the data directory is full.
pub(super) struct DiskFull;

struct Full {
    server: Server,
    disk: Arc<SmallDisk>,
    since: Instant,
    taken: u64,
    seen: String,
}

#[async_trait]
impl Fault for DiskFull {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let what = "the data directory on a small disk";
        let missing = FaultError::Missing { fault: FaultKind::DiskFull.name(), what };
        let disk = server.faults.disk.clone().ok_or(missing)?;
        let session = control(server).await?;
        // From here on, dropping gives the space back.
        let mut full = Full { server: server.clone(), disk, since: Instant::now(), taken: 0, seen: String::new() };
        for _ in 0..FILL_TRIES {
            full.taken += fill(&full.disk).await?;
            if let Some(seen) = write_something(&session).await {
                full.seen = seen;
                return Ok(Box::new(full));
            }
        }
        Err(FaultError::NoEffect {
            fault: FaultKind::DiskFull.name(),
            seen: "the server could still write".to_owned(),
            hint: "run again; if it happens again, the server stores its data elsewhere (a tablespace?)",
        })
    }
}

/// Fills the disk, which takes the kernel some time for each page.
async fn fill(disk: &Arc<SmallDisk>) -> Result<u64, FaultError> {
    let disk = Arc::clone(disk);
    match tokio::task::spawn_blocking(move || disk.fill()).await {
        Ok(taken) => taken,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(FaultError::machine("fill the small disk", "run again")(std::io::Error::other(error))),
    }
}

/// Writes more than any page that happens to be free can hold; how it failed, or none when it did not.
async fn write_something(session: &Session) -> Option<String> {
    let error = session.batch_execute(include_str!("fill.sql")).await.err()?;
    Some(match error.code() {
        Some(state) => state.code().to_owned(),
        None => "connection lost".to_owned(),
    })
}

#[async_trait]
impl InForce for Full {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        self.disk.free()?;
        let lasted = self.since.elapsed().as_secs_f64() * 1e3;
        let took = wait_until_whole(&self.server).await?.as_secs_f64() * 1e3;
        let megabytes = self.taken >> 20;
        Ok(format!(
            "{megabytes} MB were taken, a write failed ({}); lasted {lasted:.0} ms; back after {took:.0} ms",
            self.seen
        ))
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        if let Err(error) = self.disk.free() {
            tracing::warn!(%error, "the small disk stays full");
        }
    }
}
