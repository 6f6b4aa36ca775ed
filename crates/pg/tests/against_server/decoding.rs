//! Logical decoding against a real server: what is decoded, what is refused, and that no slot is left behind.

use pgstrata_pg::decoding::{
    Change, Datum, DecodedTransaction, DecodingError, Identity, OldRow, Publication, Slot, Tables, name_for, sweep,
    unlogged_tables,
};
use pgstrata_pg::{Cluster, Error, Kind, Session};

use crate::support;

const LOGICAL: [(&str, &str); 1] = [("wal_level", "logical")];
const MANY: usize = 10_000;

const SCHEMA: &str = "
    create table keyed (id int primary key, name text);
    create table whole (id int primary key, name text);
    alter table whole replica identity full;
    create unlogged table fleeting (id int primary key)";

/// A server, a session on it with the schema, and a slot for all its tables.
async fn ground() -> (Cluster, Session, Slot) {
    let server = support::server(&LOGICAL).await;
    let session = support::session(&server).await;
    session.batch_execute(SCHEMA).await.expect("tables");
    let publication = Publication::create(&session, "everything", Tables::All).await.expect("a publication");
    let slot = Slot::create(&session, &name_for("test"), &publication.name).await.expect("a slot");
    (server, session, slot)
}

async fn run(session: &Session, sql: &str) {
    session.batch_execute(sql).await.expect(sql);
}

async fn number(session: &Session, sql: &str) -> i64 {
    session.query_one(sql, &[]).await.expect(sql).get(0)
}

/// Changes in short: what, which table, the values.
fn shorts(transactions: &[DecodedTransaction]) -> Vec<Vec<String>> {
    let row = |row: &[Datum]| {
        let values = row.iter().map(|datum| match datum {
            Datum::Null => "null",
            Datum::Unchanged => "unchanged",
            Datum::Text(text) => text,
        });
        values.collect::<Vec<_>>().join(",")
    };
    let old = |old: &OldRow| match old {
        OldRow::Key(values) => format!("key {}", row(values)),
        OldRow::Full(values) => format!("full {}", row(values)),
    };
    let short = |change: &Change| match change {
        Change::Insert { relation, new } => format!("insert {} {}", relation.name, row(new)),
        Change::Update { relation, old: None, new } => format!("update {} {}", relation.name, row(new)),
        Change::Update { relation, old: Some(before), new } => {
            format!("update {} {} to {}", relation.name, old(before), row(new))
        }
        Change::Delete { relation, old: before } => format!("delete {} {}", relation.name, old(before)),
        Change::Truncate { relations } => format!("truncate {}", relations[0].name),
        Change::Message { prefix, content } => format!("message {prefix} {}", String::from_utf8_lossy(content)),
    };
    transactions.iter().map(|transaction| transaction.changes.iter().map(short).collect()).collect()
}

#[tokio::test]
async fn every_kind_of_change_is_decoded_in_commit_order_with_its_transaction() {
    let (server, session, slot) = ground().await;
    run(&session, "begin; insert into keyed values (1, 'a'), (2, null)").await;
    let xid = number(&session, "select pg_current_xact_id()::text::bigint").await;
    let other = support::session(&server).await;
    run(&other, "insert into whole values (1, 'first to commit')").await;
    run(&session, "commit").await;
    run(&session, "update keyed set name = 'b' where id = 1; update keyed set id = 9 where id = 2").await;
    run(&session, "update whole set name = 'c'; delete from whole; delete from keyed where id = 9").await;
    run(&session, "begin; truncate keyed; select pg_logical_emit_message(true, 'audit', 'seen'); commit").await;

    let decoded = slot.drain(&session, MANY).await.expect("decoded");
    let expect: [&[&str]; 4] = [
        &["insert whole 1,first to commit"],
        &["insert keyed 1,a", "insert keyed 2,null"],
        &["update keyed 1,b", "update keyed key 2,null to 9,null"],
        &["update whole full 1,first to commit to 1,c", "delete whole full 1,c", "delete keyed key 9,null"],
    ];
    assert_eq!(shorts(&decoded)[..4], expect);
    assert_eq!(shorts(&decoded)[4..], [["truncate keyed", "message audit seen"]]);
    assert_eq!(i64::from(decoded[1].xid), xid);
    assert!(decoded.is_sorted_by_key(|transaction| transaction.commit_lsn));
    assert!(decoded[0].commit_lsn > slot.created_at());
    assert_eq!(slot.drain(&session, MANY).await.expect("nothing is left"), []);
    slot.remove(&session).await.expect("dropped");
}

