//! The grid on a real PostgreSQL: every strategy keeps transactions serializable where they meet most, and a grid that is
//! interrupted goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgstrata_history::Model;
use pgstrata_lab::error::LabError;
use pgstrata_lab::machine;
use pgstrata_lab::observe::{Held, IsolationRecord, Watches, Watching};
use pgstrata_lab::run::Progress;
use pgstrata_lab::site::{Server, Site};
use pgstrata_pg::{Cluster, testing};
use tokio_util::sync::CancellationToken;

use super::measure::prepare;
use super::slice;
use super::strategy::Strategy;
use super::transaction::Worker;
use super::workload::Draws;
use super::*;
use crate::advisor::ranking::Features;

/// Long transactions of many clients over few rows.
const HOT: Features = Features { read_share: 0.5, skew: 1.2, length: 5, clients: 8 };

const SLICE: Duration = Duration::from_millis(400);

async fn site(logical: bool) -> (Cluster, Site) {
    let mut spec = testing::spec().expect("PostgreSQL server binaries").with_setting("max_connections", "60");
    if logical {
        spec = spec.with_setting("wal_level", "logical");
    }
    let cluster = Cluster::create(spec).await.expect("a server");
    let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]);
    (cluster, site)
}

/// Lets a strategy work under watch, and judges what its transactions did to each other.
async fn judged(site: &Site, strategy: Strategy) -> IsolationRecord {
    prepare(&site.first().control.connect().await.expect("a session")).await.expect("prepared");
    let held = Held { model: Model::Serializable, tables: &[("grid", "cell")] };
    let watches = Watches::begin(site, held).await.expect("a watch");
    let under_watch = watches.site(site);
    let mut workers = Vec::new();
    for number in 0..HOT.clients {
        let session = site.first().endpoint.connect().await.expect("a session");
        workers.push(Worker::new(session, under_watch.observer(0, number)).await.expect("prepared"));
    }
    let draws = Arc::new(Draws::new(&HOT));
    let clients = HOT.clients as usize;
    let tally = slice::measure(&mut workers, clients, strategy, &draws, SLICE, 7).await.expect("a slice");
    assert!(tally.writes > 0, "{strategy} wrote nothing");
    let (mut records, _) = watches.finish(site, strategy.name(), 7).await.expect("a judgement");
    records.pop().expect("a record")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_strategy_keeps_transactions_serializable_on_hot_rows() {
    let (_cluster, site) = site(true).await;
    let site = site.watched(Watching::default());
    for strategy in Strategy::ALL {
        let record = judged(&site, strategy).await;
        assert!(record.holds, "{strategy}: {:?}", record.anomalies);
        assert_eq!(record.coverage.gaps, [], "{strategy}: nothing is left out");
        assert!(record.transactions > 10, "{strategy}: {} transactions", record.transactions);
    }
}

/// Interrupts after so many cells.
struct Interrupting {
    left: Mutex<usize>,
    interrupt: CancellationToken,
}

impl Progress for Interrupting {
    fn begin(&self, _: usize, _: Duration) {}
    fn trial(&self, _: &str) {}
    fn trial_done(&self) {
        let mut left = self.left.lock().expect("not poisoned");
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.interrupt.cancel();
        }
    }
}

fn spec(cells: usize) -> GridSpec {
    GridSpec {
        cells: super::cells(3).into_iter().take(cells).collect(),
        pace: Pace { slice: Duration::from_millis(30), rounds: 2 },
        seed: 3,
        command: "pgstrata bench grid".to_owned(),
        build: machine::build("0"),
    }
}

async fn measured(spec: &GridSpec, site: &Site, dir: &std::path::Path, cells: usize) -> Result<GridRecord, LabError> {
    let mut journal = Journal::open(dir, &spec.head())?;
    let interrupt = CancellationToken::new();
    let progress = Interrupting { left: Mutex::new(cells), interrupt: interrupt.clone() };
    measure(spec, site, &mut journal, &progress, &interrupt).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_grid_goes_on_where_it_was_and_loses_no_write() {
    let (_cluster, site) = site(false).await;
    let dir = tempfile::tempdir().expect("a directory");
    let spec = spec(5);
    let interrupted = measured(&spec, &site, dir.path(), 2).await;
    assert!(matches!(interrupted, Err(LabError::Interrupted)), "{interrupted:?}");
    let journal = Journal::open(dir.path(), &spec.head()).expect("the journal");
    assert_eq!(journal.cells.len(), 2);
    let first = journal.cells.clone();

    let record = measured(&spec, &site, dir.path(), usize::MAX).await.expect("the rest");
    assert_eq!(record.cells.len(), 5);
    assert!(first.iter().all(|cell| record.cells.contains(cell)), "what was measured is kept");
    assert_eq!(record.sittings.iter().map(|sitting| sitting.cells).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(record.lost_writes(), 0);
    let order: Vec<Features> = record.cells.iter().map(|cell| cell.features).collect();
    assert_eq!(order, spec.cells);
    assert!(record.training().iter().all(crate::advisor::ranking::TrainingCell::is_complete));

    let path = record.save(dir.path()).expect("saved");
    let (name, again) = latest(dir.path()).expect("read").expect("a grid");
    assert!(path.ends_with(&name), "{name}");
    assert_eq!(again.cells, record.cells);
    record.save(dir.path()).expect_err("a record is never overwritten");
}

#[test]
fn a_journal_of_another_grid_is_refused_and_half_a_line_is_forgotten() {
    let dir = tempfile::tempdir().expect("a directory");
    let spec = spec(2);
    let mut journal = Journal::open(dir.path(), &spec.head()).expect("a journal");
    let cell = CellRecord { features: spec.cells[0], arms: Vec::new() };
    journal.add(cell.clone()).expect("kept");
    drop(journal);
    let path = dir.path().join("grid.journal");
    let mut text = std::fs::read_to_string(&path).expect("text");
    text.push_str("{\"cell\":{\"read_sh");
    std::fs::write(&path, text).expect("written");

    let mut journal = Journal::open(dir.path(), &spec.head()).expect("a journal");
    assert_eq!(journal.cells, std::slice::from_ref(&cell));
    journal.add(CellRecord { features: spec.cells[1], ..cell }).expect("kept");
    assert_eq!(Journal::open(dir.path(), &spec.head()).expect("a journal").cells.len(), 2, "the half line is gone");

    let other = GridSpec { seed: 4, ..spec };
    let refused = Journal::open(dir.path(), &other.head());
    assert!(matches!(refused, Err(LabError::Usage { .. })), "{refused:?}");
}
