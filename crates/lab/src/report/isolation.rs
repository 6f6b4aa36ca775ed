//! What came of watching transactions, as lines for any report: how many were judged by which model, what was found,
//! and what is not covered. That last part is never left out.

use std::collections::BTreeMap;

use pgstrata_history::exact::GapKind;
use pgstrata_units::Language;

use super::labels::{self, fill};
use super::number;
use super::style::Meaning;
use super::table::Page;
use crate::observe::IsolationRecord;
use crate::record::Record;

/// The section of the terminal report; nothing where nothing was watched.
pub(super) fn show(record: &Record, page: &mut Page) {
    let lines = lines(record, page.style.language);
    if !lines.is_empty() {
        page.heading(labels::ISOLATION);
    }
    for (meaning, text) in &lines {
        page.marked(*meaning, text);
    }
}

/// One line for each arm that was watched, and one for each kind of thing that is not covered.
pub(super) fn lines(record: &Record, language: Language) -> Vec<(Meaning, String)> {
    let mut lines = Vec::new();
    for arm in &record.arms {
        let watched: Vec<&IsolationRecord> = arm.trials.iter().flat_map(|trial| &trial.isolation).collect();
        let Some(first) = watched.first() else { continue };
        let sum = |of: fn(&IsolationRecord) -> u64| number::count(watched.iter().map(|record| of(record)).sum());
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for (anomaly, count) in watched.iter().flat_map(|record| &record.anomalies) {
            *found.entry(anomaly).or_default() += count;
        }
        let found: Vec<String> =
            found.iter().map(|(name, count)| format!("{name} ({})", number::count(*count))).collect();
        let holds = watched.iter().all(|record| record.holds);
        let mut line = fill(
            if holds { labels::ISOLATION_HOLDS } else { labels::ISOLATION_BROKEN },
            language,
            &[
                ("arm", &arm.arm),
                ("model", first.model.name()),
                ("transactions", &sum(|record| record.transactions)),
                ("dependencies", &sum(|record| record.dependencies)),
            ],
        );
        if !found.is_empty() {
            line = format!("{line}: {}", found.join(", "));
        }
        lines.push((if holds { Meaning::Good } else { Meaning::Bad }, line));
        for (kind, (count, example)) in gaps(&watched) {
            let text = fill(
                labels::NOT_COVERED,
                language,
                &[("what", kind.meaning().get(language)), ("count", &number::count(count)), ("example", example)],
            );
            lines.push((Meaning::Unsure, text));
        }
    }
    lines
}

/// What is not covered, all trials of an arm together.
fn gaps<'a>(watched: &[&'a IsolationRecord]) -> BTreeMap<GapKind, (u64, &'a str)> {
    let mut gaps = BTreeMap::new();
    for gap in watched.iter().flat_map(|record| &record.coverage.gaps) {
        gaps.entry(gap.kind).or_insert((0, gap.example.as_str())).0 += gap.count;
    }
    gaps
}

#[cfg(test)]
mod tests {
    use pgstrata_history::Model;
    use pgstrata_history::exact::{Coverage, Gap};

    use super::*;
    use crate::report::fixture;

    #[test]
    fn what_was_found_and_what_is_not_covered_are_both_said() {
        let mut record = fixture::record();
        assert_eq!(lines(&record, Language::English), []);
        let gap = Gap { kind: GapKind::Truncated, count: 2, example: "shop.stock".to_owned() };
        let watched = |holds, anomalies: &[(&str, u64)], gaps| IsolationRecord {
            model: Model::Serializable,
            holds,
            anomalies: anomalies.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            transactions: 100,
            dependencies: 400,
            coverage: Coverage { gaps, ..Coverage::default() },
        };
        let arm = record.arms[0].arm.clone();
        record.arms[0].trials[0].isolation =
            vec![watched(true, &[], vec![gap.clone()]), watched(false, &[("G2-item", 3)], vec![gap])];
        let expect = [
            (Meaning::Bad, format!("{arm}: 200 transactions with 800 dependencies are not serializable: G2-item (3)")),
            (
                Meaning::Unsure,
                "not covered: reads of tables that were truncated (4, for example shop.stock)".to_owned(),
            ),
        ];
        assert_eq!(lines(&record, Language::English), expect);
        record.arms[0].trials[0].isolation.truncate(1);
        assert!(lines(&record, Language::English)[0].1.ends_with("are serializable"));
        assert!(lines(&record, Language::Chinese)[1].1.contains("shop.stock"));
    }
}
