//! Probes that tell whether the machine stood still during a trial: disk, timers, other processes, the hypervisor.
//!
//! The probes sleep or wait for the disk all the time and write ten small blocks a second under load, so that they do
//! not disturb what they watch. What their readings mean is judged by [`pgstrata_stats::RunValidity`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pgstrata_pg::process::{machine_cpu, tree_cpu};
use pgstrata_pg::{CpuTime, Dirs, MachineCpu, Pid};
use pgstrata_stats::{Moment, SentinelReading};

use crate::error::LabError;
use crate::site::Site;

/// How many writes an idle reading is the median of.
const IDLE_WRITES: usize = 20;
/// How many timers an idle reading is the 99th percentile of; with them a reading lasts a fifth of a second, in which the
/// kernel's CPU accounting (steps of 10 ms) can tell a twentieth of two processors.
const IDLE_TIMERS: usize = 180;
/// While the load runs: one write and [`LOAD_TIMERS`] timers in each period.
const LOAD_PERIOD: Duration = Duration::from_millis(100);
/// Timers in each period.
const LOAD_TIMERS: usize = 10;
/// Samples kept while the load runs, of each kind: more than two hours' worth; later ones are not taken.
const SAMPLE_LIMIT: usize = 1 << 20;
/// What is written: one PostgreSQL block, as `pg_test_fsync` does.
const BLOCK_BYTES: usize = 8192;
/// The timer whose lateness is measured.
const TIMER: Duration = Duration::from_millis(1);

/// The probes of one run, for one trial at a time.
#[derive(Debug)]
pub struct SentinelProbe {
    disk: Arc<File>,
    trial: Mutex<Trial>,
}

/// What is known of the trial under way.
#[derive(Debug, Default)]
struct Trial {
    before: Option<SentinelReading>,
    sampler: Option<Sampler>,
}

/// The thread that samples while the load runs. It ends when the sender is dropped.
#[derive(Debug)]
struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<SentinelReading>,
}

impl SentinelProbe {
    /// Makes the file that is written to: in the file system of the first private server's data directory, otherwise in
    /// the state directory of this machine (an attached server's disk cannot be reached).
    ///
    /// # Errors
    /// [`LabError::Machine`] if no file can be made there.
    pub async fn new(site: &Site) -> Result<Self, LabError> {
        let directory = directory(site).await;
        let made = tokio::task::spawn_blocking(move || probe_file(&directory).map_err(|source| (directory, source)));
        let disk = made.await.map_err(|error| (PathBuf::new(), io::Error::other(error))).and_then(|made| made);
        let disk = disk.map_err(|(directory, source)| LabError::Machine {
            action: format!("make a file in {} to measure the disk with", directory.display()),
            hint: "set PGSTRATA_STATE_DIR to a directory that you can write to".to_owned(),
            source,
        })?;
        Ok(Self { disk: Arc::new(disk), trial: Mutex::default() })
    }

    /// Takes the reading before the load, which lasts a fifth of a second, and begins to sample.
    pub async fn begin(&self, site: &Site) {
        // One of a trial that was given up.
        drop(std::mem::take(&mut *self.trial()));
        let before = self.idle_reading(Moment::Before).await;
        let disk = Arc::clone(&self.disk);
        // The CPU of a server that is not our child cannot be told from that of strangers.
        let counts_foreign = site.is_private();
        let (stop, stopped) = mpsc::channel();
        let sample = move || sample(&disk, counts_foreign, &stopped);
        let thread = std::thread::Builder::new().name("pgstrata-sentry".to_owned()).spawn(sample);
        let sampler = match thread {
            Ok(thread) => Some(Sampler { stop, thread }),
            Err(error) => {
                tracing::warn!(%error, "the sentinel could not be started");
                None
            }
        };
        *self.trial() = Trial { before: Some(before), sampler };
    }

    /// Ends sampling, takes the reading after the load, and gives all readings of the trial, in the order of time. A
    /// moment that could not be read is missing, or holds numbers that are none; both make the run invalid.
    pub async fn end(&self, _site: &Site) -> Vec<SentinelReading> {
        let Trial { before, sampler } = std::mem::take(&mut *self.trial());
        let during = match sampler {
            Some(Sampler { stop, thread }) => {
                drop(stop);
                tokio::task::spawn_blocking(|| thread.join().ok()).await.ok().flatten()
            }
            None => None,
        };
        let after = self.idle_reading(Moment::After).await;
        [before, during, Some(after)].into_iter().flatten().collect()
    }

