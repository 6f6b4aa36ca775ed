//! Each anomaly is convicted in the smallest history that has it, by exactly its names; its neighbour is not.

use super::*;
use crate::anomaly::Anomaly;
use crate::synthetic::notation::history;

/// The anomalies of a history, by name.
fn anomalies(lines: &[&str]) -> Vec<String> {
    let options = Options { scope: Some(Scope::RealTime), ..Options::default() };
    let verdict = check_list_append(&history(lines), Model::StrictSerializable, &options);
    assert_eq!(verdict.holds, verdict.counts.is_empty(), "strict serializability forbids all of them");
    verdict.counts.keys().map(Anomaly::to_string).collect()
}

#[track_caller]
fn check(guilty: &[&str], expected: &[&str], clean: &[&str]) {
    assert_eq!(anomalies(guilty), expected, "{guilty:?}");
    assert!(anomalies(clean).is_empty(), "{clean:?}: {:?}", anomalies(clean));
}

#[test]
fn a_cycle_of_writes_is_g0() {
    check(&["ax1 ay2", "ax2 ay1", "rx[1 2] ry[1 2]"], &["G0"], &["ax1 ay1", "ax2 ay2", "rx[1 2] ry[1 2]"]);
}

#[test]
fn reading_what_was_rolled_back_is_g1a() {
    check(&["!ax1", "rx[1]"], &["G1a"], &["!ax1", "rx[]"]);
    check(&["!ax1", "ax1", "!ax1", "rx[1]"], &[], &["ax1", "rx[1]"]);
}

#[test]
fn a_commit_upon_what_was_rolled_back_is_a_dirty_update() {
    check(&["!ax1", "ax2", "rx[1 2]"], &["G1a", "dirty-update"], &["!ax1", "ax2", "rx[2]"]);
}

#[test]
fn reading_an_intermediate_state_is_g1b() {
    check(&["ax1 ax2", "rx[1]"], &["G1b", "G-single"], &["ax1 ax2", "rx[1 2]"]);
}

#[test]
fn a_cycle_of_information_is_g1c() {
    check(&["ax1 ry[1]", "ay1 rx[1]"], &["G1c"], &["ax1 ry[]", "ay1 rx[1]"]);
}

#[test]
fn half_of_a_transaction_is_g_single() {
    check(&["ax1 ay1", "rx[1] ry[]"], &["G-single"], &["ax1 ay1", "rx[1] ry[1]"]);
}

#[test]
fn a_long_fork_is_g_nonadjacent() {
    check(&["ax1", "ay1", "rx[1] ry[]", "rx[] ry[1]"], &["G-nonadjacent"], &["ax1", "ay1", "rx[1] ry[]", "rx[] ry[]"]);
}

#[test]
fn write_skew_is_g2_item() {
    check(&["rx[] ay1", "ry[] ax1"], &["G2-item"], &["rx[] ay1", "ry[1] ax1"]);
    check(&["rx[] ay1", "ry[] ax1", "rx[1] ry[1]"], &["G2-item"], &["rx[] ay1", "ry[1] ax1", "rx[1] ry[1]"]);
}

#[test]
fn two_updates_of_one_version_are_a_lost_update() {
    check(&["rx[1] ax2", "rx[1] ax3", "ax1"], &["lost-update", "G2-item"], &["rx[1] ax2", "rx[1 2] ax3", "ax1"]);
    check(&["rx[] ax1", "rx[] ax2", "rx[1 2]"], &["lost-update", "G-single"], &["rx[] ax1", "rx[1] ax2", "rx[1 2]"]);
}

#[test]
fn reads_of_which_neither_begins_the_other_are_an_incompatible_order() {
    check(&["ax1", "ax2", "rx[1 2]", "rx[2]"], &["incompatible-order"], &["ax1", "ax2", "rx[1 2]", "rx[1]"]);
}

#[test]
fn an_element_that_stands_twice_or_that_nobody_wrote_is_found() {
    check(&["ax1", "rx[1 1]"], &["duplicate-elements"], &["ax1", "rx[1]"]);
    check(&["rx[7]"], &["garbage-read"], &["rx[]"]);
}

#[test]
fn a_workload_that_writes_a_value_twice_is_told_so() {
    check(&["ax1", "ax1", "rx[1]"], &["duplicate-writes"], &["ax1", "?ax1", "rx[1]"]);
}

