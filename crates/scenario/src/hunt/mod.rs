//! Hunts for anomalies: random transactions under load, each outcome judged, each find made short and written as a scenario.
//!
//! Two kinds of game are hunted side by side. Small programs of all kinds of statements are played in arenas of two tables
//! and judged by a model of these statements, then by the server itself. Long histories of lists are played by clients that
//! know nothing of each other, and judged by `pgstrata_history`.

mod arena;
mod lists;
mod model;
mod program;
mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgstrata_history::Anomaly;
use pgstrata_pg::Endpoint;
use pgstrata_units::Isolation;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::judge::{Complaint, Judged, is_of_family, promise};
use crate::language::{Clause, Item, Scenario};
use crate::play::{PlayError, Stage};
use crate::shrink::{note_waits, shrink};

/// Suspicions that wait to be looked at; further ones are counted and left.
const SUSPECTS_MAX: usize = 16;

/// The most finds that are made short and kept, of all kinds together.
pub const FINDS_MAX: usize = 8;

/// How often a find is played again before it is told, as it is going to be written.
const CONFIRMATIONS: usize = 3;

/// What to hunt, where and for how long.
#[derive(Clone, Debug)]
pub struct HuntSpec {
    /// The server; its schemas named `pgstrata_…` are ours.
    pub endpoint: Endpoint,
    /// The level of all transactions.
    pub level: Isolation,
    /// For how long.
    pub duration: Duration,
    /// Sessions in all, at least 4.
    pub clients: usize,
    /// The seed of all programs. Who comes first is the server's affair, so a seed gives the programs again, not their end.
    pub seed: u64,
    /// What ends it before the time is over.
    pub stop_at: StopAt,
}

/// What ends a hunt before its time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopAt {
    /// Nothing.
    #[default]
    Never,
    /// The first find that the level forbids.
    FirstForbidden,
    /// The first find of any kind.
    FirstFind,
}

impl StopAt {
    fn is_reached(self, finds: &[Find]) -> bool {
        match self {
            Self::Never => false,
            Self::FirstForbidden => finds.iter().any(|find| find.is_forbidden),
            Self::FirstFind => !finds.is_empty(),
        }
    }
}

/// How far a hunt is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Small programs that were played.
    pub programs: u64,
    /// Transactions of them that committed.
    pub committed: u64,
    /// Transactions on lists that committed.
    pub list_transactions: u64,
    /// Anomalies of all kinds in the histories of lists.
    pub list_anomalies: u64,
    /// Outcomes that no order of transactions gives, before they were played again.
    pub suspects: u64,
    /// Those that were played again and did not show it each time: a race that needs luck, or a mistake of ours.
    pub not_repeated: u64,
}

/// One find.
#[derive(Clone, Debug, Serialize)]
pub struct Find {
    /// What it is.
    pub anomaly: Anomaly,
    /// Whether the level promises that it does not happen.
    pub is_forbidden: bool,
    /// How long the hunt had lasted when it was first looked at, seconds.
    pub after_s: f64,
    /// The short scenario, as text.
    pub scenario: String,
    /// What its last play showed.
    pub judged: Judged,
    /// The cycle in sentences.
    pub because: Vec<String>,
    /// The same in Chinese.
    pub because_zh: Vec<String>,
}

/// What a hunt brought.
#[derive(Clone, Debug, Serialize)]
pub struct Hunted {
    /// The level.
    pub level: Isolation,
    /// The seed.
    pub seed: u64,
    /// For how long it was hunted, seconds; making finds short may have taken longer.
    pub lasted_s: f64,
    /// How much was played.
    pub tally: Tally,
    /// What was found, one of each anomaly and kind of game.
    pub finds: Vec<Find>,
    /// What the checker of lists counted, by anomaly.
    pub list_anomalies: Vec<InLists>,
}

/// An anomaly in the histories of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InLists {
    /// What it is.
    pub anomaly: Anomaly,
    /// How often it was found.
    pub count: u64,
    /// When it was found first, milliseconds after the beginning.
    pub first_ms: u64,
}

