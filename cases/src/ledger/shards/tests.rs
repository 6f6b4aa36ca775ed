//! The books on two servers against two real servers: the arms that are broken are convicted, the others survive crashes at
//! every step, and the checks convict a coordinator that does not write its decision down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgstrata_coordinator::{Flaw, Step};
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::faults::steps::Steps;
use pgstrata_lab::history::{Event, History, Observation, Outcome, operation};
use pgstrata_lab::invariants;
use pgstrata_lab::record::{LoadShape, TrialPurpose, TrialRecord};
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_lab::study::{Arm, Client, DEFAULT_SKEW, Operation, Preset, Reply, Scale, Setback, Study, Violation};
use pgstrata_lab::trial::{self, TrialSpec};
use pgstrata_pg::install;
use tokio_util::sync::CancellationToken;

use super::workload::{ShardedWorkload, Work};
use super::*;
use crate::ledger::Ledger;
use crate::ledger::card::CARD;
use crate::ledger::told::Told;
use crate::ledger::transfer::{Body, Kind};

const SEED: u64 = 17;

fn arm(name: &str) -> &'static Arm {
    CARD.arm(name).expect("an arm of this name")
}

fn scale() -> Scale {
    Scale { preset: Preset::Ci, operations: 100_000, scarce: false, skew: DEFAULT_SKEW, observed: true, seed: SEED }
}

async fn site(plan: &FaultPlan) -> Site {
    let install = install::find(None, None).expect("PostgreSQL");
    Site::open(&SiteSpec::Private { install, servers: SERVERS }, plan).await.expect("a site")
}

/// A trial of the lab on two servers that keep their word.
async fn run_trial(name: &str, faults: &str, measure: Duration) -> TrialRecord {
    let faults: FaultPlan = faults.parse().expect("a plan");
    let site = site(&faults).await;
    let study: Arc<dyn Study> = Arc::new(Ledger);
    let spec = TrialSpec {
        purpose: TrialPurpose::Proof,
        arm: arm(name),
        load: LoadShape::Closed { clients: 16 },
        warmup: Duration::ZERO,
        measure,
        faults,
        scale: scale(),
        evaluate_during: false,
    };
    let probe = SentinelProbe::new(&site).await.expect("a probe");
    let record = trial::run(&study, &site, &spec, &probe, &CancellationToken::new()).await.expect("a trial");
    site.close().await.expect("closed");
    record
}

