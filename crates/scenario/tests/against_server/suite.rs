//! PostgreSQL's own specifications and ours, run and judged on real servers.

use std::path::Path;

use pgstrata_pg::{Dirs, Install, PgVersion, sources, testing};
use pgstrata_scenario::expected::Comparison;
use pgstrata_scenario::serial::{Contradiction, ContradictionKind, Judgement, Why};
use pgstrata_scenario::spec::parse;
use pgstrata_scenario::suite::{self, Judging, Options, Progress, SpecFile, SuiteReport};
use pgstrata_units::Isolation;
use rand::SeedableRng as _;
use rand::seq::IteratorRandom as _;
use rand_chacha::ChaCha8Rng;

/// How many of PostgreSQL's specifications every run of the tests takes; `./x test --isolation-specs` takes all.
const DOZEN: usize = 12;
/// Of those with at most so many permutations.
const PERMUTATIONS_MAX: u128 = 40;
const SEED: u64 = 9;

struct Silent;

impl Progress for Silent {
    fn file(&self, _: &str) {}
    fn permutation(&self) {}
}

fn install() -> Install {
    testing::spec().expect("install PostgreSQL to run these tests").install
}

async fn run(files: &[SpecFile], level: Option<Isolation>, judging: Judging) -> SuiteReport {
    let options = Options { judging, ..Options::default() };
    suite::run_files(&install(), files, level, options, 2, &Silent).await.expect("the servers live")
}

/// One of the specifications beside this file.
fn ours(name: &str, text: &str) -> SpecFile {
    SpecFile { name: name.to_owned(), spec: parse(text).expect("a specification"), expected: Vec::new() }
}

fn judgements(report: &SuiteReport) -> Vec<&Judgement> {
    let permutations = report.files.iter().flat_map(|file| &file.permutations);
    permutations.map(|permutation| permutation.judgement.as_ref().expect("it is judged")).collect()
}

#[tokio::test]
async fn a_dozen_of_postgresqls_own_specifications_come_out_as_expected_and_none_is_convicted() {
    let install = install();
    let found = sources::isolation(&Dirs::resolve().cache, install.version, &|_| {});
    let found = found.unwrap_or_else(|error| panic!("{error}: {}\n{}", error.kind(), error.hint().unwrap_or_default()));
    let all = suite::load(&found.directory).expect("specifications");
    assert!(all.len() >= 100, "{} specifications", all.len());
    let small = all.into_iter().filter(|file| file.spec.order_count() <= PERMUTATIONS_MAX);
    let files = small.sample(&mut ChaCha8Rng::seed_from_u64(SEED), DOZEN);
    let report = run(&files, None, Judging::AsAsked).await;
    for file in &report.files {
        if let Comparison::Differing { from, diff } = &file.comparison {
            assert!(file.repaired_in.is_some(), "{} differs from {from}:\n{diff}", file.name);
        }
    }
    assert_eq!(report.totals.files, DOZEN);
    assert_eq!(report.totals.convicted, 0, "{:?}", judgements(&report));
    assert!(report.totals.judged * 2 > report.totals.permutations, "most are judged: {:?}", report.totals);
}

#[tokio::test]
async fn repeatable_read_passed_off_as_serializable_is_convicted() {
    let files = [ours("write-skew", include_str!("../specs/write-skew.spec"))];
    let honest = run(&files, Some(Isolation::RepeatableRead), Judging::AsAsked).await;
    let [one_by_one, together] = judgements(&honest)[..] else { panic!("two permutations") };
    assert_eq!(*one_by_one, Judgement::Serializable { order: vec!["ada".to_owned(), "grace".to_owned()] });
    let Judgement::Allowed(contradiction) = together else { panic!("write skew: {together:?}") };
    let Contradiction { level, orders, kind, detail, .. } = contradiction;
    assert_eq!((*level, *orders, *kind), (Isolation::RepeatableRead, 2, ContradictionKind::Answers));
    assert_eq!(detail, "grace was answered (2) to `SELECT count(*) FROM doctors WHERE on_call;`, not (1)");

    let claimed = run(&files, Some(Isolation::RepeatableRead), Judging::Claimed(Isolation::Serializable)).await;
    assert_eq!(claimed.totals.convicted, 1, "{:?}", judgements(&claimed));
    let kept = run(&files, Some(Isolation::Serializable), Judging::AsAsked).await;
    assert_eq!((kept.totals.serializable, kept.totals.convicted), (2, 0), "{:?}", judgements(&kept));
}

#[tokio::test]
async fn the_server_is_convicted_of_the_bug_of_on_conflict_exactly_where_it_has_it() {
    let report = run(&[ours("on-conflict", include_str!("../specs/on-conflict.spec"))], None, Judging::AsAsked).await;
    let PgVersion { major, minor } = install().version;
    let repaired = match major {
        14 => 25,
        15 => 20,
        16 => 16,
        17 => 12,
        18 => 7,
        // Made after the repair.
        _ => 0,
    };
    let convicted = usize::from(minor < repaired);
    assert_eq!(report.totals.convicted, convicted, "PostgreSQL {major}.{minor}: {:?}", judgements(&report));
    assert_eq!(report.totals.serializable, 1 - convicted);
}

#[tokio::test]
async fn a_prepared_transaction_counts_when_it_is_decided() {
    let report = run(&[ours("prepared", include_str!("../specs/prepared.spec"))], None, Judging::AsAsked).await;
    // What s3 read first saw nothing, what it read last saw the first: so that one stands between them.
    let order = ["s3", "s1", "s3"].map(str::to_owned).to_vec();
    assert_eq!(judgements(&report), [&Judgement::Serializable { order }]);
}

#[tokio::test]
async fn what_no_order_of_transactions_decides_is_counted_as_not_covered() {
    let report = run(&[ours("open", include_str!("../specs/open.spec"))], None, Judging::AsAsked).await;
    assert_eq!(judgements(&report), [&Judgement::NotCovered { because: Why::Sequence }]);
    assert_eq!(report.totals.not_covered.get(&Why::Sequence), Some(&1));
    assert!(report.held());
}

#[test]
fn a_directory_without_specifications_is_a_mistake_that_is_named() {
    let error = suite::load(Path::new("src")).expect_err("there are none");
    assert_eq!(error.to_string(), "there are no .spec files in src");
}
