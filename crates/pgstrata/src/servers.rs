//! Which servers a command uses: private ones that it starts and removes, or attached ones.

use pgstrata_lab::error::LabError;
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_pg::{self as pg, Endpoint, Install};
use tokio_util::sync::CancellationToken;

use crate::cli::{PgArgs, ServerArgs};

/// The binaries that a private server runs.
pub fn install(args: &PgArgs) -> Result<Install, pg::Error> {
    pg::find(args.pg_bin.as_deref(), args.pg_version)
}

/// Starts or attaches the servers of a run.
pub async fn open(args: &ServerArgs, faults: &FaultPlan, interrupt: &CancellationToken) -> Result<Site, LabError> {
    let spec = if args.database_url.is_empty() {
        let binaries = PgArgs { pg_bin: args.pg_bin.clone(), pg_version: args.pg_version };
        SiteSpec::Private { install: install(&binaries)?, servers: args.servers }
    } else {
        let endpoints = args.database_url.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>()?;
        if !args.allow_write {
            return Err(pg::Error::new("run a study on the attached server", pg::Kind::ReadOnly).into());
        }
        SiteSpec::Attached { endpoints }
    };
    tokio::select! {
        site = Site::open(&spec, faults) => site,
        () = interrupt.cancelled() => Err(LabError::Interrupted),
    }
}

/// Stops what [`open`] started.
pub async fn close(site: Site) {
    if let Err(error) = site.close().await {
        tracing::warn!(error = %error, "a server did not stop in order");
    }
}
