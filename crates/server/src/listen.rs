//! Connections: as many as may be, each with a time limit for the head of its requests. When there are too many, the one
//! that has been idle longest goes, so that sockets that somebody opened and left cannot keep others out.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits;

/// How long to wait after the system refused a connection for want of something (file descriptors, memory).
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// How many connections, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at a time; beyond it the one that has been idle longest goes.
    pub connections: usize,
    /// How long a client may take for the head of a request, and an idle connection is kept.
    pub head_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: limits::CONNECTIONS, head_time: limits::HEAD_TIME }
    }
}

/// Serves until `stop`; then takes no new connections, lets requests under way end, at most for
/// [`limits::DRAIN_TIME`], and returns.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: &CancellationToken) {
    let connections = Arc::new(Connections::new(bounds));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Some(connection) = connections.admit() {
                    let served = one(stream, router.clone(), connection, Arc::clone(&connections), stop.clone());
                    tasks.spawn(served);
                } else {
                    tracing::warn!("a connection was turned away: all others are at work");
                }
            }
            Err(error) => refused(&error).await,
        }
    }
    tasks.close();
    if tokio::time::timeout(limits::DRAIN_TIME, tasks.wait()).await.is_err() {
        tracing::warn!("requests under way were given up");
    }
}

/// A connection that failed before it was accepted is its client's affair; anything else is ours, and passes.
async fn refused(error: &io::Error) {
    let is_of_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !is_of_client {
        tracing::warn!(error = %error, "a connection could not be accepted");
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
}

async fn one(
    stream: TcpStream,
    router: Router,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
    stop: CancellationToken,
) {
    // Answers are small and awaited: never hold one back to fill a packet.
    let _ = stream.set_nodelay(true);
    let under_way = Arc::clone(&connection);
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let work = under_way.work();
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(work);
            answer
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(connections.bounds.head_time)
        .max_buf_size(limits::HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = connection.close.cancelled() => Ok(()),
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
    connections.forget(&connection);
}

/// The connections that there are.
struct Connections {
    bounds: Bounds,
    open: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    since: Instant,
    /// Milliseconds from `since` to the end of its last request.
    idle_since_ms: AtomicU64,
    /// Requests that are being answered.
    under_way: AtomicUsize,
    close: CancellationToken,
}

impl Connections {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, open: Mutex::default() }
    }

    /// A place for one more, the longest idle one's if there is no other; none if all are at work.
    fn admit(&self) -> Option<Arc<Connection>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.bounds.connections {
            let idle = open.iter().enumerate().filter(|(_, one)| one.under_way.load(Ordering::Acquire) == 0);
            let (oldest, _) = idle.min_by_key(|(_, one)| one.idle_since())?;
            open.swap_remove(oldest).close.cancel();
        }
        let connection = Arc::new(Connection {
            since: Instant::now(),
            idle_since_ms: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            close: CancellationToken::new(),
        });
        open.push(Arc::clone(&connection));
        Some(connection)
    }

    fn forget(&self, connection: &Arc<Connection>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| !Arc::ptr_eq(one, connection));
    }
}

impl Connection {
    fn idle_since(&self) -> Instant {
        self.since + Duration::from_millis(self.idle_since_ms.load(Ordering::Acquire))
    }

    /// Counts a request until what is returned is dropped.
    fn work(self: &Arc<Self>) -> Work {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Work(Arc::clone(self))
    }
}

struct Work(Arc<Connection>);

impl Drop for Work {
    fn drop(&mut self) {
        let idle_since = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since_ms.store(idle_since, Ordering::Release);
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Connections {
        Connections::new(Bounds { connections: 3, ..Bounds::default() })
    }

    #[test]
    fn the_longest_idle_connection_makes_room_and_one_at_work_stays() {
        let connections = three();
        let admit = || connections.admit().expect("there is room");
        let [first, second, third] = [admit(), admit(), admit()];
        let work = first.work();
        admit();
        assert!(second.close.is_cancelled() && !first.close.is_cancelled() && !third.close.is_cancelled());
        drop(work);
        assert_eq!(connections.open.lock().expect("not poisoned").len(), 3);
    }

    #[test]
    fn when_all_are_at_work_a_new_connection_is_turned_away() {
        let connections = three();
        let all: Vec<_> = (0..3).map(|_| connections.admit().expect("there is room")).collect();
        let work: Vec<_> = all.iter().map(Connection::work).collect();
        assert!(connections.admit().is_none());
        drop(work);
        assert!(connections.admit().is_some());
    }
}
