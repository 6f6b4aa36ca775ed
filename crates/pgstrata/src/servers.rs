//! Which servers a command uses: private ones that it starts and removes, or attached ones.

use pgstrata_lab::error::LabError;
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::observe::Watching;
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_pg::{self as pg, AttachPolicy, Attached, Endpoint, Install};
use tokio_util::sync::CancellationToken;

use crate::cli::{PgArgs, ServerArgs};

/// The binaries that a private server runs.
pub fn install(args: &PgArgs) -> Result<Install, pg::Error> {
    pg::find_version(args.pg_bin.as_deref(), args.pg_version)
}

/// Starts or attaches the servers of a command; at least `needed` of them.
pub async fn open(
    args: &ServerArgs,
    needed: u32,
    faults: &FaultPlan,
    interrupt: &CancellationToken,
) -> Result<Site, LabError> {
    open_watching(args, needed, faults, None, interrupt).await
}

/// Starts or attaches the servers of a run whose trials may be watched.
pub async fn open_watching(
    args: &ServerArgs,
    needed: u32,
    faults: &FaultPlan,
    watching: Option<Watching>,
    interrupt: &CancellationToken,
) -> Result<Site, LabError> {
    let spec = if args.database_url.is_empty() {
        let binaries = PgArgs { pg_bin: args.pg_bin.clone(), pg_version: args.pg_version };
        SiteSpec::Private { install: install(&binaries)?, servers: args.servers.max(needed) }
    } else {
        if args.database_url.len() < needed as usize {
            return Err(LabError::usage(
                format!("these arms work with {needed} servers, and --database-url names {}", args.database_url.len()),
                "give --database-url once for each server, or choose arms of one server with --arms",
            ));
        }
        SiteSpec::Attached { endpoints: attach(args).await? }
    };
    let opened = async {
        match watching {
            Some(watching) => Site::open_watching(&spec, faults, watching).await,
            None => Site::open(&spec, faults).await,
        }
    };
    tokio::select! {
        site = opened => site,
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
