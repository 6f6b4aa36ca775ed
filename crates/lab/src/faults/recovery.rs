//! When a server is whole again after a fault, and what it takes to get there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg::{Cluster, Session};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::catalogue::FaultKind;
use super::error::FaultError;
use crate::site::Server;

/// How long a server may take to accept sessions again: crash recovery of what a run has written.
pub const RECOVERY_LIMIT: Duration = Duration::from_mins(2);

/// The shortest and longest pause between two attempts to get the server back.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// How long the server may take to show that a fault has struck.
pub(super) const EFFECT_LIMIT: Duration = Duration::from_secs(30);

/// The server itself, which faults of this kind need.
pub(super) fn cluster(server: &Server, fault: FaultKind) -> Result<&Arc<Mutex<Cluster>>, FaultError> {
    let what = "a private server, which may be stopped and killed";
    server.cluster.as_ref().ok_or(FaultError::Missing { fault: fault.name(), what })
}

/// The server, held until the guard goes.
pub(super) async fn hold(server: &Server, fault: FaultKind) -> Result<OwnedMutexGuard<Cluster>, FaultError> {
    Ok(Arc::clone(cluster(server, fault)?).lock_owned().await)
}

/// A session of the control connection.
pub(super) async fn control(server: &Server) -> Result<Session, FaultError> {
    server.control.connect_retry(RECOVERY_LIMIT).await.map_err(FaultError::server("connect to strike the server"))
}

/// Waits until the server accepts sessions, and starts it again as often as it is found dead; how long that took.
///
/// A postmaster gives up when recovery fails, which it may do after a fault was lifted if it had begun before.
pub(super) async fn wait_until_whole(server: &Server) -> Result<Duration, FaultError> {
    let began = Instant::now();
    loop {
        let attempt = attempt(server).await;
        let Err(error) = attempt else { return Ok(began.elapsed()) };
        if began.elapsed() >= RECOVERY_LIMIT {
            return Err(error);
        }
        // A sixteenth of the time waited so far, so that waiting does not slow down what is waited for.
        tokio::time::sleep((began.elapsed() / 16).clamp(RETRY_PAUSE.0, RETRY_PAUSE.1)).await;
    }
}

async fn attempt(server: &Server) -> Result<(), FaultError> {
    if let Some(cluster) = &server.cluster {
        // Does nothing while it runs.
        cluster.lock().await.start().await.map_err(FaultError::server("start the server again"))?;
    }
    let session = server.control.connect().await;
    session.map_err(FaultError::server("get the server to accept sessions again"))?.close().await;
    Ok(())
}

/// Waits until the server has ended this session; how it said so, or none when it did not within the limit.
pub(super) async fn wait_until_ended(session: &Session) -> Option<String> {
    let sleep = session.batch_execute("select pg_sleep(3600)");
    match tokio::time::timeout(EFFECT_LIMIT, sleep).await {
        Ok(Err(error)) => Some(match error.code() {
            Some(state) => state.code().to_owned(),
            None => "connection lost".to_owned(),
        }),
        Ok(Ok(())) | Err(_) => None,
    }
}
