//! The columns of the result table, shared by the terminal, the page and Markdown.

use pgstrata_stats::Verdict;
use pgstrata_units::{Language, Text};

use super::labels::{self, fill};
use super::number;
use super::style::Meaning;
use super::summary::{ArmSummary, Ratio, Summary};

/// A column of the result table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The arm's name.
    Arm,
    /// What was expected of it.
    Kind,
    /// Decided operations per second, or what it violated.
    Throughput,
    /// Against the baseline.
    Ratio,
    /// Median latency.
    P50,
    /// 99th percentile of latency.
    P99,
    /// Retries per operation.
    Retries,
    /// Server CPU per operation.
    ServerCpu,
    /// Client CPU per operation.
    ClientCpu,
    /// WAL bytes per operation.
    Wal,
    /// Lock wait per operation.
    LockWait,
    /// Operations by outcome.
    Outcomes,
}

impl Column {
    /// All columns in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Arm,
        Self::Kind,
        Self::Throughput,
        Self::Ratio,
        Self::P50,
        Self::P99,
        Self::Retries,
        Self::ServerCpu,
        Self::ClientCpu,
        Self::Wal,
        Self::LockWait,
        Self::Outcomes,
    ];

    /// The columns that a narrow terminal gives up, first the one that is missed least.
    pub const GIVEN_UP: [Self; 9] = [
        Self::LockWait,
        Self::ClientCpu,
        Self::Wal,
        Self::Retries,
        Self::Kind,
        Self::Outcomes,
        Self::P50,
        Self::ServerCpu,
        Self::P99,
    ];

    /// The heading; a line break where it may be broken.
    #[must_use]
    pub fn heading(self, summary: &Summary<'_>, language: Language) -> String {
        let label: Text = match self {
            Self::Arm => labels::ARM,
            Self::Kind => labels::KIND,
            Self::Throughput => labels::THROUGHPUT,
            Self::Ratio => match summary.baseline {
                Some(baseline) => return fill(labels::RATIO, language, &[("baseline", baseline)]),
                None => labels::RATIO_ALONE,
            },
            Self::P50 => labels::P50,
            Self::P99 => labels::P99,
            Self::Retries => labels::RETRIES,
            Self::ServerCpu => labels::SERVER_CPU,
            Self::ClientCpu => labels::CLIENT_CPU,
            Self::Wal => labels::WAL,
            Self::LockWait => labels::LOCK_WAIT,
            Self::Outcomes => labels::OUTCOMES,
        };
        label.get(language).to_owned()
    }

    /// What the column says of an arm, and what that means.
    #[must_use]
    pub fn cell(self, arm: &ArmSummary<'_>, summary: &Summary<'_>, language: Language) -> (String, Meaning) {
        let plain = |text: Option<String>| (text.unwrap_or_else(|| "–".to_owned()), Meaning::Neutral);
        match self {
            Self::Arm => (arm.name.to_owned(), Meaning::Neutral),
            Self::Kind => (labels::kind(arm.kind).get(language).to_owned(), Meaning::Neutral),
            Self::Throughput if arm.is_violated() => {
                let ids = arm.broken_ids();
                (format!("✗ {}", fill(labels::VIOLATED, language, &[("ids", &ids)])), Meaning::Bad)
            }
            Self::Throughput => plain(arm.throughput.as_ref().map(|throughput| number::significant(throughput.median))),
            Self::Ratio if summary.baseline == Some(arm.name) && !arm.is_violated() => {
                plain(Some(labels::BASELINE.get(language).to_owned()))
            }
            Self::Ratio => arm.ratio.as_ref().map_or_else(|| plain(None), |ratio| ratio_cell(ratio, language)),
            Self::P50 => plain(arm.latency_us_p50.map(number::duration_us)),
            Self::P99 => plain(arm.latency_us_p99.map(number::duration_us)),
            Self::Retries => plain(arm.retries_per_op.map(number::significant)),
            Self::ServerCpu => plain(arm.server_cpu_us_per_op.map(number::duration_us)),
            Self::ClientCpu => plain(arm.client_cpu_us_per_op.map(number::duration_us)),
            Self::Wal => plain(arm.wal_bytes_per_op.map(number::bytes)),
            Self::LockWait => plain(arm.lock_wait_us_per_op.map(number::duration_us)),
            Self::Outcomes => {
                let counts = arm.counts;
                let parts = [counts.ok, counts.rejected, counts.failed, counts.unknown].map(number::short_count);
                (parts.join("/"), Meaning::Neutral)
            }
        }
    }

    /// Whether the column is aligned to the right.
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        !matches!(self, Self::Arm | Self::Kind | Self::Ratio)
    }
}

/// `×473 [451, 495] ✓ faster`.
fn ratio_cell(ratio: &Ratio, language: Language) -> (String, Meaning) {
    let meaning = verdict_meaning(ratio.verdict);
    let interval = number::ratio_with_interval(ratio.ratio, ratio.low, ratio.high);
    let verdict = labels::verdict(ratio.verdict).get(language);
    (format!("{interval} {} {verdict}", meaning.symbol()), meaning)
}

/// What a verdict means.
#[must_use]
pub const fn verdict_meaning(verdict: Verdict) -> Meaning {
    match verdict {
        Verdict::Faster => Meaning::Good,
        Verdict::Slower => Meaning::Bad,
        Verdict::Equivalent => Meaning::Neutral,
        Verdict::Undecided => Meaning::Unsure,
    }
}

/// A witness row as people read it: `product 1 · available −122`.
#[must_use]
pub fn witness(row: &serde_json::Value) -> String {
    match row {
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name} {}", scalar(value))).collect::<Vec<_>>().join(" · ")
        }
        other => scalar(other),
    }
}

/// A JSON value without the quotes of a string.
#[must_use]
pub fn scalar(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}
