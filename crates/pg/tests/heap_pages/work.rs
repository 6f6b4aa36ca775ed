//! Sessions that do by lot what can be done to rows: changes, deletes, locks, savepoints, two-phase commit, vacuum. One
//! statement at a time, so that everything that came in between is known to be of the session that had its turn.

use std::collections::BTreeMap;

use pgstrata_pg::{Cluster, Session};
use pgstrata_units::Xid;

use crate::random::Lot;
use crate::support::{parsed, raw_pages, session};

/// Writers that take turns.
const WRITERS: usize = 4;
/// Rows that there are at first.
const ROWS: usize = 300;
/// Rows that a statement concerns at most.
const WIDTH: usize = 6;
/// More subtransactions than a session's part of a snapshot lists (`PGPROC_MAX_CACHED_SUBXIDS`).
const MANY_SUBTRANSACTIONS: usize = 70;

pub struct Writer {
    pub session: Session,
    pub is_in_transaction: bool,
    /// The transaction's id, once it has one.
    pub top: Option<Xid>,
    savepoints: usize,
    pid: i32,
}

pub struct Work {
    pub watcher: Session,
    pub writers: Vec<Writer>,
    /// Which transaction each id is part of, itself if it is a whole one.
    pub tops: BTreeMap<Xid, Xid>,
    pub lot: Lot,
    prepared: Vec<String>,
    new_id: usize,
}

