//! The studies on a real PostgreSQL, watched: sound arms are serializable, broken ones are convicted, and requests that
//! come again are carried out once.

mod analysis;

use std::sync::Arc;
use std::time::Duration;

use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::observe::Watching;
use pgstrata_lab::record::{LoadShape, TrialPurpose, TrialRecord};
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::{Arm, ArmKind, DEFAULT_SKEW, Preset, Scale, Study};
use pgstrata_lab::trial::{self, TrialSpec};
use pgstrata_pg::{Cluster, testing};
use tokio_util::sync::CancellationToken;

use super::allocation::Allocation;
use super::{smallbank, studies, tpcc};

/// How long an arm works: long enough for thousands of dependencies on few rows, on a machine with nothing else to do.
const SOUND_FOR: Duration = Duration::from_millis(600);

/// How often a broken arm is tried before it counts as acquitted.
const TRIES: u64 = 60;

/// How an arm of a study runs its programs.
fn allocation_of(study: &str, arm: &'static Arm) -> Allocation<5> {
    let found = match study {
        "smallbank" => smallbank::allocation_of(arm),
        _ => tpcc::allocation_of(arm),
    };
    found.expect("an arm of the study")
}

struct Ground {
    _cluster: Cluster,
    site: Site,
    probe: SentinelProbe,
}

impl Ground {
    async fn new() -> Self {
        let spec = testing::spec().expect("PostgreSQL server binaries");
        let spec = spec.with_setting("wal_level", "logical").with_setting("max_connections", "60");
        let cluster = Cluster::create(spec).await.expect("a server");
        let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]).watched(Watching::default());
        let probe = SentinelProbe::new(&site).await.expect("a probe");
        Self { _cluster: cluster, site, probe }
    }

    /// A proof of an arm, as `pgstrata run` makes it.
    async fn prove(&self, study: &Arc<dyn Study>, arm: &'static Arm, seed: u64) -> TrialRecord {
        let faults: FaultPlan = "duplicate-request=10%".parse().expect("a fault");
        let scale =
            Scale { preset: Preset::Ci, operations: 10_000, scarce: false, skew: DEFAULT_SKEW, observed: true, seed };
        let spec = TrialSpec {
            purpose: TrialPurpose::Proof,
            arm,
            load: LoadShape::Closed { clients: 12 },
            warmup: Duration::ZERO,
            measure: SOUND_FOR,
            faults,
            scale,
            evaluate_during: true,
        };
        trial::run(study, &self.site, &spec, &self.probe, &CancellationToken::new()).await.expect("a trial")
    }
}

async fn prove_all(study: &str) {
    let ground = Ground::new().await;
    let studies = studies();
    let study = studies.iter().find(|known| known.card().name == study).expect("the study");
    for arm in study.card().arms {
        if arm.kind == ArmKind::Broken {
            let mut convicted = false;
            for seed in 0..TRIES {
                let record = ground.prove(study, arm, seed).await;
                convicted = record.violations.iter().any(|violation| violation.invariant == "isolation");
                if convicted {
                    break;
                }
            }
            assert!(convicted, "{} was never convicted", arm.name);
            continue;
        }
        let record = ground.prove(study, arm, 7).await;
        assert_eq!(record.violations, [], "{}", arm.name);
        assert_eq!(record.failures.len(), 0, "{}: {:?}", arm.name, record.failures);
        let [isolation] = record.isolation.as_slice() else { panic!("{}: {:?}", arm.name, record.isolation) };
        assert_eq!(isolation.coverage.gaps, [], "{}: nothing is left out", arm.name);
        assert!(record.counts.ok > 0, "{}: {:?}", arm.name, record.counts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_allocations_of_smallbank_are_serializable_and_the_others_are_convicted() {
    prove_all("smallbank").await;
}

#[test]
fn every_claim_and_baseline_names_an_arm() {
    for study in studies() {
        let card = study.card();
        assert!(card.arm(card.baseline).is_some(), "{}", card.name);
        for claim in card.claims {
            assert!(card.arm(claim.measure.arm()).is_some(), "{}: {}", card.name, claim.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_allocations_of_a_workload_like_tpcc_are_serializable_and_the_others_are_convicted() {
    prove_all("tpcc").await;
}
