//! `pgstrata isolation`: scenarios, the matrix of anomalies and levels, and the hunt.

mod gate;
mod hunt;
mod matrix;
mod scenarios;
mod show;
mod specs;

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use pgstrata_lab::error::LabError;
use pgstrata_pg::{AttachPolicy, Attached, Cluster, ClusterSpec, Endpoint, PgVersion, Profile, StopMode};
use pgstrata_scenario::builtin;
use pgstrata_scenario::language::Scenario;

use crate::Ended;
use crate::cli::isolation::{IsolationCommand, StageArgs};
use crate::cli::specs::means_specifications;
use crate::servers;
use crate::terminal::Terminal;

pub async fn isolation(command: IsolationCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        IsolationCommand::Run(args) if args.what.iter().any(|what| means_specifications(what)) => {
            specs::run(&args, terminal).await
        }
        IsolationCommand::Run(args) => scenarios::run(&args, terminal).await,
        IsolationCommand::Matrix(args) => matrix::matrix(&args, terminal).await,
        IsolationCommand::Hunt(args) => hunt::hunt(&args, terminal).await,
        IsolationCommand::Check(args) => gate::check(&args, terminal).await,
        IsolationCommand::List { json } => list(json),
        IsolationCommand::Format { files, write } => format(&files, write),
    }
}

/// The server that is played on.
pub struct Playground {
    endpoint: Endpoint,
    version: PgVersion,
    cluster: Option<Cluster>,
}

impl Playground {
    /// Starts a private server, or attaches to the one that is named.
    async fn open(args: &StageArgs) -> anyhow::Result<Self> {
        let Some(url) = &args.database_url else {
            // Nothing is kept, so nothing need be durable.
            let spec = ClusterSpec::new(servers::install(&args.binaries)?, Profile::FastTest);
            let cluster = Cluster::create(spec).await?;
            return Ok(Self { endpoint: cluster.endpoint(), version: cluster.version(), cluster: Some(cluster) });
        };
        let attached = Attached::open(Endpoint::parse(url)?, AttachPolicy::AllowWrite).await?;
        let endpoint = attached.endpoint_for_writing()?;
        Ok(Self {
            endpoint,
            version: PgVersion::from_number(attached.capabilities().server_version_num.unwrap_or_default()),
            cluster: None,
        })
    }

    async fn close(self) {
        if let Some(mut cluster) = self.cluster
            && let Err(error) = cluster.stop(StopMode::Immediate).await
        {
            tracing::warn!(error = %error, "the server did not stop in order");
        }
    }
}

fn list(json: bool) -> anyhow::Result<Ended> {
    if json {
        let all: Vec<serde_json::Value> = builtin::ALL
            .iter()
            .map(|builtin| {
                let scenario = builtin.scenario();
                serde_json::json!({ "name": builtin.name, "group": builtin.group, "about": scenario.about() })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Ended::Held);
    }
    for builtin in builtin::ALL {
        println!("{:<24} {:<10} {}", builtin.name, builtin.group.unwrap_or(""), builtin.scenario().about());
    }
    Ok(Ended::Held)
}

fn format(files: &[PathBuf], write: bool) -> anyhow::Result<Ended> {
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
        let scenarios: Vec<String> =
            parse(&file.display().to_string(), &text)?.iter().map(ToString::to_string).collect();
        let formatted = scenarios.join("\n");
        if write {
            fs::write(file, formatted).with_context(|| format!("could not write {}", file.display()))?;
        } else {
            print!("{formatted}");
        }
    }
    Ok(Ended::Held)
}

/// Reads the scenarios of a file; a mistake in it is the user's.
fn parse(name: &str, text: &str) -> Result<Vec<Scenario>, LabError> {
    Scenario::parse_file(text).map_err(|error| LabError::usage(format!("{name}: {error}"), error.hint()))
}
