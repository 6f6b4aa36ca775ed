//! Scenarios on real servers: what the levels allow, two bugs and their repairs, and a judge that can be fooled by nobody.

mod bugs;
mod doctored;
mod hermitage;
mod hunting;
mod player;

use pgstrata_pg::{Cluster, ClusterSpec, Install, Profile, testing};
use pgstrata_scenario::judge::Judged;
use pgstrata_scenario::language::Scenario;
use pgstrata_scenario::play::Stage;
use pgstrata_scenario::run::Outcome;
use pgstrata_units::Isolation;

async fn server() -> Cluster {
    testing::server().await.expect("a PostgreSQL to test with")
}

async fn server_of(install: Install) -> Cluster {
    Cluster::create(ClusterSpec::new(install, Profile::FastTest)).await.expect("a server that starts")
}

/// The one scenario of a text.
fn scenario(text: &str) -> Scenario {
    Scenario::parse_file(text).expect("a scenario").remove(0)
}

async fn run(cluster: &Cluster, scenario: &Scenario) -> Outcome {
    let stage = Stage::new(&cluster.endpoint());
    let outcome = pgstrata_scenario::run::run(&stage, scenario, cluster.version(), &Isolation::ALL).await;
    outcome.unwrap_or_else(|error| panic!("{} could not be played: {error:?}", scenario.name))
}

/// What was found at a level when the steps were played as written.
fn written(outcome: &Outcome, level: Isolation) -> &Judged {
    &outcome.levels.iter().find(|at| at.level == level).expect("played at this level").plays[0]
}

/// All that a scenario complains of, in words.
fn complaints(outcome: &Outcome) -> Vec<String> {
    let plays = outcome.levels.iter().flat_map(|level| &level.plays);
    plays
        .flat_map(|play| play.complaints.iter().map(|complaint| format!("{}: {complaint}", play.played.level)))
        .collect()
}
