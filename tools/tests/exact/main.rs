//! The exact track against real servers: what the log tells of a row's life, as changes that fold into moments.

use std::time::Duration;

use pgstrata_pg::{Cluster, ClusterSpec, Install, Profile, Session, testing};
use pgstrata_timeline::{Change, Fate, Item, LineState, Moment, Origin, RowVersion, TransactionState};
use pgstrata_tools::mvcc::exact::{Exact, ExactChange, ExactOptions};

/// How long anything may take; far more than it needs on a loaded machine.
const LIMIT: Duration = Duration::from_mins(2);

/// One installation of each major version from 15 on, of those that have `pageinspect`.
fn installs() -> Vec<Install> {
    testing::of_each_major(15, &["pageinspect"])
}

async fn server(install: Install) -> Cluster {
    let spec = ClusterSpec::new(install, Profile::FastTest).with_setting("autovacuum", "off");
    Cluster::create(spec.with_setting("synchronous_commit", "on")).await.expect("a server")
}

async fn run(session: &Session, sql: &str) {
    session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Folds what an exact track tells, as a log does.
struct Told {
    exact: Exact,
    moment: Moment,
    session: Session,
}

impl Told {
    async fn watch(server: &Cluster, table: &str) -> Self {
        let exact = Exact::begin(&server.endpoint(), ExactOptions::default()).await.expect("the log");
        let session = server.endpoint().connect().await.expect("a session");
        let mut told = Self { exact, moment: Moment::default(), session };
        let change = told.exact.watch(Some(table)).await.expect("a table");
        told.fold(change);
        told
    }

    fn fold(&mut self, change: ExactChange) {
        let ExactChange { put, drop, at, cause } = change;
        assert!(put.iter().all(|put| put.origin == Origin::Exact && put.key == put.item.key()));
        let seq = self.moment.seq + 1;
        assert!(self.moment.fold(&Change { seq, at, cause, put, drop }));
    }

    /// Folds until a version with this note has come whose maker has committed.
    async fn until_noted(&mut self, note: &str) {
        let is_there = |version: &RowVersion| note_of(version) == Some(note);
        while !self
            .versions()
            .iter()
            .any(|version| is_there(version) && version.xmin_state == TransactionState::Committed)
        {
            let next = tokio::time::timeout(LIMIT, self.exact.next()).await.expect("the log goes on");
            let change = next.expect("no error").expect("no end");
            self.fold(change);
        }
    }

    fn versions(&self) -> Vec<&RowVersion> {
        self.moment
            .items
            .values()
            .filter_map(|put| match &put.item {
                Item::Version(version) => Some(version),
                _ => None,
            })
            .collect()
    }

    /// Compares the line pointers that were told with those of the server's page.
    async fn check_lines(&self, session: &Session, name: &str) {
        let sql = "select lp::int as lp, lp_flags::int as state, lp_off::int as at, lp_len::int as bytes \
                   from heap_page_items(get_raw_page('account', 0)) order by lp";
        let own: Vec<(u16, i32, i32, i32)> = session
            .query(sql, &[])
            .await
            .expect("pageinspect")
            .iter()
            .map(|row| {
                (
                    u16::try_from(row.get::<_, i32>("lp")).expect("small"),
                    row.get("state"),
                    row.get("at"),
                    row.get("bytes"),
                )
            })
            .collect();
        let mut ours: Vec<(u16, i32, i32, i32)> = Vec::new();
        for put in self.moment.items.values() {
            let Item::Line(line) = &put.item else { continue };
            let (state, at) = match line.state {
                LineState::Unused => (0, 0),
                LineState::Normal => (1, i32::from(line.at)),
                LineState::Redirect => (2, line.to.map_or(0, i32::from)),
                LineState::Dead => (3, 0),
            };
            assert_eq!(line.version.is_some(), state == 1, "{name}: {line:?}");
            ours.push((line.offset, state, at, i32::from(line.bytes)));
        }
        ours.sort_unstable();
        assert_eq!(ours, own, "{name}");
        assert!(self.moment.items.values().any(|put| matches!(put.item, Item::Page(_))), "{name}");
    }

    /// The only version with this note.
    fn noted(&self, note: &str) -> &RowVersion {
        let mut found = self.versions().into_iter().filter(|version| note_of(version) == Some(note));
        let version = found.next().unwrap_or_else(|| panic!("no version {note}: {:#?}", self.versions()));
        assert!(found.next().is_none(), "two versions {note}");
        version
    }
}

fn note_of(version: &RowVersion) -> Option<&str> {
    version.values.as_ref()?.get("note")?.as_str()
}

const SCHEMA: &str = "create table account (id int primary key, note text) with (autovacuum_enabled = off);
    insert into account values (1, 'first')";

#[tokio::test]
async fn branches_that_were_rolled_back_hang_on_their_parent_and_stay_when_they_are_pruned() {
    for install in installs() {
        let version = install.version;
        let server = server(install).await;
        let session = server.endpoint().connect().await.expect("a session");
        run(&session, "create extension pageinspect").await;
        run(&session, SCHEMA).await;
        let mut told = Told::watch(&server, "account").await;
        for note in ["undone one", "undone two"] {
            run(&session, &format!("begin; update account set note = '{note}' where id = 1; rollback")).await;
        }
        run(
            &session,
            "begin; savepoint a; update account set note = 'undone three' where id = 1; rollback to a; \
                       update account set note = 'second' where id = 1; commit",
        )
        .await;
        run(&session, "begin; update account set note = 'pending' where id = 1").await;
        run(&told.session, "insert into account values (2, 'mark')").await;
        told.until_noted("mark").await;
        let second = told.noted("second").clone();
        let undone: Vec<_> = ["undone one", "undone two", "undone three"].iter().map(|note| told.noted(note)).collect();
        for branch in &undone {
            assert_eq!(branch.fate, Fate::Aborted, "{version}");
            assert_eq!((&branch.parent, branch.parent_origin), (&second.parent, Some(Origin::Exact)), "{version}");
            assert!(branch.made.is_some() && branch.removed.is_none(), "{version}");
        }
        assert_eq!(told.noted("pending").fate, Fate::Pending, "{version}");
        told.check_lines(&session, &format!("{version}")).await;
        assert_eq!(told.noted("pending").parent, Some(second.key()), "{version}");
        for statement in ["commit", "vacuum account", "insert into account values (3, 'mark two')"] {
            run(&session, statement).await;
        }
        told.until_noted("mark two").await;
        told.check_lines(&session, &format!("{version}")).await;
        for note in ["undone one", "undone two", "undone three", "second"] {
            let gone = told.noted(note);
            assert_eq!(gone.fate, Fate::Removed, "{version} {note}");
            assert!(gone.removed > gone.made, "{version} {note}");
        }
        let states = told.moment.items.values().filter_map(|put| match &put.item {
            Item::Transaction(transaction) => Some((transaction.xid, transaction.state)),
            _ => None,
        });
        let states: std::collections::BTreeMap<_, _> = states.collect();
        assert_eq!(states[&second.xmin], TransactionState::Committed, "{version}");
        assert!(
            states.values().filter(|state| **state == TransactionState::Aborted).count() >= 3,
            "{version} {states:?}"
        );
    }
}

#[tokio::test]
async fn what_was_there_before_is_told_when_pages_can_be_read_and_a_rewritten_table_goes_on() {
    for install in installs() {
        let version = install.version;
        let server = server(install).await;
        let session = server.endpoint().connect().await.expect("a session");
        run(&session, "create extension pageinspect").await;
        run(&session, SCHEMA).await;
        run(&session, "update account set note = 'second' where id = 1").await;
        let mut told = Told::watch(&server, "public.account").await;
        assert_eq!((told.noted("first").fate, told.noted("second").fate), (Fate::Replaced, Fate::Live), "{version}");
        let before = told.exact.history().told();
        run(&session, "update account set note = 'third' where id = 1").await;
        told.until_noted("third").await;
        let (viewer, verdicts) = told.exact.seen_at(before).expect("it is remembered");
        let seen: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_visible == Some(true)).collect();
        assert_eq!((seen.len(), viewer.id), (1, format!("lsn:{before}")), "{version} {verdicts:?}");
        assert_eq!(seen[0].version, told.noted("second").key(), "{version}");
        let old_key = told.noted("third").key();
        run(&session, "vacuum full account").await;
        run(&session, "update account set note = 'fourth' where id = 1").await;
        told.until_noted("fourth").await;
        assert!(told.noted("fourth").parent.is_some(), "{version}");
        let old = told.versions().into_iter().find(|version| version.key() == old_key).expect("it is remembered");
        assert_eq!(old.fate, Fate::Removed, "{version}");
        assert!(told.exact.watch(Some("nothing")).await.is_err(), "{version}");
    }
}
