//! Watched transactions on a schema of the test's own, against a real server: the anomalies that each isolation level
//! lets through are found, with their witness, and none where there is none.

use std::sync::Arc;

use pgstrata_history::Model;
use pgstrata_history::exact::{GapKind, Predicate};
use pgstrata_lab::observe::{Held, IsolationRecord, Observer, WatchedTransaction, Watches, Watching};
use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::Violation;
use pgstrata_pg::{Cluster, Error, ErrorClass, Session, testing};
use pgstrata_units::Isolation;

pub(crate) const SCHEMA: &str = include_str!("doctors.sql");
const COUNT: &str = include_str!("doctors_count.sql");
pub(crate) const LIST: &str = include_str!("doctors_list.sql");
const ONE: &str = include_str!("doctors_one.sql");
pub(crate) const SET: &str = include_str!("doctors_set.sql");
const DISMISS: &str = include_str!("doctors_dismiss.sql");
const HIRE: &str = include_str!("doctors_hire.sql");
pub(crate) const TABLE: &str = "clinic.doctor";

pub(crate) const HELD: Held = Held { model: Model::Serializable, tables: &[("clinic", "doctor")] };

/// A server with the schema, under watch.
struct Ground {
    _cluster: Cluster,
    site: Site,
    recorded: Site,
    watches: Watches,
}

impl Ground {
    async fn new() -> Self {
        let spec = testing::spec().expect("PostgreSQL server binaries").with_setting("wal_level", "logical");
        let cluster = Cluster::create(spec).await.expect("a server");
        let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]).watched(Watching::default());
        let session = site.first().control.connect().await.expect("a session");
        session.batch_execute(SCHEMA).await.expect("the schema");
        let watches = Watches::begin(&site, HELD).await.expect("a watch");
        Self { recorded: watches.site(&site), _cluster: cluster, site, watches }
    }

    async fn client(&self, number: u32) -> (Session, Observer) {
        let session = self.site.first().endpoint.connect().await.expect("a session");
        (session, self.recorded.observer(0, number))
    }

    async fn judge(self) -> (IsolationRecord, Option<Violation>) {
        let (mut records, mut violations) = self.watches.finish(&self.site, "test", 7).await.expect("a judgement");
        let session = self.site.first().control.connect().await.expect("a session");
        let left = "select (select count(*) from pg_replication_slots) + (select count(*) from pg_publication)";
        assert_eq!(session.query_one(left, &[]).await.expect("a row").get::<_, i64>(0), 0, "nothing is left behind");
        (records.pop().expect("a record"), violations.pop())
    }
}

fn on_call(ward: i32) -> Arc<Predicate> {
    Arc::new(Predicate::equals("on_call", "t").and(Predicate::equals("ward", &ward.to_string())))
}

async fn count(doing: &mut WatchedTransaction<'_>, ward: i32) -> i64 {
    doing.read_where(TABLE, &on_call(ward), COUNT, &[&ward]).await.expect("counted")[0].get("on_call")
}

async fn go_home(doing: &mut WatchedTransaction<'_>, doctor: i32) {
    let gone = doing.write(TABLE, SET, &[&doctor, &false]).await.expect("written");
    assert_eq!(gone.len(), 1);
}

fn names(record: &IsolationRecord) -> Vec<(&str, u64)> {
    record.anomalies.iter().map(|(name, count)| (name.as_str(), *count)).collect()
}

fn gaps(record: &IsolationRecord) -> Vec<(GapKind, u64)> {
    record.coverage.gaps.iter().map(|gap| (gap.kind, gap.count)).collect()
}

