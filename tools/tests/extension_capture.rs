//! Waits of PostgreSQL's own isolation specifications are captured, a dozen files of them. All are run by
//! `pgstrata ext capture`.

use pgstrata_pg::{Dirs, sources, testing};
use pgstrata_scenario::suite;
use pgstrata_tools::mvcc::capture::capture;
use rand::SeedableRng as _;
use rand::seq::IteratorRandom as _;
use rand_chacha::ChaCha8Rng;

/// Files that are run, of those that expect waits.
const DOZEN: usize = 12;
/// Of those with at most so many permutations.
const PERMUTATIONS_MAX: u128 = 40;
const SEED: u64 = 4;
/// What is promised, per cent.
const LEAST_PERCENT: f64 = 99.0;

#[tokio::test]
async fn the_waits_of_a_dozen_specifications_are_captured() {
    let server = testing::extended_spec().expect("`cargo xtask ext` builds the extension for these tests");
    let found = sources::isolation(&Dirs::resolve().cache, server.install.version, &|_| {});
    let found = found.unwrap_or_else(|error| panic!("{error}: {}\n{}", error.kind(), error.hint().unwrap_or_default()));
    let all = suite::load(&found.directory).expect("specifications");
    let waits = all.into_iter().filter(|file| {
        let expects = file.expected.iter().any(|expected| expected.text.contains("<waiting ...>"));
        expects && file.spec.order_count() <= PERMUTATIONS_MAX
    });
    let files = waits.sample(&mut ChaCha8Rng::seed_from_u64(SEED), DOZEN);
    let captured = capture(server, &files, &|_| ()).await.expect("the specifications are run");
    assert!(captured.found >= DOZEN, "each of them waits: {captured:?}");
    let percent = captured.percent().expect("there are waits");
    assert!(percent >= LEAST_PERCENT, "{percent:.1} %: {captured:?}");
}