fn broken(violations: &[Violation]) -> Vec<&str> {
    violations.iter().map(|violation| violation.invariant.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_phase_commit_at_read_committed_is_convicted_of_making_money() {
    let record = run_trial("2pc-read-committed", "", Duration::from_millis(1_500)).await;
    let found = broken(&record.violations);
    assert!(found.contains(&"I1"), "{found:?}");
    assert!(record.violations.iter().all(|violation| !violation.witnesses.is_empty()), "each with its witness");
}

/// What an audit says while a transfer is committed on one server and not yet on the other; none if it waits for that.
async fn audit_between_the_commits(name: &str) -> Option<i64> {
    let mut site = site(&FaultPlan::default()).await;
    site.steps = Steps::named(&Step::NAMES_OF_TWO);
    let (arm, scale) = (arm(name), scale());
    Ledger.prepare(arm, &site, &scale).await.expect("books");
    let rig = open(arm, &site, &scale).await.expect("a rig");
    let (mut first, mut second) = (rig.client(0).await.expect("a client"), rig.client(1).await.expect("a client"));
    let (transfer, audit) =
        (operations(arm, is_over_both, 1)[0], operations(arm, |work| matches!(work, Work::Audit), 1)[0]);
    let mut awaited = site.steps.wait_for("after-commit-1").await;
    let (_, seen) = tokio::join!(see_through(&mut *first, &transfer), async {
        awaited.reached().await;
        let auditing = see_through(&mut *second, &audit);
        tokio::pin!(auditing);
        let ended = tokio::time::timeout(Duration::from_secs(1), &mut auditing).await;
        awaited.let_go(pgstrata_lab::faults::steps::Then::GoOn);
        if let Ok(reply) = ended {
            return Some(reply);
        }
        // What it says when it is let in is said of whole transfers.
        assert_eq!(difference(auditing.await), 0);
        None
    });
    drop((first, second, rig));
    site.close().await.expect("closed");
    seen.map(difference)
}

fn difference(reply: Reply) -> i64 {
    let Reply::Accepted { value } = reply else { panic!("{reply:?}") };
    let Some(Told::Audit { difference }) = Told::of(value) else { panic!("{value}") };
    difference
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_of_serializable_servers_sees_money_on_its_way_and_behind_the_barrier_it_waits() {
    assert!(audit_between_the_commits("2pc-serializable").await.is_some_and(|far| far != 0), "torn");
    assert_eq!(audit_between_the_commits("2pc-for-share").await, None);
    assert_eq!(audit_between_the_commits("2pc-barrier").await, None);
}

/// The first transfer between two customers on different servers: its operation, and the accounts in the order of servers.
fn transfer_over_both(arm: &Arm) -> (Operation, [i64; 2]) {
    let workload = ShardedWorkload::new(&scale(), arms::way(arm.name).expect("a two-server arm").audit);
    let is_wanted = |work: &Work| is_over_both(work) && customers_of(work).len() == 2;
    let [operation] = operations(arm, is_wanted, 1)[..] else { panic!("a transfer over both servers") };
    let mut accounts = customers_of(&workload.work(&operation));
    accounts.sort_unstable_by_key(|account| accounts::server_of(*account));
    (operation, [accounts[0], accounts[1]])
}

fn customers_of(work: &Work) -> Vec<i64> {
    let Work::Post(request) = work else { return Vec::new() };
    let Body::Post { kind: Kind::Transfer, legs } = &request.body else { return Vec::new() };
    legs.iter().map(|leg| leg.account_id).filter(|account| *account > 0).collect()
}

/// While a transfer is committed on the first server and not yet on the second, somebody reads its account on the first,
/// and then its account on the second. What the check says of the three, and whether the last one was kept waiting.
async fn statements_between_the_commits(name: &str) -> (Vec<Violation>, bool) {
    let mut site = site(&FaultPlan::default()).await;
    site.steps = Steps::named(&Step::NAMES_OF_TWO);
    let (arm, scale) = (arm(name), scale());
    Ledger.prepare(arm, &site, &scale).await.expect("books");
    let rig = open(arm, &site, &scale).await.expect("a rig");
    let (mut payer, mut reader) = (rig.client(0).await.expect("a client"), rig.client(1).await.expect("a client"));
    let (transfer, accounts) = transfer_over_both(arm);
    let statement = |wanted: i64| {
        operations(arm, move |work| matches!(work, Work::Statement { account_id } if *account_id == wanted), 1)[0]
    };
    let told = Telling::default();
    let mut awaited = site.steps.wait_for("after-commit-1").await;
    let ((), waited) = tokio::join!(told.step(0, &mut *payer, &transfer), async {
        awaited.reached().await;
        told.step(1, &mut *reader, &statement(accounts[0])).await;
        let last = statement(accounts[1]);
        let last = told.step(1, &mut *reader, &last);
        tokio::pin!(last);
        let waited = tokio::time::timeout(Duration::from_secs(1), &mut last).await.is_err();
        awaited.let_go(pgstrata_lab::faults::steps::Then::GoOn);
        if waited {
            last.await;
        }
        waited
    });
    drop((payer, reader, rig));
    let violations = check(&site, &told.history()).await.expect("a judgement");
    site.close().await.expect("closed");
    (violations, waited)
}

/// Writes down what clients are told, as the lab does.
#[derive(Default)]
struct Telling {
    clock: AtomicU64,
    history: std::sync::Mutex<History>,
}

impl Telling {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    async fn step(&self, client: u32, who: &mut dyn Client, operation: &Operation) {
        let sent_ns = self.now();
        let Reply::Accepted { value } = see_through(who, operation).await else { panic!("refused: {operation:?}") };
        let event = Event {
            operation: operation.number,
            intended_ns: sent_ns,
            sent_ns,
            finished_ns: self.now(),
            value,
            client,
            attempts: 1,
            outcome: Outcome::Ok,
        };
        let numbers = who.seen().expect("it says what it saw");
        let mut history = self.history.lock().expect("one thread");
        history.events.push(event);
        history.observations.push(Observation { operation: operation.number, client, numbers });
    }

    fn history(self) -> History {
        History { seed: SEED, ..self.history.into_inner().expect("one thread") }
    }
}

/// Strict serializability is lost by the smallest of reads: one account, on one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_locks_nothing_is_older_than_what_its_reader_has_seen() {
    let (violations, waited) = statements_between_the_commits("2pc-serializable").await;
    assert!(!waited);
    assert_eq!(broken(&violations), ["I9"], "{violations:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_a_sound_arm_waits_for_what_is_prepared() {
    for name in ["2pc-for-share", "2pc-barrier"] {
        assert_eq!(statements_between_the_commits(name).await, (vec![], true), "{name}");
    }
}

const AT_EVERY_STEP: &str = "disconnect-at-step:12,kill-postmaster-at-step:4,kill-backend-at-step:2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locking_reads_keep_the_books_through_faults_at_the_steps() {
    let record = run_trial("2pc-for-share", AT_EVERY_STEP, Duration::from_millis(500)).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 18, "{:?}", record.counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commit_barrier_keeps_the_books_through_faults_at_the_steps() {
    let record = run_trial("2pc-barrier", AT_EVERY_STEP, Duration::from_millis(500)).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 18, "{:?}", record.counts);
}

/// A lying network: the server has carried a request out, and nobody hears of it. It may be the decision, or a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_never_arrives_loses_nothing_and_does_nothing_twice() {
    let record = run_trial("2pc-barrier", "disconnect-after-send:10", Duration::from_millis(500)).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 10, "{:?}", record.counts);
}

