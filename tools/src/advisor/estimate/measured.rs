//! What the records of this repository say of the ways that they measured: a table that `cargo xtask gen` makes from
//! `record/`, and the program carries.

use std::sync::OnceLock;

use pgstrata_lab::record::{LoadShape, Record, TrialPurpose};
use pgstrata_stats::LatencyHistogram;
use serde::{Deserialize, Serialize};

/// The studies whose arms are solutions here.
pub const STUDIES: [&str; 2] = ["flash-sale", "ledger"];

/// One arm of a record, in its comparison windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredArm {
    /// The study.
    pub study: String,
    /// The arm.
    pub arm: String,
    /// The record's file, from the root of the repository.
    pub record: String,
    /// Clients of the closed loop.
    pub clients: u32,
    /// Logical processors of the machine.
    pub processors: u32,
    /// The server's product and version.
    pub server: String,
    /// Windows.
    pub windows: usize,
    /// Decided operations per second over all windows.
    pub per_second: f64,
    /// The latency that 99 of 100 kept, milliseconds.
    pub latency_p99_ms: f64,
    /// The share of attempts that were made again.
    pub retried: f64,
}

/// The arms of one record that were measured in pairs and broke nothing. `path` is shown with them.
#[must_use]
pub fn of_record(record: &Record, path: &str) -> Vec<MeasuredArm> {
    let server = record.servers.first().map(|server| server.version.as_str()).unwrap_or_default();
    let server: Vec<&str> = server.split(' ').take(2).collect();
    let measured = |arm: &pgstrata_lab::record::ArmRecord| {
        let windows: Vec<_> = arm.trials.iter().filter(|trial| trial.purpose == TrialPurpose::Comparison).collect();
        let LoadShape::Closed { clients } = windows.first()?.load else { return None };
        if arm.trials.iter().any(|trial| !trial.violations.is_empty()) {
            return None;
        }
        let decided: u64 = windows.iter().map(|trial| trial.counts.decided()).sum();
        let again: u64 = windows.iter().flat_map(|trial| trial.retries.values()).sum();
        let seconds: f64 = windows.iter().map(|trial| trial.seconds).sum();
        let latency = LatencyHistogram::merged(windows.iter().map(|trial| &trial.latency));
        Some(MeasuredArm {
            study: record.study.clone(),
            arm: arm.arm.clone(),
            record: path.to_owned(),
            clients,
            processors: record.machine.cpus,
            server: server.join(" "),
            windows: windows.len(),
            per_second: rounded(decided as f64 / seconds),
            latency_p99_ms: rounded(latency.quantile_ns(0.99)? as f64 / 1e6),
            retried: rounded(again as f64 / (decided + again).max(1) as f64),
        })
    };
    record.arms.iter().filter_map(measured).collect()
}

/// Four significant digits: more would be noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// One arm of the table.
#[must_use]
pub fn arm(study: &str, arm: &str) -> Option<&'static MeasuredArm> {
    table().iter().find(|one| one.study == study && one.arm == arm)
}

/// The table.
pub fn table() -> &'static [MeasuredArm] {
    static TABLE: OnceLock<Vec<MeasuredArm>> = OnceLock::new();
    TABLE.get_or_init(|| serde_json::from_str(include_str!("measured.json")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::solutions::Solution;

    #[test]
    fn every_arm_that_a_solution_names_was_measured() {
        assert!(!table().is_empty(), "measured.json cannot be read: cargo xtask gen");
        for (study, name) in Solution::all().flat_map(|card| card.measured) {
            let found = arm(study, name).unwrap_or_else(|| panic!("{study} {name} is in no record"));
            assert!(found.per_second > 0.0 && found.latency_p99_ms > 0.0 && found.windows > 0, "{found:?}");
        }
    }

    #[test]
    fn figures_keep_four_digits() {
        assert!((rounded(1_819.37) - 1_819.0).abs() < 1e-9);
        assert!((rounded(0.012_345_6) - 0.012_35).abs() < 1e-12);
    }
}