    async fn idle_reading(&self, moment: Moment) -> SentinelReading {
        let disk = Arc::clone(&self.disk);
        let read = move || {
            let window = CpuWindow::begin();
            let mut writes: Vec<f64> = (0..IDLE_WRITES).map(|_| write_us(&disk)).collect();
            let mut timers: Vec<f64> = (0..IDLE_TIMERS).map(|_| overshoot_us()).collect();
            reading(moment, &mut writes, &mut timers, window.end())
        };
        let unreadable = reading(moment, &mut [], &mut [], (f64::NAN, f64::NAN));
        tokio::task::spawn_blocking(read).await.unwrap_or(unreadable)
    }

    /// The trial under way. No code panics while it holds the lock.
    fn trial(&self) -> std::sync::MutexGuard<'_, Trial> {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn directory(site: &Site) -> PathBuf {
    for server in &site.servers {
        if let Some(cluster) = &server.cluster
            && let Some(beside) = cluster.lock().await.data_dir().parent()
        {
            return beside.to_owned();
        }
    }
    Dirs::resolve().state
}

/// A file without a name, so that nothing is left behind, with its block on the disk: writing it again changes no
/// metadata, as in a segment of the write-ahead log that is used again.
fn probe_file(directory: &PathBuf) -> io::Result<File> {
    std::fs::create_dir_all(directory)?;
    let file = tempfile::tempfile_in(directory)?;
    file.write_all_at(&[0; BLOCK_BYTES], 0)?;
    file.sync_all()?;
    Ok(file)
}

/// Samples until the other end of `stopped` is dropped.
fn sample(disk: &File, counts_foreign: bool, stopped: &Receiver<()>) -> SentinelReading {
    let window = CpuWindow::begin();
    let (mut writes, mut timers) = (Vec::new(), Vec::new());
    loop {
        let period = Instant::now();
        if timers.len() < SAMPLE_LIMIT {
            writes.push(write_us(disk));
            timers.extend((0..LOAD_TIMERS).map(|_| overshoot_us()));
        }
        let rest = LOAD_PERIOD.saturating_sub(period.elapsed());
        if !matches!(stopped.recv_timeout(rest), Err(RecvTimeoutError::Timeout)) {
            break;
        }
    }
    let (foreign, steal) = window.end();
    reading(Moment::During, &mut writes, &mut timers, (if counts_foreign { foreign } else { 0.0 }, steal))
}

/// How long one block takes to the disk, microseconds; no number if it fails.
fn write_us(disk: &File) -> f64 {
    let start = Instant::now();
    let written = disk.write_all_at(&[1; BLOCK_BYTES], 0).and_then(|()| disk.sync_data());
    if written.is_ok() { start.elapsed().as_secs_f64() * 1e6 } else { f64::NAN }
}

/// How late a timer fires, microseconds.
fn overshoot_us() -> f64 {
    let start = Instant::now();
    std::thread::sleep(TIMER);
    start.elapsed().saturating_sub(TIMER).as_secs_f64() * 1e6
}

fn reading(
    moment: Moment,
    writes: &mut [f64],
    timers: &mut [f64],
    (foreign_cpu_share, steal_share): (f64, f64),
) -> SentinelReading {
    SentinelReading {
        moment,
        fdatasync_us: quantile(writes, 0.5),
        timer_overshoot_us: quantile(timers, 0.99),
        foreign_cpu_share,
        steal_share,
    }
}

/// The smallest value that at least this share of the values do not exceed; no number if one of them is none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of values")]
    let rank = (values.len() as f64 * share).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

/// Who used the processors between two moments.
struct CpuWindow {
    machine: Option<MachineCpu>,
    ours: Option<CpuTime>,
}

impl CpuWindow {
    fn begin() -> Self {
        // The servers, the clients' process and their ended children are all descendants of this process.
        Self { machine: machine_cpu().ok(), ours: tree_cpu(Pid::this()).ok() }
    }

    /// The shares of strangers and of the hypervisor, 0 to 1; no numbers where they cannot be read.
    fn end(self) -> (f64, f64) {
        let now = Self::begin();
        // A postmaster that was killed takes the time of its children with it; then the shares are a little off.
        let passed = || Some((now.machine? - self.machine?, now.ours? - self.ours?));
        passed().map_or((f64::NAN, f64::NAN), |(machine, ours)| shares(machine, ours))
    }
}