/// The first operations of an arm's trial that do something of a kind.
fn operations(arm: &Arm, is_wanted: impl Fn(&Work) -> bool, count: usize) -> Vec<Operation> {
    let workload = ShardedWorkload::new(&scale(), arms::way(arm.name).expect("a two-server arm").audit);
    (0..)
        .map(|number| operation(SEED, number))
        .filter(|operation| is_wanted(&workload.work(operation)))
        .take(count)
        .collect()
}

fn is_over_both(work: &Work) -> bool {
    match work {
        Work::Post(request) => {
            let Body::Post { legs, .. } = &request.body else { return false };
            legs.iter().any(|leg| accounts::server_of(leg.account_id) == 0)
                && legs.iter().any(|leg| accounts::server_of(leg.account_id) == 1)
        }
        _ => false,
    }
}

/// What the checks say after the coordinator died between its two commits.
async fn after_death_between_the_commits(flaw: Option<Flaw>) -> Vec<Violation> {
    let mut site = site(&FaultPlan::default()).await;
    site.steps = Steps::named(&Step::NAMES_OF_TWO);
    let (arm, scale) = (arm("2pc-barrier"), scale());
    Ledger.prepare(arm, &site, &scale).await.expect("books");
    let way = arms::way(arm.name).expect("a two-server arm");
    let rig = Shards::open(way, flaw, &site, &scale, 4).await.expect("a rig");
    let mut client = rig.client(0).await.expect("a client");
    let [wanted] = operations(arm, is_over_both, 1)[..] else { panic!("a transfer over both servers") };
    let mut awaited = site.steps.wait_for("after-commit-1").await;
    tokio::select! {
        _ = awaited.reached() => {}
        ended = client.step(&wanted) => panic!("it was not held: {ended:?}"),
    }
    drop((client, rig, awaited));
    Shards::open(way, None, &site, &scale, 4).await.expect("a successor").settle().await.expect("settled");
    let mut violations = invariants::evaluate(&site, CARD.invariants).await.expect("invariants");
    violations.extend(check(&site, &History { seed: SEED, ..History::default() }).await.expect("a judgement"));
    site.close().await.expect("closed");
    violations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_writes_no_decision_down_is_convicted_and_one_that_does_is_not() {
    let violations = after_death_between_the_commits(Some(Flaw::NoDecision)).await;
    assert!(broken(&violations).contains(&"I10"), "{violations:?}");
    let sound = after_death_between_the_commits(None).await;
    assert!(!broken(&sound).contains(&"I10") && !broken(&sound).contains(&"I11"), "{sound:?}");
}

/// Two customers' halves of one joint limit, withdrawn from at the same time: each reads both accounts before either
/// writes.
async fn race_for_a_joint_limit(name: &str) -> Vec<Violation> {
    let mut site = site(&FaultPlan::default()).await;
    site.steps = Steps::named(&Step::NAMES_OF_TWO);
    let (arm, scale) = (arm(name), scale());
    Ledger.prepare(arm, &site, &scale).await.expect("books");
    let rig = open(arm, &site, &scale).await.expect("a rig");
    let withdrawals = |wanted| {
        operations(arm, move |work| matches!(work, Work::Withdraw { pair: 3, server, .. } if *server == wanted), 1)
    };
    let (one, other) = (withdrawals(0)[0], withdrawals(1)[0]);
    let (mut first, mut second) = (rig.client(0).await.expect("a client"), rig.client(1).await.expect("a client"));
    // The first has read and written, and nothing of it is committed, when the second begins.
    let mut awaited = site.steps.wait_for("before-prepare-1").await;
    let race = async {
        tokio::join!(see_through(&mut *first, &one), async {
            awaited.reached().await;
            let second = see_through(&mut *second, &other);
            tokio::pin!(second);
            // As long as it is not held up by a lock, it goes first.
            let ended = tokio::time::timeout(Duration::from_secs(2), &mut second).await;
            awaited.let_go(pgstrata_lab::faults::steps::Then::GoOn);
            match ended {
                Ok(reply) => reply,
                Err(_) => second.await,
            }
        })
    };
    let replies = race.await;
    rig.settle().await.expect("settled");
    let violations = check(&site, &History { seed: SEED, ..History::default() }).await.expect("a judgement");
    let accepted = [replies.0, replies.1].iter().filter(|reply| matches!(reply, Reply::Accepted { .. })).count();
    assert_eq!(accepted == 2, broken(&violations).contains(&"I12"), "{replies:?}, {violations:?}");
    drop((first, second, rig));
    site.close().await.expect("closed");
    violations
}

async fn see_through(client: &mut dyn Client, operation: &Operation) -> Reply {
    loop {
        match client.step(operation).await {
            Ok(reply) => return reply,
            Err(Setback::Database(error)) if error.class().is_retryable() => {}
            Err(Setback::Conflict) => {}
            Err(setback) => panic!("{setback:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serializable_servers_let_a_limit_over_both_be_broken() {
    assert!(broken(&race_for_a_joint_limit("2pc-serializable").await).contains(&"I12"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remote_read_for_share_keeps_a_limit_over_both_servers() {
    assert_eq!(race_for_a_joint_limit("2pc-for-share").await, []);
}
