//! Every way of keeping the books: what sound ones give, and that the checks convict the broken one.

use pgstrata_lab::study::ArmKind;

use super::*;

const CLIENTS: u32 = 12;
const OPERATIONS: u64 = 400;

/// The ways on one server.
fn every() -> impl Iterator<Item = &'static Arm> {
    card::CARD.arms.iter().filter(|arm| Ledger.servers(arm) == Some(1))
}

fn sound() -> impl Iterator<Item = &'static Arm> {
    every().filter(|arm| arm.kind != ArmKind::Broken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sound_way_keeps_every_invariant_while_funds_run_out() {
    let ground = Ground::new(1).await;
    for arm in sound() {
        let history = keep_books(&ground, arm, &scale(true), (CLIENTS, OPERATIONS, 1)).await;
        assert!(!history.observations.is_empty(), "{}: clients say what they see", arm.name);
        assert!(count(&history, Outcome::Rejected) > 0, "{}: some are refused", arm.name);
        assert!(count(&history, Outcome::Ok) > 200, "{}: most are posted", arm.name);
        assert_eq!(judge(&ground, arm, &history).await, [], "{}", arm.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_sent_at_the_same_time_post_once_in_every_sound_way() {
    let ground = Ground::new(1).await;
    for arm in sound() {
        let history = keep_books(&ground, arm, &scale(false), (CLIENTS, 150, 3)).await;
        assert_eq!(judge(&ground, arm, &history).await, [], "{}", arm.name);
        let transfers = ground.number("select count(*) from ledger.transfers where kind <> 4").await;
        let posted: std::collections::HashSet<u64> = history
            .events
            .iter()
            .filter(|event| event.outcome == Outcome::Ok && event.value % 4 == 0)
            .map(|event| event.operation)
            .collect();
        assert_eq!(usize::try_from(transfers), Ok(posted.len()), "{}", arm.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_again_gets_the_same_answer_from_every_way() {
    let ground = Ground::new(1).await;
    for arm in every() {
        Ledger.prepare(arm, &ground.site, &scale(false)).await.expect("prepared");
        let rig = Ledger.open(arm, &ground.site, &scale(false)).await.expect("opened");
        let mut client = rig.client(0).await.expect("a client");
        let posts = async || ground.number("select count(*) from ledger.transfers").await;
        for number in 0..20 {
            let first = ask(&mut *client, number).await;
            let before = posts().await;
            let second = ask(&mut *client, number).await;
            assert_eq!((first.outcome, posts().await), (second.outcome, before), "{}", arm.name);
            if first.value % 4 == 0 {
                assert_eq!(first.value, second.value, "{}", arm.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_naive_way_is_convicted_by_the_sums_the_entries_and_the_order_with_witnesses() {
    let ground = Ground::new(1).await;
    let naive = arm("read-committed");
    let steep = Scale { skew: 2.0, ..scale(false) };
    let history = keep_books(&ground, naive, &steep, (CLIENTS, OPERATIONS, 1)).await;
    let violations = judge(&ground, naive, &history).await;
    for invariant in ["I1", "I3", "I9"] {
        let found = violations.iter().find(|violation| violation.invariant == invariant);
        let witness = found.and_then(|violation| violation.witnesses.first());
        assert!(witness.is_some(), "{invariant} convicts it: {:?}", names(&violations));
    }
    let order = violations.iter().find(|violation| violation.invariant == "I9").expect("convicted");
    assert!(order.found.contains("lost-update"), "{}", order.found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ways_with_sessions_and_the_sequencer_come_to_the_same_books() {
    let ground = Ground::new(1).await;
    let mut books = Vec::new();
    for arm in sound() {
        // One client, so that there is one order.
        keep_books(&ground, arm, &scale(true), (1, 300, 1)).await;
        let digest = "select md5(string_agg(concat_ws(' ', account_id, number, transfer_id, amount, balance), ','
            order by account_id, number)) from ledger.entries";
        let row = ground.session().await.query_one(digest, &[]).await.expect("a row");
        books.push((arm.name, row.get::<_, String>(0)));
    }
    assert!(books.windows(2).all(|pair| pair[0].1 == pair[1].1), "{books:?}");
}
