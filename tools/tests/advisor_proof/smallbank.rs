//! `SmallBank`'s classic schedule: a check is written while a deposit comes in, and somebody looks in between. What each
//! level and each promotion makes of it on a real server.

use std::collections::BTreeMap;

use pgstrata_pg::testing;
use pgstrata_sqltext::{Program, RelationName};
use pgstrata_tools::advisor::proof::{ProofEvent, ProofOptions, Replayed, ShownBy, WitnessVerdict, prove};
use pgstrata_tools::advisor::{Allocation, PromotedAllocation, SeedRow, Witness};
use pgstrata_units::Isolation::{self, ReadCommitted, RepeatableRead, Serializable};

use crate::support::{program, promoted, report, schema, witness, workload};

const DDL: &str = "create table savings (customer int primary key, balance int not null);
    create table checking (customer int primary key, balance int not null);";

const SAVINGS: &str = "select balance from savings where customer = $1";
const CHECKING: &str = "select balance from checking where customer = $1";

fn write_check() -> Program {
    let pay = "update checking set balance = balance - $2 - case when $3::int + $4::int < $2 then 1 else 0 end
        where customer = $1";
    program(
        "WriteCheck",
        &[
            (SAVINGS, &["customer"], &["saved"]),
            (CHECKING, &["customer"], &["checked"]),
            (pay, &["customer", "amount", "saved", "checked"], &[]),
        ],
    )
}

fn transact_savings() -> Program {
    let sql = "update savings set balance = balance + $2 where customer = $1";
    program("TransactSavings", &[(sql, &["customer", "amount"], &[])])
}

fn balance() -> Program {
    program("Balance", &[(SAVINGS, &["customer"], &[]), (CHECKING, &["customer"], &[])])
}

fn levels(write_check: Isolation, transact_savings: Isolation, balance: Isolation) -> Allocation {
    Allocation(BTreeMap::from([
        ("WriteCheck".to_owned(), write_check),
        ("TransactSavings".to_owned(), transact_savings),
        ("Balance".to_owned(), balance),
    ]))
}

/// The check reads, the deposit commits, somebody looks at both, the check pays.
fn classic(levels: &Allocation) -> Witness {
    let programs = [write_check(), transact_savings(), balance()];
    let with_levels: Vec<(&Program, Isolation)> =
        programs.iter().map(|program| (program, levels.level(&program.name))).collect();
    let row = |table: &str| SeedRow {
        relation: RelationName::new(table),
        values: BTreeMap::from([("customer".to_owned(), "1".to_owned())]),
        present: true,
    };
    witness(&with_levels, &[0, 0, 1, 2, 2, 0], vec![row("savings"), row("checking")])
}

/// Plays the schedule at its levels, and then as it becomes with other levels and changes.
async fn play(before: &Allocation, others: Allocation, changes: Vec<PromotedAllocation>) -> (Replayed, Vec<Replayed>) {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let workload = workload(vec![write_check(), transact_savings(), balance()]);
    let schema = schema(&[("savings", &["customer", "balance"]), ("checking", &["customer", "balance"])]);
    let report = report(classic(before), others, changes);
    let options = ProofOptions { random_schedules: 0, ..ProofOptions::default() };
    let mut events = Vec::new();
    let proof = prove(&server.endpoint(), DDL, &schema, &workload, &report, &options, &mut |event| events.push(event))
        .await
        .expect("a proof");
    let [witness] = proof.witnesses.as_slice() else { panic!("one witness: {proof:?}") };
    assert_eq!(witness.verdict, WitnessVerdict::Reproduced { by: ShownBy::Outcome }, "{witness:?}");
    let began = events.iter().filter(|event| matches!(event, ProofEvent::Began { .. })).count();
    let compared = events.iter().filter(|event| matches!(event, ProofEvent::Compared { .. })).count();
    assert_eq!((began, compared), (1 + witness.fixes.len(), 1 + witness.fixes.len()));
    assert!(matches!(events.last(), Some(ProofEvent::Removed)));
    let left = server.endpoint().connect().await.expect("a session");
    let left = left.query_one("select count(*) from pg_namespace where nspname like 'pgstrata%'", &[]).await;
    assert_eq!(left.expect("a count").get::<_, i64>(0), 0, "the scratch schema is gone");
    let before = witness.before.clone().expect("it was played");
    (before, witness.fixes.iter().map(|(_, replayed)| replayed.clone()).collect())
}

