//! Nobody but superusers and those who monitor may ask what other sessions do.

use crate::support::{preloaded, start};

const CALLS: [&str; 7] = [
    "select * from mvcc_live_snapshots()",
    "select * from mvcc_preload_state()",
    "select * from mvcc_waits()",
    "select * from mvcc_wait_ring(0)",
    "select * from mvcc_ssi_graph()",
    "select * from mvcc_ssi_conflicts()",
    "select * from mvcc_horizon('pg_class')",
];

#[tokio::test]
async fn what_other_sessions_do_is_for_those_who_monitor() {
    let (cluster, observer) = start(preloaded()).await;
    let sql = "create role anybody login; create role watcher login; grant pg_monitor to watcher";
    observer.batch_execute(sql).await.expect("roles");
    let anybody = cluster.endpoint().with_user("anybody").connect().await.expect("a session");
    let watcher = cluster.endpoint().with_user("watcher").connect().await.expect("a session");
    for call in CALLS {
        let refused = anybody.query(call, &[]).await.expect_err(call);
        assert_eq!(refused.as_db_error().expect("the server says so").code().code(), "42501", "{call}");
        watcher.query(call, &[]).await.expect(call);
    }
    let sql = "select count(*) from pg_depend d join pg_extension e on d.refobjid = e.oid, pg_proc p
        where e.extname = 'mvcc_visualizer' and d.classid = 'pg_proc'::regclass and d.objid = p.oid
        and has_function_privilege('anybody', p.oid, 'execute')";
    assert_eq!(observer.query_one(sql, &[]).await.expect(sql).get::<_, i64>(0), 0, "no function is for everybody");
}
