//! What a proof leaves alone: other machines, other schemas, and the server after errors and interruptions.

use pgstrata_pg::{Cluster, Endpoint, testing};
use pgstrata_tools::advisor::proof::{ProofError, ProofOptions, prove};
use pgstrata_tools::advisor::{Allocation, Report};
use pgstrata_units::Isolation;

use crate::support::{program, report, schema, witness, workload};

async fn server() -> Cluster {
    testing::server().await.expect("install PostgreSQL to run these tests")
}

fn a_report() -> Report {
    let program = program("Read", &[("select v from t where id = $1", &["customer"], &[])]);
    let witness = witness(&[(&program, Isolation::ReadCommitted)], &[0], Vec::new());
    report(witness, Allocation::default(), Vec::new())
}

async fn attempt(server: &Endpoint, ddl: &str, options: &ProofOptions) -> Result<(), ProofError> {
    let program = program("Read", &[("select v from t where id = $1", &["customer"], &[])]);
    let schema = schema(&[("t", &["id", "v"])]);
    prove(server, ddl, &schema, &workload(vec![program]), &a_report(), options, &mut |_| {}).await.map(|_| ())
}

async fn schemas(server: &Cluster) -> i64 {
    let session = server.endpoint().connect().await.expect("a session");
    let row = session.query_one("select count(*) from pg_namespace where nspname like 'pgstrata%'", &[]).await;
    row.expect("a count").get(0)
}

#[tokio::test]
async fn a_server_on_another_machine_is_refused_before_anything_is_sent() {
    let elsewhere = Endpoint::parse("postgresql://db.example.com/x").expect("an address");
    let refused = attempt(&elsewhere, "create table t (id int)", &ProofOptions::default()).await;
    assert!(matches!(refused, Err(ProofError::Remote { .. })), "{refused:?}");
}

#[tokio::test]
async fn what_is_not_for_a_scratch_schema_is_refused_and_nothing_is_left() {
    let server = server().await;
    let session = server.endpoint().connect().await.expect("a session");
    session.batch_execute("create schema audit; create table public.t (id int, v int)").await.expect("tables");
    session.batch_execute("insert into public.t values (1, 7)").await.expect("a row");
    let check = [
        "create table audit.log (id int)",
        "create extension citext",
        "drop table t",
        "alter system set fsync = off",
        "do $$ begin drop table public.t; end $$",
    ];
    for ddl in check {
        let refused = attempt(&server.endpoint(), ddl, &ProofOptions::default()).await;
        assert!(matches!(refused, Err(ProofError::Foreign { .. })), "{ddl}: {refused:?}");
    }
    let refused = attempt(&server.endpoint(), "create table t (id nothing)", &ProofOptions::default()).await;
    assert!(matches!(refused, Err(ProofError::Refused { .. })), "{refused:?}");
    // The user's table of the same name is not the one that programs see.
    let ddl = "set search_path = public; create table public.t (id int primary key, v int not null);";
    attempt(&server.endpoint(), ddl, &ProofOptions::default()).await.expect("a proof");
    let row = session.query_one("select v from public.t", &[]).await.expect("the row");
    assert_eq!(row.get::<_, i32>(0), 7);
    assert_eq!(schemas(&server).await, 0);
}

#[tokio::test]
async fn a_proof_that_is_stopped_or_given_up_leaves_nothing() {
    let server = server().await;
    let options = ProofOptions { random_schedules: 1_000_000, ..ProofOptions::default() };
    let program = program("Add", &[("update t set v = v + 1 where id = $1", &["customer"], &[])]);
    let schema = schema(&[("t", &["id", "v"])]);
    let workload = workload(vec![program]);
    let ddl = "create table t (id int primary key, v int not null)";
    let mut report = a_report();
    report.asked = pgstrata_tools::advisor::Verdict::Safe;
    let stop = options.stop.clone();
    let mut on = |_| stop.cancel();
    let stopped = prove(&server.endpoint(), ddl, &schema, &workload, &report, &options, &mut on).await;
    assert!(matches!(stopped, Err(ProofError::Stopped)), "{stopped:?}");
    assert_eq!(schemas(&server).await, 0);

    let options = ProofOptions { random_schedules: 1_000_000, ..ProofOptions::default() };
    let (told, hears) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let mut on = |_| {
        if let Some(told) = told.take() {
            told.send(()).expect("somebody hears");
        }
    };
    let endpoint = server.endpoint();
    tokio::select! {
        ended = prove(&endpoint, ddl, &schema, &workload, &report, &options, &mut on) => panic!("{ended:?}"),
        heard = hears => heard.expect("a word"),
    }
    assert_eq!(schemas(&server).await, 0);
}