#[track_caller]
fn is_serial_after_retry(replayed: &Replayed) {
    assert!(replayed.outcome.is_serial(), "{replayed:?}");
    assert_eq!(replayed.committed.len(), 3, "{replayed:?}");
    assert!(replayed.failures.iter().all(|(_, sqlstate)| sqlstate == "40001"), "{replayed:?}");
    assert_eq!(replayed.retried.len(), replayed.failures.len(), "{replayed:?}");
}

#[tokio::test]
async fn the_classic_schedule_commits_what_no_order_gives_below_serializable() {
    let mixed = levels(RepeatableRead, ReadCommitted, RepeatableRead);
    let all = |level| levels(level, level, level);
    for unsafe_levels in [all(ReadCommitted), all(RepeatableRead), mixed] {
        let (before, fixes) = play(&unsafe_levels, all(Serializable), Vec::new()).await;
        assert!(before.outcome.is_anomaly() && before.failures.is_empty() && before.committed.len() == 3, "{before:?}");
        let [serializable] = fixes.as_slice() else { panic!("one fix: {fixes:?}") };
        assert_eq!(serializable.failures.len(), 1, "the server refuses one of them: {serializable:?}");
        is_serial_after_retry(serializable);
    }
}

#[tokio::test]
async fn locking_what_the_check_reads_makes_the_deposit_wait() {
    let for_update = "select balance from savings where customer = :customer for update";
    let identity = "update savings set balance = balance where customer = :customer returning balance";
    let all = |level| levels(level, level, level);
    let promote = |after: &str, level| promoted("WriteCheck", 0, &[after], all(level));
    let changes = vec![
        promote(for_update, ReadCommitted),
        promote(for_update, RepeatableRead),
        promote(identity, ReadCommitted),
        promote(identity, RepeatableRead),
    ];
    let (_, fixes) = play(&all(ReadCommitted), all(Serializable), changes).await;
    assert_eq!(fixes.len(), 5);
    for fixed in &fixes[1..] {
        assert_eq!(fixed.waited, ["T2"], "{fixed:?}");
        is_serial_after_retry(fixed);
    }
}

#[tokio::test]
async fn locking_what_is_only_looked_at_does_not_help_and_an_identity_update_does() {
    let all = |level| levels(level, level, level);
    let for_update = "select balance from checking where customer = :customer for update";
    let identity = "update checking set balance = balance where customer = :customer returning balance";
    let promote = |after: &[&str]| promoted("Balance", 1, after, all(RepeatableRead));
    // As one statement, and as one more before the statement that is there.
    let before = ["update checking set balance = balance where customer = :customer", CHECKING_BY_NAME];
    let changes = vec![promote(&[for_update]), promote(&[identity]), promote(&before)];
    let (_, fixes) = play(&all(RepeatableRead), all(Serializable), changes).await;
    let [_, locked, updated, updated_before] = fixes.as_slice() else { panic!("four fixes: {fixes:?}") };
    assert!(locked.outcome.is_anomaly(), "a lock is no version: {locked:?}");
    for fixed in [updated, updated_before] {
        assert_eq!(fixed.failures, [("T1".to_owned(), "40001".to_owned())], "{fixed:?}");
        is_serial_after_retry(fixed);
    }
}

const CHECKING_BY_NAME: &str = "select balance from checking where customer = :customer";
