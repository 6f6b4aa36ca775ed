//! Faults that kill, end or stop the server's processes.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use pgstrata_pg::process::parent_of;
use pgstrata_pg::{Cluster, Pid, Session};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tokio::sync::OwnedMutexGuard;

use super::catalogue::FaultKind;
use super::error::FaultError;
use super::recovery::{EFFECT_LIMIT, cluster, control, hold, wait_until_ended, wait_until_whole};
use super::{Fault, InForce};
use crate::site::Server;

/// How often it is looked for a backend to strike.
const LOOK_PERIOD: Duration = Duration::from_millis(20);

/// kill -9 of the postmaster; healed by a start, which recovers.
pub(super) struct KillPostmaster;

struct PostmasterDead {
    server: Server,
    pid: Option<Pid>,
}

#[async_trait]
impl Fault for KillPostmaster {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let mut cluster = hold(server, FaultKind::KillPostmaster).await?;
        let pid = cluster.postmaster();
        cluster.crash().await.map_err(FaultError::server("kill the postmaster"))?;
        Ok(Box::new(PostmasterDead { server: server.clone(), pid }))
    }
}

#[async_trait]
impl InForce for PostmasterDead {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        let took = wait_until_whole(&self.server).await?;
        let pid = self.pid.map_or_else(|| "no postmaster".to_owned(), |pid| format!("postmaster {pid}"));
        Ok(format!("killed {pid}; accepted sessions again after {:.0} ms", ms(took)))
    }
}

/// kill -9 of one backend: the postmaster cannot trust shared memory any more, ends all sessions and recovers.
pub(super) struct KillBackend;

/// A server whose backends were all ended by the death of one, or one of which was.
struct BackendGone {
    server: Server,
    what: String,
}

#[async_trait]
impl Fault for KillBackend {
    async fn strike(&self, server: &Server, rng: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let owner = cluster(server, FaultKind::KillBackend)?;
        let session = control(server).await?;
        let mut victims = Victims::of(&session, FaultKind::KillBackend);
        let victim = loop {
            let victim = victims.next(rng).await?;
            if kill_child(&*owner.lock().await, victim)? {
                break victim;
            }
        };
        // The server does not fall at once; this session is ended when it does.
        let Some(said) = wait_until_ended(&session).await else {
            return Err(no_effect(FaultKind::KillBackend, format!("the other sessions outlived backend {victim}")));
        };
        let what = format!("killed backend {victim}; the others were ended ({said})");
        Ok(Box::new(BackendGone { server: server.clone(), what }))
    }
}

/// Kills a process only if it is a child of this very server's postmaster now; false when it has just ended.
fn kill_child(cluster: &Cluster, victim: Pid) -> Result<bool, FaultError> {
    let parent = parent_of(victim).ok();
    if parent.is_none() || parent != cluster.postmaster() {
        return Ok(false);
    }
    match kill(victim, Signal::SIGKILL) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(errno) => Err(
            FaultError::machine(format!("kill backend {victim}"), "run as the server's user or as root")(errno.into()),
        ),
    }
}

/// `pg_terminate_backend` of one session.
pub(super) struct TerminateBackend;

#[async_trait]
impl Fault for TerminateBackend {
    async fn strike(&self, server: &Server, rng: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let session = control(server).await?;
        let mut victims = Victims::of(&session, FaultKind::TerminateBackend);
        let limit_ms = i64::try_from(EFFECT_LIMIT.as_millis()).unwrap_or(i64::MAX);
        let victim = loop {
            let victim = victims.next(rng).await?.as_raw();
            let row = session.query_one("select pg_terminate_backend($1, $2)", &[&victim, &limit_ms]).await;
            // False when it has just ended by itself.
            if row.map_err(|error| FaultError::server("terminate a backend")(error.into()))?.get(0) {
                break victim;
            }
        };
        Ok(Box::new(BackendGone { server: server.clone(), what: format!("terminated backend {victim}") }))
    }
}

#[async_trait]
impl InForce for BackendGone {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        let took = wait_until_whole(&self.server).await?;
        Ok(format!("{}; accepted sessions again after {:.0} ms", self.what, ms(took)))
    }
}

/// Draws backends that serve clients; the workbench's own control sessions only when there is no other.
struct Victims<'a> {
    session: &'a Session,
    fault: FaultKind,
    began: Instant,
}

impl<'a> Victims<'a> {
    fn of(session: &'a Session, fault: FaultKind) -> Self {
        Self { session, fault, began: Instant::now() }
    }

    /// A backend that was there a moment ago. Waits for one, and gives up when none was to be had for too long.
    async fn next(&mut self, rng: &mut ChaCha8Rng) -> Result<Pid, FaultError> {
        while self.began.elapsed() < EFFECT_LIMIT {
            let rows = self.session.query(include_str!("backends.sql"), &[]).await;
            let rows = rows.map_err(|error| FaultError::server("list the backends")(error.into()))?;
            let backends = |of_control: bool| -> Vec<i32> {
                rows.iter().filter(|row| row.get::<_, bool>(1) == of_control).map(|row| row.get(0)).collect()
            };
            if let Some(pid) = backends(false).choose(rng).or(backends(true).choose(rng)) {
                return Ok(Pid::from_raw(*pid));
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        Err(no_effect(self.fault, "no client stays connected".to_owned()))
    }
}

fn no_effect(fault: FaultKind, seen: String) -> FaultError {
    FaultError::NoEffect { fault: fault.name(), seen, hint: "let clients work on the server while faults strike" }
}

/// SIGSTOP of all processes of the server.
pub(super) struct Pause;

/// Holds the server, so that nobody else starts, stops or kills it meanwhile.
struct Paused {
    server: Server,
    cluster: Option<OwnedMutexGuard<Cluster>>,
    since: Instant,
}

#[async_trait]
impl Fault for Pause {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let cluster = hold(server, FaultKind::Pause).await?;
        // From here on, dropping lets it run again.
        let paused = Paused { server: server.clone(), cluster: Some(cluster), since: Instant::now() };
        paused.signal(Cluster::pause_all).map_err(FaultError::server("pause the server"))?;
        Ok(Box::new(paused))
    }
}

impl Paused {
    fn signal(&self, how: fn(&Cluster) -> Result<(), pgstrata_pg::Error>) -> Result<(), pgstrata_pg::Error> {
        self.cluster.as_deref().map_or(Ok(()), how)
    }
}

#[async_trait]
impl InForce for Paused {
    async fn heal(mut self: Box<Self>) -> Result<String, FaultError> {
        self.signal(Cluster::resume_all).map_err(FaultError::server("let the server run again"))?;
        let paused = self.since.elapsed();
        self.cluster = None;
        let took = wait_until_whole(&self.server).await?;
        Ok(format!("paused for {:.0} ms; accepted sessions again after {:.0} ms", ms(paused), ms(took)))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Err(error) = self.signal(Cluster::resume_all) {
            tracing::warn!(%error, "the server could not be let run again");
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
