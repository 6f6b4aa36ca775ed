//! A server that somebody else runs: used as it is, and changed only with permission.
//!
//! [`Attached`] is the only way for the rest of the product to such a server; without permission the sessions it hands
//! out are read only for the server, too. It starts, stops and kills nothing.

use std::time::Duration;

use crate::capabilities::{Capabilities, Feature};
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::probe::probe;

/// How long a statement on a server that may not be changed can run: nobody there expects us.
const READ_ONLY_STATEMENT_LIMIT: Duration = Duration::from_mins(1);

/// Whether an attached server may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachPolicy {
    /// No (the default).
    ReadOnly,
    /// Yes: the user said `--allow-write`.
    AllowWrite,
}

impl AttachPolicy {
    /// Refuses with [`Kind::ReadOnly`] without permission, and with [`Kind::ServerReadOnly`] when the server would.
    pub fn check_write(self, capabilities: &Capabilities) -> Result<(), Error> {
        if self == Self::ReadOnly {
            return Err(Error::new("write to the attached server", Kind::ReadOnly));
        }
        match capabilities.lack_of(Feature::Writing) {
            Some(_) => {
                let kind = Kind::ServerReadOnly { is_standby: capabilities.in_recovery };
                Err(Error::new("write to the attached server", kind))
            }
            None => Ok(()),
        }
    }
}

/// A probed server and what may be done with it.
#[derive(Clone, Debug)]
pub struct Attached {
    endpoint: Endpoint,
    policy: AttachPolicy,
    capabilities: Capabilities,
}

impl Attached {
    /// Connects, asks the server what it can do, and leaves again.
    pub async fn open(endpoint: Endpoint, policy: AttachPolicy) -> Result<Self, Error> {
        let capabilities = probe(&endpoint).await?;
        Ok(Self { endpoint, policy, capabilities })
    }

    /// What the server is and can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// For sessions that read. Without permission to write the server itself refuses to in them, unless they ask it not
    /// to, and ends statements after a minute.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self.policy {
            AttachPolicy::AllowWrite => self.endpoint.clone(),
            AttachPolicy::ReadOnly => self
                .endpoint
                .with_setting("default_transaction_read_only", "on")
                .with_setting("statement_timeout", &READ_ONLY_STATEMENT_LIMIT.as_millis().to_string()),
        }
    }

    /// For sessions that write; an error when that is not allowed or not possible.
    pub fn endpoint_for_writing(&self) -> Result<Endpoint, Error> {
        self.policy.check_write(&self.capabilities)?;
        Ok(self.endpoint.clone())
    }
}
