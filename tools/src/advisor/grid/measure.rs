//! Measures a grid: cell after cell, in each cell all strategies in short slices side by side, so that what slows the
//! machine down slows all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_lab::error::LabError;
use pgstrata_lab::machine;
use pgstrata_lab::observe::Observer;
use pgstrata_lab::record::Build;
use pgstrata_lab::run::{Progress, describe_servers};
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::Site;
use pgstrata_pg::{Error, Session};
use tokio_util::sync::CancellationToken;

use super::plan::{CLIENTS_MOST, Pace, orders};
use super::record::{ArmRecord, CellRecord, GRID_FORMAT, GridRecord, Head, Journal, Sitting};
use super::slice::{self, Tally};
use super::strategy::Strategy;
use super::transaction::Worker;
use super::workload::Draws;
use crate::advisor::ranking::{Features, ROWS};

const SCHEMA: &str = include_str!("sql/schema.sql");
const FILL: &str = include_str!("sql/fill.sql");
const CLEAR: &str = include_str!("sql/clear.sql");
const WRITES: &str = include_str!("sql/writes.sql");

/// What is asked for.
#[derive(Clone, Debug)]
pub struct GridSpec {
    /// The cells, in the order in which they are measured.
    pub cells: Vec<Features>,
    /// How each is measured.
    pub pace: Pace,
    /// The seed of orders and draws.
    pub seed: u64,
    /// The command line that gets the record again.
    pub command: String,
    /// Which pgstrata this is.
    pub build: Build,
}

impl GridSpec {
    /// What a journal has to agree with.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            command: self.command.clone(),
            seed: self.seed,
            slice_ms: u64::try_from(self.pace.slice.as_millis()).unwrap_or(u64::MAX),
            rounds: self.pace.rounds,
            rows: ROWS,
            cells: self.cells.len(),
        }
    }

    /// How long so many cells take, without what ends between slices.
    fn lasts(&self, cells: usize) -> Duration {
        let slices = cells * Strategy::ALL.len() * self.pace.rounds as usize;
        self.pace.slice * u32::try_from(slices).unwrap_or(u32::MAX)
    }
}

/// Makes the grid's table.
pub(super) async fn prepare(session: &Session) -> Result<(), Error> {
    session.batch_execute(CLEAR).await?;
    session.batch_execute(SCHEMA).await?;
    session.execute(FILL, &[&i64::from(ROWS)]).await?;
    session.batch_execute("vacuum analyze grid.cell").await?;
    Ok(())
}

/// Measures the cells that the journal does not have, and gives the whole grid.
///
/// # Errors
/// If the server or the machine fails, or the user interrupts; what is finished is in the journal.
pub async fn measure(
    spec: &GridSpec,
    site: &Site,
    journal: &mut Journal,
    progress: &dyn Progress,
    interrupt: &CancellationToken,
) -> Result<GridRecord, LabError> {
    let todo: Vec<Features> = spec.cells.iter().filter(|cell| !journal.has(cell)).copied().collect();
    if !todo.is_empty() {
        sit(spec, &todo, site, journal, progress, interrupt).await?;
    }
    let in_plan = |features: &Features| spec.cells.iter().position(|cell| cell == features);
    let mut cells = journal.cells.clone();
    cells.sort_by_key(|cell| in_plan(&cell.features));
    Ok(GridRecord { format: GRID_FORMAT, head: spec.head(), sittings: journal.sittings.clone(), cells })
}

