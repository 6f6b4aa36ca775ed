//! Watches what is written while something runs, for [`pgstrata_history::exact`].
//!
//! Publishes tables, keeps a place in the log, and afterwards gives what was committed as changes of rows by primary
//! key. What clients read is for others to write down; nothing is judged here.

use std::collections::HashMap;
use std::sync::Arc;

use pgstrata_history::exact::{Commit, Field, Follow, RowChange, RowId, State, Table, TableId, Values, Xid};

use super::error::DecodingError;
use super::message::{Datum, OldRow};
use super::publication::{Identity, Publication, PublishedTable, Tables};
use super::slot::{Slot, name_for};
use super::transaction::{Change, DecodedTransaction, Relation};
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::session::Session;

const FIRST_XID: &str = include_str!("first_xid.sql");

/// How many transactions are taken from the slot at once.
const BATCH: usize = 10_000;

/// A watch over the tables of one database. Dropped without [`Watch::finish`], it takes its slot along, and
/// [`super::sweep`] its publication.
#[derive(Debug)]
pub struct Watch {
    slot: Slot,
    publication: Publication,
    first_xid: Xid,
    tables: Vec<Table>,
}

impl Watch {
    /// Begins to watch. Tables that have no replica identity are left out, because publishing them would make the
    /// server refuse updates of them; they are [`Follow::WithoutKey`] in [`Watch::tables`].
    ///
    /// `endpoint` leads to the same database; the slot is dropped through it if this value is lost.
    ///
    /// # Errors
    /// As [`Slot::create`] and [`Publication::create`].
    pub async fn begin(session: &Session, endpoint: Endpoint, tables: Tables<'_>) -> Result<Self, Error> {
        let name = name_for("watch");
        let begun = Self::begin_as(session, endpoint, tables, &name).await;
        if begun.is_err() {
            // The first error is the one to tell; what could not be removed is swept later.
            let _ = super::publication::remove(session, &name).await;
        }
        begun
    }

    async fn begin_as(session: &Session, endpoint: Endpoint, tables: Tables<'_>, name: &str) -> Result<Self, Error> {
        let mut publication = Publication::create(session, name, tables).await?;
        let published = publication.tables(session).await?;
        let is_bare = |table: &&PublishedTable| table.identity == Identity::Missing;
        if published.iter().any(|table| is_bare(&table)) {
            let kept: Vec<_> = published
                .iter()
                .filter(|table| !is_bare(table))
                .map(|table| (table.schema.as_str(), table.name.as_str()))
                .collect();
            publication.remove(session).await?;
            publication = Publication::create(session, name, Tables::Named(&kept)).await?;
        }
        // Read before the slot is there: what a stranger writes between the two is then of an unknown writer, and not
        // taken for the initial state.
        let row = session.query_one(FIRST_XID, &[]).await;
        let row = row.map_err(|source| Error::new("read the next transaction number", Kind::Sql(source)))?;
        let first_xid = Xid::of_full(row.get::<_, i64>(0).cast_unsigned());
        let slot = Slot::create(session, name, name).await?.guarded_by(endpoint);
        let tables = published.iter().map(|table| Table { name: name_of(table), follow: follow(table) }).collect();
        Ok(Self { slot, publication, first_xid, tables })
    }

    /// The first transaction number that what is watched can have.
    #[must_use]
    pub fn first_xid(&self) -> Xid {
        self.first_xid
    }

    /// The tables that are watched, and those that cannot be.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Ends the watch: what was committed since it began, in the order of the commit records.
    ///
    /// `tables` are those of the record; changes speak of them by their place. Tables that were made meanwhile are
    /// added, if they are published.
    ///
    /// # Errors
    /// [`DecodingError::TooMany`] if there were more than `limit` transactions, others as [`Slot::drain`].
    pub async fn finish(self, session: &Session, tables: &mut Vec<Table>, limit: usize) -> Result<Vec<Commit>, Error> {
        let mut reader = RowReader::new(tables, &self.publication.tables(session).await?);
        let mut commits = Vec::new();
        loop {
            let decoded = self.slot.drain(session, BATCH).await?;
            if decoded.is_empty() {
                break;
            }
            commits.extend(decoded.iter().map(|transaction| reader.commit(transaction)));
            if commits.len() > limit {
                return Err(Error::new("read what was committed", DecodingError::TooMany { limit }.into()));
            }
        }
        self.slot.remove(session).await?;
        self.publication.remove(session).await?;
        Ok(commits)
    }
}

fn name_of(table: &PublishedTable) -> String {
    format!("{}.{}", table.schema, table.name)
}

fn follow(table: &PublishedTable) -> Follow {
    if table.primary_key.is_empty() || table.identity == Identity::Missing { Follow::WithoutKey } else { Follow::Rows }
}

/// Makes changes of rows by key from changes of tuples.
struct RowReader<'t> {
    tables: &'t mut Vec<Table>,
    /// By the number of the relation: its place in the tables and the columns of its primary key.
    known: HashMap<u32, (TableId, Vec<String>)>,
    /// The names of the columns of a relation, shared by its rows.
    columns: HashMap<u32, (Arc<Relation>, Arc<[String]>)>,
}

