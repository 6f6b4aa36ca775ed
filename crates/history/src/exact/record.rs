//! What is known of a run: what its clients read, from which versions, and what the server's log says was written.
//!
//! Plain data; whoever watched the run fills it in. Transaction ids are the low 32 bits, as rows carry them in `xmin`:
//! a run of more than two thousand million transactions cannot be judged.

use std::fmt;
use std::sync::Arc;

use super::predicate::Predicate;
use crate::model::Status;

/// Everything that is known of a run.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The first transaction id that the server could give after the watching began; what older ones wrote is the
    /// initial state.
    pub first_xid: Xid,
    /// The tables that the record speaks of.
    pub tables: Vec<Table>,
    /// The transactions that wrote, in the order of their commit records.
    pub commits: Vec<Commit>,
    /// The transactions of the clients that were watched, in any order.
    pub observed: Vec<Observed>,
}

/// The number of a transaction or of a savepoint's part of one, without the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Xid(pub u32);

/// A table's place in [`Record::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// `schema.name`, as people read it.
    pub name: String,
    /// Whether its changes can be followed row by row.
    pub follow: Follow,
}

/// Whether the changes of a table can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Yes: it is in the log, and its rows have keys.
    Rows,
    /// Its rows have no primary key, so nobody can say which row a change is of.
    WithoutKey,
    /// It is not in the log, or its changes were not asked for.
    NotLogged,
}

/// A row, by its table and the text of its primary key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId {
    /// The table.
    pub table: TableId,
    /// The key's columns in their order, see [`RowId::new`].
    pub key: String,
}

impl RowId {
    /// The row of these key values in their order: parted by commas, with a backslash before commas and backslashes of
    /// their own, so that different keys stay different.
    #[must_use]
    pub fn new<'a>(table: TableId, values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut key = String::new();
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                key.push(',');
            }
            for character in value.chars() {
                if matches!(character, ',' | '\\') {
                    key.push('\\');
                }
                key.push(character);
            }
        }
        Self { table, key }
    }
}

/// A transaction of the log.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its own number, never that of a savepoint.
    pub xid: Xid,
    /// What it did to rows, in its order.
    pub changes: Vec<RowChange>,
    /// Tables that it emptied.
    pub truncated: Vec<TableId>,
}

/// A change of one row. An update that changes the key is a deletion and an insertion.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The row.
    pub row: RowId,
    /// What was there before.
    pub before: State,
    /// What is there after.
    pub after: State,
}

/// A row at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not there.
    Absent,
    /// It is there, and the log does not say what it holds.
    Present,
    /// It is there and holds this.
    Holds(Values),
}

impl State {
    /// Whether there is a row.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// The values of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// The names of its columns.
    pub columns: Arc<[String]>,
    /// As many values.
    pub fields: Vec<Field>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// SQL's null.
    Null,
    /// The log does not say.
    Unknown,
    /// Its text form.
    Text(String),
}

impl Values {
    /// The value of a column; [`Field::Unknown`] where there is no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> &Field {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.fields.get(place)).unwrap_or(&Field::Unknown)
    }
}

/// A transaction as its client knows it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The client, which does one transaction at a time.
    pub process: u32,
    /// What the client was told of its end.
    pub status: Status,
    /// When it was begun, nanoseconds on a clock that all clients share.
    pub invoked_ns: u64,
    /// When its end was known; [`u64::MAX`] where it never was.
    pub completed_ns: u64,
    /// Its number, if it was given one: a transaction that only reads has none.
    pub xid: Option<Xid>,
    /// What it did, in its order.
    pub steps: Vec<Step>,
}

/// One thing that a transaction did.
#[derive(Clone, Debug)]
pub enum Step {
    /// It read a row, or looked for one by its key.
    Read {
        /// The row.
        row: RowId,
        /// What it saw.
        seen: Seen,
        /// The snapshot of the statement, where it is known.
        snapshot: Option<Arc<Snapshot>>,
    },
    /// It asked which rows satisfy a condition. The rows that it was given are reads besides.
    ReadWhere {
        /// The table.
        table: TableId,
        /// The condition.
        predicate: Arc<Predicate>,
        /// The snapshot of the statement, where it is known.
        snapshot: Option<Arc<Snapshot>>,
    },
    /// It wrote a row.
    Wrote {
        /// The row.
        row: RowId,
        /// The number that the new version carries: its own, or that of a savepoint. None for a deletion.
        xmin: Option<Xid>,
        /// Whether the savepoint was rolled back afterwards.
        undone: bool,
    },
}

