//! What one statement does to the rows of one relation: the vocabulary of the robustness analysis.
//!
//! An access is what PostgreSQL does, not only what the text says: foreign keys lock parents' rows, triggers run,
//! deletes cascade. The cause tells which it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;
use crate::name::RelationName;
use crate::position::Span;

/// What a statement does to some rows of one relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The relation. Advisory locks have a name of their own: [`advisory_space`].
    pub relation: RelationName,
    /// What is done to the rows.
    pub kind: AccessKind,
    /// Which rows.
    pub rows: Rows,
    /// The columns whose values the statement depends on: in its result, its conditions, or computing what it writes.
    pub reads: BTreeSet<String>,
    /// The columns that get a value. An insert and a delete write all columns of the relation.
    pub writes: BTreeSet<String>,
    /// What written columns are set to, where that is a term: of inserts, which rows can be told apart from predicates.
    pub values: BTreeMap<String, Term>,
    /// The columns that conditions look at, the key's included: whether the row is found at all depends on them.
    pub conditions: BTreeSet<String>,
    /// It happens on some paths only: in a branch of a function or a trigger, when rows conflict. Who relies on it to
    /// block others must not.
    pub conditional: bool,
    /// Of one row that is locked or written: the statement runs, but a condition besides the key decides whether it comes to
    /// the row: `random() < 0.5`, a
    /// parameter, a subquery, a joined table, a trigger before it. Who relies on it to block others must not; that the
    /// row is read is sure all the same.
    pub may_miss: bool,
    /// It is done inside of a function or trigger: at any moment of the statement, and by a snapshot of its own.
    pub nested: bool,
    /// Why PostgreSQL does this.
    pub cause: Cause,
    /// The words that say so; of an indirect access, the statement's.
    pub span: Span,
}

/// What is done to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKind {
    /// Read by the statement's snapshot, without a lock.
    Read,
    /// A new version. Blocks other writers of the row, and is blocked by them.
    Update,
    /// A new row.
    Insert,
    /// The row's end.
    Delete,
    /// `select … for …`: a lock on the row without a new version. If `reads` is not empty the row is read as well.
    /// Under read committed what is read is the newest version; repeatable read fails when the row was updated since
    /// the snapshot, but a later update of the locked row by another transaction is *not* refused.
    Lock(LockStrength),
    /// `lock table`, or a statement that takes a lock on the whole relation which conflicts with row writers.
    LockTable(TableLock),
    /// An advisory lock; [`Rows`] say which key.
    Advisory {
        /// `pg_advisory…_lock_shared`.
        shared: bool,
        /// Held until the transaction ends (`xact`), else until it is given back or the session ends.
        transaction: bool,
        /// `pg_try_advisory…`: goes on without the lock when it is not free.
        may_fail: bool,
    },
}

/// Row locks, weakest first (PostgreSQL manual, 13.3.2 Row-Level Locks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockStrength {
    /// Conflicts with `for update` alone, that is with deletes and updates of keys.
    KeyShare,
    /// Conflicts with every update.
    Share,
    /// What an update that changes no key takes.
    NoKeyUpdate,
    /// What a delete or an update of a key takes.
    Update,
}

/// Locks of a whole relation, weakest first (PostgreSQL manual, 13.3.1 Table-Level Locks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableLock {
    /// `select`.
    AccessShare,
    /// `select … for …`.
    RowShare,
    /// `insert`, `update`, `delete`, `merge`.
    RowExclusive,
    /// `vacuum`, `analyze`, `create index concurrently`.
    ShareUpdateExclusive,
    /// `create index`.
    Share,
    /// `create trigger`.
    ShareRowExclusive,
    /// `refresh materialized view concurrently`.
    Exclusive,
    /// `truncate`, `drop table`, `lock table` without a mode.
    AccessExclusive,
}

/// Which rows of the relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// At most one row: equality binds every column of a unique key.
    One {
        /// The key's columns, in the key's order.
        key: Vec<String>,
        /// What each of them equals.
        terms: Vec<Term>,
        /// Other columns that the row must have equal to a term, or else it is not found.
        also: BTreeMap<String, Term>,
        /// What else must hold of its columns: comparisons with terms.
        compared: BTreeSet<Comparison>,
    },
    /// The rows for which a predicate holds.
    Where {
        /// The columns that the predicate looks at.
        columns: BTreeSet<String>,
        /// Columns that every one of the rows has equal to a term.
        equal: BTreeMap<String, Term>,
        /// What else holds of columns of every one of the rows: comparisons with terms.
        compared: BTreeSet<Comparison>,
    },
    /// All rows, or rows about which nothing is known.
    All,
}