/// Two doctors of one ward look who is on call, see enough, and go home; as their isolation level lets them.
async fn both_go_home(isolation: Isolation, by_count: bool) -> (IsolationRecord, Option<Violation>, [bool; 2]) {
    let ground = Ground::new().await;
    let (mut one, first) = ground.client(0).await;
    let (mut two, second) = ground.client(1).await;
    let mut left = first.begin(&mut one, isolation).await.expect("begun");
    let mut right = second.begin(&mut two, isolation).await.expect("begun");
    for doing in [&mut left, &mut right] {
        if by_count {
            assert_eq!(count(doing, 1).await, 3);
        } else {
            assert_eq!(doing.read(TABLE, LIST, &[&1]).await.expect("read").len(), 3);
        }
    }
    go_home(&mut left, 1).await;
    go_home(&mut right, 3).await;
    let done = [left.commit().await, right.commit().await].map(|outcome: Result<(), Error>| match outcome {
        Ok(()) => true,
        Err(error) if error.class() == ErrorClass::SerializationFailure => false,
        Err(error) => panic!("{error:?}"),
    });
    let (record, violation) = ground.judge().await;
    (record, violation, done)
}

#[tokio::test]
async fn repeatable_read_passed_off_as_serializable_is_convicted_of_write_skew() {
    let (record, violation, done) = both_go_home(Isolation::RepeatableRead, false).await;
    assert_eq!(done, [true, true]);
    assert_eq!(names(&record), [("G2-item", 1)]);
    assert_eq!(gaps(&record), []);
    let violation = violation.expect("it is not serializable");
    assert_eq!(violation.found, "the history of test on server 0 is not serializable: G2-item (1)");
    let because = violation.witnesses[0]["because"].as_array().expect("a cycle");
    let mut because: Vec<&str> = because.iter().filter_map(|sentence| sentence.as_str()).collect();
    because.sort_unstable();
    let expect = [
        "T0 < T1, because T0 read clinic.doctor(3) as ∅ and T1 wrote 1, a later version.",
        "T1 < T0, because T1 read clinic.doctor(1) as ∅ and T0 wrote 1, a later version.",
    ];
    assert_eq!(because, expect);
}

#[tokio::test]
async fn a_count_is_a_read_by_a_condition_and_its_skew_is_one_of_predicates() {
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead] {
        let (record, violation, _) = both_go_home(isolation, true).await;
        assert_eq!(names(&record), [("G2", 1)], "{isolation}");
        assert_eq!((record.coverage.reads, record.coverage.predicate_reads), (0, 2));
        assert!(violation.is_some() && gaps(&record).is_empty());
    }
}

#[tokio::test]
async fn the_same_at_serializable_fails_for_one_of_them_and_is_in_order() {
    for by_count in [true, false] {
        let (record, violation, done) = both_go_home(Isolation::Serializable, by_count).await;
        assert_eq!(done, [true, false]);
        assert_eq!((names(&record), violation), (vec![], None));
        assert_eq!(record.transactions, 1);
    }
}

#[tokio::test]
async fn savepoints_deletions_and_versions_of_ones_own_are_followed_on_a_real_server() {
    let ground = Ground::new().await;
    let (mut one, observer) = ground.client(0).await;
    let mut doing = observer.begin(&mut one, Isolation::ReadCommitted).await.expect("begun");
    go_home(&mut doing, 1).await;
    let undone = doing.savepoint().await.expect("set");
    go_home(&mut doing, 2).await;
    doing.delete(TABLE, DISMISS, &[&3]).await.expect("deleted");
    doing.roll_back_to(&undone).await.expect("undone");
    let kept = doing.savepoint().await.expect("set");
    go_home(&mut doing, 4).await;
    doing.delete(TABLE, DISMISS, &[&5]).await.expect("deleted");
    assert!(doing.look_up(TABLE, &["5"], ONE, &[&5]).await.expect("looked").is_none());
    doing.write(TABLE, HIRE, &[&7, &1]).await.expect("hired");
    doing.release(kept).await.expect("released");
    go_home(&mut doing, 7).await;
    doing.commit().await.expect("committed");

    // It reads everything that the first one left, and what it did not.
    let mut reading = observer.begin(&mut one, Isolation::RepeatableRead).await.expect("begun");
    for doctor in [1, 2, 3, 4, 7] {
        let found = reading.look_up(TABLE, &[&doctor.to_string()], ONE, &[&doctor]).await.expect("looked");
        assert!(found.is_some(), "{doctor}");
    }
    assert!(reading.look_up(TABLE, &["5"], ONE, &[&5]).await.expect("looked").is_none());
    assert!(reading.look_up(TABLE, &["8"], ONE, &[&8]).await.expect("looked").is_none());
    reading.commit().await.expect("committed");
    let (record, violation) = ground.judge().await;
    assert_eq!((names(&record), violation, gaps(&record)), (vec![], None, vec![]));
    // Versions: 1, 4, 5 deleted, 7. Of the eight reads by others, 2, 3 and 8 are initial.
    assert_eq!((record.coverage.rows, record.coverage.versions), (4, 4));
    assert_eq!((record.coverage.reads, record.coverage.reads_of_initial), (8, 3));
    assert_eq!(record.coverage.savepoints_inferred, 0);
    assert_eq!(record.dependencies, 4, "one read of each version that the first one left");
}

