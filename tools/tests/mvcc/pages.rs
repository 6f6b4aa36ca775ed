//! What is seen with `pageinspect`: dead and uncommitted versions, their values, and with whose eyes which are seen.

use std::collections::BTreeSet;

use pgstrata_pg::Session;
use pgstrata_timeline::{Fate, XmaxKind};
use pgstrata_tools::mvcc::{Observer, Sample, Watch};

use crate::seats::{
    has_note, horizons, observer, pid, run, seat, server, transactions, until, verdicts, versions, viewers, watch,
};

/// The places that a viewer sees, by the verdicts; panics if one is not known.
pub fn seen_by(sample: &Sample, viewer: &str) -> BTreeSet<(u32, u16)> {
    let of_viewer = verdicts(sample).into_iter().filter(|verdict| verdict.viewer == viewer);
    let visible = of_viewer.filter(|verdict| verdict.is_visible.unwrap_or_else(|| panic!("unknown: {verdict:?}")));
    let keys: BTreeSet<_> = visible.map(|verdict| verdict.version).collect();
    versions(sample).iter().filter(|it| keys.contains(&it.key())).map(|it| (it.block, it.offset)).collect()
}

/// The places that a session really sees.
pub async fn really_seen(session: &Session, table: &str) -> BTreeSet<(u32, u16)> {
    let sql = format!("select (ctid::text::point)[0]::bigint, (ctid::text::point)[1]::int from {table}");
    let rows = session.query(&sql, &[]).await.expect("it can be read");
    let place = |row: &pgstrata_pg::sql::Row| {
        let block = u32::try_from(row.get::<_, i64>(0)).expect("a page's number");
        (block, u16::try_from(row.get::<_, i32>(1)).expect("a line pointer's number"))
    };
    rows.iter().map(place).collect()
}

async fn inspected(server: &pgstrata_pg::Cluster) -> (Session, Observer) {
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect").await;
    let observer = observer(&server.endpoint()).await;
    (setup, observer)
}

