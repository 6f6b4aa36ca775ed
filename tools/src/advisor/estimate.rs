//! What to expect of a solution: measured where a record fits, else computed by a model that is named with its error.
//!
//! A measured figure is another machine's and another application's: its record says which. It is a guide to the size,
//! and never a promise.

pub mod measured;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ranking::{Features, ROWS, RankingModel};
use super::requirement::{Invariant, Requirement};
use super::solutions::{Ask, Solution, SolutionId};
use super::words::Words;
use measured::MeasuredArm;

/// A figure, and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorEstimate)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// `1/s`, `ms`, or nothing for a share.
    pub unit: String,
    /// Where it comes from.
    pub basis: Basis,
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "basis")]
pub enum Basis {
    /// A run.
    Measured {
        /// Its record.
        record: String,
        /// The study.
        study: String,
        /// The arm.
        arm: String,
        /// Under which conditions.
        conditions: Words,
    },
    /// A computation.
    Modelled {
        /// By which model.
        model: String,
        /// Its known error, as a share of the figure; none where only a bound is computed.
        error: Option<f64>,
        /// What the figure means.
        about: Words,
    },
}

/// What to expect of one solution. What nobody measured and no model knows is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorEstimates)]
pub struct Estimates {
    /// Transactions per second.
    pub throughput: Option<Estimate>,
    /// The latency that 99 of 100 keep where it was measured; the mean where it was computed.
    pub latency: Option<Estimate>,
    /// The share of attempts that are thrown away and made again.
    pub retried: Option<Estimate>,
}

/// Estimates for a solution under a requirement.
#[must_use]
pub fn estimates(solution: &Solution, requirement: &Requirement, model: Option<&RankingModel>) -> Estimates {
    if let Some(arm) = solution
        .measured
        .iter()
        .find_map(|(study, arm)| resembles(study, requirement).then(|| measured::arm(study, arm)).flatten())
    {
        return of_arm(arm);
    }
    of_model(solution, requirement, model).unwrap_or_else(|| bounds(solution, requirement))
}

/// Whether a requirement is like what a study runs, so that its figures tell something.
fn resembles(study: &str, requirement: &Requirement) -> bool {
    const HOT: f64 = 0.5;
    let needs = |invariant| requirement.invariants.contains(&invariant);
    match study {
        "flash-sale" => requirement.hot_row_share >= HOT && needs(Invariant::NoOversell),
        "ledger" => needs(Invariant::SumConstant) && requirement.hot_row_share < HOT,
        _ => false,
    }
}

fn of_arm(arm: &MeasuredArm) -> Estimates {
    let estimate = |value: f64, unit: &str| Estimate {
        value,
        unit: unit.to_owned(),
        basis: Basis::Measured {
            record: arm.record.clone(),
            study: arm.study.clone(),
            arm: arm.arm.clone(),
            conditions: Words::new(
                format!("{} clients, {} processors, {}", arm.clients, arm.processors, arm.server),
                format!("{} 个客户端，{} 个处理器，{}", arm.clients, arm.processors, arm.server),
            ),
        },
    };
    Estimates {
        throughput: Some(estimate(arm.per_second, "1/s")),
        latency: Some(estimate(arm.latency_p99_ms, "ms")),
        retried: Some(estimate(arm.retried, "")),
    }
}

/// What the ranking model says, for the solutions that its grid measured.
fn of_model(solution: &Solution, requirement: &Requirement, model: Option<&RankingModel>) -> Option<Estimates> {
    let (model, strategy) = (model?, solution.strategy?);
    let predictions = model.predict(&features(requirement)).ok()?;
    let found = predictions.into_iter().find(|prediction| prediction.strategy == strategy)?;
    // The card's error is one of shares of the best strategy, and not of these figures.
    let share = model.card().error_median * 100.0;
    let estimate = |value, unit: &str, about: Words| Estimate {
        value,
        unit: unit.to_owned(),
        basis: Basis::Modelled { model: format!("ranking ({})", model.file().record), error: None, about },
    };
    Some(Estimates {
        throughput: Some(estimate(
            found.per_second,
            "1/s",
            Words::new(
                format!(
                    "on the machine of the grid; what carries over is the order of solutions, whose ratios are within \
                     {share:.0} % (median)"
                ),
                format!("在测量网格的机器上；可以推广的是方案的次序，其比值误差的中位数为 {share:.0}%"),
            ),
        )),
        latency: None,
        retried: Some(estimate(
            found.aborts,
            "",
            Words::new("attempts that fail and are made again", "失败并重来的尝试"),
        )),
    })
}

