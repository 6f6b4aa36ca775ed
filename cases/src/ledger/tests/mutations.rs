//! Books that somebody has touched behind the ledger, and clients that were told what is not so: each is convicted.

use super::*;
use crate::ledger::told::Told;
use pgstrata_lab::study::Reply;

const CLIENTS: u32 = 4;

/// Sound books and what their clients were told.
async fn sound_books(ground: &Ground) -> History {
    keep_books(ground, arm("for-update"), &scale(false), (CLIENTS, 600, 1)).await
}

/// Does something that the tables' triggers refuse, as who has the right to switch them off.
async fn behind_the_ledger(session: &Session, sql: &str) {
    session.batch_execute("set session_replication_role = replica").await.expect("a superuser");
    let rows = session.execute(sql, &[]).await.expect("done");
    assert!(rows > 0, "{sql} finds something");
}

async fn check(sql: &str, expect: &[&str]) {
    let ground = Ground::new(1).await;
    let history = sound_books(&ground).await;
    assert_eq!(judge(&ground, arm("for-update"), &history).await, []);
    behind_the_ledger(&ground.session().await, sql).await;
    let violations = judge(&ground, arm("for-update"), &history).await;
    for invariant in expect {
        let found = violations.iter().find(|violation| violation.invariant == *invariant);
        assert!(found.is_some_and(|found| !found.witnesses.is_empty()), "{invariant}: {:?}", names(&violations));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_edited_behind_the_ledger_is_convicted() {
    check("update ledger.accounts set balance = balance + 1 where account_id = 1", &["I1", "I3"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_edited_behind_the_ledger_is_convicted() {
    check("update ledger.entries set amount = amount + 1 where (account_id, number) = (1, 2)", &["I3", "I4"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_moved_to_other_accounts_in_full_is_convicted_by_the_numbers_and_the_order() {
    let exchange = "update ledger.entries as e
        set transfer_id = case e.number when 2 then b.transfer_id else a.transfer_id end
        from ledger.entries as a, ledger.entries as b
        where e.account_id = 1 and a.account_id = 1 and b.account_id = 1
            and a.number = 2 and b.number = 3 and e.number in (2, 3)";
    // Two entries of the hottest account have changed places: what stands there is not what clients have seen.
    check(exchange, &["I9"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_says_its_entries_are_elsewhere_is_convicted() {
    let elsewhere = "update ledger.transfers as t set legs[1][2] = t.legs[1][2] + 1
        where t.transfer_id = (select e.transfer_id from ledger.entries as e where (account_id, number) = (1, 2))";
    check(elsewhere, &["I4"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_taken_out_behind_the_ledger_is_convicted() {
    let last = "with last as (
            select e.transfer_id from ledger.entries as e where e.account_id = 1 order by e.number desc limit 1
        ), gone as (
            delete from ledger.entries as e using last where e.transfer_id = last.transfer_id
        )
        delete from ledger.transfers as t using last where t.transfer_id = last.transfer_id";
    check(last, &["I3", "I7"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn false_answers_are_convicted() {
    let ground = Ground::new(1).await;
    let mut history = sound_books(&ground).await;
    let posted = history
        .events
        .iter()
        .position(|event| event.outcome == Outcome::Ok && matches!(Told::of(event.value), Some(Told::Posted { .. })))
        .expect("something is posted");
    let audit = |difference| match (Told::Audit { difference }).reply() {
        Reply::Accepted { value } | Reply::Rejected { reason: value } => value,
    };
    let torn = pgstrata_lab::history::Event { operation: 9_001, value: audit(7), ..history.events[posted] };
    let twice = pgstrata_lab::history::Event { value: history.events[posted].value + 4, ..history.events[posted] };
    history.events.extend([torn, twice]);
    let violations = judge(&ground, arm("for-update"), &history).await;
    assert_eq!(names(&violations), ["I1", "I5", "I7"]);
    history.events.truncate(history.events.len() - 2);
    history.events[posted].outcome = Outcome::Rejected;
    let violations = judge(&ground, arm("for-update"), &history).await;
    assert!(names(&violations).contains(&"I5"), "it was refused and is there: {:?}", names(&violations));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversal_that_differs_from_what_it_reverses_is_convicted() {
    let swapped = "update ledger.entries as e set amount = -e.amount
        where e.transfer_id = (select t.transfer_id from ledger.transfers as t where t.kind = 3 limit 1)";
    check(swapped, &["I3", "I6"]).await;
}
