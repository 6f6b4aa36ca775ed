//! The built-in examples as a user proves them: every witness happens, no fix leaves it, and what is called safe holds; and the
//! trial of safe verdicts convicts levels that are too low.

use pgstrata_pg::testing;
use pgstrata_tools::advisor::examples::{EXAMPLES, Example, example};
use pgstrata_tools::advisor::input::Read;
use pgstrata_tools::advisor::proof::{Proof, ProofOptions, ShownBy, WitnessVerdict, prove};
use pgstrata_tools::advisor::{Allocation, Options, Report, Verdict, analyse};
use pgstrata_units::Isolation;

fn read(example: &Example) -> Read {
    example.input().read().unwrap_or_else(|errors| panic!("{}: {errors:?}", example.name))
}

async fn proof(read: &Read, report: &Report, options: &ProofOptions) -> Proof {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let on = &mut |_| {};
    prove(&server.endpoint(), &read.definitions, &read.schema, &read.workload, report, options, on)
        .await
        .expect("a proof")
}

/// What shows a witness. A transfer leaves the sum that the report reads as it was, so that cycle shows in no value whatever
/// the rows are; it shows in whose versions the report has read.
fn shown_by(name: &str, players: &[&str]) -> ShownBy {
    let adds_up = name == "bank-transfer" && players == ["Report", "transfer"];
    if adds_up { ShownBy::DependencyCycle } else { ShownBy::Outcome }
}

/// Witnesses that cannot happen. The order that is entered would have to be older than the one that is delivered, and newer
/// than it to be the customer's last: both are taken by `order by … limit 1`, which the analysis does not use. And an order
/// that is entered after the level was looked at has no number below the one that was read: numbers only grow, which the
/// analysis does not know either.
fn cannot_happen(name: &str, players: &[&str]) -> bool {
    let never = [["Delivery", "NewOrder", "OrderStatus"].as_slice(), &["StockLevel", "NewOrder"]];
    name == "tpcc" && never.contains(&players)
}

async fn proves(name: &str) {
    let example = example(name).expect("an example");
    let read = read(example);
    let report = analyse(&read.workload, &read.schema, &Options { allocation: None, may_promote: true });
    let options = ProofOptions { random_schedules: 40, ..ProofOptions::default() };
    let proof = proof(&read, &report, &options).await;
    let mut missed = Vec::new();
    for (number, witness) in proof.witnesses.iter().enumerate() {
        let players: Vec<&str> = witness.witness.instances.iter().map(|one| one.program.as_str()).collect();
        let by = WitnessVerdict::Reproduced { by: shown_by(name, &players) };
        if witness.verdict != by {
            let WitnessVerdict::NotReproduced { why } = &witness.verdict else { panic!("{players:?}: {witness:#?}") };
            if !(cannot_happen(name, &players) && why.starts_with("the outcome is that of")) {
                missed.push(format!("{number} of {players:?} at {:?}: {why}", witness.witness.allocation));
            }
            continue;
        }
        assert!(!witness.fixes.is_empty());
        for (fix, replayed) in &witness.fixes {
            assert!(replayed.outcome.is_serial(), "{name}, witness {number} of {players:?}, {fix:?}: {replayed:#?}");
        }
    }
    assert_eq!(missed, [""; 0], "{name}");
    for random in &proof.random {
        assert_eq!(random.anomalies, [], "{name}: {}", random.of);
        assert!(random.schedules > 0, "{name}, {}: {random:?}", random.of);
    }
    let all = proof.witnesses.iter().all(|witness| witness.verdict.is_reproduced());
    assert_eq!((proof.agrees(), all || name == "tpcc"), (all, true), "{name}");
    let is_unsafe = |verdict: &Verdict| verdict.witness().is_some();
    assert_eq!(!proof.witnesses.is_empty(), report.uniform.values().any(is_unsafe) || is_unsafe(&report.asked));
}

#[tokio::test]
async fn smallbank_is_proved_whole() {
    proves("smallbank").await;
}

#[tokio::test]
async fn tpcc_is_proved_whole() {
    proves("tpcc").await;
}

#[tokio::test]
async fn doctors_on_call_are_proved_whole() {
    proves("doctors-on-call").await;
}

#[tokio::test]
async fn a_flash_sale_is_proved_whole() {
    proves("flash-sale").await;
}

#[tokio::test]
async fn bank_transfers_are_proved_whole() {
    proves("bank-transfer").await;
}

#[tokio::test]
async fn a_job_queue_is_proved_whole() {
    proves("job-queue").await;
}

#[tokio::test]
async fn bookings_are_proved_whole() {
    proves("booking").await;
}

#[test]
fn every_example_is_proved_here() {
    let here = ["smallbank", "tpcc", "doctors-on-call", "flash-sale", "bank-transfer", "job-queue", "booking"];
    assert_eq!(EXAMPLES.map(|example| example.name), here);
}

/// What a report would say that takes levels for safe which are not: random schedules find it out, of one seed or the next.
async fn is_convicted(name: &str, level: Isolation) {
    let read = read(example(name).expect("an example"));
    let mut report = analyse(&read.workload, &read.schema, &Options::default());
    let names: Vec<String> = report.optimal.0.keys().cloned().collect();
    report.optimal = Allocation::uniform(names.iter().map(String::as_str), level);
    let mut tried = 0;
    for seed in 1..=20 {
        let options = ProofOptions { witnesses_max: 0, random_schedules: 2_000, seed, ..ProofOptions::default() };
        let proof = proof(&read, &report, &options).await;
        let [random] = proof.random.as_slice() else { panic!("one verdict: {proof:?}") };
        tried += random.schedules;
        assert_eq!(proof.agrees(), random.anomalies.is_empty());
        if !random.anomalies.is_empty() {
            return;
        }
    }
    panic!("{name} at {level} was taken for safe in {tried} schedules");
}

#[tokio::test]
async fn smallbank_at_read_committed_is_convicted_by_random_schedules() {
    is_convicted("smallbank", Isolation::ReadCommitted).await;
}

#[tokio::test]
async fn smallbank_at_repeatable_read_is_convicted_by_random_schedules() {
    is_convicted("smallbank", Isolation::RepeatableRead).await;
}

#[tokio::test]
async fn tpcc_at_read_committed_is_convicted_by_random_schedules() {
    is_convicted("tpcc", Isolation::ReadCommitted).await;
}
