//! `mvcc_waits()` and the worker's ring against waits that the test makes.

use pgstrata_pg::{Cluster, Session};

use crate::support::{plain, preloaded, session, start, until_true};

/// Three sessions, each of which waits for the next: a cycle.
struct Cycle {
    pids: Vec<i32>,
    tasks: Vec<tokio::task::JoinHandle<Option<String>>>,
}

const SET_UP: &str = "create table numbers (id int primary key, value int);
    insert into numbers select n, 0 from generate_series(1, 5) n;";

impl Cycle {
    async fn close(cluster: &Cluster, observer: &Session) -> Self {
        let (mut pids, mut tasks, mut sessions) = (Vec::new(), Vec::new(), Vec::new());
        for id in 1..=3 {
            let session = session(cluster).await;
            pids.push(session.backend_pid().await.expect("a number"));
            let sql = format!("begin; update numbers set value = 1 where id = {id}");
            session.batch_execute(&sql).await.expect("a row of its own");
            sessions.push(session);
        }
        for (index, session) in sessions.into_iter().enumerate() {
            let sql = format!("update numbers set value = 2 where id = {}", (index + 1) % 3 + 1);
            tasks.push(tokio::spawn(async move {
                let refused = session.batch_execute(&sql).await.err()?;
                Some(refused.as_db_error()?.code().code().to_owned())
            }));
        }
        until_true(observer, "select count(*) = 3 from mvcc_waits()").await;
        Self { pids, tasks }
    }
}

/// The detector does not run while these tests do: what is seen is seen before it.
const NO_DETECTOR: (&str, &str) = ("deadlock_timeout", "1h");

#[tokio::test]
async fn a_deadlock_of_three_is_a_cycle_before_the_detector_fires() {
    let (cluster, observer) = start(preloaded().with_setting(NO_DETECTOR.0, NO_DETECTOR.1)).await;
    observer.batch_execute(SET_UP).await.expect("a table");
    let cycle = Cycle::close(&cluster, &observer).await;

    let sql = "select pid, blockers, soft_blockers, in_cycle, lock_type, mode, transaction is not null from mvcc_waits() order by pid";
    let rows = observer.query(sql, &[]).await.expect(sql);
    for row in &rows {
        let (pid, blockers): (i32, Vec<i32>) = (row.get(0), row.get(1));
        let place = cycle.pids.iter().position(|known| *known == pid).expect("one of the three");
        assert_eq!(blockers, [cycle.pids[(place + 1) % 3]], "{pid}");
        assert_eq!(row.get::<_, Vec<i32>>(2), Vec::<i32>::new());
        assert!(row.get::<_, bool>(3) && row.get::<_, bool>(6));
        assert_eq!((row.get(4), row.get(5)), ("transactionid", "ShareLock"));
        let sql = "select pg_blocking_pids($1)";
        let known: Vec<i32> = observer.query_one(sql, &[&pid]).await.expect(sql).get(0);
        assert_eq!(known, blockers, "the server says the same");
    }
    until_true(&observer, "select count(*) = 3 from mvcc_wait_ring(0) where in_cycle and ended is null").await;

    let sql = format!("select pg_cancel_backend({})", cycle.pids[0]);
    observer.batch_execute(&sql).await.expect("cancelled");
    let mut codes = Vec::new();
    for task in cycle.tasks {
        codes.push(task.await.expect("it ends"));
    }
    assert!(codes.contains(&Some("57014".to_owned())) && !codes.contains(&Some("40P01".to_owned())), "{codes:?}");
    until_true(&observer, "select count(*) = 3 and count(*) filter (where ended >= since) = 3 from mvcc_wait_ring(0)")
        .await;
    until_true(&observer, "select count(*) = 0 from mvcc_waits()").await;
}

