//! `pgstrata doctor`: what this machine has, what is missing, and the command that gets it.

use std::path::Path;

use pgstrata_lab::chinese::said;
use pgstrata_lab::report::text_columns;
use pgstrata_pg::{Dirs, Install, ServerUser, discover};
use pgstrata_units::Text;
use serde::Serialize;

use crate::Ended;
use crate::cli::DoctorArgs;
use crate::terminal::Terminal;

use super::pg::source_words;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// It is there.
    Good,
    /// Something is not to be had without it, but pgstrata runs.
    Lacking,
    /// pgstrata cannot run a private server.
    Missing,
}

/// Columns of a line for what was looked at.
const WHAT_COLUMNS: usize = 22;

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    what: &'static str,
    found: String,
    /// What to do about it.
    remedy: Option<String>,
}

pub async fn doctor(args: &DoctorArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let mut findings = servers(args.pg_bin.as_deref());
    findings.push(server_user());
    findings.push(directories());
    findings.push(trial_start(args.pg_bin.as_deref()).await);
    findings.extend(kernel());
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let (what, found) = (said(finding.what, terminal.language), said(&finding.found, terminal.language));
            let room = " ".repeat(WHAT_COLUMNS.saturating_sub(text_columns(&what)));
            println!("{} {what}{room} {found}", finding.level.mark());
            if let Some(remedy) = &finding.remedy {
                let remedy = said(remedy, terminal.language);
                println!("    {}{remedy}", terminal.say(Text { en: "to get it: ", zh: "获取方法：" }));
            }
        }
    }
    Ok(if findings.iter().any(|finding| finding.level == Level::Missing) { Ended::Failed } else { Ended::Held })
}

/// Extensions that one system or another uses.
const EXTENSIONS: [&str; 6] =
    ["pageinspect", "pg_stat_statements", "pg_visibility", "pg_walinspect", "pgrowlocks", "pgstattuple"];

fn servers(explicit: Option<&Path>) -> Vec<Finding> {
    let installs = discover(explicit);
    if installs.is_empty() {
        return vec![Finding {
            level: Level::Missing,
            what: "PostgreSQL",
            found: "no server binaries".to_owned(),
            remedy: Some("apt-get install postgresql, or: pgstrata pg install 18".to_owned()),
        }];
    }
    let mut findings: Vec<Finding> = installs
        .iter()
        .map(|install| {
            good(
                "PostgreSQL",
                format!("{} ({}) in {}", install.version, source_words(install.source), install.bindir.display()),
            )
        })
        .collect();
    findings.push(extensions(&installs[0]));
    findings.push(tools(&installs[0]));
    findings
}

fn extensions(install: &Install) -> Finding {
    let missing: Vec<&str> = EXTENSIONS.iter().copied().filter(|name| !install.extensions.contains(*name)).collect();
    if missing.is_empty() {
        return good("extensions", format!("{} of {}", install.extensions.len(), install.version));
    }
    Finding {
        level: Level::Lacking,
        what: "extensions",
        found: format!("{} lacks {}", install.version, missing.join(", ")),
        remedy: Some("apt-get install postgresql-contrib (pg_walinspect needs PostgreSQL 15)".to_owned()),
    }
}

fn tools(install: &Install) -> Finding {
    let missing: Vec<&str> =
        ["pgbench", "pg_basebackup", "psql"].into_iter().filter(|name| !install.tools.contains(*name)).collect();
    if missing.is_empty() {
        return good("client tools", "pgbench, pg_basebackup, psql".to_owned());
    }
    Finding {
        level: Level::Lacking,
        what: "client tools",
        found: format!("{} lacks {}", install.version, missing.join(", ")),
        remedy: Some("apt-get install postgresql-client, or use a wheel: pgstrata pg install 18".to_owned()),
    }
}

fn server_user() -> Finding {
    match ServerUser::resolve() {
        Ok(user) => good("server user", format!("{} (uid {})", user.name(), user.uid())),
        Err(error) => Finding {
            level: Level::Missing,
            what: "server user",
            found: error.kind().to_string(),
            remedy: error.hint(),
        },
    }
}

fn directories() -> Finding {
    let dirs = Dirs::resolve();
    good("directories", format!("state {}, cache {}", dirs.state.display(), dirs.cache.display()))
}

/// The proof that everything fits together: a server that starts and answers.
async fn trial_start(explicit: Option<&Path>) -> Finding {
    let started = async {
        let install = pgstrata_pg::find(explicit, None)?;
        let spec = pgstrata_pg::ClusterSpec::new(install, pgstrata_pg::Profile::Durable);
        let mut cluster = pgstrata_pg::Cluster::create(spec).await?;
        let session = cluster.endpoint().connect().await?;
        let row = session.query_one("select version(), current_setting('fsync')", &[]).await?;
        let text = format!("{}, fsync={}", row.get::<_, &str>(0), row.get::<_, &str>(1));
        drop(session);
        cluster.stop(pgstrata_pg::StopMode::Fast).await?;
        Ok::<_, pgstrata_pg::Error>(text)
    };
    match started.await {
        Ok(text) => good("private server", format!("starts: {text}")),
        Err(error) => Finding {
            level: Level::Missing,
            what: "private server",
            found: format!("{error}: {}", error.kind()),
            remedy: error.hint(),
        },
    }
}

/// What faults and measurements need of the kernel.
fn kernel() -> Vec<Finding> {
    let is_root = nix::unistd::geteuid().is_root();
    let mut findings = Vec::new();
    findings.push(if cfg!(target_os = "linux") {
        good("processor accounting", "/proc".to_owned())
    } else {
        lacking("processor accounting", "no /proc: CPU per operation is not shown", "run on Linux")
    });
    findings.push(if is_root {
        good("small disk", "can be mounted (root)".to_owned())
    } else {
        lacking("small disk", "the fault disk-full needs root", "run as root to use --faults disk-full")
    });
    findings.push(match std::thread::available_parallelism() {
        Ok(cores) => good("processors", cores.to_string()),
        Err(error) => lacking("processors", &error.to_string(), "none"),
    });
    findings
}

fn good(what: &'static str, found: String) -> Finding {
    Finding { level: Level::Good, what, found, remedy: None }
}

fn lacking(what: &'static str, found: &str, remedy: &str) -> Finding {
    Finding { level: Level::Lacking, what, found: found.to_owned(), remedy: Some(remedy.to_owned()) }
}

impl Level {
    fn mark(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Lacking => "–",
            Self::Missing => "✗",
        }
    }
}
