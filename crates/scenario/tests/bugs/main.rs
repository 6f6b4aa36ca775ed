//! Both bugs of PostgreSQL's serializable level: convicted on a release that has them, cleared on one that does not.

use pgstrata_pg::{Cluster, ClusterSpec, Dirs, PgVersion, Profile, packages};
use pgstrata_scenario::builtin;
use pgstrata_scenario::play::Stage;
use pgstrata_scenario::run::{self, Verdict};
use pgstrata_units::Isolation;

#[tokio::test(flavor = "multi_thread")]
async fn first_look() {
    for minor in [18, 20] {
        let install = packages::ensure(&Dirs::resolve().binaries(), PgVersion { major: 15, minor }).expect("server");
        let cluster = Cluster::create(ClusterSpec::new(install, Profile::FastTest)).await.expect("server");
        let stage = Stage::new(&cluster.endpoint());
        for builtin in builtin::ALL {
            let scenario = builtin.scenario();
            let outcome = run::run(&stage, &scenario, cluster.version(), &Isolation::ALL).await.expect("played");
            eprintln!("{} on {}: {:?}", scenario.name, cluster.version(), outcome.verdict());
            for level in &outcome.levels {
                for judged in &level.plays {
                    eprintln!("  {} {:?} {:?}", level.level, judged.checked.anomaly, judged.checked.serial_order);
                    for complaint in &judged.complaints { eprintln!("    complaint: {complaint}"); }
                    for reason in judged.checked.cycle_reasons() { eprintln!("    {}", reason.english(&scenario, &judged.played)); }
                }
            }
        }
    }
    let _ = Verdict::Held;
}