/// One stretch of measuring; its sitting is in the journal however it ends.
async fn sit(
    spec: &GridSpec,
    todo: &[Features],
    site: &Site,
    journal: &mut Journal,
    progress: &dyn Progress,
    interrupt: &CancellationToken,
) -> Result<(), LabError> {
    let control = site.first().control.connect().await?;
    prepare(&control).await?;
    let mut crew = Crew::new(site, control).await?;
    let probe = SentinelProbe::new(site).await?;
    probe.begin(site).await;
    let mut sitting = Sitting {
        started_at: machine::now_rfc3339(),
        seconds: 0.0,
        cells: 0,
        machine: machine::describe(),
        build: spec.build.clone(),
        servers: describe_servers(site).await?,
        sentinels: Vec::new(),
    };
    journal.keep_sitting(sitting.clone())?;
    let began = Instant::now();
    progress.begin(todo.len(), spec.lasts(todo.len()));
    let mut outcome = Ok(());
    for features in todo {
        progress.trial(&label(features));
        outcome = tokio::select! {
            cell = crew.cell(spec, features) => cell.map_err(LabError::from).and_then(|cell| journal.add(cell)),
            () = interrupt.cancelled() => Err(LabError::Interrupted),
        };
        if outcome.is_err() {
            break;
        }
        sitting.cells += 1;
        progress.trial_done();
        let each = began.elapsed() / u32::try_from(sitting.cells).unwrap_or(u32::MAX);
        progress.left(each * u32::try_from(todo.len() - sitting.cells).unwrap_or(0));
    }
    sitting.seconds = began.elapsed().as_secs_f64();
    sitting.sentinels = probe.end(site).await;
    journal.keep_sitting(sitting)?;
    outcome?;
    if !site.is_private() {
        crew.control.batch_execute(CLEAR).await.map_err(Error::from)?;
    }
    Ok(())
}

/// What a person reads while it is measured.
fn label(features: &Features) -> String {
    let Features { read_share, skew, length, clients } = features;
    format!("{:.0} % read, skew {skew}, {length} rows, {clients} clients", read_share * 100.0)
}

/// All clients of the grid, and a session beside them.
pub(super) struct Crew {
    workers: Vec<Worker>,
    control: Session,
}

/// What a strategy has done in a cell so far.
#[derive(Default)]
struct Arm {
    per_second: Vec<f64>,
    total: Tally,
    lost_writes: i64,
}

impl Crew {
    pub(super) async fn new(site: &Site, control: Session) -> Result<Self, Error> {
        let mut workers = Vec::new();
        for number in 0..CLIENTS_MOST {
            workers.push(Worker::new(site.first().direct.connect().await?, Observer::new(None, number)).await?);
        }
        Ok(Self { workers, control })
    }

    /// Measures all strategies of a cell, round by round.
    pub(super) async fn cell(&mut self, spec: &GridSpec, features: &Features) -> Result<CellRecord, Error> {
        let draws = Arc::new(Draws::new(features));
        let mut arms: [Arm; 6] = Default::default();
        for (round, order) in (0_u64..).zip(orders(spec.seed, features, spec.pace.rounds)) {
            for strategy in order {
                // The strategies of a round meet the same transactions.
                let seed = spec.seed.wrapping_add(round << 32);
                let arm = &mut arms[strategy.place()];
                let before = self.writes().await?;
                let clients = features.clients as usize;
                let tally = slice::measure(&mut self.workers, clients, strategy, &draws, spec.pace.slice, seed).await?;
                let written = self.writes().await? - before;
                arm.lost_writes += i64::try_from(tally.writes).unwrap_or(i64::MAX) - written;
                arm.per_second.push(tally.commits as f64 / slice::counted_seconds(spec.pace.slice));
                arm.total.add(&tally);
            }
        }
        // What the updates left is taken away, so that every cell begins alike.
        self.control.batch_execute("vacuum grid.cell").await?;
        let arms = Strategy::ALL.into_iter().zip(arms).map(|(strategy, arm)| arm.record(strategy)).collect();
        Ok(CellRecord { features: *features, arms })
    }

    async fn writes(&self) -> Result<i64, Error> {
        Ok(self.control.query_one(WRITES, &[]).await?.try_get("writes")?)
    }
}

impl Arm {
    fn record(self, strategy: Strategy) -> ArmRecord {
        let digits = |value: f64, scale: f64| (value * scale).round() / scale;
        let p99_ns = self.total.latency.quantile_ns(0.99).unwrap_or(0);
        ArmRecord {
            strategy,
            per_second: self.per_second.into_iter().map(|figure| digits(figure, 10.0)).collect(),
            aborts: digits(self.total.failures as f64 / self.total.attempts.max(1) as f64, 1e4),
            p99_ms: digits(p99_ns as f64 / 1e6, 100.0),
            lost_writes: self.lost_writes,
        }
    }
}
