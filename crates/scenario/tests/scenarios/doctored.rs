//! The judge is given plays in which a client was told something that PostgreSQL never tells: it must convict each.

use pgstrata_history::Anomaly;
use pgstrata_pg::Cluster;
use pgstrata_scenario::builtin;
use pgstrata_scenario::judge::{self, Checked, PhenomenonKind};
use pgstrata_scenario::language::{Cell, Scenario};
use pgstrata_scenario::play::{Played, Stage, play};
use pgstrata_units::Isolation;

use crate::server;

/// Plays a case of Hermitage at repeatable read, and lets the client be told something else in one step.
async fn doctored(cluster: &Cluster, name: &str, step: usize, told: &[(&str, &str)]) -> (Scenario, Played, Checked) {
    let scenario = builtin::find(name)[0].scenario();
    let stage = Stage::new(&cluster.endpoint());
    let order: Vec<usize> = (0..scenario.steps().count()).collect();
    let mut played = play(&stage, &scenario, Isolation::RepeatableRead, &order).await.expect("played");
    let record = played.steps.iter_mut().find(|record| record.step == step).expect("a step");
    let answer = record.answer.as_mut().expect("an answer");
    let cell = |text: &str| Cell::Text(text.to_owned());
    answer.rows = Some(told.iter().map(|(id, value)| vec![cell(id), cell(value)]).collect());
    let checked = judge::check(&stage, &scenario, &played).await.expect("checked");
    (scenario, played, checked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_what_was_rolled_back_is_an_aborted_read() {
    let cluster = server().await;
    let (scenario, played, checked) = doctored(&cluster, "g1a", 3, &[("1", "101"), ("2", "20")]).await;
    assert_eq!(checked.anomaly, Some(Anomaly::G1a));
    assert!(checked.phenomena.iter().all(|phenomenon| phenomenon.kind == PhenomenonKind::AbortedRead));
    assert!(!judge::judge(&scenario, played, checked).complaints.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_half_a_transaction_is_an_intermediate_read() {
    let cluster = server().await;
    let (_, _, checked) = doctored(&cluster, "g1b", 3, &[("1", "101"), ("2", "20")]).await;
    assert_eq!(checked.anomaly, Some(Anomaly::G1b));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_seen_and_then_not_has_vanished() {
    let cluster = server().await;
    // The first of T2's two reads sees what T1 is to commit, the second does not.
    let (_, _, checked) = doctored(&cluster, "g1b", 3, &[("1", "11"), ("2", "20")]).await;
    assert!(
        checked.phenomena.iter().any(|phenomenon| phenomenon.kind == PhenomenonKind::VanishedTransaction),
        "{checked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_can_explain_is_said_to_be_one() {
    let cluster = server().await;
    let (scenario, played, checked) = doctored(&cluster, "g1a", 5, &[("7", "7")]).await;
    assert!(checked.is_anomalous() && checked.anomaly.is_none());
    let complaints: Vec<String> =
        judge::judge(&scenario, played, checked).complaints.iter().map(ToString::to_string).collect();
    assert!(complaints.iter().any(|complaint| complaint.contains("no order of the transactions")), "{complaints:?}");
}