impl Hunted {
    /// Whether the level kept its promise.
    #[must_use]
    pub fn promise_is_kept(&self) -> bool {
        let forbidden = |in_lists: &InLists| promise(self.level).forbids(in_lists.anomaly);
        !self.finds.iter().any(|find| find.is_forbidden) && !self.list_anomalies.iter().any(forbidden)
    }
}

#[derive(Default)]
struct Counters {
    programs: AtomicU64,
    committed: AtomicU64,
    list_transactions: AtomicU64,
    list_anomalies: AtomicU64,
    suspects: AtomicU64,
    not_repeated: AtomicU64,
}

impl Counters {
    fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            programs: read(&self.programs),
            committed: read(&self.committed),
            list_transactions: read(&self.list_transactions),
            list_anomalies: read(&self.list_anomalies),
            suspects: read(&self.suspects),
            not_repeated: read(&self.not_repeated),
        }
    }
}

/// Hunts until the time is over, `stop` becomes true, or what `spec.stop_at` names was found.
///
/// `progress` is told about four times a second how far it is, and each find as it is made.
pub async fn hunt(
    spec: &HuntSpec,
    stop: watch::Receiver<bool>,
    progress: &mut (dyn FnMut(Tally, Option<&Find>) + Send),
) -> Result<Hunted, PlayError> {
    let began = Instant::now();
    let counters = Arc::new(Counters::default());
    let (end, ended) = watch::channel(false);
    let (suspects, mut to_look_at) = mpsc::channel(SUSPECTS_MAX);
    let mut tasks = tokio::task::JoinSet::new();
    let arenas = (spec.clients / 4).max(1);
    for number in 0..arenas {
        let arena =
            ArenaTask { spec: spec.clone(), number, counters: Arc::clone(&counters), suspects: suspects.clone() };
        tasks.spawn(arena.run(ended.clone()));
    }
    drop(suspects);
    let lists = lists::Lists::new(spec, spec.clients.saturating_sub(arenas * 3).clamp(2, 4));
    let list_task = tokio::spawn(lists.run(ended.clone(), Arc::clone(&counters)));
    let mut looker = Looker { stage: Stage::new(&spec.endpoint), spec, began, finds: Vec::new() };
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    let deadline = tokio::time::Instant::from_std(began + spec.duration);
    // Making a find short may outlast the hunt; the hunters go home in time.
    let bell = end.clone();
    let timer = tokio::spawn(async move {
        tokio::time::sleep_until(deadline).await;
        let _ = bell.send(true);
    });
    let mut failure = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => break,
            _ = tick.tick() => {
                progress(counters.tally(), None);
                if *stop.borrow() || list_task.is_finished() { break; }
            }
            Some(done) = tasks.join_next() => {
                failure = done.ok().and_then(Result::err);
                if failure.is_some() { break; }
            }
            Some(round) = to_look_at.recv() => {
                match looker.look(&round).await? {
                    Looked::New => progress(counters.tally(), looker.finds.last()),
                    Looked::Known => {}
                    Looked::Nothing => { counters.not_repeated.fetch_add(1, Ordering::Relaxed); }
                }
                if spec.stop_at.is_reached(&looker.finds) { break; }
            }
        }
    }
    timer.abort();
    let _ = end.send(true);
    let lasted_s = began.elapsed().min(spec.duration).as_secs_f64();
    to_look_at.close();
    while let Some(done) = tasks.join_next().await {
        failure = failure.or_else(|| done.ok().and_then(Result::err));
    }
    let listed = list_task.await;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let (list_anomalies, list_scenarios) = match listed {
        Ok(listed) => listed?,
        Err(_) => (Vec::new(), Vec::new()),
    };
    for scenario in &list_scenarios {
        if looker.shrunk(scenario).await? == Looked::New {
            progress(counters.tally(), looker.finds.last());
        }
    }
    Ok(Hunted {
        level: spec.level,
        seed: spec.seed,
        lasted_s,
        tally: counters.tally(),
        finds: looker.finds,
        list_anomalies,
    })
}

