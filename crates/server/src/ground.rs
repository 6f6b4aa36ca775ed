//! The server that is looked at: how it is read, whether it may be changed.

use pgstrata_pg::{AttachPolicy, Attached, Endpoint};

use crate::limits;
use crate::problem::{Code, Problem};

/// The name that sessions of the workbench itself carry in `pg_stat_activity`; scenes and consoles have their own.
pub const OWN_NAME: &str = "pgstrata workbench";

/// Ends a session that leaves its transaction idle: the server does it, so also when the workbench is gone.
const IDLE_LIMIT: &str = "idle_in_transaction_session_timeout";

const OWN_LIMIT: &str = include_str!("own_limit.sql");

/// The server that is looked at.
#[derive(Clone, Debug)]
pub struct Ground {
    reading: Endpoint,
    writing: Option<Endpoint>,
    is_private: bool,
}

impl Ground {
    /// A server that pgstrata started and removes at the end.
    #[must_use]
    pub fn private(endpoint: &Endpoint) -> Self {
        Self { reading: endpoint.with_application_name(OWN_NAME), writing: Some(endpoint.clone()), is_private: true }
    }

    /// Somebody else's server, to be changed only with permission. There, a transaction that a console or a scene has left
    /// idle for [`limits::TRANSACTION_LEFT_ALONE`] is ended with its session, or earlier where the server says so: it would
    /// hold its locks, and old versions of all rows, for as long as the workbench is open.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn attached(endpoint: Endpoint, policy: AttachPolicy) -> Result<Self, pgstrata_pg::Error> {
        let attached = Attached::open(endpoint, policy).await?;
        let writing = match attached.endpoint_for_writing() {
            Ok(endpoint) => Some(bounded(endpoint).await?),
            Err(_) => None,
        };
        Ok(Self { reading: attached.endpoint().with_application_name(OWN_NAME), writing, is_private: false })
    }

    /// For sessions that look.
    #[must_use]
    pub fn reading(&self) -> &Endpoint {
        &self.reading
    }

    /// For sessions that change something.
    ///
    /// # Errors
    /// [`Code::ReadOnly`] if that is not allowed.
    pub fn writing(&self) -> Result<&Endpoint, Problem> {
        self.writing.as_ref().ok_or_else(|| {
            Problem::new(Code::ReadOnly, "this server is somebody else's, and may only be read")
                .hint("start `pgstrata serve` with --allow-write, or without --database-url for a server of its own")
        })
    }

    /// Whether it may be changed.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writing.is_some()
    }

    /// Whether pgstrata started it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.is_private
    }

    /// Where it is, for people: no user, no password, no path of this machine.
    #[must_use]
    pub fn address(&self) -> String {
        match self.reading.tcp_address() {
            Some((host, port)) => format!("{host}:{port}"),
            None => "a socket of this machine".to_owned(),
        }
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> String {
        self.reading.database().or(self.reading.user()).unwrap_or_default().to_owned()
    }
}

/// The same with the limit, unless the server has a lower one of its own.
async fn bounded(endpoint: Endpoint) -> Result<Endpoint, pgstrata_pg::Error> {
    let session = endpoint.connect().await?;
    let own_ms: i64 = session.query_one(OWN_LIMIT, &[]).await.and_then(|row| row.try_get(0))?;
    session.close().await;
    let limit_ms = limits::TRANSACTION_LEFT_ALONE.as_millis();
    let is_lower = u128::try_from(own_ms).is_ok_and(|own_ms| (1..=limit_ms).contains(&own_ms));
    Ok(if is_lower { endpoint } else { endpoint.with_setting(IDLE_LIMIT, &limit_ms.to_string()) })
}
