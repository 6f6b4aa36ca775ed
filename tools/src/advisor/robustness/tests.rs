//! The decision on workloads of which the answer is published or was measured on a server.

use pgstrata_units::Isolation;

use super::templates::{analyse, safe_sets, small_bank, tpc_c, with_rows_that_exist};
use Isolation::{ReadCommitted, RepeatableRead, Serializable};

#[test]
fn smallbank_is_safe_at_read_committed_in_the_published_sets() {
    let report = analyse(small_bank());
    assert_eq!(safe_sets(&report, ReadCommitted), ["Am DC TS", "Bal DC", "Bal TS"]);
    assert!(report.maximal_safe[&ReadCommitted].complete);
}

#[test]
fn smallbank_is_safe_at_repeatable_read_in_the_published_sets() {
    let report = analyse(small_bank());
    assert_eq!(safe_sets(&report, RepeatableRead), ["Am Bal DC TS", "Am Bal DC WC", "Am DC TS WC"]);
}

#[test]
fn smallbank_needs_serializable_for_three_programs_only() {
    let report = analyse(small_bank());
    let levels: Vec<(&str, Isolation)> = report.optimal.0.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    let expected = [
        ("Am", ReadCommitted),
        ("Bal", Serializable),
        ("DC", ReadCommitted),
        ("TS", Serializable),
        ("WC", Serializable),
    ];
    assert_eq!(levels, expected);
    for verdicts in report.why_not_lower.values() {
        assert!(verdicts.values().all(|verdict| verdict.witness().is_some()), "{verdicts:#?}");
    }
}

#[test]
fn tpc_c_is_safe_at_read_committed_in_the_published_sets() {
    let report = analyse(tpc_c());
    assert_eq!(safe_sets(&report, ReadCommitted), ["NO Pay", "OS Pay SL"]);
}

#[test]
fn tpc_c_is_safe_at_repeatable_read_if_the_rows_exist() {
    let report = analyse(with_rows_that_exist(tpc_c()));
    assert!(report.uniform[&RepeatableRead].is_safe(), "{:#?}", report.uniform[&RepeatableRead]);
}
