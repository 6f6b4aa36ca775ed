//! Every fault against a real PostgreSQL: it strikes, it shows, it is healed, and nothing committed is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg::{self as pg, Cluster, ErrorClass, Profile, Session};
use rand::SeedableRng;
use tokio::sync::Mutex;

use super::*;
use crate::record::FaultRecord;
use crate::site::Site;

/// More than enough for anything here on a busy machine; reached only when a test fails.
const LIMIT: Duration = Duration::from_mins(1);
/// Long enough to see that an answer does not come.
const SILENCE: Duration = Duration::from_millis(150);

/// A durable server with what a plan needs, and a table `t`.
struct Bench {
    plan: FaultPlan,
    site: Site,
}

impl Bench {
    async fn new(plan: &str) -> Self {
        Self::try_new(plan, Profile::Durable).await.expect("the place for the faults can be built")
    }

    async fn try_new(plan: &str, profile: Profile) -> Result<Self, FaultError> {
        let plan: FaultPlan = plan.parse().expect("a plan");
        let mut spec = pg::testing::spec().expect("PostgreSQL server binaries");
        spec.profile = profile;
        let kit = FaultKit::prepare(&plan, &mut spec)?;
        let cluster = Cluster::create(spec).await.expect("a server");
        let control = cluster.endpoint().with_application_name("control");
        let (endpoint, faults) = kit.attach(&cluster.endpoint())?;
        let direct = cluster.endpoint();
        let server = Server { endpoint, control, direct, cluster: Some(Arc::new(Mutex::new(cluster))), faults };
        let session = server.control.connect().await.expect("the server accepts sessions");
        session.batch_execute("create table t (id bigint primary key)").await.expect("a table");
        Ok(Self { plan, site: Site::of_servers(vec![server]) })
    }

    fn server(&self) -> &Server {
        self.site.first()
    }

    async fn client(&self) -> Session {
        self.server().endpoint.connect().await.expect("clients can connect")
    }

    /// Strikes once with the plan's first fault.
    async fn strike(&self) -> Box<dyn InForce> {
        self.try_strike().await.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
    }

    async fn try_strike(&self) -> Result<Box<dyn InForce>, FaultError> {
        let fault = fault(&self.plan.faults[0]).expect("a fault of the site");
        within(fault.strike(self.server(), &mut ChaCha8Rng::seed_from_u64(1))).await
    }

    async fn inject(&self, seed: u64, span: Duration) -> Vec<FaultRecord> {
        let injected = within(inject(&self.plan, &self.site, Instant::now(), seed, span)).await;
        injected.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
    }

