//! Which servers a command uses: private ones that it starts and removes, or attached ones.

use pgstrata_lab::error::LabError;
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_pg::{self as pg, AttachPolicy, Attached, Endpoint, Install};
use tokio_util::sync::CancellationToken;

use crate::cli::{PgArgs, ServerArgs};

/// The binaries that a private server runs.
pub fn install(args: &PgArgs) -> Result<Install, pg::Error> {
    pg::find_version(args.pg_bin.as_deref(), args.pg_version)
}

/// Starts or attaches the servers of a run.
pub async fn open(args: &ServerArgs, faults: &FaultPlan, interrupt: &CancellationToken) -> Result<Site, LabError> {
    let spec = if args.database_url.is_empty() {
        let binaries = PgArgs { pg_bin: args.pg_bin.clone(), pg_version: args.pg_version };
        SiteSpec::Private { install: install(&binaries)?, servers: args.servers }
    } else {
        SiteSpec::Attached { endpoints: attach(args).await? }
    };
    tokio::select! {
        site = Site::open(&spec, faults) => site,
        () = interrupt.cancelled() => Err(LabError::Interrupted),
    }
}

/// Connects to the given servers, finds out what they can do, and says what they lack.
async fn attach(args: &ServerArgs) -> Result<Vec<Endpoint>, LabError> {
    let policy = if args.allow_write { AttachPolicy::AllowWrite } else { AttachPolicy::ReadOnly };
    let mut endpoints = Vec::new();
    for url in &args.database_url {
        let attached = Attached::open(Endpoint::parse(url)?, policy).await?;
        for lack in &attached.capabilities().lacks {
            eprintln!("{}: {lack}", attached.capabilities().product);
        }
        endpoints.push(attached.endpoint_for_writing()?);
    }
    Ok(endpoints)
}

/// Stops what [`open`] started.
pub async fn close(site: Site) {
    if let Err(error) = site.close().await {
        tracing::warn!(error = %error, "a server did not stop in order");
    }
}