impl Work {
    pub async fn begin(server: &Cluster, seed: u64) -> Self {
        let watcher = session(server).await;
        watcher.batch_execute(include_str!("work.sql")).await.expect("a table");
        let fill = include_str!("fill.sql");
        let rows = i32::try_from(ROWS).expect("a few rows");
        watcher.execute(fill, &[&rows]).await.expect("rows");
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let session = session(server).await;
            session.batch_execute("set lock_timeout = 20").await.expect("a limit");
            let pid = session.backend_pid().await.expect("a process");
            writers.push(Writer { session, is_in_transaction: false, top: None, savepoints: 0, pid });
        }
        Self { watcher, writers, tops: BTreeMap::new(), lot: Lot::new(seed), prepared: Vec::new(), new_id: 10_000 }
    }

    /// One statement of one writer, or one of upkeep.
    pub async fn step(&mut self) {
        if self.lot.below(40) == 0 {
            return self.upkeep().await;
        }
        let index = self.lot.below(WRITERS);
        let (sql, kind) = self.statement(index);
        let writer = &mut self.writers[index];
        match writer.session.batch_execute(&sql).await {
            Ok(()) => {
                self.after(index, kind);
                match kind {
                    Kind::Single => self.learn_single().await,
                    Kind::Change | Kind::Subtransactions => self.learn(index, kind).await,
                    Kind::Begin | Kind::End | Kind::Savepoint | Kind::Release | Kind::Other => {}
                }
            }
            // A lock that is not to be had, a key that is there: the transaction, or what came after its savepoint, is over.
            Err(_) => self.give_up(index).await,
        }
    }

    fn statement(&mut self, index: usize) -> (String, Kind) {
        let (is_in_transaction, savepoints) = (self.writers[index].is_in_transaction, self.writers[index].savepoints);
        let from = self.lot.below(ROWS);
        let to = from + self.lot.below(WIDTH);
        let rows = format!("id between {from} and {to}");
        if !is_in_transaction {
            return match self.lot.below(5) {
                0 => (format!("update item set payload = payload || 'x' where {rows}"), Kind::Single),
                1 if !self.prepared.is_empty() => {
                    let name = self.prepared.swap_remove(self.lot.below(self.prepared.len()));
                    let how = if self.lot.below(2) == 0 { "commit" } else { "rollback" };
                    (format!("{how} prepared '{name}'"), Kind::Single)
                }
                _ => ("begin".to_owned(), Kind::Begin),
            };
        }
        match self.lot.below(20) {
            0..=3 => (format!("update item set payload = left(payload, 20) || 'x' where {rows}"), Kind::Change),
            4 => (format!("update item set key = key + 1 where {rows}"), Kind::Change),
            5 => (format!("delete from item where {rows}"), Kind::Change),
            6 => {
                self.new_id += 1;
                (format!("insert into item values ({}, 1, 'new', null)", self.new_id), Kind::Change)
            }
            7 => (format!("insert into item values ({from}, 1, 'back', 'n') on conflict do nothing"), Kind::Change),
            8 => (format!("select from item where {rows} for key share"), Kind::Change),
            9 => (format!("select from item where {rows} for share"), Kind::Change),
            10 => (format!("select from item where {rows} for no key update"), Kind::Change),
            11 => (format!("select from item where {rows} for update"), Kind::Change),
            12 | 13 => (format!("savepoint s{savepoints}"), Kind::Savepoint),
            14 if savepoints > 0 => (format!("rollback to s{}", self.lot.below(savepoints)), Kind::Other),
            15 if savepoints > 0 => (format!("release s{}", savepoints - 1), Kind::Release),
            16 if self.lot.below(4) == 0 => {
                self.new_id += 100;
                let first = self.new_id;
                (format!("select write_in_subtransactions({first}, {MANY_SUBTRANSACTIONS})"), Kind::Subtransactions)
            }
            17 if self.lot.below(3) == 0 && self.prepared.len() < 6 => {
                let name = format!("p{}", self.lot.below(1 << 40));
                self.prepared.push(name.clone());
                (format!("prepare transaction '{name}'"), Kind::End)
            }
            18 => ("rollback".to_owned(), Kind::End),
            _ => ("commit".to_owned(), Kind::End),
        }
    }

    fn after(&mut self, index: usize, kind: Kind) {
        let writer = &mut self.writers[index];
        match kind {
            Kind::Begin => writer.is_in_transaction = true,
            Kind::End => (writer.is_in_transaction, writer.top, writer.savepoints) = (false, None, 0),
            Kind::Savepoint => writer.savepoints += 1,
            Kind::Release => writer.savepoints -= 1,
            Kind::Single | Kind::Change | Kind::Subtransactions | Kind::Other => {}
        }
    }

    async fn give_up(&mut self, index: usize) {
        let writer = &mut self.writers[index];
        if !writer.is_in_transaction {
            return;
        }
        let savepoint = writer.savepoints.checked_sub(1).map(|last| format!("rollback to s{last}"));
        writer.session.batch_execute(savepoint.as_deref().unwrap_or("rollback")).await.expect("back");
        if savepoint.is_none() {
            self.after(index, Kind::End);
        }
    }

    /// Which ids the writer has: those that it holds the locks of, and after many subtransactions those that are new
    /// on the pages.
    async fn learn(&mut self, index: usize, kind: Kind) {
        let pid = self.writers[index].pid;
        let rows = self.watcher.query(include_str!("held_ids.sql"), &[&pid]).await.expect("locks");
        let mut held: Vec<Xid> = rows.iter().map(|row| xid(row.get(0))).collect();
        held.sort_unstable();
        let Some(top) = self.writers[index].top.or(held.first().copied()) else { return };
        self.writers[index].top = Some(top);
        if matches!(kind, Kind::Subtransactions) {
            held.extend(self.ids_on_pages().await.into_iter().filter(|xid| *xid > top));
        }
        for xid in held {
            self.tops.entry(xid).or_insert(top);
        }
    }

    /// A statement that was a transaction of its own: what is new on the pages is its id.
    async fn learn_single(&mut self) {
        for xid in self.ids_on_pages().await {
            self.tops.entry(xid).or_insert(xid);
        }
    }

    async fn ids_on_pages(&self) -> Vec<Xid> {
        let pages = raw_pages(&self.watcher, "item").await;
        let headers = pages
            .iter()
            .filter_map(|bytes| parsed(bytes))
            .flat_map(|page| page.tuples().map(|(_, tuple)| tuple.header).collect::<Vec<_>>());
        let ids = headers.flat_map(|header| {
            let xmax = (!header.is_xmax_multi()).then_some(header.xmax);
            [Some(header.xmin), xmax].into_iter().flatten().map(|short| Xid(short.into()))
        });
        ids.filter(|xid| *xid >= Xid::FIRST_NORMAL).collect()
    }

    async fn upkeep(&mut self) {
        let how = ["vacuum item", "vacuum (freeze) item", "vacuum (index_cleanup off) item"][self.lot.below(3)];
        self.watcher.batch_execute(how).await.expect("vacuum");
    }
}

pub fn xid(number: i64) -> Xid {
    Xid(number.try_into().expect("a transaction id"))
}

#[derive(Clone, Copy)]
enum Kind {
    Begin,
    End,
    Savepoint,
    Release,
    /// A statement that is a transaction.
    Single,
    Change,
    Subtransactions,
    Other,
}
