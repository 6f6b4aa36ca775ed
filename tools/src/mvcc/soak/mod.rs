//! Hours of ordinary load under the eyes of a process, and what its memory does meanwhile.
//!
//! The load is open: transactions begin at a given rate however long each takes. The process that is watched is another
//! one, and what it does is its owner's affair; here its memory and its processor time are read, and the memory's trend
//! is judged. Beside it stands what the process says of its own memory: what is given out, what is kept for later, and what
//! its bounded structures hold; so that a rise has a name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgstrata_pg::memory::resident_bytes;
use pgstrata_pg::process::of_process;
use pgstrata_pg::sql::{ClientError, Statement};
use pgstrata_pg::{Endpoint, Pid, Session};
use pgstrata_stats::{Trend, trend};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::TrialError;

/// The table that is changed.
pub const TABLE: &str = "public.account";
/// Its accounts.
const ACCOUNTS: i32 = 200;
/// Sessions that carry the load.
const CLIENTS: u32 = 4;
/// The first part of the time, in which caches and histories fill up; its readings are shown and not judged.
const WARM_UP: f64 = 1.0 / 6.0;
/// The least time after the warm-up, seconds, that a slope an hour can be told from: caches and allocators grow in steps of
/// megabytes for the first quarter of an hour.
const LEAST_JUDGED_S: f64 = 1_200.0;
/// Readings of memory in all, about; a short soak reads more often than each five seconds.
const READINGS: u32 = 720;
/// The shortest pause between two of them: asking the process for its account is work that the process does.
const LEAST_PAUSE: Duration = Duration::from_millis(200);
/// The most that memory may rise in an hour and be called flat, as a part of its mean.
pub const FLAT_AN_HOUR: f64 = 0.05;

const SETUP: &str = include_str!("setup.sql");
const READ: &str = include_str!("read.sql");
const CHANGE: &str = include_str!("change.sql");

/// What is done for how long.
#[derive(Clone, Debug)]
pub struct SoakSpec {
    /// The server that bears the load; the table is made there.
    pub endpoint: Endpoint,
    /// The process that is watched.
    pub process: Pid,
    /// For how long.
    pub duration: Duration,
    /// Transactions a second.
    pub rate: u32,
    /// Seed of the accounts.
    pub seed: u64,
}

/// What the process says of its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Account {
    /// What its allocator has given out, bytes.
    pub in_use_bytes: Option<u64>,
    /// What its allocator keeps for later, bytes.
    pub kept_bytes: Option<u64>,
    /// What its bounded structures hold, by name, bytes.
    pub held_bytes: BTreeMap<String, u64>,
}

/// One reading of the process.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Reading {
    /// Seconds since the load began.
    pub at_s: f64,
    /// Memory in the processor's hands (`VmRSS`), bytes.
    pub resident_bytes: u64,
    /// Processor time used so far, seconds.
    pub cpu_s: f64,
    /// What the process itself says.
    #[serde(flatten)]
    pub account: Account,
}

/// What memory does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Even the upper end of the interval rises less than [`FLAT_AN_HOUR`].
    Flat,
    /// Even the lower end of the interval rises more than that.
    Rising,
    /// The time was too short to say.
    Undecided,
}

/// What came of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Soak {
    /// How long it took, seconds.
    pub lasted_s: f64,
    /// Transactions a second that were asked for.
    pub rate: u32,
    /// Transactions that committed.
    pub transactions: u64,
    /// The process's processor time, as a part of one core.
    pub cores: f64,
    /// From when on readings are judged, seconds.
    pub warm_up_s: f64,
    /// The resident memory after that: mean in bytes, slope in bytes an hour with its interval.
    pub resident: Option<Trend>,
    /// The judgement.
    pub memory: Memory,
    /// All readings.
    pub readings: Vec<Reading>,
}

/// Makes the table, and returns what the load needs.
pub async fn set_up(endpoint: &Endpoint) -> Result<(), TrialError> {
    let session = endpoint.connect().await?;
    session.batch_execute(SETUP).await?;
    session.close().await;
    Ok(())
}

/// Bears down on the server, and reads the process, until the time is over or `stop`. Call [`set_up`] before. `account`
/// asks the process what it says of its memory.
pub async fn soak(
    spec: &SoakSpec,
    stop: &CancellationToken,
    mut account: impl AsyncFnMut() -> Account,
    progress: &mut (dyn FnMut(&Reading, u64) + Send),
) -> Result<Soak, TrialError> {
    let transactions = Arc::new(AtomicU64::new(0));
    let over = stop.child_token();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client::open(spec, number, Arc::clone(&transactions)).await?;
        clients.spawn(client.run(over.clone()));
    }
    let began = Instant::now();
    let mut readings = vec![read(spec.process, began, account().await)?];
    let mut tick = interval((spec.duration / READINGS).max(LEAST_PAUSE));
    while began.elapsed() < spec.duration {
        tokio::select! {
            _ = tick.tick() => {
                let reading = read(spec.process, began, account().await)?;
                progress(&reading, transactions.load(Ordering::Relaxed));
                readings.push(reading);
            }
            Some(ended) = clients.join_next() => {
                if let Ok(Err(error)) = ended { return Err(error) }
            }
            () = stop.cancelled() => break,
        }
    }
    over.cancel();
    while let Some(ended) = clients.join_next().await {
        if let Ok(outcome) = ended {
            outcome?;
        }
    }
    Ok(judge(spec, began.elapsed().as_secs_f64(), transactions.load(Ordering::Relaxed), readings))
}