/// What a read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The version with this `xmin`.
    Version(Xid),
    /// No row.
    Absent,
}

/// Which transactions a statement sees: those before `until` that had ended, as `pg_current_snapshot()` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All before this one had ended.
    pub from: Xid,
    /// This one and all after it had not begun.
    pub until: Xid,
    /// Those in between that were under way.
    pub under_way: Vec<Xid>,
}

/// Text that is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no snapshot; one looks like 10:20:10,14,15")]
pub struct InvalidSnapshot(pub String);

impl Snapshot {
    /// Reads the text form of the type `pg_snapshot`: `xmin:xmax:xip,…` (manual, 9.27.7).
    pub fn parse(text: &str) -> Result<Self, InvalidSnapshot> {
        let number = |digits: &str| digits.parse().ok().map(Xid::of_full);
        let parse = || {
            let mut parts = text.split(':');
            let (from, until, list) = (number(parts.next()?)?, number(parts.next()?)?, parts.next()?);
            let under_way = list.split(',').filter(|part| !part.is_empty()).map(number).collect::<Option<_>>()?;
            parts.next().is_none().then_some(Self { from, until, under_way })
        };
        parse().ok_or_else(|| InvalidSnapshot(text.to_owned()))
    }

    /// Whether what this transaction wrote can be seen, if it was committed.
    #[must_use]
    pub fn sees(&self, xid: Xid) -> bool {
        xid.precedes(self.from) || (xid.precedes(self.until) && !self.under_way.contains(&xid))
    }
}

impl Xid {
    /// Without the epoch.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "rows carry the low 32 bits, and so does this")]
    pub const fn of_full(full: u64) -> Self {
        Self(full as u32)
    }

    /// Whether it was given before the other one: numbers go round, and half of them lie on either side
    /// (`TransactionIdPrecedes` in `src/backend/access/transam/transam.c`).
    #[must_use]
    pub const fn precedes(self, other: Self) -> bool {
        const FIRST_NORMAL: u32 = 3;
        if self.0 < FIRST_NORMAL || other.0 < FIRST_NORMAL {
            // Of initdb, or frozen: before all others.
            return self.0 < other.0;
        }
        self.0.wrapping_sub(other.0).cast_signed() < 0
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_had_ended_and_nothing_else() {
        let snapshot = Snapshot::parse("10:20:10,14,15").expect("a snapshot");
        let seen: Vec<u32> = (5..25).filter(|xid| snapshot.sees(Xid(*xid))).collect();
        assert_eq!(seen, [5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 18, 19]);
        assert_eq!(Snapshot::parse("7:7:").expect("nobody was under way").under_way, []);
        let epochs = Snapshot::parse("4294967306:4294967310:4294967307").expect("after a wraparound");
        assert!(epochs.sees(Xid(4_000_000_000)) && !epochs.sees(Xid(11)) && epochs.sees(Xid(12)));
        for text in ["", "1:2", "1:2:3:4", "a:2:", "1:2:x", "-1:2:"] {
            assert_eq!(Snapshot::parse(text), Err(InvalidSnapshot(text.to_owned())));
        }
    }

    #[test]
    fn different_keys_stay_different() {
        let key = |values: &[&str]| RowId::new(TableId(0), values.iter().copied()).key;
        assert_eq!(key(&["7"]), "7");
        assert_eq!(key(&["a", "b"]), "a,b");
        assert_eq!(key(&["a,b"]), "a\\,b");
        assert_ne!(key(&["a\\", "b"]), key(&["a\\,b"]));
    }

    #[test]
    fn numbers_go_round_and_special_ones_come_first() {
        assert!(Xid(3).precedes(Xid(4)) && !Xid(4).precedes(Xid(4)));
        assert!(Xid(u32::MAX).precedes(Xid(3)) && !Xid(3).precedes(Xid(u32::MAX)));
        assert!(Xid(2).precedes(Xid(u32::MAX)) && !Xid(3_000_000_000).precedes(Xid(1)));
    }
}