#[tokio::test]
async fn who_is_ahead_in_the_queue_is_a_soft_blocker_and_who_holds_the_lock_a_hard_one() {
    let (cluster, observer) = start(plain().with_setting(NO_DETECTOR.0, NO_DETECTOR.1)).await;
    observer.batch_execute(SET_UP).await.expect("a table");
    let holder = session(&cluster).await;
    holder.batch_execute("begin; lock table numbers in access share mode").await.expect("it is free");
    let mut pids = Vec::new();
    let mut tasks = Vec::new();
    for mode in ["access exclusive", "row exclusive"] {
        let waiter = session(&cluster).await;
        pids.push(waiter.backend_pid().await.expect("a number"));
        let sql = format!("begin; lock table numbers in {mode} mode; commit");
        tasks.push(tokio::spawn(async move { waiter.batch_execute(&sql).await }));
        until_true(&observer, &format!("select count(*) = {} from mvcc_waits()", pids.len())).await;
    }
    let sql = "select blockers, soft_blockers, in_cycle, relation = 'numbers'::regclass, object, mode from mvcc_waits() where pid = $1";
    let first = observer.query_one(sql, &[&pids[0]]).await.expect(sql);
    let second = observer.query_one(sql, &[&pids[1]]).await.expect(sql);
    let held_by = holder.backend_pid().await.expect("a number");
    assert_eq!((first.get::<_, Vec<i32>>(0), first.get::<_, Vec<i32>>(1)), (vec![held_by], vec![]));
    assert_eq!((second.get::<_, Vec<i32>>(0), second.get::<_, Vec<i32>>(1)), (vec![], vec![pids[0]]));
    assert_eq!((first.get(2), first.get(3), first.get(5)), (false, true, "AccessExclusiveLock"));
    holder.batch_execute("commit").await.expect("released");
    for task in tasks {
        task.await.expect("it ends").expect("it gets its lock");
    }
}

#[tokio::test]
async fn the_ring_gives_what_changed_after_a_number_and_nothing_twice() {
    let (cluster, observer) = start(preloaded().with_setting("mvcc_visualizer.wait_ring_size", "16")).await;
    let waiter = session(&cluster).await;
    let pid = waiter.backend_pid().await.expect("a number");
    let mut last = 0_i64;
    let mut waiter = Some(waiter);
    for round in 1..=20_i64 {
        observer.batch_execute("select pg_advisory_lock(7)").await.expect("it is free");
        let session = waiter.take().expect("it came back");
        let waiting = tokio::spawn(async move {
            session
                .batch_execute("select pg_advisory_lock(7); select pg_advisory_unlock(7)")
                .await
                .expect("it gets it");
            session
        });
        let new = format!("select exists (select from mvcc_wait_ring({last}) where wait = {round} and ended is null)");
        until_true(&observer, &new).await;
        observer.batch_execute("select pg_advisory_unlock(7)").await.expect("it is ours");
        waiter = Some(waiting.await.expect("it ends"));
        let ended =
            format!("select exists (select from mvcc_wait_ring({last}) where wait = {round} and ended is not null)");
        until_true(&observer, &ended).await;
        let rows =
            observer.query("select seq, wait, pid, object from mvcc_wait_ring($1)", &[&last]).await.expect("rows");
        let row = match rows.as_slice() {
            [row] => row,
            rows => panic!("one wait since the last time, and not {}", rows.len()),
        };
        assert_eq!((row.get(1), row.get(2), row.get(3)), (round, pid, "advisory lock 7"));
        assert!(row.get::<_, i64>(0) > last);
        last = row.get(0);
    }
    let kept: i64 = observer.query_one("select count(*) from mvcc_wait_ring(0)", &[]).await.expect("a count").get(0);
    assert_eq!(kept, 16, "the ring holds as many as it was made for");
}

#[tokio::test]
async fn the_worker_stops_looking_and_looks_again_as_it_is_told() {
    let (_cluster, observer) = start(preloaded()).await;
    until_true(&observer, "select worker_pid is not null and looks > 3 from mvcc_preload_state()").await;
    let set = |value: &str| format!("alter system set mvcc_visualizer.wait_interval = {value}");
    observer.batch_execute(&set("0")).await.expect("set");
    observer.batch_execute("select pg_reload_conf()").await.expect("reloaded");
    until_true(&observer, "select wait_interval_ms = 0 from mvcc_preload_state()").await;
    observer.batch_execute(&set("1")).await.expect("set");
    observer.batch_execute("select pg_reload_conf()").await.expect("reloaded");
    let looks: i64 = observer.query_one("select looks from mvcc_preload_state()", &[]).await.expect("a row").get(0);
    until_true(&observer, &format!("select looks > {} from mvcc_preload_state()", looks + 3)).await;
}