    async fn ids(&self) -> Vec<i64> {
        let session = self.server().control.connect_retry(LIMIT).await.expect("the server is there");
        let rows = session.query("select id from t order by id", &[]).await.expect("the table is there");
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn log(&self) -> String {
        let cluster = self.server().cluster.as_ref().expect("private").lock().await;
        std::fs::read_to_string(cluster.log_path()).expect("readable")
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it happens within the limit")
}

async fn heal(in_force: Box<dyn InForce>) -> String {
    within(in_force.heal()).await.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
}

async fn insert(session: &Session, id: i64) -> Result<(), pg::Error> {
    session.execute("insert into t values ($1)", &[&id]).await.map(drop).map_err(pg::Error::from)
}

fn class(result: Result<(), pg::Error>) -> Option<ErrorClass> {
    result.err().map(|error| error.class())
}

/// A client that inserts 1, 2, 3 … until it is stopped, and comes back whenever it loses its session.
struct Load {
    stop: tokio_util::sync::CancellationToken,
    task: tokio::task::JoinHandle<Vec<i64>>,
}

impl Load {
    fn start(server: &Server) -> Self {
        let stop = tokio_util::sync::CancellationToken::new();
        let (endpoint, stopped) = (server.endpoint.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut session: Option<Session> = None;
            let mut id = 0;
            while !stopped.is_cancelled() {
                match &session {
                    None => session = endpoint.connect_retry(Duration::from_millis(200)).await.ok(),
                    Some(open) => {
                        id += 1;
                        match insert(open, id).await {
                            Ok(()) => acknowledged.push(id),
                            Err(_) => session = None,
                        }
                    }
                }
            }
            acknowledged
        });
        Self { stop, task }
    }

    async fn acknowledged(self) -> Vec<i64> {
        self.stop.cancel();
        within(self.task).await.expect("no panic")
    }
}

fn assert_all_there(acknowledged: &[i64], there: &[i64]) {
    assert!(!acknowledged.is_empty(), "the load did something");
    let lost: Vec<_> = acknowledged.iter().filter(|id| there.binary_search(id).is_err()).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[tokio::test]
async fn killing_the_postmaster_loses_nothing_that_was_acknowledged() {
    let bench = Bench::new("kill-postmaster:3").await;
    let load = Load::start(bench.server());
    let start = Instant::now();
    let records = bench.inject(5, Duration::from_millis(300)).await;
    let acknowledged = load.acknowledged().await;
    assert_all_there(&acknowledged, &bench.ids().await);
    assert_eq!(records.len(), 3);
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    let mut healed_before = f64::NEG_INFINITY;
    for record in &records {
        let healed = record.healed_ms.expect("healed");
        assert!(record.fault == "kill-postmaster" && record.achieved.starts_with("killed postmaster "), "{record:?}");
        let uptime = inject::MINIMUM_UPTIME.as_secs_f64() * 1e3;
        assert!(record.at_ms >= healed_before + uptime && healed > record.at_ms && healed <= elapsed, "{records:?}");
        healed_before = healed;
    }
    assert!(bench.log().await.contains("database system was not properly shut down"), "it recovered");
}

#[tokio::test]
async fn killing_a_backend_ends_all_sessions_and_loses_nothing() {
    let bench = Bench::new("kill-backend").await;
    let (first, second) = (bench.client().await, bench.client().await);
    insert(&first, 1).await.expect("committed");
    let in_force = bench.strike().await;
    assert_eq!(class(insert(&first, 2).await), Some(ErrorClass::ServerLost));
    assert_eq!(class(insert(&second, 3).await), Some(ErrorClass::ServerLost));
    let achieved = heal(in_force).await;
    assert!(achieved.starts_with("killed backend "), "{achieved}");
    assert!(bench.log().await.contains("was terminated by signal 9"));
    assert_eq!(bench.ids().await, [1]);
    insert(&bench.client().await, 4).await.expect("the server is whole");
}

#[tokio::test]
async fn terminating_a_backend_ends_one_session_and_no_other() {
    let bench = Bench::new("terminate-backend").await;
    let clients = [bench.client().await, bench.client().await];
    let achieved = heal(bench.strike().await).await;
    let mut ended = 0;
    for client in &clients {
        let pid = client.backend_pid().await;
        ended += usize::from(pid.is_err());
    }
    assert_eq!(ended, 1, "{achieved}");
    assert!(bench.log().await.contains("terminating connection due to administrator command"));
}

#[tokio::test]
async fn a_query_made_during_a_pause_is_answered_afterwards() {
    let bench = Bench::new("pause").await;
    let client = bench.client().await;
    let in_force = bench.strike().await;
    let mut query = std::pin::pin!(insert(&client, 1));
    assert!(tokio::time::timeout(SILENCE, &mut query).await.is_err(), "a stopped server does not answer");
    let healing = tokio::spawn(in_force.heal());
    within(query).await.expect("answered after the pause");
    let achieved = within(healing).await.expect("no panic").expect("healed");
    assert!(achieved.starts_with("paused for "), "{achieved}");
    assert_eq!(bench.ids().await, [1]);
}

#[tokio::test]
async fn a_pause_that_is_dropped_ends() {
    let bench = Bench::new("pause=10min").await;
    let client = bench.client().await;
    let injected = inject(&bench.plan, &bench.site, Instant::now(), 1, Duration::ZERO);
    assert!(tokio::time::timeout(SILENCE, injected).await.is_err(), "ten minutes are longer");
    within(insert(&client, 1)).await.expect("the server runs again");
}

#[tokio::test]
async fn slow_fsync_makes_each_commit_at_least_as_slow_as_asked_and_then_no_longer() {
    let bench = Bench::new("slow-fsync=30ms").await;
    let client = bench.client().await;
    insert(&client, 0).await.expect("committed");
    let shim = bench.server().faults.shim.clone().expect("the plan needs it");
    let in_force = bench.strike().await;
    for id in 1..=3 {
        let start = Instant::now();
        insert(&client, id).await.expect("committed");
        assert!(start.elapsed() >= Duration::from_millis(30));
    }
    let achieved = heal(in_force).await;
    assert!(achieved.starts_with("asked 30.00 ms; mean 3"), "{achieved}");
    let healed = shim.counts().expect("readable");
    assert!(healed.delayed >= 3 && healed.mean_delay() >= Some(Duration::from_millis(30)));
    insert(&client, 4).await.expect("committed");
    let later = shim.counts().expect("readable").since(&healed);
    assert!(later.calls() >= 1 && later.delayed == 0, "{later:?}");
}

#[tokio::test]
async fn a_shim_that_the_server_does_not_go_through_is_an_error() {
    let bench = Bench::try_new("slow-fsync=1ms", Profile::FastTest).await.expect("a server that never syncs");
    let error = bench.try_strike().await.err().expect("no effect");
    assert!(matches!(error, FaultError::NoEffect { fault: "slow-fsync", .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("fsync on")));
}

#[tokio::test]
async fn failing_fsync_makes_the_server_panic_and_it_comes_back_with_everything() {
    let bench = Bench::new("failing-fsync=300ms").await;
    let client = bench.client().await;
    insert(&client, 1).await.expect("committed");
    let records = bench.inject(3, Duration::ZERO).await;
    assert_eq!(class(insert(&client, 2).await), Some(ErrorClass::ServerLost));
    let log = bench.log().await;
    assert!(log.contains("PANIC:  could not fdatasync file") || log.contains("PANIC:  could not fsync file"), "{log}");
    assert!(log.contains("Input/output error"), "{log}");
    assert!(records[0].achieved.contains("failed with EIO"), "{records:?}");
    assert_eq!(bench.ids().await, [1]);
    insert(&bench.client().await, 3).await.expect("the server is whole");
}

#[tokio::test]
async fn a_full_disk_fails_writes_until_space_is_back_or_the_user_may_not_mount() {
    let bench = match Bench::try_new("disk-full=128MB", Profile::Durable).await {
        Ok(bench) => bench,
        Err(error) => {
            let FaultError::Machine { source, .. } = &error else { panic!("another error: {error}") };
            assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
            assert!(error.hint().is_some_and(|hint| hint.contains("root")));
            return;
        }
    };
    insert(&bench.client().await, 1).await.expect("committed");
    let in_force = bench.strike().await;
    // Whatever the server does, a client cannot store much.
    let big = "create table big as select repeat(md5(n::text), 30) as filling from generate_series(1, 20000) as n";
    let refused = match bench.server().control.connect().await {
        Ok(session) => session.batch_execute(big).await.map_err(pg::Error::from).err().map(|error| error.class()),
        Err(error) => Some(error.class()),
    };
    let expected = [ErrorClass::Resources, ErrorClass::ServerLost, ErrorClass::NotConnected];
    assert!(refused.is_some_and(|class| expected.contains(&class)), "{refused:?}");
    let achieved = heal(in_force).await;
    assert!(achieved.contains("a write failed (53100)"), "{achieved}");
    assert_eq!(bench.ids().await, [1]);
    let session = bench.client().await;
    session.batch_execute(big).await.expect("there is room again");
}

#[tokio::test]
async fn a_server_that_died_of_a_full_log_disk_is_started_again_when_there_is_space() {
    let Ok(bench) = Bench::try_new("disk-full=128MB", Profile::Durable).await else { return };
    insert(&bench.client().await, 1).await.expect("committed");
    let in_force = bench.strike().await;
    // Log that needs new segments: the server panics, and cannot recover for want of space.
    let writer = bench.client().await;
    let log = "select count(pg_logical_emit_message(false, 'pgstrata', repeat('x', 1000000)))
               from generate_series(1, 100)";
    assert!(writer.batch_execute(log).await.is_err(), "100 MB do not fit");
    within(async {
        while bench.server().cluster.as_ref().expect("private").lock().await.postmaster().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(bench.log().await.contains("PANIC:  could not write to file"), "{}", bench.log().await);
    heal(in_force).await;
    assert_eq!(bench.ids().await, [1]);
}

#[tokio::test]
async fn a_client_disconnected_after_sending_sees_an_unknown_outcome_and_the_row_is_there() {
    let bench = Bench::new("disconnect-after-send:2").await;
    let load = Load::start(bench.server());
    let records = bench.inject(1, Duration::ZERO).await;
    assert!(records.len() == 2 && records.iter().all(|r| r.achieved.starts_with("closed connection ")), "{records:?}");
    assert_all_there(&load.acknowledged().await, &bench.ids().await);

    let client = bench.client().await;
    // Prepared before, so that the next request is the insert itself.
    let statement = client.prepare("insert into t values ($1)").await.expect("prepared");
    let strike = tokio::spawn({
        let server = bench.server().clone();
        async move {
            let fault = network::DisconnectAfterSend;
            fault.strike(&server, &mut ChaCha8Rng::seed_from_u64(1)).await.map(drop)
        }
    });
    let id = i64::MAX;
    let mut sent = client.execute(&statement, &[&id]).await;
    while sent.is_ok() {
        // It was faster than the strike.
        let session = bench.server().control.connect().await.expect("the direct way");
        session.execute("delete from t where id = $1", &[&id]).await.expect("deleted");
        sent = client.execute(&statement, &[&id]).await;
    }
    let error = pg::Error::from(sent.expect_err("disconnected"));
    assert!(error.class().leaves_outcome_unknown(), "{error}");
    within(strike).await.expect("no panic").expect("struck");
    within(async {
        while !bench.ids().await.contains(&id) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_delay_holds_for_the_whole_run_and_is_reported_as_achieved() {
    let bench = Bench::new("net-delay=15ms").await;
    let client = bench.client().await;
    let work = async {
        // The delay begins at once, but not before this.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        client.batch_execute("select 1").await.expect("answered");
        assert!(start.elapsed() >= Duration::from_millis(30), "15 ms each way");
    };
    let (records, ()) = tokio::join!(bench.inject(1, Duration::from_millis(400)), work);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert!(record.achieved.starts_with("asked 15.00 ms each way; to the server mean "), "{record:?}");
    assert!(record.healed_ms.expect("healed") >= record.at_ms + 400.0);
    assert_eq!(bench.server().faults.proxy.as_ref().expect("needed").behaviour(), proxy::Behaviour::default());
}

#[tokio::test]
async fn a_cut_ends_sessions_at_once_and_clients_can_come_back() {
    let bench = Bench::new("net-cut=50ms").await;
    let client = bench.client().await;
    insert(&client, 1).await.expect("committed");
    let in_force = bench.strike().await;
    assert_eq!(class(insert(&client, 2).await), Some(ErrorClass::ServerLost));
    assert_eq!(bench.server().endpoint.connect().await.err().map(|e| e.class()), Some(ErrorClass::NotConnected));
    let achieved = heal(in_force).await;
    assert!(achieved.ends_with("1 connections were open"), "{achieved}");
    insert(&bench.client().await, 3).await.expect("the way is clear");
}

#[tokio::test]
async fn half_open_answers_come_when_it_is_over_and_dropped_ones_never_do() {
    for (plan, survives) in [("net-half-open=50ms", true), ("net-drop=50ms", false)] {
        let bench = Bench::new(plan).await;
        let client = bench.client().await;
        let in_force = bench.strike().await;
        let mut query = std::pin::pin!(insert(&client, 1));
        assert!(tokio::time::timeout(SILENCE, &mut query).await.is_err(), "{plan}: silence");
        heal(in_force).await;
        let answer = class(within(query).await);
        let there = bench.ids().await;
        let expected = if survives { (None, vec![1]) } else { (Some(ErrorClass::ServerLost), vec![]) };
        assert_eq!((answer, there), expected, "{plan}");
    }
}

#[tokio::test]
async fn faults_compose_and_nothing_acknowledged_is_lost() {
    let plan = "kill-postmaster:2,pause=50ms:2,net-cut=20ms:2,disconnect-after-send:3,slow-fsync=1ms,net-delay=200us";
    let bench = Bench::new(plan).await;
    let load = Load::start(bench.server());
    let records = bench.inject(11, Duration::from_secs(1)).await;
    let acknowledged = load.acknowledged().await;
    assert_all_there(&acknowledged, &bench.ids().await);
    for (name, count) in [
        ("kill-postmaster", 2),
        ("pause", 2),
        ("net-cut", 2),
        ("disconnect-after-send", 3),
        ("slow-fsync", 1),
        ("net-delay", 1),
    ] {
        assert_eq!(records.iter().filter(|record| record.fault == name).count(), count, "{name}: {records:?}");
    }
    assert!(records.is_sorted_by(|a, b| a.at_ms <= b.at_ms));
    // Those that take the server down took turns.
    let turns: Vec<_> = records.iter().filter(|r| r.fault == "kill-postmaster" || r.fault == "pause").collect();
    for pair in turns.windows(2) {
        assert!(pair[0].healed_ms.expect("healed") <= pair[1].at_ms + 1.0, "{turns:?}");
    }
}

#[tokio::test]
async fn a_site_that_was_built_for_another_plan_is_refused_by_name() {
    let bench = Bench::new("terminate-backend").await;
    for info in &CATALOGUE {
        let needs = info.needs;
        let Some(fault) = fault(&PlannedFault::usual(info.kind)) else { continue };
        if needs.proxy || needs.shim || needs.small_disk {
            let error = fault.strike(bench.server(), &mut ChaCha8Rng::seed_from_u64(1)).await.err();
            let error = error.unwrap_or_else(|| panic!("{} struck", info.name));
            assert!(matches!(error, FaultError::Missing { fault, .. } if fault == info.name), "{error}");
            assert!(error.hint().is_some());
        }
    }
    let server = Server { cluster: None, ..bench.server().clone() };
    for info in CATALOGUE.iter().filter(|info| info.needs.private && !info.needs.shim && !info.needs.small_disk) {
        let Some(fault) = fault(&PlannedFault::usual(info.kind)) else { continue };
        let error = fault.strike(&server, &mut ChaCha8Rng::seed_from_u64(1)).await.err();
        assert!(matches!(error, Some(FaultError::Missing { .. })), "{}", info.name);
    }
}