#[tokio::test]
async fn savepoints_that_were_rolled_back_and_aborted_transactions_are_not_decoded() {
    let (_server, session, slot) = ground().await;
    run(&session, "begin; insert into keyed values (1, 'gone'); rollback").await;
    run(&session, "begin; insert into keyed values (1, 'kept'); savepoint s").await;
    let top = number(&session, "select pg_current_xact_id()::text::bigint").await;
    run(&session, "update keyed set name = 'undone'; rollback to s; savepoint s2").await;
    run(&session, "insert into keyed values (2, 'in a savepoint'); release s2; commit").await;
    let decoded = slot.drain(&session, MANY).await.expect("decoded");
    assert_eq!(shorts(&decoded), [["insert keyed 1,kept", "insert keyed 2,in a savepoint"]]);
    assert_eq!(i64::from(decoded[0].xid), top, "the change of a savepoint carries the transaction's own id");
    slot.remove(&session).await.expect("dropped");
}

#[tokio::test]
async fn what_was_told_to_a_client_is_decoded_although_commits_are_asynchronous() {
    let (_server, session, slot) = ground().await;
    // The WAL writer would only flush after this time, and the profile commits asynchronously.
    run(&session, "alter system set wal_writer_delay = '10s'").await;
    run(&session, "select pg_reload_conf()").await;
    for id in 0..20 {
        run(&session, &format!("insert into keyed values ({id}, 'x')")).await;
        assert_eq!(slot.drain(&session, MANY).await.expect("decoded").len(), 1, "{id}");
    }
    slot.remove(&session).await.expect("dropped");
}

#[tokio::test]
async fn a_limit_bounds_what_is_given_out_and_nothing_is_lost() {
    let (_server, session, slot) = ground().await;
    for id in 0..10 {
        run(&session, &format!("insert into keyed select {id} * 100 + g, 'x' from generate_series(1, {id} + 1) g"))
            .await;
    }
    let mut ids = Vec::new();
    for expect in [4, 4, 2, 0] {
        let decoded = slot.drain(&session, 4).await.expect("decoded");
        assert_eq!(decoded.len(), expect);
        ids.extend(decoded.iter().map(|transaction| transaction.changes.len()));
    }
    assert_eq!(ids, (1..=10).collect::<Vec<_>>());
    slot.remove(&session).await.expect("dropped");
}

#[tokio::test]
async fn what_was_only_looked_at_stays_until_the_slot_is_moved() {
    let (_server, session, slot) = ground().await;
    run(&session, "insert into keyed values (1, 'a')").await;
    run(&session, "insert into keyed values (2, 'b')").await;
    let first = slot.peek(&session).await.expect("decoded");
    assert_eq!(first.len(), 2);
    assert_eq!(slot.peek(&session).await.expect("decoded"), first);
    slot.advance(&session, first[0].end_lsn).await.expect("moved");
    assert_eq!(slot.peek(&session).await.expect("decoded"), first[1..]);
    slot.remove(&session).await.expect("dropped");
}

#[tokio::test]
async fn the_old_rows_that_the_log_will_not_hold_are_known_before() {
    let (_server, session, slot) = ground().await;
    run(&session, "create table bare (id int); create table none (id int primary key)").await;
    run(&session, "alter table none replica identity nothing; create table part (a int, b int, primary key (b, a))")
        .await;
    let publication = Publication { name: "everything".to_owned() };
    let tables = publication.tables(&session).await.expect("tables");
    let found: Vec<_> =
        tables.iter().map(|table| (table.name.as_str(), table.primary_key.join(","), table.identity)).collect();
    let expect = [
        ("bare", String::new(), Identity::Missing),
        ("keyed", "id".to_owned(), Identity::Key),
        ("none", "id".to_owned(), Identity::Missing),
        ("part", "b,a".to_owned(), Identity::Key),
        ("whole", "id".to_owned(), Identity::Full),
    ];
    assert_eq!(found, expect);
    assert_eq!(unlogged_tables(&session).await.expect("tables"), [("public".to_owned(), "fleeting".to_owned())]);
    slot.remove(&session).await.expect("dropped");
}

