//! `mvcc_live_snapshots()` against each session's own `pg_current_snapshot()`.

use pgstrata_pg::{Cluster, Session};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{plain, preloaded, session, start, text, until_true};

/// What the observer says of one session.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    snapshot: Option<String>,
    is_current: bool,
    own: Option<String>,
}

async fn seen(observer: &Session, pid: i32) -> Option<Seen> {
    let sql = "select snapshot::text, is_current, own::text from mvcc_live_snapshots() where pid = $1";
    let row = observer.query_opt(sql, &[&pid]).await.expect(sql)?;
    Some(Seen { snapshot: row.get(0), is_current: row.get(1), own: row.get(2) })
}

/// A session that does one random thing, then says what its snapshot is.
struct Actor {
    session: Session,
    pid: i32,
    /// Whether it is in a transaction, and whether that one keeps its snapshot.
    inside: Option<bool>,
}

impl Actor {
    async fn open(cluster: &Cluster) -> Self {
        let session = session(cluster).await;
        let pid = session.backend_pid().await.expect("a number");
        Self { session, pid, inside: None }
    }

    async fn act(&mut self, random: &mut ChaCha8Rng) {
        let key = random.random_range(1..=20);
        let statement = match (self.inside, random.random_range(0..10)) {
            (None, 0..3) => {
                self.inside = Some(false);
                "begin isolation level read committed".to_owned()
            }
            (None, 3..7) => {
                self.inside = Some(true);
                "begin isolation level repeatable read".to_owned()
            }
            (None, _) => format!("update numbers set value = value + 1 where id = {key}"),
            (Some(_), 0..2) => {
                self.inside = None;
                if random.random_bool(0.7) { "commit" } else { "rollback" }.to_owned()
            }
            (Some(_), 2..4) => format!("savepoint s; insert into numbers values ({}, 0)", random.random::<u32>()),
            (Some(_), 4) => "select in_function()".to_owned(),
            (Some(_), 5) => {
                "do $$ begin perform 1 / 0; exception when others then perform count(*) from numbers; end $$".to_owned()
            }
            (Some(_), _) => "select count(*) from numbers".to_owned(),
        };
        // Whether it was a repeatable read that came too late does not matter: then the transaction is over.
        if self.session.batch_execute(&statement).await.is_err() {
            self.session.batch_execute("rollback").await.expect("a transaction can always be given up");
            self.inside = None;
        }
    }
}

const SET_UP: &str = "create table numbers (id bigint, value int);
    insert into numbers select n, 0 from generate_series(1, 20) n;
    create function in_function() returns bigint language plpgsql as $$
    begin
      perform count(*) from numbers;
      return (select count(*) from numbers);
    end $$;";

/// Sessions, and comparisons in all.
const ACTORS: usize = 8;
const COMPARISONS: usize = 2_000;

#[tokio::test]
async fn every_sessions_snapshot_is_the_one_it_tells_itself() {
    let (cluster, observer) = start(preloaded()).await;
    observer.batch_execute(SET_UP).await.expect("tables");
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut actors = Vec::new();
    for _ in 0..ACTORS {
        actors.push(Actor::open(&cluster).await);
    }
    let (mut compared, mut inside, mut with_others, mut differing) = (0, 0, 0, Vec::new());
    while compared < COMPARISONS {
        let actor = random.random_range(0..ACTORS);
        let actor = &mut actors[actor];
        actor.act(&mut random).await;
        let sql = "select pg_current_snapshot()::text, pg_current_xact_id_if_assigned()::text";
        let row = actor.session.query_one(sql, &[]).await.expect(sql);
        let (own, xid): (String, Option<String>) = (row.get(0), row.get(1));
        let seen = seen(&observer, actor.pid).await.expect("it has a slot");
        let expected = Seen {
            // Outside of a transaction the statement's own has ended with it.
            snapshot: actor.inside.is_some().then(|| own.clone()),
            is_current: actor.inside == Some(true),
            own: xid,
        };
        compared += 1;
        inside += usize::from(actor.inside.is_some());
        with_others += usize::from(!own.ends_with(':'));
        if seen != expected {
            differing.push((expected, seen));
        }
    }
    assert!(differing.is_empty(), "{} of {compared} differ: {:#?}", differing.len(), differing.first());
    // So that agreeing means something: snapshots with running transactions in them.
    assert!(inside > COMPARISONS / 3 && with_others > COMPARISONS / 3, "{inside} {with_others}");
}

