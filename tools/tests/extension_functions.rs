//! The extension's functions on a real server: what they show, whom they refuse, and that they leave no trace.

use pgstrata_pg::sql::{ClientError, Row, ToSql};
use pgstrata_pg::{Cluster, Session, testing};

/// A server with the extension, and a superuser's session.
struct Server {
    cluster: Cluster,
    session: Session,
}

impl Server {
    async fn start() -> Self {
        let spec = testing::extended_spec().expect("the extension is built by `cargo xtask ext`");
        // What was written stays until somebody asks: no background pruning.
        let spec = spec.with_setting("autovacuum", "off").with_setting("max_prepared_transactions", "4");
        let cluster = Cluster::create(spec).await.expect("a server");
        let session = cluster.endpoint().connect().await.expect("a session");
        session.batch_execute("create extension mvcc_visualizer").await.expect("the extension");
        Self { cluster, session }
    }

    async fn run(&self, statements: &str) {
        self.session.batch_execute(statements).await.expect("statements of the test");
    }

    async fn rows(&self, query: &str) -> Vec<Row> {
        self.session.query(query, &[]).await.expect("a query of the test")
    }

    async fn text(&self, query: &str) -> String {
        text_of(&self.session, query).await
    }

    async fn other(&self) -> Session {
        self.cluster.endpoint().connect().await.expect("another session")
    }
}

/// The only value of the only row, as text.
async fn text_of(session: &Session, query: &str) -> String {
    session.query_one(query, &[]).await.expect("one row").get(0)
}

/// The SQLSTATE and the message of what was refused.
async fn refused(session: &Session, query: &str) -> (String, String) {
    let none: &[&(dyn ToSql + Sync)] = &[];
    let error: ClientError = session.query(query, none).await.expect_err("it must be refused");
    let error = error.as_db_error().expect("the server refused it");
    (error.code().code().to_owned(), error.message().to_owned())
}

/// Rows of `mvcc_show_versions` as one text: place, fate, whether visible, why, value.
const OF_ROW: &str =
    "select string_agg(format('(%s,%s) %s %s %s %s', block, line, fate, visible, reason, \"values\"->>'n'),
    ' | ' order by block, line) from ";

#[tokio::test]
async fn every_version_of_a_row_is_shown_with_who_sees_it() {
    let server = Server::start().await;
    server.run("create table account (id integer primary key, n integer)").await;
    server.run("insert into account values (1, 10), (2, 20)").await;
    server.run("update account set n = 11 where id = 1").await;
    server.run("begin; update account set n = 12 where id = 1; rollback").await;
    let other = server.other().await;
    other.batch_execute("begin; update account set n = 13 where id = 1").await.expect("another writer");
    let shown = server.text(&format!("{OF_ROW} mvcc_show_versions('account', '1')")).await;
    // The version that was rolled back lost its pointer to the one of the other writer, and is found all the same.
    let expected = "(0,1) replaced f replaced 10 | (0,3) live t ender-running 11 | \
                    (0,4) aborted f maker-aborted 12 | (0,5) pending f maker-running 13";
    assert_eq!(shown, expected);
    for named in ["'account', 1", "'account', '{\"id\": 1}'::jsonb", "'account', '(0,3)'"] {
        assert_eq!(server.text(&format!("{OF_ROW} mvcc_show_versions({named})")).await, expected, "{named}");
    }
    let parents = server
        .text(
            "select string_agg(format('%s:%s', line, parent), ' ' order by line)
        from mvcc_show_versions('account', '1')",
        )
        .await;
    assert_eq!(parents, "1: 3:1 4:3 5:3");
    let own = text_of(&other, &format!("{OF_ROW} mvcc_show_versions('account', '1')")).await;
    assert!(
        own.ends_with(
            "(0,3) live f own-replaced 11 | (0,4) aborted f maker-aborted 12 | (0,5) pending t own-change 13"
        ),
        "{own}"
    );
}

