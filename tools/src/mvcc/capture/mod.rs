//! The proof that waits are captured: PostgreSQL's own isolation specifications are run, and every step that the server
//! says is waiting is looked for among what the extension's worker has kept.
//!
//! A found wait counts as captured when the ring has a wait of that very process that was going on while the server was
//! asked. What the specifications only mark as waiting (a `*`), without asking the server, is not counted.

use std::time::{Duration, Instant, SystemTime};

use pgstrata_pg::{ClusterSpec, Session};
use pgstrata_scenario::runner::FoundWaiting;
use pgstrata_scenario::suite::{self, Judging, Options, SpecFile, Stage};

use super::TrialError;

/// The extension that watches.
const EXTENSION: &str = "mvcc_visualizer";
/// Waits that are kept: more than any one file has.
const RING_SIZE: u32 = 65_536;
/// How long the worker may take to look once more.
const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two questions whether it has.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

const CREATE: &str = include_str!("sql/create.sql");
const LOOKS: &str = include_str!("sql/looks.sql");
const KEPT: &str = include_str!("sql/kept.sql");

/// What became of the waits.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Captured {
    /// The server's version.
    pub server: String,
    /// Files that were run.
    pub files: usize,
    /// Lines with `<waiting ...>`, those by a marker included.
    pub lines: usize,
    /// Steps that the server said are waiting.
    pub found: usize,
    /// Those of them that were kept.
    pub captured: usize,
    /// Waits kept in all.
    pub kept: usize,
    /// The file of each wait that was missed.
    pub missed: Vec<String>,
}

impl Captured {
    /// Which part of the found waits was captured, in per cent; without waits, nothing was shown.
    #[must_use]
    pub fn percent(&self) -> Option<f64> {
        (self.found > 0).then(|| 100.0 * self.captured as f64 / self.found as f64)
    }
}

/// A wait that the worker has kept.
struct Kept {
    pid: i32,
    since: SystemTime,
    ended: Option<SystemTime>,
}

impl Kept {
    fn is(&self, found: &FoundWaiting) -> bool {
        self.pid == found.backend_pid && self.since <= found.until && self.ended.is_none_or(|ended| ended >= found.from)
    }
}

/// Runs the files one after the other on a private server with the extension preloaded; `progress` is told each file's
/// name before it is run.
///
/// `server` names the server and has the extension beside it ([`pgstrata_pg::overlay`]).
pub async fn capture(
    server: ClusterSpec,
    files: &[SpecFile],
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Captured, TrialError> {
    let server = server
        .with_setting("shared_preload_libraries", EXTENSION)
        .with_setting("mvcc_visualizer.wait_ring_size", RING_SIZE.to_string());
    let stage = Stage::open_as(server, None).await?;
    let watcher = stage.cluster().endpoint().connect().await?;
    watcher.batch_execute(CREATE).await?;
    let mut result = Captured { server: stage.version().to_string(), ..Captured::default() };
    let mut last = 0_i64;
    for file in files {
        progress(&file.name);
        let options = Options { judging: Judging::Off, ..Options::default() };
        let report = suite::run_file(&stage, file, options, &|| ()).await?;
        let kept = kept(&watcher, &mut last).await?;
        result.files += 1;
        result.lines += report.printed.matches(" <waiting ...>").count();
        result.found += report.waits.len();
        result.kept += kept.len();
        for found in &report.waits {
            if kept.iter().any(|kept| kept.is(found)) {
                result.captured += 1;
            } else {
                result.missed.push(file.name.clone());
            }
        }
    }
    Ok(result)
}

/// What was kept since the last time, once the worker has looked at the end of it too.
async fn kept(watcher: &Session, last: &mut i64) -> Result<Vec<Kept>, TrialError> {
    let looks = |session| async move { query_looks(session).await };
    let (before, began) = (looks(watcher).await?, Instant::now());
    // The first of the two may have been under way.
    while looks(watcher).await? < before + 2 {
        if began.elapsed() > LOOK_LIMIT {
            return Err(TrialError::NoLooks { limit: LOOK_LIMIT });
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    let rows = watcher.query(KEPT, &[&*last]).await?;
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        *last = (*last).max(row.try_get(0)?);
        kept.push(Kept { pid: row.try_get(1)?, since: row.try_get(2)?, ended: row.try_get(3)? });
    }
    Ok(kept)
}

async fn query_looks(session: &Session) -> Result<i64, TrialError> {
    Ok(session.query_one(LOOKS, &[]).await?.try_get(0)?)
}