/// The shares of strangers and of the hypervisor in what the machine did, when `ours` of it was our doing.
fn shares(machine: MachineCpu, ours: CpuTime) -> (f64, f64) {
    let all = (machine.busy + machine.idle + machine.steal).as_secs_f64();
    let steal = machine.steal.as_secs_f64() / all;
    // What the hypervisor took is told apart. A window without any time has shares that are no numbers.
    ((machine.foreign_share(ours) - steal).max(0.0), steal)
}

#[cfg(test)]
mod tests {
    use pgstrata_pg as pg;
    use pgstrata_pg::process::thread_cpu;
    use tokio::sync::Mutex as AsyncMutex;

    use super::*;
    use crate::faults::FaultPoints;
    use crate::site::Server;

    #[test]
    fn a_quantile_is_one_of_the_values_or_no_number() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(
            [quantile(&mut values, 0.5), quantile(&mut values, 0.99)].map(f64::to_bits),
            [50.0, 99.0].map(f64::to_bits)
        );
        assert_eq!(quantile(&mut [7.0], 0.99).to_bits(), 7.0_f64.to_bits());
        assert!(quantile(&mut [], 0.5).is_nan());
        assert!(quantile(&mut [1.0, f64::NAN], 0.5).is_nan());
    }

    #[test]
    fn a_timer_is_never_early_and_a_write_takes_time() {
        assert!(overshoot_us() >= 0.0);
        let disk = probe_file(&std::env::temp_dir()).expect("a temporary file");
        assert!(write_us(&disk) > 0.0);
    }

    #[test]
    fn our_own_work_and_what_the_hypervisor_took_are_not_foreign() {
        let ms = |ms: u64| CpuTime::from_nanos(ms * 1_000_000);
        let machine = MachineCpu { busy: ms(60), idle: ms(130), steal: ms(10) };
        let check = |ours, expected: (f64, f64)| {
            let (foreign, steal) = shares(machine, ours);
            assert!((foreign - expected.0).abs() < 1e-9 && (steal - expected.1).abs() < 1e-9, "{foreign} {steal}");
        };
        check(ms(40), (0.10, 0.05));
        check(CpuTime::ZERO, (0.30, 0.05));
        // Clocks of different steps may disagree.
        check(ms(65), (0.0, 0.05));
    }

    #[test]
    fn a_window_counts_what_this_process_did() {
        let window = CpuWindow::begin();
        let burnt = Duration::from_millis(60);
        let start = thread_cpu().expect("a clock");
        while Duration::from(thread_cpu().expect("a clock") - start) < burnt {
            std::hint::black_box(0);
        }
        let ours = CpuWindow::begin().ours.expect("readable") - window.ours.expect("readable");
        assert!(Duration::from(ours) >= burnt, "{ours}");
        let (foreign, steal) = window.end();
        assert!((0.0..=1.0).contains(&foreign) && (0.0..=1.0).contains(&steal), "{foreign} {steal}");
    }

    #[tokio::test]
    async fn a_trial_gets_a_usable_reading_of_every_moment_beside_the_servers_data() {
        let cluster = pg::testing::server().await.expect("PostgreSQL server binaries");
        let server = Server {
            endpoint: cluster.endpoint(),
            control: cluster.endpoint(),
            direct: cluster.endpoint(),
            cluster: Some(Arc::new(AsyncMutex::new(cluster))),
            faults: FaultPoints::default(),
        };
        let site = Site::of_servers(vec![server]);
        let probe = SentinelProbe::new(&site).await.expect("a file beside the data");
        // A trial that is given up leaves nothing that disturbs the next.
        probe.begin(&site).await;
        probe.begin(&site).await;
        let session = site.first().endpoint.connect().await.expect("the server accepts sessions");
        session.batch_execute("select count(*) from generate_series(1, 100000)").await.expect("answered");
        let readings = probe.end(&site).await;
        assert_eq!(readings.iter().map(|reading| reading.moment).collect::<Vec<_>>(), Moment::ALL);
        for reading in &readings {
            assert!(reading.fdatasync_us > 0.0 && reading.timer_overshoot_us >= 0.0, "{reading:?}");
            assert!((0.0..=1.0).contains(&reading.foreign_cpu_share), "{reading:?}");
            assert!((0.0..=1.0).contains(&reading.steal_share), "{reading:?}");
        }
        assert!(probe.end(&site).await.len() == 1, "nobody vouches for a trial that was not begun");
    }
}
