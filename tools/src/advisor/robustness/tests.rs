//! The decision on workloads of which the answer is published or was measured on a server.

use pgstrata_sqltext::{Schema, Workload, read_sources};
use pgstrata_units::Isolation;

use super::templates::{analyse, safe_sets, small_bank, tpc_c, with_rows_that_exist};
use crate::advisor::report::{Options, PromotionKind, Report, Verdict};
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

/// An example as its file has it: tables and programs.
fn example(text: &str) -> (Schema, Workload) {
    let schema = Schema::from_ddl(text).expect("the example's tables can be read");
    let workload = read_sources(&[("example.sql", text)], &schema).expect("the example's programs can be read");
    (schema, workload)
}

fn decide(text: &str) -> Report {
    let (schema, workload) = example(text);
    super::analyse(&workload, &schema, &Options { allocation: None, may_promote: true })
}

fn levels(report: &Report) -> Vec<(&str, Isolation)> {
    report.optimal.0.iter().map(|(name, level)| (name.as_str(), *level)).collect()
}

fn say(report: &Report) {
    use std::fmt::Write;
    let mut text = String::new();
    for (level, sets) in &report.maximal_safe {
        let _ = writeln!(text, "{level}: {:?} {}", sets.sets, sets.complete);
    }
    let short = |verdict: &Verdict| match verdict {
        Verdict::Safe => "safe".to_owned(),
        Verdict::Unknown { why, programs } => format!("unknown: {why} {programs:?}"),
        Verdict::Unsafe(witness) => {
            let programs: Vec<&str> = witness.instances.iter().map(|instance| instance.program.as_str()).collect();
            let cycle: Vec<String> = witness
                .cycle
                .iter()
                .map(|it| {
                    format!(
                        "{}.{} {:?} {}.{} {} {:?}",
                        it.from.instance,
                        it.from.statement,
                        it.kind,
                        it.to.instance,
                        it.to.statement,
                        it.relation,
                        it.columns
                    )
                })
                .collect();
            let steps: Vec<String> = witness
                .schedule
                .iter()
                .map(|step| format!("{}{:?}{}", step.instance, step.what, if step.waits { "!" } else { "" }))
                .collect();
            format!("unsafe: {programs:?} {cycle:#?} {}", steps.join(" "))
        }
    };
    for (level, verdict) in &report.uniform {
        let _ = writeln!(text, "all {level}: {}", short(verdict));
    }
    let _ = writeln!(text, "{:?}", levels(report));
    for (name, verdicts) in &report.why_not_lower {
        for (level, verdict) in verdicts {
            let _ = writeln!(text, "{name} at {level}: {}", short(verdict));
        }
    }
    for promoted in &report.with_promotion {
        let _ = writeln!(
            text,
            "{} {:?} {:?}",
            promoted.level_cost,
            promoted.promotions.iter().map(|it| (&it.program, it.statement, it.kind)).collect::<Vec<_>>(),
            promoted.allocation.0
        );
    }
    for scope in &report.scopes {
        let _ = writeln!(text, "{scope:?}");
    }
    let _ = writeln!(text, "{:?}", report.work);
    std::fs::write(format!("/tmp/robust_{}.txt", report.programs[0].name), text).expect("written");
}

#[test]
fn examples_are_said() {
    for text in [
        include_str!("../examples/smallbank.sql"),
        include_str!("../examples/tpcc.sql"),
        include_str!("../examples/doctors-on-call.sql"),
        include_str!("../examples/flash-sale.sql"),
        include_str!("../examples/bank-transfer.sql"),
    ] {
        say(&decide(text));
    }
    let _ = PromotionKind::ForShare;
}
