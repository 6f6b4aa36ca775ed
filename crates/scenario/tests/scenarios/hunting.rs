//! The hunt finds what is there and nothing else, and what it writes can be played.

use std::time::Duration;

use pgstrata_pg::{Cluster, Dirs, PgVersion, packages};
use pgstrata_scenario::hunt::{Find, HuntSpec, Hunted, StopAt, Tally, hunt};
use pgstrata_scenario::run::Verdict;
use pgstrata_units::Isolation;
use tokio::sync::watch;

use crate::{complaints, run, scenario, server, server_of};

/// Far above what any of these hunts needs, even on a machine that does much else.
const LIMIT: Duration = Duration::from_mins(4);

/// Hunts until it was told of enough.
async fn hunted(
    cluster: &Cluster,
    level: Isolation,
    stop_at: StopAt,
    mut is_enough: impl FnMut(Tally, Option<&Find>) -> bool + Send,
) -> Hunted {
    let endpoint = cluster.endpoint();
    let spec = HuntSpec { endpoint, level, duration: LIMIT, clients: 8, seed: 20_240_229, stop_at };
    let (stop, stopped) = watch::channel(false);
    let mut progress = |tally, find: Option<&Find>| {
        if is_enough(tally, find) {
            let _ = stop.send(true);
        }
    };
    hunt(&spec, stopped, &mut progress).await.expect("hunted")
}

#[tokio::test(flavor = "multi_thread")]
async fn write_skew_at_repeatable_read_is_found_and_its_scenario_shows_it_again() {
    let cluster = server().await;
    let mut is_found = false;
    let hunted = hunted(&cluster, Isolation::RepeatableRead, StopAt::Never, |tally, find| {
        is_found |= find.is_some_and(|find| !find.is_forbidden);
        is_found && tally.list_anomalies > 0
    })
    .await;
    assert!(!hunted.list_anomalies.is_empty(), "{:?}", hunted.tally);
    assert!(hunted.finds.iter().any(|find| !find.is_forbidden), "{:?}", hunted.tally);
    for find in &hunted.finds {
        assert!(!find.because.is_empty(), "{}", find.scenario);
        let outcome = run(&cluster, &scenario(&find.scenario)).await;
        if find.is_forbidden {
            // The one thing that every release does: a unique check looks past the snapshot, so an insert follows a
            // concurrent delete of a row that its transaction still sees. Anything else would be news.
            assert!(
                find.scenario.contains("delete from") && find.scenario.contains("insert into"),
                "{}",
                find.scenario
            );
            assert_eq!(outcome.verdict(), Verdict::Failed, "{}", find.scenario);
        } else {
            assert_eq!(complaints(&outcome), [] as [String; 0], "{}", find.scenario);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_of_on_conflict_is_found_by_chance_on_15_18_and_its_scenario_tells_the_repaired_release_apart() {
    let release = |minor| {
        let version = PgVersion { major: 15, minor };
        packages::ensure(&Dirs::resolve().binaries(), version).expect("NOT TESTED: this release is not to be had here")
    };
    let cluster = server_of(release(18)).await;
    // A minute is what is claimed; on a machine that does much else, the hunt has longer.
    let hunted = hunted(&cluster, Isolation::Serializable, StopAt::FirstForbidden, |_, _| false).await;
    let find = hunted.finds.iter().find(|find| find.is_forbidden).expect("found");
    assert!(find.scenario.contains("on conflict"), "{}", find.scenario);
    assert!(find.judged.played.transactions.len() == 2, "{}", find.scenario);
    let witness = scenario(&find.scenario);
    assert_eq!(run(&cluster, &witness).await.verdict(), Verdict::Failed, "{}", find.scenario);
    let repaired = server_of(release(20)).await;
    assert_eq!(run(&repaired, &witness).await.verdict(), Verdict::Held, "{}", find.scenario);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_at_the_serializable_level_of_a_repaired_release() {
    let version = PgVersion { major: 15, minor: 20 };
    let install = packages::ensure(&Dirs::resolve().binaries(), version);
    let cluster = server_of(install.expect("NOT TESTED: this release is not to be had here")).await;
    let is_enough = |tally: Tally, _: Option<&Find>| tally.committed > 1_000 && tally.list_transactions > 1_000;
    let hunted = hunted(&cluster, Isolation::Serializable, StopAt::Never, is_enough).await;
    assert!(hunted.tally.committed > 0 && hunted.tally.list_transactions > 0);
    assert!(hunted.promise_is_kept() && hunted.finds.is_empty() && hunted.tally.suspects == 0, "{hunted:?}");
}
