//! What the player and the judge make of scenarios that come out otherwise than they say.

use pgstrata_scenario::judge::Complaint;
use pgstrata_scenario::play::{PlayError, Stage, TransactionEnd};
use pgstrata_scenario::run::{self, Verdict};
use pgstrata_units::Isolation;

use crate::{complaints, run, scenario, server, written};

const TABLE: &str =
    "setup {\n  create table t (id int primary key, value int);\n  insert into t values (1, 10), (2, 20);\n}\n";

fn with_table(rest: &str) -> String {
    format!("scenario \"test\"\nlevels read committed\n{TABLE}{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_expectation_that_is_not_met_is_a_complaint_of_its_own() {
    let cluster = server().await;
    let text = with_table(
        "T1: begin\nT1: select value from t where id = 1\n  -> (11)\nT1: select id from t\n  -> 3 rows\n\
         T1: select 1 / 0\n  -> ok\nT1: commit\nT2: update t set value = 1 where id = 2\n  -> blocks\n\
         expect read committed: all commit\ninvariant \"none is small\" {\n  select id from t where value < 10\n}\n",
    );
    let outcome = run(&cluster, &scenario(&text)).await;
    assert_eq!(outcome.verdict(), Verdict::Failed);
    let expected = [
        "read committed: line 8: expected (11), and it gave (10)",
        "read committed: line 10: expected 3 rows, and it gave (1), (2)",
        "read committed: line 12: expected ok, and it failed with 22012: division by zero",
        "read committed: line 15: expected blocks, and it gave 1 row",
        "read committed: expected: all commit; but T1 failed (22012)",
        "read committed: invariant \"none is small\" is broken by (2)",
    ];
    assert_eq!(complaints(&outcome), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_waits_although_nothing_says_so_is_a_complaint() {
    let cluster = server().await;
    let text = with_table(
        "T1: begin\nT1: update t set value = 11 where id = 1\nT2: update t set value = 12 where id = 1\n  -> 1 row\n\
         T1: commit\nT2: select value from t where id = 1\n  -> (12)\n",
    );
    let outcome = run(&cluster, &scenario(&text)).await;
    let expected = ["read committed: line 9: expected an answer without waiting, and it waited for another session"];
    assert_eq!(complaints(&outcome), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_happen_stops_the_play_and_leaves_nobody_waiting() {
    let cluster = server().await;
    let text = with_table(
        "T1: begin\nT1: update t set value = 11 where id = 1\nT2: begin\nT2: update t set value = 12 where id = 1\n\
         T2: commit\nT1: commit\n",
    );
    let outcome = run(&cluster, &scenario(&text)).await;
    let expected = ["read committed: session T2 still waits for another session when it is to do the step in line 11"];
    assert_eq!(complaints(&outcome), expected);
    // The next play finds no lock in its way.
    let outcome = run(&cluster, &scenario(&text.replace("T2: commit\nT1: commit", "T1: commit\nT2: commit"))).await;
    assert_eq!(complaints(&outcome), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_never_called_is_said_to_be_one() {
    let cluster = server().await;
    let text = with_table("T1: select 1  hold at CreateCheckPoint\nT1: release\n");
    let outcome = run(&cluster, &scenario(&text)).await;
    let expected = ["read committed: the statement in line 7 ended without calling CreateCheckPoint"];
    assert_eq!(complaints(&outcome), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_function_and_a_wrong_setup_are_errors_with_a_hint() {
    let cluster = server().await;
    let stage = Stage::new(&cluster.endpoint());
    let play = async |text: String| {
        let scenario = scenario(&text);
        run::run(&stage, &scenario, cluster.version(), &Isolation::ALL).await.expect_err("it cannot be played")
    };
    let error = play(with_table("T1: select 1  hold at NoSuchFunction\nT1: release\n")).await;
    assert!(matches!(error, PlayError::Hold { line: 7, .. }) && error.hint().is_some(), "{error:?}");
    let error = play("scenario \"x\"\nsetup { select 1 from nowhere }\nT1: select 1\n".to_owned()).await;
    assert!(matches!(&error, PlayError::Refused { part, .. } if part == "setup"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_orders_keep_the_promise_and_some_are_impossible() {
    let cluster = server().await;
    let text = "scenario \"skew\"\nlevels repeatable read, serializable\n".to_owned()
        + TABLE
        + "T1: begin\nT1: select value from t where id = 1\nT1: update t set value = 0 where id = 2\nT1: commit\n\
           T2: begin\nT2: select value from t where id = 2\nT2: update t set value = 0 where id = 1\nT2: commit\n\
           permutations all\n";
    let outcome = run(&cluster, &scenario(&text)).await;
    assert_eq!(complaints(&outcome), [] as [String; 0]);
    for level in &outcome.levels {
        assert_eq!(level.orders, 20, "three pieces of each session: 6 over 3");
        assert_eq!(level.impossible, 0);
    }
    // The written order is serial; what a level promises is asked of the others too.
    let told_wrong = text.replace("permutations all", "expect serializable: anomaly G2-item\npermutations all");
    let outcome = run(&cluster, &scenario(&told_wrong)).await;
    assert_eq!(outcome.verdict(), Verdict::Failed);
    let judged = written(&outcome, Isolation::Serializable);
    assert!(matches!(judged.complaints[..], [Complaint::Anomaly { found: None, .. }]), "{:?}", judged.complaints);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_commit_that_is_killed_has_no_end_and_the_server_recovers() {
    let cluster = server().await;
    let text = with_table(
        "T1: begin\nT1: update t set value = 11 where id = 1\nT1: commit  hold at CommitTransactionCommand\nT1: kill\n",
    );
    // The profile of tests writes the log late; the table is to outlive the process.
    let text = text.replace("  create table", "  set synchronous_commit = on;\n  create table");
    let stage = Stage::new(&cluster.endpoint());
    let scenario = scenario(&text);
    let order = [0, 1, 2, 3];
    let played = pgstrata_scenario::play::play(&stage, &scenario, Isolation::ReadCommitted, &order).await;
    let played = played.expect("played to its end");
    assert!(matches!(played.transactions[0].end, TransactionEnd::Failed(_)), "{:?}", played.transactions);
    let left = &played.state.iter().find(|table| table.name == "t").expect("the table").rows;
    assert!(left.iter().any(|row| row.text == "(1,10)"), "it was killed before it had committed: {left:?}");
}
