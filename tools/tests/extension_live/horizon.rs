//! When dead versions may go, and who holds that back, against what vacuum does.

use crate::support::{plain, session, start, text};

const SET_UP: &str = "create table numbers (id int primary key, value int) with (autovacuum_enabled = off);
    insert into numbers values (1, 0);";

#[tokio::test]
async fn the_oldest_holder_is_named_and_vacuum_removes_what_nobody_holds() {
    let (cluster, observer) = start(plain()).await;
    observer.batch_execute(SET_UP).await.expect("a table");
    assert_eq!(text(&observer, "select holder from mvcc_horizon('numbers')").await, "nobody");
    let old = session(&cluster).await;
    let old_pid = old.backend_pid().await.expect("a number");
    old.batch_execute("begin isolation level repeatable read; select * from numbers").await.expect("a snapshot");
    let prepared = session(&cluster).await;
    let sql = "begin; insert into numbers values (2, 0); prepare transaction 'forgotten'";
    prepared.batch_execute(sql).await.expect("prepared");
    observer.batch_execute("update numbers set value = 1 where id = 1").await.expect("a dead version");

    let sql = "select holder, pid, is_binding, age > 0, holds = horizon, see from mvcc_horizon('numbers')";
    let rows = observer.query(sql, &[]).await.expect(sql);
    assert_eq!(rows.len(), 2, "the old snapshot and the prepared transaction");
    let first = &rows[0];
    assert_eq!((first.get(0), first.get(1)), ("session", Some(old_pid)));
    assert!(first.get::<_, bool>(2) && first.get::<_, bool>(3) && first.get::<_, bool>(4));
    assert_eq!((rows[1].get(0), rows[1].get(1)), ("prepared transaction", None::<i32>));

    // The version's end is not before the horizon: vacuum keeps it, and removes it when the holders are gone.
    let versions = "select count(*) from mvcc_page('numbers', 0) where line_state = 'normal'";
    let vacuumed = || async {
        observer.batch_execute("vacuum numbers").await.expect("vacuumed");
        observer.query_one(versions, &[]).await.expect(versions).get::<_, i64>(0)
    };
    assert_eq!(vacuumed().await, 3, "two versions of the first row and one of the second");
    old.batch_execute("commit").await.expect("it lets go");
    assert_eq!(
        text(&observer, "select holder from mvcc_horizon('numbers') where is_binding").await,
        "prepared transaction"
    );
    assert_eq!(vacuumed().await, 3, "the prepared transaction is older than the version's end too");
    observer.batch_execute("commit prepared 'forgotten'").await.expect("committed");
    assert_eq!(text(&observer, "select holder from mvcc_horizon('numbers')").await, "nobody");
    assert_eq!(vacuumed().await, 2, "nobody wants the old version");
}

#[tokio::test]
async fn a_locked_table_is_refused_at_once_and_not_waited_for() {
    let (cluster, observer) = start(plain()).await;
    observer.batch_execute(SET_UP).await.expect("a table");
    let other = session(&cluster).await;
    other.batch_execute("begin; lock table numbers in access exclusive mode").await.expect("it is free");
    let oid: u32 = observer.query_one("select 'numbers'::regclass::oid", &[]).await.expect("a name").get(0);
    let refused = observer.query("select * from mvcc_horizon($1::oid)", &[&oid]).await.expect_err("it is locked");
    assert_eq!(refused.as_db_error().expect("the server says so").code().code(), "55P03");
}