fn judge(spec: &SoakSpec, lasted_s: f64, transactions: u64, readings: Vec<Reading>) -> Soak {
    let warm_up_s = lasted_s * WARM_UP;
    let judged: Vec<(f64, f64)> = readings
        .iter()
        .filter(|reading| reading.at_s >= warm_up_s)
        .map(|reading| (reading.at_s / 3_600.0, bytes(reading.resident_bytes)))
        .collect();
    let resident = trend(&judged);
    let is_long = lasted_s - warm_up_s >= LEAST_JUDGED_S;
    let memory = resident.filter(|_| is_long).map_or(Memory::Undecided, |resident| {
        let most = resident.mean * FLAT_AN_HOUR;
        if resident.interval.high < most {
            Memory::Flat
        } else if resident.interval.low > most {
            Memory::Rising
        } else {
            Memory::Undecided
        }
    });
    let used = |reading: Option<&Reading>| reading.map_or(0.0, |reading| reading.cpu_s);
    let cores = (used(readings.last()) - used(readings.first())) / lasted_s.max(f64::MIN_POSITIVE);
    Soak { lasted_s, rate: spec.rate, transactions, cores, warm_up_s, resident, memory, readings }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
fn bytes(count: u64) -> f64 {
    count as f64
}

fn read(process: Pid, began: Instant, account: Account) -> Result<Reading, TrialError> {
    let resident_bytes = resident_bytes(process)?;
    let cpu_s = Duration::from(of_process(process)?).as_secs_f64();
    Ok(Reading { at_s: began.elapsed().as_secs_f64(), resident_bytes, cpu_s, account })
}

/// One session of the load.
struct Client {
    session: Session,
    read: Statement,
    change: Statement,
    random: StdRng,
    pause: Duration,
    transactions: Arc<AtomicU64>,
}

impl Client {
    async fn open(spec: &SoakSpec, number: u32, transactions: Arc<AtomicU64>) -> Result<Self, TrialError> {
        let session = spec.endpoint.with_application_name("pgstrata soak").connect().await?;
        let read = session.prepare(READ).await?;
        let change = session.prepare(CHANGE).await?;
        let random = StdRng::seed_from_u64(spec.seed.wrapping_add(u64::from(number)));
        let pause = Duration::from_secs(1) * CLIENTS / spec.rate.max(1);
        Ok(Self { session, read, change, random, pause, transactions })
    }

    async fn run(mut self, over: CancellationToken) -> Result<(), TrialError> {
        let mut tick = interval(self.pause);
        // An open load: what a slow moment kept back comes afterwards.
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = over.cancelled() => break,
            }
            self.transaction().await?;
            self.transactions.fetch_add(1, Ordering::Relaxed);
        }
        self.session.close().await;
        Ok(())
    }

    /// Reads one account and moves one unit between two, in the order of their numbers so that nobody meets a deadlock.
    async fn transaction(&mut self) -> Result<(), ClientError> {
        let [first, second] = [(); 2].map(|()| self.random.random_range(1..=ACCOUNTS));
        let transaction = self.session.transaction().await?;
        transaction.query_one(&self.read, &[&first]).await?;
        transaction.execute(&self.change, &[&first.min(second), &1]).await?;
        transaction.execute(&self.change, &[&first.max(second), &-1]).await?;
        transaction.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(bytes_at: impl Fn(f64) -> f64, lasted_s: f64) -> Memory {
        let readings = (0..READINGS).map(|number| {
            let at_s = lasted_s * f64::from(number) / f64::from(READINGS);
            // A little noise that no line explains.
            let noise = if number % 2 == 0 { 1e6 } else { -1e6 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made up, positive")]
            let resident_bytes = (bytes_at(at_s) + noise) as u64;
            Reading { at_s, resident_bytes, cpu_s: at_s / 10.0, account: Account::default() }
        });
        let spec = SoakSpec {
            endpoint: Endpoint::parse("postgresql://h/d").expect("a URL"),
            process: Pid::this(),
            duration: Duration::from_secs(1),
            rate: 200,
            seed: 1,
        };
        judge(&spec, lasted_s, 0, readings.collect()).memory
    }

    #[test]
    fn memory_that_rises_only_at_first_is_flat() {
        let filling = |at_s: f64| 1e8 + 4e5 * at_s.min(500.0);
        assert_eq!(judged(filling, 3_600.0), Memory::Flat);
    }

    #[test]
    fn memory_that_rises_all_the_time_is_told() {
        let leaking = |at_s: f64| 1e8 + 1e4 * at_s;
        assert_eq!(judged(leaking, 3_600.0), Memory::Rising);
    }

    #[test]
    fn a_short_time_says_nothing_however_memory_rises() {
        let leaking = |at_s: f64| 1e8 + 1e4 * at_s;
        assert_eq!(judged(leaking, 1_000.0), Memory::Undecided);
    }

    #[test]
    fn our_own_memory_can_be_read() {
        let reading = read(Pid::this(), Instant::now(), Account::default()).expect("this is Linux");
        assert!(reading.resident_bytes > 1 << 20);
        let gone = read(Pid::from_raw(i32::MAX), Instant::now(), Account::default());
        assert!(matches!(gone, Err(TrialError::Server(_))), "{gone:?}");
    }
}