#[tokio::test]
async fn an_aborted_transaction_and_one_that_nobody_watched_are_told_apart() {
    let ground = Ground::new().await;
    let (mut one, observer) = ground.client(0).await;
    let mut doing = observer.begin(&mut one, Isolation::ReadCommitted).await.expect("begun");
    go_home(&mut doing, 1).await;
    drop(doing);
    // A stranger writes in a savepoint, so that the row carries a number that nobody told us.
    one.batch_execute("begin; update clinic.doctor set seen = 1 where id = 2; savepoint s").await.expect("begun");
    one.batch_execute("update clinic.doctor set seen = 2 where id = 4; commit").await.expect("committed");
    let mut doing = observer.begin(&mut one, Isolation::RepeatableRead).await.expect("begun");
    for doctor in [1, 2, 4] {
        doing.look_up(TABLE, &[&doctor.to_string()], ONE, &[&doctor]).await.expect("looked");
    }
    doing.commit().await.expect("committed");
    let (record, violation) = ground.judge().await;
    assert_eq!((names(&record), violation), (vec![], None));
    assert_eq!(gaps(&record), [(GapKind::WriterNotWatched, 1)]);
    assert_eq!((record.transactions, record.coverage.savepoints_inferred), (2, 1));
    assert_eq!((record.coverage.reads_of_initial, record.dependencies), (1, 2));
}

#[tokio::test]
async fn what_the_log_does_not_hold_is_said_and_not_judged() {
    let ground = Ground::new().await;
    let (mut one, observer) = ground.client(0).await;
    one.batch_execute("create unlogged table clinic.note (id int primary key); insert into clinic.note values (1)")
        .await
        .expect("a table");
    let mut doing = observer.begin(&mut one, Isolation::ReadCommitted).await.expect("begun");
    let note = "select array[id::text] as row_key, xmin::text as row_xmin from clinic.note";
    doing.read("clinic.note", note, &[]).await.expect("read");
    doing.read(TABLE, LIST, &[&1]).await.expect("read");
    doing.commit().await.expect("committed");
    one.batch_execute("truncate clinic.doctor").await.expect("emptied");
    let (record, violation) = ground.judge().await;
    assert_eq!(violation, None);
    let expect = [(GapKind::TableNotLogged, 1), (GapKind::Truncated, 3), (GapKind::WriterNotWatched, 1)];
    assert_eq!(gaps(&record), expect);
}

#[tokio::test]
async fn a_server_that_cannot_be_watched_says_what_to_change() {
    let cluster = testing::server().await.expect("a server");
    let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]);
    let session = site.first().control.connect().await.expect("a session");
    session.batch_execute(SCHEMA).await.expect("the schema");
    let error = Watches::begin(&site, HELD).await.expect_err("wal_level is replica");
    assert!(error.hint().is_some_and(|hint| hint.contains("wal_level = logical")), "{error:?}");
    let left = session.query_one("select count(*) from pg_publication", &[]).await.expect("a row");
    assert_eq!(left.get::<_, i64>(0), 0, "nothing is left behind");
}