#[tokio::test]
async fn looking_leaves_no_trace_on_the_page() {
    let server = Server::start().await;
    server.run("create table t (id integer primary key, n integer)").await;
    server.run("insert into t select id, 0 from generate_series(1, 50) id").await;
    server.run("update t set n = 1; begin; update t set n = 2; rollback").await;
    server.run("create extension pageinspect").await;
    let page = "select encode(get_raw_page('t', 0), 'hex')";
    let before = server.text(page).await;
    for looks in [
        "select count(*) from mvcc_page('t', 0)",
        "select count(*) from generate_series(1, 50) id, lateral mvcc_show_versions('t', id::text)",
        "select count(*) from mvcc_page_header('t', 0)",
    ] {
        server.rows(looks).await;
        assert_eq!(server.text(page).await, before, "{looks} must leave the page and its LSN as they are");
    }
    // The check can fail: an ordinary look sets hint bits, or prunes.
    server.rows("select * from t where id = 1").await;
    assert_ne!(server.text(page).await, before);
}

#[tokio::test]
async fn what_pageinspect_says_of_a_page_is_said_here_too() {
    let server = Server::start().await;
    server.run("create extension pageinspect; create table t (id integer primary key, n integer, pad text)").await;
    server.run("insert into t select id, 0, repeat('x', id) from generate_series(1, 60) id").await;
    server.run("update t set n = 1 where id % 3 = 0; delete from t where id % 7 = 0").await;
    server.run("vacuum t").await;
    server.run("begin; select * from t where id = 2 for share; savepoint a; update t set n = 5 where id = 5; rollback to a;
        update t set n = 9 where id = 4; commit; update t set id = 100 where id = 8").await;
    let differences = "
        select count(*)::text
        from heap_page_items(get_raw_page('t', 0)) as item
        left join lateral heap_tuple_infomask_flags(t_infomask, t_infomask2) as mask on true
        full join mvcc_page('t', 0) as ours on ours.line = item.lp
        where (item.t_ctid::text, item.t_xmin::text, nullif(item.lp_len, 0)::integer) is distinct from
              (coalesce(ours.next, case when ours.xmin is not null then format('(%s,%s)', block, line)::tid end)::text,
               (ours.xmin::text::bigint % 4294967296)::text, ours.bytes)
           or (select array_agg(flag order by flag) from unnest(mask.raw_flags || mask.combined_flags) as flag)
              is distinct from (select array_agg(flag order by flag) from unnest(ours.flags) as flag)
           or ('{unused,normal,redirect,dead}'::text[])[item.lp_flags + 1] is distinct from ours.line_state";
    assert_eq!(server.text(differences).await, "0");
    let lines =
        server.text("select string_agg(distinct line_state, ' ' order by line_state) from mvcc_page('t', 0)").await;
    assert_eq!(lines, "normal redirect unused");
    let header = server
        .text(
            "
        select count(*)::text from page_header(get_raw_page('t', 0)) as raw, mvcc_page_header('t', 0) as ours
        where (raw.lsn, raw.lower::integer, raw.upper::integer, raw.special::integer, raw.prune_xid::text)
            = (ours.lsn, ours.lower, ours.upper, ours.special, coalesce(ours.prune_xid, '0')::text)",
        )
        .await;
    assert_eq!(header, "1");
}

#[tokio::test]
async fn who_may_not_read_the_table_may_not_look_at_its_pages() {
    let server = Server::start().await;
    server
        .run("create table t (id integer primary key, n integer, owner text); insert into t values (1, 1, 'guest')")
        .await;
    server.run("create role guest login; create role reader login").await;
    let guest = server.cluster.endpoint().with_user("guest").connect().await.expect("a session of a guest");
    let look = "select * from mvcc_show_versions('t', '1')";
    let page = "select * from mvcc_page('t', 0)";
    let check = async |query: &str, code: &str, word: &str| {
        let (sqlstate, message) = refused(&guest, query).await;
        assert_eq!(sqlstate, code, "{message}");
        assert!(message.contains(word), "{message}");
    };
    check(look, "42501", "permission denied for function").await;
    server.run("grant execute on all functions in schema public to guest").await;
    check(look, "42501", "permission denied for table").await;
    check(page, "42501", "permission denied for table").await;
    check("select * from mvcc_page_header('t', 0)", "42501", "permission denied for table").await;
    server.run("grant select (id) on t to guest").await;
    check(look, "42501", "permission denied for table").await;
    server.run("grant select on t to guest").await;
    assert_eq!(guest.query(look, &[]).await.expect("allowed now").len(), 1);
    check("select * from mvcc_page_image('t', ''::bytea)", "42501", "superuser").await;
    server.run("alter table t enable row level security; create policy own on t using (owner = current_user)").await;
    check(look, "42501", "row-level security").await;
    check(page, "42501", "row-level security").await;
    guest.batch_execute("set row_security = off").await.expect("a setting");
    check(look, "42501", "row-level security").await;
    assert_eq!(server.rows(look).await.len(), 1, "a superuser bypasses it");
    let public = "select count(*)::text from pg_proc p join pg_depend d on d.objid = p.oid and d.deptype = 'e'
        join pg_extension e on e.oid = d.refobjid and e.extname = 'mvcc_visualizer'
        where has_function_privilege('reader', p.oid, 'execute')";
    server.run("revoke all on all functions in schema public from guest").await;
    assert_eq!(server.text(public).await, "0", "nobody has a function who was not given it");
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_refused_with_a_reason() {
    let server = Server::start().await;
    server.run("create table t (id integer primary key, n integer); insert into t values (1, 1)").await;
    server
        .run(
            "create view v as select 1 as id; create sequence s; create table none (n integer);
        create table p (id integer) partition by list (id); create table two (a integer, b text, primary key (a, b))",
        )
        .await;
    let other = server.other().await;
    other.batch_execute("create temporary table of_other (id integer primary key)").await.expect("a temporary table");
    let temporary = text_of(&other, "select 'of_other'::regclass::oid::bigint::text").await;
    let check = async |arguments: &str, code: &str, word: &str| {
        let (sqlstate, message) = refused(&server.session, &format!("select * from {arguments}")).await;
        assert_eq!(sqlstate, code, "{message}");
        assert!(message.contains(word), "{arguments}: {message}");
    };
    check("mvcc_show_versions('v', '1')", "42809", "not stored as a heap").await;
    check("mvcc_page('s', 0)", "42809", "not stored as a heap").await;
    check("mvcc_page('t_pkey', 0)", "42809", "not stored as a heap").await;
    check("mvcc_page('p', 0)", "42809", "partitioned").await;
    check(&format!("mvcc_page({temporary}, 0)"), "0A000", "temporary table of another session").await;
    check("mvcc_page(4000000000::oid, 0)", "42P01", "no table").await;
    check("mvcc_page('t', 1)", "22023", "no page 1").await;
    check("mvcc_page('t', -1)", "22023", "no page -1").await;
    check("mvcc_show_versions('t', '(7,1)')", "22023", "no page 7").await;
    check("mvcc_show_versions('t', 'one')", "22P02", "invalid input syntax").await;
    check("mvcc_show_versions('none', '1')", "42704", "no primary key").await;
    check("mvcc_show_versions('two', '1')", "22023", "has 2 columns").await;
    check("mvcc_show_versions('two', '{\"a\": 1}'::jsonb)", "22023", "not the columns of a key").await;
    check("mvcc_show_versions('two', '{\"a\": 1, \"b\": null}'::jsonb)", "22023", "null").await;
    check("mvcc_show_versions('two', '[1]'::jsonb)", "22023", "no JSON object").await;
    other.batch_execute("begin; lock table t in access exclusive mode").await.expect("a lock");
    check("mvcc_show_versions('t', '1')", "55P03", "locked exclusively").await;
    check("mvcc_page('t', 0)", "55P03", "locked exclusively").await;
    other.batch_execute("rollback").await.expect("no lock");
    let held = "select count(*)::text from pg_locks where relation = 't'::regclass";
    server.run("begin; select * from mvcc_show_versions('t', '1')").await;
    assert_eq!(server.text(held).await, "0", "the lock is given back at once");
}

#[tokio::test]
async fn much_is_refused_and_not_cut_off_silently() {
    let server = Server::start().await;
    server.run("create table t (id integer primary key, pad text)").await;
    // Nothing that this one could see is pruned.
    let other = server.other().await;
    other.batch_execute("begin isolation level repeatable read; select 1").await.expect("a snapshot");
    server.run("insert into t values (1, repeat('x', 1500)); update t set pad = pad; update t set pad = pad").await;
    let look = "select * from mvcc_show_versions('t', '1')";
    let check = async |setting: &str, word: &str| {
        server.run(&format!("set {setting}")).await;
        let (sqlstate, message) = refused(&server.session, look).await;
        assert_eq!(sqlstate, "54000", "{message}");
        assert!(message.contains(word), "{message}");
        server.run("reset all").await;
    };
    check("mvcc_visualizer.max_versions = 2", "more than 2 versions").await;
    check("mvcc_visualizer.max_result_bytes = 2048", "more than 2048 bytes").await;
    server
        .run("insert into t select id, repeat('x', 1500) from generate_series(2, 6) id; update t set pad = pad || 'y'")
        .await;
    check("mvcc_visualizer.max_pages = 1", "more than 1 pages").await;
    server.run("set mvcc_visualizer.max_value_bytes = 100").await;
    let long = server.text("select \"values\"->>'pad' from mvcc_show_versions('t', '1') limit 1").await;
    assert_eq!(long, "{\"$long\": {\"bytes\": 1500}}");
}

#[tokio::test]
async fn values_out_of_line_are_named_and_never_fetched() {
    let server = Server::start().await;
    server
        .run(
            "create table t (id integer primary key, big text, n integer);
        alter table t alter column big set storage external;
        insert into t values (1, repeat('long ', 2000), 1), (2, repeat('kept ', 2000), 1);
        update t set big = 'short' where id = 1",
        )
        .await;
    let toast = server.text("select reltoastrelid::regclass::text from pg_class where oid = 't'::regclass").await;
    // With the old value vacuumed away, whoever fetched it would fail.
    server.run(&format!("vacuum {toast}")).await;
    let shown = server
        .text("select string_agg(\"values\"->>'big', ' | ' order by line) from mvcc_show_versions('t', '1')")
        .await;
    assert!(shown.starts_with("{\"$toast\": {\"table\": ") && shown.ends_with("} | short"), "{shown}");
    assert!(shown.contains("\"raw_bytes\": 10004"), "{shown}");
    let chunks = server.text(&format!("select count(*)::text from mvcc_page('{toast}', 0)")).await;
    assert_ne!(chunks, "0", "a table of such values is a heap, too");
}

#[tokio::test]
async fn keys_of_any_type_find_their_row() {
    let server = Server::start().await;
    server.run("create type mood as enum ('glad', 'sad'); create domain small as integer check (value < 10)").await;
    for (kind, key) in [
        ("bigint", "9007199254740993"),
        ("text", "a key, (not) a place"),
        ("uuid", "6f1e6ba2-5b0e-4d8a-9d43-0a6d1a2b3c4d"),
        ("numeric(20, 4)", "12345.6789"),
        ("timestamptz", "2026-11-23 08:00:00+00"),
        ("mood", "sad"),
        ("small", "7"),
        ("bytea", "\\x00ff"),
        ("integer[]", "{1,2,3}"),
        ("char(8)", "ab"),
        ("jsonb", "{\"a\": [1, 2]}"),
        ("inet", "10.0.0.1/8"),
        ("int4range", "[1,5)"),
        ("date", "2026-11-23"),
        ("boolean", "t"),
        ("name", "pg_class"),
    ] {
        server.run(&format!("create table t (key {kind} primary key, n integer)")).await;
        let insert = format!("insert into t values ($1::text::{kind}, 1)");
        server.session.execute(&insert, &[&key]).await.expect("a row");
        server.run("update t set n = 2").await;
        let look = "select string_agg(\"values\"->>'n', ' ' order by line) from mvcc_show_versions('t', $1::text)";
        let shown: Option<String> = server.session.query_one(look, &[&key]).await.expect(kind).get(0);
        assert_eq!(shown.as_deref(), Some("1 2"), "{kind}");
        let printed = "select bool_and(\"values\"->>'key' = format('%s', key))::text from mvcc_page('t', 0), t";
        assert_eq!(server.text(printed).await, "true", "{kind} is shown as its type prints it");
        server.run("drop table t").await;
    }
}

#[tokio::test]
async fn a_row_is_followed_over_pages_and_changes_of_its_key() {
    let server = Server::start().await;
    server
        .run(
            "create table t (a integer, b text, pad text, gone integer, primary key (a, b)) with (fillfactor = 100);
        insert into t select 1, id::text, repeat('x', 900), 5 from generate_series(1, 8) id;
        alter table t drop column gone; alter table t add column n integer default 3;
        update t set pad = repeat('y', 900) where b = '1'; update t set a = 2 where b = '1'",
        )
        .await;
    let row = |key: &str| {
        format!(
            "select string_agg(format('%s %s %s %s', block, \"values\"->>'a', left(\"values\"->>'pad', 1),
        \"values\"->>'n'), ' | ' order by block, line) from mvcc_show_versions('t', '{key}'::jsonb)"
        )
    };
    // The first version is on a full page, its successors are on the next; what it did not store has its default.
    assert_eq!(server.text(&row("{\"a\": 1, \"b\": \"1\"}")).await, "0 1 x 3 | 1 1 y 3 | 1 2 y 3");
    assert_eq!(server.text(&row("{\"b\": \"1\", \"a\": 2}")).await, "1 2 y 3", "backwards nothing leads");
    let keys = server.text("select row_key::text from mvcc_show_versions('t', '(0,1)') limit 1").await;
    assert_eq!(keys, "{\"a\": \"1\", \"b\": \"1\"}");
    let dropped = server.text("select (bool_or(\"values\" ? 'gone'))::text from mvcc_page('t', 0)").await;
    assert_eq!(dropped, "false");
}

#[tokio::test]
async fn members_and_prepared_transactions_are_told() {
    let server = Server::start().await;
    server.run("create table t (id integer primary key, n integer); insert into t values (1, 1), (2, 2)").await;
    let (first, second) = (server.other().await, server.other().await);
    first.batch_execute("begin; select * from t where id = 1 for key share").await.expect("a lock");
    second.batch_execute("begin; update t set n = 5 where id = 1; prepare transaction 'p'").await.expect("prepared");
    let members = server.text("select string_agg(format('%s %s %s', member->>'mode', member->>'is_change', member->>'status'),
        ' | ' order by (member->>'xid')::bigint) from mvcc_show_versions('t', '1'), jsonb_array_elements(members) member").await;
    assert_eq!(members, "key-share false in-progress | no-key-update true prepared");
    let reasons = server.text("select string_agg(reason, ' ' order by line) from mvcc_show_versions('t', '1')").await;
    assert_eq!(reasons, "ender-prepared maker-prepared");
    first.batch_execute("commit").await.expect("unlocked");
    server.run("select pg_current_xact_id()").await;
    let snapshot = server.text("select string_agg(concat_ws(' ', part, status), ', ') from mvcc_show_snapshot()").await;
    assert_eq!(snapshot, "all-below-had-ended, running prepared, none-from-here-had-ended");
    server.run("commit prepared 'p'").await;
}