#[test]
fn a_transaction_that_contradicts_itself_is_internal() {
    check(&["ax1 rx[]"], &["internal"], &["ax1 rx[1]"]);
    check(&["rx[1] rx[]", "ax1"], &["internal", "G-single"], &["rx[1] rx[1]", "ax1"]);
    check(&["rx[1] ax2 rx[2]", "ax1"], &["incompatible-order", "internal"], &["rx[1] ax2 rx[1 2]", "ax1"]);
    check(&["ax1 rx? ax2 rx[2 1]"], &["internal"], &["ax1 rx? ax2 rx[1 2]"]);
}

#[test]
fn reading_what_one_writes_later_is_a_future_read() {
    check(&["rx[1] ax1"], &["future-read"], &["rx[] ax1"]);
    check(&["rx[] rx[1] ax1"], &["future-read"], &["rx[] rx[] ax1"]);
}

#[test]
fn a_client_that_does_not_see_its_own_past_breaks_the_order_of_processes() {
    check(&["7@0-10: ax1", "7@5-20: rx[]"], &["G-single-process"], &["7@0-10: ax1", "8@5-20: rx[]"]);
}

#[test]
fn what_was_acknowledged_and_is_not_seen_breaks_real_time() {
    check(&["1@0-10: ax1", "2@11-20: rx[]"], &["G-single-realtime"], &["1@0-10: ax1", "2@10-20: rx[]"]);
    check(
        &["1@0-10: ax2", "2@11-20: ax1", "3@0-90: rx[1 2]"],
        &["G0-realtime"],
        &["1@0-10: ax1", "2@11-20: ax2", "3@0-90: rx[1 2]"],
    );
}

#[test]
fn an_unknown_outcome_counts_if_it_was_seen_and_binds_no_time() {
    // Seen: its read of y counts. Not seen: it may never have happened.
    check(&["?ax1 ry[]", "ay1 rx[]", "rx[1]"], &["G2-item"], &["?ax1 ry[]", "ay1 rx[]", "rx[]"]);
    check(
        &["?1@0-10: ax1", "2@0-1: rx[1]", "3@20-30: ax2", "4@0-90: rx[2 1]"],
        &["incompatible-order"],
        &["?1@0-10: ax1", "3@20-30: ax2", "4@0-90: rx[2 1]"],
    );
}

#[test]
fn appends_that_nobody_read_come_after_all_that_was_read() {
    // Five appends after the last read, each by somebody who read another key before the first one's reader wrote it.
    let guilty = ["rx[] ay1", "ax1", "ax2", "ry[] ax3", "ax4", "ax5"];
    assert_eq!(anomalies(&guilty), ["G2-item"]);
    // A transaction is not behind itself.
    assert!(anomalies(&["rx[] ax1", "ax2", "ax3"]).is_empty());
    assert!(anomalies(&["rx[1] ax2 ax3", "ax1 ax4"]).contains(&"G1b".to_owned()));
}

#[test]
fn values_far_apart_are_kept_in_another_table_and_judged_alike() {
    let far = i64::MAX / 2;
    let lines = [format!("ax{far} ay1"), "ax-5 ry[]".to_owned(), format!("rx[{far} -5] ry[1]")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(anomalies(&lines), ["G-single"]);
}

#[test]
fn the_verdict_names_the_weakest_model_and_what_its_edges_stand_for() {
    let history = history(&["rx[] ay1", "ry[] ax1"]);
    let verdict = check_list_append(&history, Model::Serializable, &Options::default());
    assert!(!verdict.holds && !verdict.bounded);
    assert_eq!(verdict.weakest_violated, Some(Model::RepeatableRead));
    assert_eq!((verdict.transactions, verdict.took_effect, verdict.components), (2, 2, 1));
    let edge = verdict.findings[0].cycle[0];
    assert_eq!(edge.key.map(|key| history.key_name(key)), Some("x"));
    assert_eq!((edge.from_value, edge.to_value), (None, Some(1)));
    assert!(check_list_append(&history, Model::SnapshotIsolation, &Options::default()).holds);
    let json = serde_json::to_string(&verdict).expect("a verdict can be written");
    assert_eq!(serde_json::from_str::<Verdict>(&json).expect("what was written can be read"), verdict);
}
