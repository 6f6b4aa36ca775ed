//! Where the history is: in a server of our own whose data stay between starts, or in a database that the user names.

use std::path::PathBuf;
use std::time::Duration;

use pgstrata_pg::{self as pg, Cluster, ClusterSpec, Endpoint, Install, Profile, Session, StopMode, WantedVersion};

use super::{DecisionError, migrations};

/// The name that our session carries in `pg_stat_activity`.
const OWN_NAME: &str = "pgstrata history";
/// How long a server that is known may take to answer before it counts as dead.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long a statement of the history may take, milliseconds; it waits behind nobody but another program's migration.
const STATEMENT_LIMIT_MS: &str = "20000";

/// Where the history is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a server of our own on data in this directory; started when it is first asked, ended with the program.
    Kept {
        /// The directory, which is made when it is needed.
        directory: PathBuf,
        /// The server's binaries, unless the data want others.
        install: Option<Install>,
    },
    /// In a database of the user's, who has allowed it.
    Named(Endpoint),
}

/// An open history.
pub struct Open {
    server: Option<Cluster>,
    pub session: Session,
}

impl Place {
    /// Opens the history and brings it up to date. `old` is what was open before and has died.
    pub async fn open(&self, old: Option<Open>) -> Result<Open, DecisionError> {
        let failed = |source| DecisionError::Server { action: "open the history", source };
        let (server, endpoint) = match self {
            Self::Named(endpoint) => (None, endpoint.clone()),
            Self::Kept { directory, install } => {
                let server = match old.and_then(|open| open.server) {
                    Some(mut server) => {
                        // Whatever has become of it, nothing of it is left when it starts again.
                        server.crash().await.map_err(failed)?;
                        server.start().await.map_err(failed)?;
                        server
                    }
                    None => Cluster::create(spec(directory.clone(), install.as_ref())?).await.map_err(failed)?,
                };
                let endpoint = server.endpoint();
                (Some(server), endpoint)
            }
        };
        let endpoint = endpoint
            .with_application_name(OWN_NAME)
            .with_setting("statement_timeout", STATEMENT_LIMIT_MS)
            // What is acknowledged is on the disk, whatever the database's own setting.
            .with_setting("synchronous_commit", "on");
        let mut session = endpoint.connect().await.map_err(failed)?;
        let applied = migrations::bring_up_to_date(&mut session).await?;
        tracing::info!(applied, is_own = server.is_some(), "the history is open");
        Ok(Open { server, session })
    }
}

fn spec(directory: PathBuf, install: Option<&Install>) -> Result<ClusterSpec, DecisionError> {
    let wanted = pg::kept_major(&directory);
    let install = match (wanted, install) {
        (Some(major), Some(install)) if install.version.major == major => install.clone(),
        (Some(major), _) => pg::find_version(None, Some(WantedVersion::major(major)))
            .map_err(|source| DecisionError::Server { action: "open the history", source })?,
        (None, Some(install)) => install.clone(),
        (None, None) => return Err(DecisionError::NoInstall),
    };
    Ok(ClusterSpec::new(install, Profile::TunedStart).kept_in(directory))
}

impl Open {
    /// The server, if it is ours.
    #[cfg(test)]
    pub fn server(&self) -> Option<&Cluster> {
        self.server.as_ref()
    }

    /// Whether its server still answers.
    pub async fn answers(&self) -> bool {
        // A session may outlive its postmaster for a moment.
        if self.server.as_ref().is_some_and(|server| server.postmaster().is_none()) {
            return false;
        }
        let asked = tokio::time::timeout(ANSWER_LIMIT, self.session.batch_execute("select 1"));
        matches!(asked.await, Ok(Ok(())))
    }

    /// Ends the session, and the server if it is ours.
    pub async fn close(self) {
        self.session.close().await;
        if let Some(mut server) = self.server
            && let Err(error) = server.stop(StopMode::Fast).await
        {
            tracing::warn!(error = %error, "the history's server did not stop in order");
        }
    }
}
