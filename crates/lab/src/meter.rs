//! Counts operations while they end, for whoever shows a run while it goes on.
//!
//! What is measured comes from the events that clients keep; nothing is judged by these counts, whose latencies are good
//! to an eighth. A meter that nobody reads is none, and costs one look at a pointer for each operation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::history::{Event, Outcome};

/// Steps between a power of two and the next.
const STEPS: usize = 4;
/// Its binary digits.
const STEP_DIGITS: u32 = 2;
/// Powers of two, each with its steps.
const BUCKETS: usize = 64 * STEPS;

/// Counts operations while they end. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Meter(Option<Arc<Counts>>);

#[derive(Debug)]
struct Counts {
    trial: Mutex<Trial>,
    decided: AtomicU64,
    undecided: AtomicU64,
    latency: [AtomicU64; BUCKETS],
}

/// The trial that goes on.
#[derive(Debug)]
struct Trial {
    arm: &'static str,
    began: Instant,
    read: Instant,
}

/// What has ended since the meter was read last.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The arm of the trial that goes on; empty before the first.
    pub arm: &'static str,
    /// Milliseconds since the trial began.
    pub at_ms: f64,
    /// Seconds since the meter was read last.
    pub seconds: f64,
    /// Operations that were accepted or refused.
    pub decided: u64,
    /// Operations that ended otherwise.
    pub undecided: u64,
    /// Median latency of the decided ones from their intended start, microseconds.
    pub latency_us_p50: Option<f64>,
    /// 99th percentile.
    pub latency_us_p99: Option<f64>,
}

impl Meter {
    /// A meter that counts.
    #[must_use]
    pub fn counting() -> Self {
        let now = Instant::now();
        Self(Some(Arc::new(Counts {
            trial: Mutex::new(Trial { arm: "", began: now, read: now }),
            decided: AtomicU64::new(0),
            undecided: AtomicU64::new(0),
            latency: std::array::from_fn(|_| AtomicU64::new(0)),
        })))
    }

    /// A trial of `arm` begins.
    pub(crate) fn begin(&self, arm: &'static str) {
        let Some(counts) = &self.0 else { return };
        // What ended since belongs to the trial before.
        let _ = self.read();
        let now = Instant::now();
        *counts.trial.lock().unwrap_or_else(PoisonError::into_inner) = Trial { arm, began: now, read: now };
    }

    /// An operation has ended.
    pub(crate) fn note(&self, event: &Event) {
        let Some(counts) = &self.0 else { return };
        match event.outcome {
            Outcome::Ok | Outcome::Rejected => {
                counts.decided.fetch_add(1, Ordering::Relaxed);
                let latency_ns = event.finished_ns.saturating_sub(event.intended_ns);
                counts.latency[bucket(latency_ns)].fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Failed | Outcome::Unknown => drop(counts.undecided.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// What has ended since the last reading; none if nothing is counted.
    #[must_use]
    pub fn read(&self) -> Option<Reading> {
        let counts = self.0.as_ref()?;
        let now = Instant::now();
        let (arm, at_ms, seconds) = {
            let mut trial = counts.trial.lock().unwrap_or_else(PoisonError::into_inner);
            let since = now.duration_since(std::mem::replace(&mut trial.read, now));
            (trial.arm, now.duration_since(trial.began).as_secs_f64() * 1e3, since.as_secs_f64())
        };
        let latency: Vec<u64> = counts.latency.iter().map(|bucket| bucket.swap(0, Ordering::Relaxed)).collect();
        Some(Reading {
            arm,
            at_ms,
            seconds,
            decided: counts.decided.swap(0, Ordering::Relaxed),
            undecided: counts.undecided.swap(0, Ordering::Relaxed),
            latency_us_p50: quantile_us(&latency, 0.5),
            latency_us_p99: quantile_us(&latency, 0.99),
        })
    }
}

/// The bucket of a latency: its highest binary digit, and the two after it.
fn bucket(ns: u64) -> usize {
    let ns = ns.max(1 << STEP_DIGITS);
    let power = u64::BITS - 1 - ns.leading_zeros();
    // The power is at most 63 and the step below [`STEPS`].
    let step = usize::try_from(ns >> (power - STEP_DIGITS)).unwrap_or(0) % STEPS;
    power as usize * STEPS + step
}

/// The middle of a bucket, nanoseconds.
fn middle(bucket: usize) -> f64 {
    let (power, step) = (bucket / STEPS, bucket % STEPS);
    let low = (power as f64).exp2();
    low + low / STEPS as f64 * (step as f64 + 0.5)
}

fn quantile_us(buckets: &[u64], quantile: f64) -> Option<f64> {
    let total: u64 = buckets.iter().sum();
    let rank = total as f64 * quantile;
    let mut before = 0;
    let found = buckets.iter().position(|count| {
        before += count;
        *count > 0 && before as f64 >= rank
    });
    found.map(|bucket| middle(bucket) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(outcome: Outcome, latency_ns: u64) -> Event {
        let (operation, value, client, attempts) = (0, 0, 0, 1);
        Event {
            operation,
            intended_ns: 100,
            sent_ns: 100,
            finished_ns: 100 + latency_ns,
            value,
            client,
            attempts,
            outcome,
        }
    }

    #[test]
    fn a_reading_counts_what_ended_since_the_last_one() {
        let meter = Meter::counting();
        meter.begin("naive");
        for latency_ns in 1..=100 {
            meter.note(&event(Outcome::Ok, latency_ns * 10_000));
        }
        meter.note(&event(Outcome::Failed, 1));
        let reading = meter.read().expect("it counts");
        assert_eq!((reading.arm, reading.decided, reading.undecided), ("naive", 100, 1));
        let (p50, p99) = (reading.latency_us_p50.expect("some"), reading.latency_us_p99.expect("some"));
        assert!((p50 / 500.0 - 1.0).abs() < 0.125 && (p99 / 990.0 - 1.0).abs() < 0.125, "{p50} {p99}");
        let again = meter.read().expect("it counts");
        assert_eq!((again.decided, again.undecided, again.latency_us_p50), (0, 0, None));
    }

    #[test]
    fn the_middle_of_a_bucket_is_within_an_eighth_of_all_that_is_in_it() {
        for exponent in 3..63 {
            for ns in [1_u64 << exponent, (1 << exponent) + (1 << (exponent - 1)), (1 << exponent) - 1] {
                let share = middle(bucket(ns)) / ns as f64;
                assert!((0.87..=1.126).contains(&share), "{ns}: {share}");
            }
        }
    }

    #[test]
    fn a_meter_that_nobody_reads_counts_nothing() {
        let meter = Meter::default();
        meter.note(&event(Outcome::Ok, 1));
        assert_eq!(meter.read(), None);
    }
}
