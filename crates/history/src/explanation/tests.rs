//! What is said is what happened.

use pgstrata_units::Language;

use crate::synthetic::notation::history;
use crate::{Model, Options, Scope, check_list_append};

/// The sentences of the findings of one anomaly.
fn said(lines: &[&str], anomaly: &str, language: Language) -> Vec<String> {
    let history = history(lines);
    let options = Options { scope: Some(Scope::RealTime), ..Options::default() };
    let verdict = check_list_append(&history, Model::StrictSerializable, &options);
    let finding = verdict
        .findings
        .iter()
        .find(|finding| finding.anomaly.to_string() == anomaly)
        .unwrap_or_else(|| panic!("{anomaly} not in {:?}", verdict.counts));
    let explanation = finding.explain(&history);
    let steps = explanation.steps.iter().map(|step| step.get(language).to_owned());
    std::iter::once(explanation.summary.get(language).to_owned()).chain(steps).collect()
}

#[test]
fn each_edge_is_one_sentence() {
    let lines = ["ax1", "rx[1] ay1", "ax2 ry[]"];
    assert_eq!(
        said(&lines, "G2-item", Language::English),
        [
            "G2-item: a cycle with adjacent anti-dependencies. T1 < T2 < T1",
            "T1 < T2, because T1 read x as [1] and did not see 2, which T2 appended next.",
            "T2 < T1, because T2 read y as [] and did not see 1, which T1 appended next.",
        ]
    );
    assert_eq!(
        said(&lines, "G2-item", Language::Chinese),
        [
            "G2-item：含相邻反依赖的环。T1 < T2 < T1",
            "T1 < T2，因为 T1 读到 x 为 [1]，没有看到 T2 随后追加的 2。",
            "T2 < T1，因为 T2 读到 y 为 []，没有看到 T1 随后追加的 1。",
        ]
    );
}

#[test]
fn writes_reads_clients_and_time_have_words_of_their_own() {
    assert_eq!(
        said(&["ax1 ay2", "ax2 ay1", "rx[1 2] ry[1 2]"], "G0", Language::English)[1..],
        [
            "T0 < T1, because T1 appended 2 to x after T0 had appended 1.",
            "T1 < T0, because T0 appended 2 to y after T1 had appended 1.",
        ]
    );
    assert_eq!(
        said(&["7@0-10: ax1", "7@15-20: rx[]"], "G-single-process", Language::English)[1],
        "T0 < T1, because client 7 did T0 before T1."
    );
    assert_eq!(
        said(&["7@0-10: ax1", "8@1510-9000: rx[]"], "G-single-realtime", Language::English)[1..],
        [
            "T0 < T1, because T0 had been acknowledged 1.5 µs before T1 began.",
            "T1 < T0, because T1 read x as [] and did not see 1, which T0 appended next.",
        ]
    );
    let g1c = said(&["ax1 ry[1]", "ay1 rx[1]"], "G1c", Language::English);
    assert_eq!(g1c[1], "T0 < T1, because T1 read x as [1], and so saw 1, which T0 appended.");
}

#[test]
fn what_was_seen_and_must_not_be_is_said() {
    let check = |lines: &[&str], anomaly: &str, expected: &str| {
        assert_eq!(said(lines, anomaly, Language::English)[1], expected);
        assert!(said(lines, anomaly, Language::Chinese)[1].ends_with('。'));
    };
    check(&["!ax1", "rx[1]"], "G1a", "T1 read x as [1], and 1 is of T0, which was rolled back.");
    check(&["ax1 rx[]"], "internal", "T0 read x as [], but after what it had read and written before it must be [1].");
    check(&["ax1", "ax2", "rx[1 2]", "rx[2]"], "incompatible-order", "T3 read x as [2], but T2 read it as [1 2].");
    check(&["rx[] ax1", "rx[] ax2"], "lost-update", "T0 and T1 both read x as [] and both went on to write it.");
    check(
        &["!ax1", "ax2", "rx[1 2]"],
        "dirty-update",
        "T2 read x as [1 2]: T1 appended 2 upon what T0 wrote, which was rolled back.",
    );
    check(&["rx[9]"], "garbage-read", "T0 read x as [9], and nobody wrote 9.");
    check(&["rx[1] ax1"], "future-read", "T0 read x as [1], and wrote 1 only later.");
    check(&["ax1", "ax1"], "duplicate-writes", "T0 and T1 both wrote 1 to x.");
    check(&["ax1", "rx[1 1]"], "duplicate-elements", "T1 read x as [1 1], in which 1 stands twice.");
    check(&["ax1 ax2", "rx[1]"], "G1b", "T1 read x as [1], and T0, whose 1 is the last of it, wrote x again.");
}

#[test]
fn a_long_list_is_shown_by_its_ends() {
    let list: Vec<String> = (1..=40).map(|value| value.to_string()).collect();
    let appends: Vec<String> = (1..=40).map(|value| format!("ax{value}")).collect();
    let line = format!("rx[{}] rx[]", list.join(" "));
    let lines = [line.as_str(), &appends.join(" ")];
    let sentence = &said(&lines, "internal", Language::English)[1];
    assert!(sentence.contains("[1 2 3 4 5 6 … 35 36 37 38 39 40]"), "{sentence}");
}