#[tokio::test]
async fn functions_and_cursors_go_by_snapshots_of_their_own_and_give_them_back() {
    let (cluster, observer) = start(preloaded()).await;
    observer.batch_execute(SET_UP).await.expect("tables");
    let actor = Actor::open(&cluster).await;
    let other = session(&cluster).await;
    actor
        .session
        .batch_execute("begin; declare c cursor for select pg_current_snapshot()::text from numbers")
        .await
        .expect("a cursor");
    let first = text(&actor.session, "fetch 1 from c").await;
    // Somebody commits, so a new statement has a new snapshot, while the cursor keeps its own.
    other.batch_execute("update numbers set value = 1 where id = 1").await.expect("it is free");
    let second = text(&actor.session, "select pg_current_snapshot()::text").await;
    assert_ne!(first, second);
    assert_eq!(seen(&observer, actor.pid).await.expect("a slot").snapshot, Some(second));
    assert_eq!(text(&actor.session, "fetch 1 from c").await, first);
    assert_eq!(seen(&observer, actor.pid).await.expect("a slot").snapshot, Some(first));
    actor.session.batch_execute("commit").await.expect("it ends");
    assert_eq!(seen(&observer, actor.pid).await.expect("a slot").snapshot, None);

    // While a statement runs that waits inside of a function, it is the function's statement that is seen.
    observer.batch_execute("select pg_advisory_lock(1)").await.expect("it is free");
    let waiting = tokio::spawn(async move {
        let wait = "create function waits() returns text language plpgsql as $$
            declare inner_snapshot text;
            begin
              perform 1;
              select pg_current_snapshot()::text into inner_snapshot from pg_advisory_lock(1);
              return inner_snapshot;
            end $$";
        actor.session.batch_execute(wait).await.expect("created");
        (text(&actor.session, "select waits()").await, actor)
    });
    until_true(&observer, "select exists (select from mvcc_waits() where lock_type = 'advisory')").await;
    let sql = "select snapshot::text, nesting, is_current from mvcc_live_snapshots() where pid in (select pid from mvcc_waits())";
    let row = observer.query_one(sql, &[]).await.expect(sql);
    let (snapshot, nesting, is_current): (String, i32, bool) = (row.get(0), row.get(1), row.get(2));
    observer.batch_execute("select pg_advisory_unlock(1)").await.expect("it is ours");
    let (inner, _actor) = waiting.await.expect("it returns");
    assert_eq!((snapshot, nesting, is_current), (inner, 2, true));
}

#[tokio::test]
async fn own_transactions_and_subtransactions_are_those_the_session_has() {
    let (cluster, observer) = start(preloaded()).await;
    observer.batch_execute(SET_UP).await.expect("tables");
    let actor = Actor::open(&cluster).await;
    let sql = "begin isolation level repeatable read; insert into numbers values (100, 0); savepoint a;
        insert into numbers values (101, 0); savepoint b; insert into numbers values (102, 0)";
    actor.session.batch_execute(sql).await.expect("three writes");
    let of = "select array(select distinct xmin::text from numbers where id >= 100 order by 1)";
    let own: Vec<String> = actor.session.query_one(of, &[]).await.expect(of).get(0);
    let sql =
        "select own::text, subxids::text[], subxids_overflowed, command from mvcc_live_snapshots() where pid = $1";
    let row = observer.query_one(sql, &[&actor.pid]).await.expect(sql);
    let (top, mut subxids): (String, Vec<String>) = (row.get(0), row.get(1));
    subxids.insert(0, top);
    assert_eq!(subxids, own);
    assert!(!row.get::<_, bool>(2));
    // The next statement would see all three: their commands are lower.
    let highest: i64 = {
        let sql = "select max(cmin::text::bigint) from numbers where id >= 100";
        actor.session.query_one(sql, &[]).await.expect(sql).get(0)
    };
    assert!(row.get::<_, i64>(3) > highest);
    for id in 0..70 {
        let sql = format!("savepoint s; insert into numbers values ({}, 0)", 200 + id);
        actor.session.batch_execute(&sql).await.expect("a subtransaction");
    }
    let row =
        observer.query_one("select subxids_overflowed from mvcc_live_snapshots() where pid = $1", &[&actor.pid]).await;
    assert!(row.expect("a row").get::<_, bool>(0), "64 are kept for each session");
}

#[tokio::test]
async fn procedures_that_commit_and_prepared_transactions_leave_no_snapshot_behind() {
    let (cluster, observer) = start(preloaded()).await;
    observer.batch_execute(SET_UP).await.expect("tables");
    let sql = "create procedure commits() language plpgsql as $$
        begin
          update numbers set value = 2 where id = 1;
          commit;
          perform count(*) from numbers;
        end $$";
    observer.batch_execute(sql).await.expect("created");
    let actor = Actor::open(&cluster).await;
    actor.session.batch_execute("call commits()").await.expect("it returns");
    assert_eq!(seen(&observer, actor.pid).await.expect("a slot").snapshot, None);
    let sql = "begin isolation level repeatable read; update numbers set value = 3 where id = 2";
    actor.session.batch_execute(sql).await.expect("a change");
    assert!(seen(&observer, actor.pid).await.expect("a slot").is_current);
    actor.session.batch_execute("prepare transaction 'p'").await.expect("prepared");
    let after = seen(&observer, actor.pid).await.expect("a slot");
    assert_eq!(after, Seen { snapshot: None, is_current: false, own: None });
    let pid = actor.pid;
    drop(actor);
    until_true(&observer, &format!("select not exists (select from mvcc_live_snapshots() where pid = {pid})")).await;
    observer.batch_execute("rollback prepared 'p'").await.expect("rolled back");
}

#[tokio::test]
async fn without_preloading_the_functions_say_what_to_do() {
    let (_cluster, session) = start(plain()).await;
    for sql in ["select * from mvcc_live_snapshots()", "select * from mvcc_wait_ring(0)"] {
        let error = session.query(sql, &[]).await.expect_err("not preloaded");
        let error = error.as_db_error().expect("the server says so");
        assert_eq!(error.code().code(), "55000", "{sql}");
        assert!(error.hint().is_some_and(|hint| hint.contains("shared_preload_libraries")), "{sql}");
    }
    let state = "select is_preloaded, fits_server, worker_pid is null from mvcc_preload_state()";
    let row = session.query_one(state, &[]).await.expect(state);
    assert_eq!((row.get(0), row.get(1), row.get(2)), (false, true, true));
    session.query("select * from mvcc_waits()", &[]).await.expect("works without preloading");
    session.query("select * from mvcc_ssi_graph()", &[]).await.expect("works without preloading");
}