struct ArenaTask {
    spec: HuntSpec,
    number: usize,
    counters: Arc<Counters>,
    suspects: mpsc::Sender<arena::Round>,
}

impl ArenaTask {
    async fn run(self, ended: watch::Receiver<bool>) -> Result<(), PlayError> {
        let mut chance = ChaCha8Rng::seed_from_u64(self.spec.seed);
        chance.set_stream(self.number as u64);
        let mut arena = arena::Arena::open(&self.spec.endpoint, self.number, self.spec.level).await?;
        while !*ended.borrow() {
            let round = arena.play(program::Program::draw(&mut chance)).await?;
            self.counters.programs.fetch_add(1, Ordering::Relaxed);
            self.counters.committed.fetch_add(round.committed as u64, Ordering::Relaxed);
            if round.is_suspect {
                self.counters.suspects.fetch_add(1, Ordering::Relaxed);
                // A full queue means that there is enough to look at.
                let _ = self.suspects.try_send(round);
            }
        }
        arena.close().await
    }
}

/// Plays suspects again and makes them short.
struct Looker<'a> {
    stage: Stage,
    spec: &'a HuntSpec,
    began: Instant,
    finds: Vec<Find>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    New,
    Known,
    Nothing,
}

impl Looker<'_> {
    async fn look(&mut self, round: &arena::Round) -> Result<Looked, PlayError> {
        if self.finds.len() >= FINDS_MAX {
            return Ok(Looked::Known);
        }
        let name = format!("found-{}", self.finds.len() + 1);
        self.shrunk(&witness::scenario(round, &name, self.spec.level)).await
    }

    async fn shrunk(&mut self, scenario: &Scenario) -> Result<Looked, PlayError> {
        let after_s = self.began.elapsed().as_secs_f64();
        let first = crate::shrink::judged(&self.stage, scenario, self.spec.level).await?;
        let Some(anomaly) = first.checked.anomaly else {
            return Ok(if first.checked.is_anomalous() { Looked::Known } else { Looked::Nothing });
        };
        if self.finds.iter().any(|find| is_of_family(find.anomaly, anomaly)) {
            return Ok(Looked::Known);
        }
        let Some((mut scenario, judged)) = shrink(&self.stage, scenario, self.spec.level).await? else {
            return Ok(Looked::Nothing);
        };
        let Some(anomaly) = judged.checked.anomaly else { return Ok(Looked::Nothing) };
        note_waits(&mut scenario, &judged);
        let is_forbidden = promise(self.spec.level).forbids(anomaly);
        if !is_forbidden {
            // What the level allows is what it should show when it is played again.
            expect_anomaly(&mut scenario, anomaly);
        }
        if !self.shows_again(&scenario, anomaly).await? {
            return Ok(Looked::Nothing);
        }
        let reasons: Vec<_> = judged.checked.cycle_reasons().collect();
        let because = reasons.iter().map(|reason| reason.english(&scenario, &judged.played)).collect();
        let because_zh = reasons.iter().map(|reason| reason.chinese(&scenario, &judged.played)).collect();
        self.finds.push(Find {
            anomaly,
            is_forbidden,
            after_s,
            scenario: scenario.to_string(),
            judged,
            because,
            because_zh,
        });
        Ok(Looked::New)
    }

    /// Whether the scenario as it is going to be written shows the anomaly each time, step by step as it says.
    async fn shows_again(&self, scenario: &Scenario, anomaly: Anomaly) -> Result<bool, PlayError> {
        for _ in 0..CONFIRMATIONS {
            let judged = crate::shrink::judged(&self.stage, scenario, self.spec.level).await?;
            let is_another_course = |complaint: &Complaint| !matches!(complaint, Complaint::Anomaly { .. });
            let shows = judged.checked.anomaly.is_some_and(|found| is_of_family(found, anomaly));
            if !shows || judged.complaints.iter().any(is_another_course) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn expect_anomaly(scenario: &mut Scenario, anomaly: Anomaly) {
    for item in &mut scenario.items {
        if let Item::Expect(expectation) = item {
            expectation.clauses = vec![Clause::Anomaly(Some(anomaly))];
        }
    }
}