#[tokio::test]
async fn all_versions_of_a_row_are_shown_with_values_and_what_became_of_them() {
    let server = server().await;
    let (setup, mut observer) = inspected(&server).await;
    run(&setup, "create table t(id int primary key, name text, amount numeric, tags jsonb)").await;
    run(&setup, r#"insert into t values (1, 'a', 1.50, '{"k": [1]}')"#).await;
    run(&setup, "begin; update t set name = 'rolled back'; rollback").await;
    run(&setup, "update t set name = 'c'").await;
    let writer = seat(&server.endpoint(), "writer").await;
    run(&writer, "begin; update t set name = 'pending'").await;
    observer.watch(watch("public.t"));
    let sample = observer.sample().await;
    let mut found = versions(&sample);
    found.sort_by_key(|version| version.offset);
    let name = |version: &pgstrata_timeline::RowVersion| {
        version.values.as_ref().expect("values")["name"].as_str().map(str::to_owned)
    };
    let shown: Vec<_> = found.iter().map(|it| (name(it).unwrap_or_default(), it.fate, it.xmax_kind)).collect();
    let expected = [
        ("a".to_owned(), Fate::Replaced, XmaxKind::Update),
        ("rolled back".to_owned(), Fate::Aborted, XmaxKind::None),
        ("c".to_owned(), Fate::Live, XmaxKind::Update),
        ("pending".to_owned(), Fate::Pending, XmaxKind::None),
    ];
    assert_eq!(shown, expected);
    let parents: Vec<_> = found.iter().map(|version| version.parent.clone()).collect();
    assert_eq!(
        parents,
        [None, Some(found[0].key()), Some(found[0].key()), Some(found[2].key())],
        "branches have their parents"
    );
    assert_eq!(found[0].values.as_ref().expect("values")["tags"], serde_json::json!({"k": [1]}));
    assert_eq!(found[0].values.as_ref().expect("values")["id"], 1);
    assert!(found.iter().all(|version| version.row.as_deref() == Some("1")));
}

#[tokio::test]
async fn each_session_sees_what_the_verdicts_say() {
    let server = server().await;
    let (setup, mut observer) = inspected(&server).await;
    let endpoint = server.endpoint();
    run(&setup, "create table t(id int primary key, n int) with (fillfactor = 50); insert into t select n, 0 from generate_series(1, 20) n").await;
    observer.watch(watch("public.t"));
    observer.sample().await;
    let mut readers = Vec::new();
    for step in 0..4 {
        let reader = seat(&endpoint, &format!("reader-{step}")).await;
        run(&reader, "begin isolation level repeatable read; select 1 from t limit 1").await;
        let id = format!("pid:{}", pid(&reader).await);
        until(&mut observer, "the new reader", |sample| viewers(sample).iter().any(|viewer| viewer.id == id)).await;
        readers.push((id, reader));
        run(&setup, &format!("update t set n = {step} where id % 3 = {} and id <> 7", step % 3)).await;
        run(&setup, &format!("begin; delete from t where id = {}; rollback", step + 1)).await;
        // The next reader's snapshot is found out only if nothing ends between the looks before and after it was taken.
        observer.sample().await;
    }
    // A session that has written, with a rolled back savepoint, sees its own changes.
    let writer = seat(&endpoint, "writer").await;
    run(
        &writer,
        "begin; update t set n = 100 where id = 5; savepoint a; update t set n = 101 where id = 6; rollback to a",
    )
    .await;
    run(
        &writer,
        "savepoint b; delete from t where id = 7; insert into t values (99, 0); update t set n = 102 where id = 5",
    )
    .await;
    let id = format!("pid:{}", pid(&writer).await);
    let sample =
        until(&mut observer, "the writer", |sample| viewers(sample).iter().any(|viewer| viewer.id == id)).await;
    readers.push((id, writer));
    for (id, session) in &readers {
        assert_eq!(seen_by(&sample, id), really_seen(session, "t").await, "{id}");
    }
    assert_eq!(seen_by(&sample, "new"), really_seen(&setup, "t").await);
    assert!(verdicts(&sample).len() >= 6 * 30, "{} verdicts", verdicts(&sample).len());
}

#[tokio::test]
async fn who_locks_a_row_together_is_named() {
    let server = server().await;
    let (setup, mut observer) = inspected(&server).await;
    run(&setup, "create table t(id int primary key); insert into t values (1)").await;
    let (one, two) = (seat(&server.endpoint(), "one").await, seat(&server.endpoint(), "two").await);
    run(&one, "begin; select from t for key share").await;
    run(&two, "begin; select from t for share").await;
    observer.watch(watch("t"));
    let sample =
        until(&mut observer, "two members", |sample| versions(sample).iter().any(|it| it.members.len() == 2)).await;
    let members = versions(&sample).remove(0).members;
    let running: BTreeSet<_> = transactions(&sample).into_iter().map(|it| it.xid).collect();
    assert_eq!(members.iter().map(|member| member.xid).collect::<BTreeSet<_>>(), running);
    assert!(members.iter().all(|member| !member.is_change));
}

#[tokio::test]
async fn dead_versions_are_counted_by_whether_they_could_go() {
    let server = server().await;
    let (setup, mut observer) = inspected(&server).await;
    run(&setup, "create table t(id int primary key, n int); insert into t values (1, 0)").await;
    run(&setup, "begin; update t set n = 1; rollback").await;
    observer.watch(watch("t"));
    let horizon = |sample: &Sample| {
        let horizon = horizons(sample).remove(0);
        (horizon.removable, horizon.kept)
    };
    assert_eq!(horizon(&observer.sample().await), (1, 0));
    let reader = seat(&server.endpoint(), "reader").await;
    run(&reader, "begin isolation level repeatable read; select from t").await;
    // Another page-full of nothing: no statement of ours prunes here, the update's own look at a page with room does not.
    run(&setup, "update t set n = 2").await;
    let sample = until(&mut observer, "a version that must stay", |sample| horizon(sample).1 == 1).await;
    assert!(horizons(&sample)[0].kept_bytes >= 32);
    run(&reader, "commit").await;
    until(&mut observer, "it could go", |sample| horizon(sample).1 == 0).await;
}

#[tokio::test]
async fn a_version_that_is_pruned_is_remembered_as_removed() {
    let server = server().await;
    let (setup, mut observer) = inspected(&server).await;
    run(&setup, "create table t(id int primary key, n int); insert into t values (1, 0); update t set n = 1").await;
    observer.watch(watch("t"));
    let before = versions(&observer.sample().await);
    assert_eq!(before.len(), 2);
    run(&setup, "vacuum t").await;
    let sample = observer.sample().await;
    let gone: Vec<_> = versions(&sample).into_iter().filter(|version| version.fate == Fate::Removed).collect();
    assert_eq!(gone.iter().map(pgstrata_timeline::RowVersion::key).collect::<Vec<_>>(), [before[0].key()]);
}

#[tokio::test]
async fn a_row_is_found_in_a_table_with_more_pages_than_are_shown() {
    let server = server().await;
    let (setup, mut observer) = inspected(&server).await;
    run(&setup, "create table t(a int, b text, filler text, primary key (a, b)); insert into t select n, 'x', repeat('f', 900) from generate_series(1, 600) n").await;
    run(&setup, "update t set filler = repeat('g', 900) where a = 590").await;
    observer.watch(Watch { row: Some(r#"{"b": "x", "a": 590}"#.to_owned()), ..watch("t") });
    let sample = until(&mut observer, "both versions", |sample| versions(sample).len() == 2).await;
    let blocks: BTreeSet<_> = versions(&sample).iter().map(|version| version.block).collect();
    assert!(blocks.iter().all(|block| *block > 40), "{blocks:?}");
    assert!(has_note(&sample, "row-search"));
    observer.watch(watch("t"));
    let sample = observer.sample().await;
    assert!(has_note(&sample, "pages-cut"));
}

#[tokio::test]
async fn a_role_that_is_no_superuser_is_told_why_it_sees_less() {
    let server = server().await;
    let (setup, _) = inspected(&server).await;
    run(&setup, "create role reader login; create table t(id int primary key); insert into t values (1); grant select on t to reader").await;
    run(&setup, "create table secret(id int primary key); insert into secret values (1)").await;
    let mut observer = observer(&server.endpoint().with_user("reader")).await;
    observer.watch(watch("public.t"));
    let sample = observer.sample().await;
    assert_eq!(versions(&sample).len(), 1);
    for code in ["pageinspect-needs-superuser", "activity-denied", "wal-needs-replication"] {
        assert!(has_note(&sample, code), "{code}");
    }
    observer.watch(watch("public.secret"));
    let sample = observer.sample().await;
    assert!(has_note(&sample, "table-denied"));
    assert!(versions(&sample).is_empty());
}
