//! What the clients of one trial were told, and when: the evidence that checks and figures are made from.
//!
//! The load loop only appends events; histograms, rates and timelines are computed from them afterwards.

use pgstrata_stats::LatencyHistogram;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::study::Operation;

/// What a client knows about one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// Acknowledged as done.
    Ok,
    /// Refused by the business; certainly not done.
    Rejected,
    /// Gave up; certainly not done.
    Failed,
    /// May or may not be done.
    Unknown,
}

/// One operation's end as one client saw it. Times are nanoseconds since the trial's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The operation's number; several events may share it (duplicates).
    pub operation: u64,
    /// When the operation was meant to start; latency counts from here.
    pub intended_ns: u64,
    /// When it was first sent.
    pub sent_ns: u64,
    /// When its outcome was known.
    pub finished_ns: u64,
    /// The study's value of an accepted, or its reason of a rejected operation; 0 otherwise.
    pub value: i64,
    /// The client.
    pub client: u32,
    /// How often it was tried, from 1.
    pub attempts: u16,
    /// How it ended.
    pub outcome: Outcome,
}

/// What one client saw with a decided operation, in the study's own numbers ([`crate::study::Client::seen`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The operation's number.
    pub operation: u64,
    /// The client; with the operation it names the event.
    pub client: u32,
    /// What it saw.
    pub numbers: Box<[i64]>,
}

/// All events of one trial, with what is needed to derive the operations again.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The seed the operations come from.
    pub seed: u64,
    /// Events in no particular order, warm-up included.
    pub events: Vec<Event>,
    /// What clients saw, where the trial was observed.
    pub observations: Vec<Observation>,
    /// From when events count for throughput and latency, nanoseconds since the trial's start.
    pub measured_from_ns: u64,
    /// Until when they count.
    pub measured_until_ns: u64,
}

/// How many operations of the measured window ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Acknowledged as done.
    pub ok: u64,
    /// Refused by the business.
    pub rejected: u64,
    /// Given up, certainly not done.
    pub failed: u64,
    /// May or may not be done.
    pub unknown: u64,
}

impl OutcomeCounts {
    /// Operations that got a decision: accepted or refused.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.ok + self.rejected
    }
}

/// The operation of a number under a seed: a pure function, so that a history need not store it.
///
/// The key is laid out as a version 7 UUID (RFC 9562): it grows with the number like keys that clients make
/// from their clocks, which is what B-tree insertion cost depends on.
#[must_use]
pub fn operation(seed: u64, number: u64) -> Operation {
    let draw = mix(seed ^ mix(number));
    // About a hundred operations share a "millisecond", as they would at 100 000 requests a second.
    let milliseconds = u128::from(KEY_EPOCH_MS + number / 100);
    let random = u128::from(mix(draw)) & ((1 << 62) - 1);
    let sequence = u128::from(number & 0xfff);
    let key = (milliseconds << 80) | (0x7 << 76) | (sequence << 64) | (0b10 << 62) | random;
    Operation { number, key: Uuid::from_u128(key), draw }
}

/// A fixed date in the keys (2025-01-01), so that the same seed gives the same keys.
const KEY_EPOCH_MS: u64 = 1_735_689_600_000;

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A uniform number in [0, 1) that depends on nothing but its arguments.
#[must_use]
pub fn uniform(seed: u64, number: u64) -> f64 {
    (mix(seed ^ mix(number)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl History {
    /// The operation that an event is about.
    #[must_use]
    pub fn operation(&self, event: &Event) -> Operation {
        operation(self.seed, event.operation)
    }

    /// The events that ended inside the measured window.
    pub fn measured(&self) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(|event| event.finished_ns >= self.measured_from_ns && event.finished_ns < self.measured_until_ns)
    }

    /// How the operations of the measured window ended.
    #[must_use]
    pub fn counts(&self) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for event in self.measured() {
            match event.outcome {
                Outcome::Ok => counts.ok += 1,
                Outcome::Rejected => counts.rejected += 1,
                Outcome::Failed => counts.failed += 1,
                Outcome::Unknown => counts.unknown += 1,
            }
        }
        counts
    }

    /// Latency of decided operations from their intended start.
    #[must_use]
    pub fn latency(&self) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::new();
        for event in self.measured().filter(|event| matches!(event.outcome, Outcome::Ok | Outcome::Rejected)) {
            histogram.record_ns(event.finished_ns.saturating_sub(event.intended_ns));
        }
        histogram
    }

    /// Seconds of the measured window.
    #[must_use]
    pub fn measured_seconds(&self) -> f64 {
        self.measured_until_ns.saturating_sub(self.measured_from_ns) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_a_pure_function_of_seed_and_number() {
        assert_eq!(operation(7, 42), operation(7, 42));
        assert_ne!(operation(7, 42).draw, operation(8, 42).draw);
    }

    #[test]
    fn keys_are_version_7_and_grow_with_the_number() {
        let first = operation(1, 1_000).key;
        let later = operation(1, 9_000).key;
        assert_eq!(first.get_version_num(), 7);
        assert!(first < later);
    }
}