/// What a workload is to the ranking model, which knows shares of rows where the requirement has shares of transactions.
///
/// As in the grid, each row of a transaction is taken to be only read with the same probability, whatever the others are:
/// then a transaction of *n* rows only reads with the *n*-th power of it.
#[must_use]
pub fn features(requirement: &Requirement) -> Features {
    let length = requirement.statements.max(1);
    let read_share = requirement.read_share.powf(f64::from(length).recip());
    let hottest = requirement.hot_row_share / writes_of_a_writer(read_share, length);
    Features { read_share, skew: skew(hottest), length, clients: requirement.clients }
}

/// How many rows a transaction of `length` rows writes on the average, if it writes any; each is only read with the
/// probability `read_share`.
pub(super) fn writes_of_a_writer(read_share: f64, length: u32) -> f64 {
    let length = f64::from(length);
    let writers = 1.0 - read_share.powf(length);
    // Where hardly any transaction writes, one that does writes one row.
    if writers > 0.0 { (length * (1.0 - read_share) / writers).max(1.0) } else { 1.0 }
}

/// The exponent of Zipf's law under which the most wanted of [`ROWS`] rows gets this share of the requests.
fn skew(hot_row_share: f64) -> f64 {
    const STEPS: u32 = 40;
    let share = |exponent: f64| 1.0 / (1..=ROWS).map(|rank| f64::from(rank).powf(-exponent)).sum::<f64>();
    let (mut low, mut high) = (0.0, 4.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if share(middle) < hot_row_share { low = middle } else { high = middle }
    }
    low
}

/// Asymptotic bounds of a closed system (Lazowska et al., *Quantitative System Performance*, 1984, chapter 5): no more than
/// all clients at work without waiting, and no more than the most wanted row passes on, one transaction after the other.
fn bounds(solution: &Solution, requirement: &Requirement) -> Estimates {
    let computed = |value, unit: &str, en: &str, zh: &str| {
        Some(Estimate {
            value,
            unit: unit.to_owned(),
            basis: Basis::Modelled { model: "asymptotic bounds".to_owned(), error: None, about: Words::new(en, zh) },
        })
    };
    let Some(held_ms) = held_ms(solution, requirement) else { return Estimates::default() };
    let writes = 1.0 - requirement.read_share;
    let again = if solution.asks(Ask::Retry) { writes * requirement.conflict_rate } else { 0.0 };
    // A transaction that always meets another is not tried for ever: the templates give up after some attempts.
    let attempts = 1.0 / (1.0 - again.min(0.9));
    let alone_ms = requirement.transaction_ms * attempts;
    let queue_share = if solution.id == SolutionId::TableLock { writes } else { writes * requirement.hot_row_share };
    let by_clients = f64::from(requirement.clients) * 1_000.0 / alone_ms;
    let by_queue = if queue_share > 0.0 { 1_000.0 / (held_ms * queue_share) } else { f64::INFINITY };
    Estimates {
        throughput: computed(
            by_clients.min(by_queue),
            "1/s",
            "at most: no waiting but for the most wanted row, and a server that is never busy",
            "上限：除最热的行外没有等待，且服务器从不繁忙",
        ),
        latency: computed(alone_ms, "ms", "at least, on average", "平均至少"),
        retried: computed(again, "", "as often as writers meet, by the requirement", "按需求，写者相遇的频率"),
    }
}

