//! The server that is looked at: how it is read, whether it may be changed.

use pgstrata_pg::{AttachPolicy, Attached, Endpoint};

use crate::problem::{Code, Problem};

/// The name that sessions of the workbench itself carry in `pg_stat_activity`; scenes and consoles have their own.
pub const OWN_NAME: &str = "pgstrata workbench";

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

    /// Somebody else's server, to be changed only with permission.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn attached(endpoint: Endpoint, policy: AttachPolicy) -> Result<Self, pgstrata_pg::Error> {
        let attached = Attached::open(endpoint, policy).await?;
        Ok(Self {
            reading: attached.endpoint().with_application_name(OWN_NAME),
            writing: attached.endpoint_for_writing().ok(),
            is_private: false,
        })
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
