//! Servers for tests, of this crate and of those above it.
//!
//! A test that needs a server asks here; without PostgreSQL on the machine it gets an error that says what to install,
//! and fails. No test skips.

use std::env;
use std::path::{Path, PathBuf};

use crate::cluster::Cluster;
use crate::dirs::Dirs;
use crate::error::Error;
use crate::install::{self, Install};
use crate::overlay::{self, ExtensionFiles};
use crate::profile::Profile;
use crate::spec::ClusterSpec;

/// The extension that is part of this product.
pub const EXTENSION: &str = "mvcc_visualizer";

/// A private server for one test: fast, not durable, gone when dropped. Which binaries: `PGSTRATA_PG_BIN`, else the
/// first of [`install::discover`].
pub async fn server() -> Result<Cluster, Error> {
    Cluster::create(spec()?).await
}

/// What [`server`] is made from, to be changed before it is made.
pub fn spec() -> Result<ClusterSpec, Error> {
    Ok(ClusterSpec::new(install::find(None, None)?, Profile::FastTest))
}

/// One installation of each major version from `oldest` on that has these extensions, the oldest version first: some
/// packages of the server come without its additional modules. Never none.
///
/// # Panics
/// If there is none; the message says what to install.
#[must_use]
pub fn of_each_major(oldest: u32, extensions: &[&str]) -> Vec<Install> {
    let has_all = |install: &Install| extensions.iter().all(|name| install.extensions.contains(*name));
    let mut installs = install::discover(None);
    installs.retain(|install| install.version.major >= oldest && has_all(install));
    installs.sort_by_key(|install| install.version.major);
    installs.dedup_by_key(|install| install.version.major);
    assert!(!installs.is_empty(), "install PostgreSQL {oldest} to 18 with {extensions:?} to run these tests");
    installs
}

/// What [`spec`] gives, with [`EXTENSION`] beside it, as `cargo xtask ext` built it in this source tree; not created in any
/// database, and preloaded only when the setting `shared_preload_libraries` says so. Blocks for a moment.
///
/// The error is [`crate::Kind::NoExtension`] when it was not built for the server's major version.
pub fn extended_spec() -> Result<ClusterSpec, Error> {
    let mut spec = spec()?;
    let files = ExtensionFiles::in_directory(&built_extension(spec.install.version.major), EXTENSION)?;
    spec.install = overlay::make(&spec.install, &files, &Dirs::resolve())?;
    Ok(spec)
}

/// Where the build for a major version lies: below `PGSTRATA_EXTENSION_DIR`, else in this source tree.
fn built_extension(major: u32) -> PathBuf {
    let named = env::var_os("PGSTRATA_EXTENSION_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
    let tree = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../extension").join(EXTENSION).join("target");
    named.unwrap_or_else(tree).join(major.to_string())
}