/// How long the most wanted row is locked by one transaction, milliseconds; none where the solution has no such row.
fn held_ms(solution: &Solution, requirement: &Requirement) -> Option<f64> {
    let whole = requirement.transaction_ms;
    // Each statement and the commit take the same time; the write that locks is the last statement.
    let last_statement = whole * 2.0 / (f64::from(requirement.statements) + 1.0);
    match solution.id {
        SolutionId::Crdt | SolutionId::Sequencer | SolutionId::ShardedCounter => None,
        _ if solution.asks(Ask::HeldLocks) && solution.id != SolutionId::CounterRow => Some(whole),
        _ => Some(last_statement),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hot_sale() -> Requirement {
        Requirement {
            invariants: BTreeSet::from([Invariant::NoOversell]),
            hot_row_share: 1.0,
            read_share: 0.0,
            ..Requirement::default()
        }
    }

    #[test]
    fn a_requirement_like_a_study_gets_that_study_s_figures_and_their_record() {
        let found = estimates(SolutionId::ConditionalUpdate.solution(), &hot_sale(), None);
        let Some(Estimate { value, basis: Basis::Measured { record, study, arm, .. }, .. }) = found.throughput else {
            panic!("not measured")
        };
        assert_eq!((study.as_str(), arm.as_str()), ("flash-sale", "conditional"));
        assert!(value > 0.0 && record.starts_with("record/"), "{record}");
    }

    #[test]
    fn what_was_not_measured_is_said_to_be_modelled_and_a_bound_has_no_error() {
        let requirement = Requirement { hot_row_share: 0.1, ..hot_sale() };
        let found = estimates(SolutionId::ForUpdate.solution(), &requirement, None);
        let Some(Estimate { value, basis: Basis::Modelled { error, .. }, .. }) = found.throughput else {
            panic!("not modelled")
        };
        // One transaction in ten holds the row for 5 ms: 200 a second pass, ten times as many in all.
        assert!((value - 2_000.0).abs() < 1e-6 && error.is_none());
    }

    #[test]
    fn retries_raise_latency_and_lower_the_bound() {
        let at = |conflict_rate| {
            let requirement =
                Requirement { conflict_rate, read_share: 0.0, hot_row_share: 0.0, ..Requirement::default() };
            let found = estimates(SolutionId::Serializable.solution(), &requirement, None);
            (found.throughput.expect("a bound").value, found.latency.expect("a bound").value)
        };
        let (calm, wild) = (at(0.0), at(0.5));
        assert!(wild.0 < calm.0 && wild.1 > calm.1);
    }

    #[test]
    fn the_skew_gives_the_most_wanted_row_its_share() {
        let features = features(&Requirement { hot_row_share: 0.2, statements: 1, ..Requirement::default() });
        let total: f64 = (1..=ROWS).map(|rank| f64::from(rank).powf(-features.skew)).sum();
        assert!((1.0 / total - 0.2).abs() < 1e-6);
    }

    #[test]
    fn shares_of_transactions_become_shares_of_rows() {
        let of = |read_share, statements| {
            features(&Requirement { read_share, statements, ..Requirement::default() }).read_share
        };
        assert!((of(0.5, 1) - 0.5).abs() < 1e-12);
        // Two rows are both only read in a quarter of the transactions where each is in half of them.
        assert!((of(0.25, 2) - 0.5).abs() < 1e-12);
        assert!(of(0.0, 4).abs() < 1e-12 && (of(1.0, 4) - 1.0).abs() < 1e-12);
        // A writer that writes two of its two rows asks for each of them half as often as for any of both.
        assert!((writes_of_a_writer(0.0, 2) - 2.0).abs() < 1e-12);
        assert!((writes_of_a_writer(0.5, 2) - 4.0 / 3.0).abs() < 1e-12);
        assert!((writes_of_a_writer(1.0, 5) - 1.0).abs() < 1e-12);
    }
}
