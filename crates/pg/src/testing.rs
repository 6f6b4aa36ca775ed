//! Servers for tests, of this crate and of those above it.
//!
//! A test that needs a server asks here; without PostgreSQL on the machine it gets an error that says what to install,
//! and fails. No test skips.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::install;
use crate::profile::Profile;
use crate::spec::ClusterSpec;

/// A private server for one test: fast, not durable, gone when dropped. Which binaries: `PGSTRATA_PG_BIN`, else the
/// first of [`install::discover`].
pub async fn server() -> Result<Cluster, Error> {
    Cluster::create(spec()?).await
}

/// What [`server`] is made from, to be changed before it is made.
pub fn spec() -> Result<ClusterSpec, Error> {
    Ok(ClusterSpec::new(install::find(None, None)?, Profile::FastTest))
}
