//! The observer behind the logs, and what can be said of the server without one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_timeline::{Cause, Change, LogLimits};
use pgstrata_tools::mvcc::{Follower, MvccError, Observer, Options, TierState, Watch};
use pgstrata_units::memory::Holding;

use crate::ground::Ground;
use crate::live::{Seen, Source, Sources};
use crate::problem::{Code, Problem};
use crate::routes::status::ServerStatus;
use crate::routes::tables::{Table, Tables};

/// How long the server may take to say what it is.
const ASK_TIME: Duration = Duration::from_secs(10);

/// Begins observers of the server that is looked at.
pub struct Observers {
    ground: Ground,
}

impl Observers {
    /// Observers of this server.
    pub fn new(ground: Ground) -> Self {
        Self { ground }
    }
}

#[async_trait]
impl Sources for Observers {
    async fn open(&self, watch: &Watch) -> Result<Box<dyn Source>, Problem> {
        // The feed keeps the log; the follower's own only finds what changed.
        let beginning = Follower::begin(self.ground.reading(), Options::default(), LogLimits { changes: 1, bytes: 0 });
        let mut follower = tokio::time::timeout(ASK_TIME, beginning).await.map_err(|_| silent())??;
        let began = follower.watch(watch.clone()).await;
        Ok(Box::new(Followed { follower, began }))
    }
}

/// A server that is followed on both tracks.
struct Followed {
    follower: Follower,
    /// What following a table found before the first look.
    began: Vec<Arc<Change>>,
}

#[async_trait]
impl Source for Followed {
    async fn look(&mut self, cause: Cause) -> Result<Vec<Seen>, Problem> {
        let mut changes = std::mem::take(&mut self.began);
        changes.extend(self.follower.look(cause).await);
        Ok(changes.iter().map(event).collect())
    }

    async fn wait(&mut self) -> Vec<Seen> {
        self.follower.record().await.iter().map(event).collect()
    }

    fn holds(&self) -> Vec<Holding> {
        self.follower.holds()
    }
}

fn event(change: &Arc<Change>) -> Seen {
    let Change { put, drop, at, cause, .. } = Change::clone(change);
    Seen { put, drop, at, cause }
}

async fn attach(ground: &Ground) -> Result<Observer, Problem> {
    let attached = tokio::time::timeout(ASK_TIME, Observer::attach(ground.reading(), Options::default()));
    attached.await.map_err(|_| silent())?.map_err(Problem::from)
}

fn silent() -> Problem {
    Problem::new(Code::ServerAway, format!("the server did not answer within {} s", ASK_TIME.as_secs()))
}

/// What the server is, as far as it answers.
pub async fn server_status(ground: &Ground) -> ServerStatus {
    let asked = ask(ground).await;
    let is_up = asked.is_ok();
    let (version, states, trouble) = match asked {
        Ok((version, states)) => (version, states, None),
        Err(problem) => (String::new(), Vec::new(), Some(format!("connection-lost: {}", problem.detail))),
    };
    let tiers = states.iter().filter(|state| state.is_there).map(|state| state.tier).collect();
    let notes = trouble.into_iter().chain(states.into_iter().filter_map(|state| state.lack)).collect();
    ServerStatus {
        address: ground.address(),
        database: ground.database(),
        is_up,
        version,
        is_private: ground.is_private(),
        is_writable: ground.is_writable(),
        tiers,
        notes,
    }
}

async fn ask(ground: &Ground) -> Result<(String, Vec<TierState>), Problem> {
    let observer = attach(ground).await?;
    let (version, tiers) = (observer.server().0, observer.tiers());
    observer.close().await;
    Ok((version, tiers))
}

/// The tables that can be watched.
pub async fn tables(ground: &Ground) -> Result<Tables, Problem> {
    let mut observer = attach(ground).await?;
    let tables = tokio::time::timeout(ASK_TIME, observer.tables()).await.map_err(|_| silent())??;
    observer.close().await;
    Ok(Tables { tables: tables.into_iter().map(Table::from).collect() })
}

impl From<MvccError> for Problem {
    fn from(error: MvccError) -> Self {
        let error = match error {
            MvccError::Server(source) => return source.into(),
            error => error,
        };
        let code = match &error {
            MvccError::Server(_) | MvccError::Lost { .. } => Code::ServerAway,
            MvccError::Refused { .. } => Code::Database,
            MvccError::NoTable { .. } => Code::NotFound,
            MvccError::TooBig { .. } => Code::TooLarge,
            MvccError::NoPage => Code::NotSupported,
            _ if error.is_mistake() => Code::BadRequest,
            _ => Code::Internal,
        };
        let problem = Self::new(code, crate::problem::without_paths(&error)).hinted(error.hint());
        if code == Code::Internal {
            tracing::error!(error = %error, "a recording or an observer failed");
        }
        problem
    }
}
