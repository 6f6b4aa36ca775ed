//! The extension's judgements against what readers see, and its reading of damaged pages; both short. The long ones are
//! `pgstrata ext prove` and `pgstrata ext fuzz`.

use std::time::Duration;

use pgstrata_pg::testing;
use pgstrata_tools::mvcc::proof::fuzz::{FuzzSpec, fuzz};
use pgstrata_tools::mvcc::proof::{ProofSpec, prove};

/// Judgements of the short proof: some seconds' worth.
const JUDGEMENTS: u64 = 20_000;
/// Damaged pages of the short reading.
const PAGES: u64 = 2_000;
/// Far more than it takes, for machines that do other things.
const LIMIT: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_version_is_judged_otherwise_than_readers_see_it() {
    let server = testing::extended_spec().expect("the extension is built by `cargo xtask ext`");
    let spec = ProofSpec { server, judgements: JUDGEMENTS, seed: 11, limit: LIMIT };
    let proof = prove(spec).await.expect("the proof is carried out");
    assert_eq!((proof.wrong, proof.unknown), (0, 0), "{proof:#?}");
    assert!(proof.judgements >= JUDGEMENTS);
    assert!(proof.was_hard(), "the load did not meet {:?}: {proof:#?}", proof.missing());
}

#[tokio::test]
async fn damaged_pages_are_refused_and_never_bring_the_server_down() {
    let server = testing::extended_spec().expect("the extension is built by `cargo xtask ext`");
    let spec = FuzzSpec { server, pages: PAGES, seed: 7, limit: LIMIT };
    let fuzzed = fuzz(spec).await.expect("the server is there afterwards");
    assert!(fuzzed.pages >= PAGES);
    // Each way of being damaged was met, and most was shown all the same.
    assert!(fuzzed.refused > 0 && fuzzed.problems > 0 && fuzzed.damaged > 0, "{fuzzed:?}");
    assert!(fuzzed.rows > fuzzed.problems + fuzzed.damaged, "{fuzzed:?}");
}