impl Access {
    /// The first column that is compared with a term or set to it.
    #[must_use]
    pub fn column_of(&self, is_it: impl Fn(&Term) -> bool) -> Option<&str> {
        let all = self.rows.compared().into_iter().chain(&self.values);
        all.into_iter().find(|(_, term)| is_it(term)).map(|(column, _)| column.as_str())
    }
}

impl Rows {
    /// The row with a unique key, whatever else it holds.
    #[must_use]
    pub const fn one(key: Vec<String>, terms: Vec<Term>) -> Self {
        Self::One { key, terms, also: BTreeMap::new(), compared: BTreeSet::new() }
    }

    /// The columns that every one of the rows has equal to a term.
    #[must_use]
    pub fn equalities(&self) -> Vec<(&String, &Term)> {
        match self {
            Self::One { key, terms, also, .. } => key.iter().zip(terms).chain(also).collect(),
            Self::Where { equal, .. } => equal.iter().collect(),
            Self::All => Vec::new(),
        }
    }

    /// The columns that are compared with a term, in whatever way, and the terms.
    #[must_use]
    pub fn compared(&self) -> Vec<(&String, &Term)> {
        let mut all = self.equalities();
        if let Self::One { compared, .. } | Self::Where { compared, .. } = self {
            all.extend(compared.iter().map(|comparison| (&comparison.column, &comparison.term)));
        }
        all
    }

    /// Changes the terms.
    pub fn change_terms(&mut self, mut change: impl FnMut(&mut Term)) {
        let compared = match self {
            Self::One { terms, also, compared, .. } => {
                terms.iter_mut().chain(also.values_mut()).for_each(&mut change);
                compared
            }
            Self::Where { equal, compared, .. } => {
                equal.values_mut().for_each(&mut change);
                compared
            }
            Self::All => return,
        };
        let changed = std::mem::take(compared).into_iter().map(|mut comparison| {
            change(&mut comparison.term);
            comparison
        });
        *compared = changed.collect();
    }
}

/// What a column is compared with or set to. The same term in one program means the same value; of two different terms
/// nothing is known but that two different constants differ (their texts are compared, so `1` and `1.0` are different
/// terms although PostgreSQL may find them equal: see [`Term::surely_differs`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// A parameter of the program, without its sigil: `1` of `$1`, `customer` of `:customer`.
    Parameter(String),
    /// A constant as SQL writes it: `5`, `'open'`, `true`.
    Constant(String),
    /// What an earlier statement of the program has found.
    Result {
        /// Which statement of the program, from 0.
        statement: usize,
        /// The column of its result.
        column: String,
    },
    /// Anything else: computed, volatile, a subquery's.
    Unknown,
}

/// Why PostgreSQL does something to a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The statement says so.
    Statement,
    /// A foreign key's check, by the constraint's name.
    ForeignKey(String),
    /// The `do update` of an `on conflict`, or its look for a conflicting row.
    OnConflict,
    /// A trigger's function, by the trigger's name.
    Trigger(String),
    /// `on delete` or `on update` of a foreign key, by the constraint's name.
    Cascade(String),
    /// A function that the statement calls, by name.
    Function(String),
    /// A view that the statement names.
    View(String),
}

impl Term {
    /// Whether two terms can never be the same value: two constants that are both integers, or both plain strings, and
    /// spelled differently. Strings of types that compare otherwise (case-insensitive text, numbers in quotes) make
    /// this untrue of strings, so only integers and booleans are told apart.
    #[must_use]
    pub fn surely_differs(&self, other: &Self) -> bool {
        let (Self::Constant(one), Self::Constant(two)) = (self, other) else { return false };
        let numbers = (one.parse::<i64>(), two.parse::<i64>());
        let booleans = (one.parse::<bool>(), two.parse::<bool>());
        matches!(numbers, (Ok(one), Ok(two)) if one != two) || matches!(booleans, (Ok(one), Ok(two)) if one != two)
    }
}

impl AccessKind {
    /// Whether rows get a new version, come or go.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Update | Self::Insert | Self::Delete)
    }
}

/// The relation that stands for the space of advisory locks: `pg_catalog.pg_advisory_lock`, keys `key` (one bigint) or
/// `key1`, `key2` (two integers), which never conflict with each other (manual, 9.28.10).
#[must_use]
pub fn advisory_space() -> RelationName {
    RelationName::in_schema("pg_catalog", "pg_advisory_lock")
}