/// The decoding error inside an error.
fn decoding(error: &Error) -> &DecodingError {
    assert!(error.hint().is_some(), "{error:?}");
    match error.kind() {
        Kind::Decoding(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_cannot_decode_says_what_to_change() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let error = Slot::create(&session, "s", "p").await.expect_err("wal_level is replica");
    assert_eq!(decoding(&error), &DecodingError::WalLevel { found: "replica".to_owned() });

    let server = support::server(&[LOGICAL[0], ("max_replication_slots", "1")]).await;
    let session = support::session(&server).await;
    let slot = Slot::create(&session, "first", "p").await.expect("a slot");
    let error = Slot::create(&session, "second", "p").await.expect_err("no slot is free");
    assert_eq!(decoding(&error), &DecodingError::NoFreeSlot { limit: "1".to_owned() });
    slot.remove(&session).await.expect("dropped");
    let slot = Slot::create(&session, "second", "p").await.expect("it is free again");
    let error = Slot::create(&session, "Not-A-Name", "p").await.expect_err("no such names");
    assert_eq!(decoding(&error), &DecodingError::BadName { name: "Not-A-Name".to_owned() });
    drop(slot);
}

#[tokio::test]
async fn a_role_without_the_right_is_told_so_and_an_owner_can_publish_its_tables() {
    let (server, session, slot) = ground().await;
    run(&session, "create role plain login; create role replicator login replication").await;
    run(&session, "grant create on database postgres to replicator; create table mine (id int primary key)").await;
    run(&session, "alter table mine owner to replicator").await;
    let plain = server.endpoint().with_user("plain").connect().await.expect("a session");
    let error = Slot::create(&plain, "s", "p").await.expect_err("no right to slots");
    assert_eq!(decoding(&error), &DecodingError::MayNotReplicate { role: "plain".to_owned() });
    let error = Publication::create(&plain, "p", Tables::All).await.expect_err("no right to publish");
    assert!(matches!(decoding(&error), DecodingError::MayNotPublish { role, .. } if role == "plain"));

    let replicator = server.endpoint().with_user("replicator").connect().await.expect("a session");
    let named = Tables::Named(&[("public", "mine")]);
    let publication = Publication::create(&replicator, "p", named).await.expect("its own table");
    let own = Slot::create_temporary(&replicator, &name_for("test"), "p").await.expect("a slot");
    run(&session, "insert into keyed values (1, 'not published'); insert into mine values (7)").await;
    assert_eq!(shorts(&own.drain(&replicator, MANY).await.expect("decoded")), [["insert mine 7"]]);
    publication.remove(&replicator).await.expect("dropped");
    slot.remove(&session).await.expect("dropped");
}

#[tokio::test]
async fn a_slot_goes_with_its_session_or_with_its_value() {
    const SLOTS: &str = "select count(*) from pg_replication_slots";
    let (server, session, slot) = ground().await;
    slot.remove(&session).await.expect("dropped");
    let other = support::session(&server).await;
    let temporary = Slot::create_temporary(&other, &name_for("test"), "everything").await.expect("a slot");
    let guarded = Slot::create(&session, &name_for("test"), "everything").await.expect("a slot");
    let guarded = guarded.guarded_by(server.endpoint());
    assert_eq!(number(&session, SLOTS).await, 2);
    drop((temporary, guarded));
    other.close().await;
    // The server ends a backend, and the guard connects, in their own time.
    for _ in 0..1_000 {
        if number(&session, SLOTS).await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a slot was left behind");
}

#[tokio::test]
async fn slots_of_processes_that_are_gone_are_swept_and_others_are_not() {
    let (_server, session, slot) = ground().await;
    // No process has this number: it is above the highest that Linux gives.
    let own = name_for("test");
    let stale = own.replace(&format!("_{}_", std::process::id()), "_999999999_");
    assert_ne!(own, stale);
    for name in [stale.as_str(), "somebody_elses"] {
        drop(Slot::create(&session, name, "everything").await.expect("a slot"));
    }
    Publication::create(&session, &stale, Tables::Named(&[("public", "keyed")])).await.expect("a publication");
    assert_eq!(sweep(&session).await.expect("swept"), std::slice::from_ref(&stale));
    assert_eq!(sweep(&session).await.expect("swept"), Vec::<String>::new());
    let mut left = vec![slot.name().to_owned(), "somebody_elses".to_owned()];
    left.sort();
    let rows = session.query("select slot_name::text from pg_replication_slots order by 1", &[]).await.expect("slots");
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), left);
    let count = "select count(*) from pg_publication where pubname like 'pgstrata%'";
    assert_eq!(number(&session, count).await, 0);
}