impl<'t> RowReader<'t> {
    fn new(tables: &'t mut Vec<Table>, published: &[PublishedTable]) -> Self {
        let mut known = HashMap::new();
        for table in published {
            let (name, follow) = (name_of(table), follow(table));
            let place = tables.iter().position(|other| other.name == name).unwrap_or_else(|| {
                tables.push(Table { name, follow });
                tables.len() - 1
            });
            tables[place].follow = follow;
            known.insert(table.oid, (TableId(number(place)), table.primary_key.clone()));
        }
        Self { tables, known, columns: HashMap::new() }
    }

    fn commit(&mut self, transaction: &DecodedTransaction) -> Commit {
        let mut commit = Commit { xid: Xid(transaction.xid), changes: Vec::new(), truncated: Vec::new() };
        for change in &transaction.changes {
            match change {
                Change::Insert { relation, new } => self.change(relation, None, Some(new), &mut commit),
                Change::Update { relation, old, new } => self.update(relation, old.as_ref(), new, &mut commit),
                Change::Delete { relation, old } => self.change(relation, Some(old), None, &mut commit),
                Change::Truncate { relations } => {
                    for relation in relations {
                        commit.truncated.push(self.table(relation).0);
                    }
                }
                Change::Message { .. } => {}
            }
        }
        commit
    }

    fn update(&mut self, relation: &Arc<Relation>, old: Option<&OldRow>, new: &[Datum], commit: &mut Commit) {
        let whole: Vec<Datum>;
        let new = match old {
            // What the update did not touch is as it was.
            Some(OldRow::Full(before)) => {
                let kept = |(new, old): (&Datum, &Datum)| if *new == Datum::Unchanged { old } else { new }.clone();
                whole = new.iter().zip(before).map(kept).collect();
                whole.as_slice()
            }
            _ => new,
        };
        let (table, key) = self.table(relation);
        let after = row_of(table, &key, relation, new);
        let before = old.map(|old| row_of(table, &key, relation, old.values()));
        if before.is_some_and(|before| before != after) {
            self.change(relation, old, None, commit);
            self.change(relation, None, Some(new), commit);
            return;
        }
        let Some(row) = after else { return };
        let before = match old {
            Some(OldRow::Full(values)) => self.holds(relation, values),
            _ => State::Present,
        };
        commit.changes.push(RowChange { row, before, after: self.holds(relation, new) });
    }

    /// An insertion or a deletion.
    fn change(&mut self, relation: &Arc<Relation>, old: Option<&OldRow>, new: Option<&[Datum]>, commit: &mut Commit) {
        let (table, key) = self.table(relation);
        let (values, before, after) = match (old, new) {
            (_, Some(new)) => (new, State::Absent, self.holds(relation, new)),
            (Some(OldRow::Full(old)), None) => (old.as_slice(), self.holds(relation, old), State::Absent),
            (Some(OldRow::Key(old)), None) => (old.as_slice(), State::Present, State::Absent),
            (None, None) => return,
        };
        if let Some(row) = row_of(table, &key, relation, values) {
            commit.changes.push(RowChange { row, before, after });
        }
    }

    /// The table of a relation and the columns of its key; one that is not published any more has none.
    fn table(&mut self, relation: &Relation) -> (TableId, Vec<String>) {
        let tables = &mut *self.tables;
        let entry = self.known.entry(relation.oid).or_insert_with(|| {
            let name = format!("{}.{}", relation.schema, relation.name);
            let place = tables.iter().position(|other| other.name == name).unwrap_or_else(|| {
                tables.push(Table { name, follow: Follow::WithoutKey });
                tables.len() - 1
            });
            tables[place].follow = Follow::WithoutKey;
            (TableId(number(place)), Vec::new())
        });
        entry.clone()
    }

    fn holds(&mut self, relation: &Arc<Relation>, values: &[Datum]) -> State {
        let named = |relation: &Arc<Relation>| {
            let names: Vec<String> = relation.columns.iter().map(|column| column.name.clone()).collect();
            (Arc::clone(relation), names.into())
        };
        let entry = self.columns.entry(relation.oid).or_insert_with(|| named(relation));
        // The definition may have changed since.
        if !Arc::ptr_eq(&entry.0, relation) {
            *entry = named(relation);
        }
        let field = |datum: &Datum| match datum {
            Datum::Null => Field::Null,
            Datum::Unchanged => Field::Unknown,
            Datum::Text(text) => Field::Text(text.clone()),
        };
        State::Holds(Values { columns: Arc::clone(&entry.1), fields: values.iter().map(field).collect() })
    }
}

/// The row that the key's values name; none where the table has no key, or the log does not say.
fn row_of(table: TableId, key: &[String], relation: &Relation, values: &[Datum]) -> Option<RowId> {
    let value = |column: &String| relation.column(column).and_then(|place| values.get(place)?.text());
    let key: Vec<&str> = key.iter().map(value).collect::<Option<_>>()?;
    (!key.is_empty()).then(|| RowId::new(table, key))
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
