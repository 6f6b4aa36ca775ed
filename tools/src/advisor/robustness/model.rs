//! The programs as the decision sees them: paths of small operations on tuple variables.
//!
//! A statement is not one moment at read committed. It takes its snapshot, and locks rows later, perhaps after waiting:
//! then it goes on with the newest version of the row (`src/backend/executor/execMain.c`, `EvalPlanQual`). So an update
//! becomes two operations: looking for the row in the snapshot, and locking and writing its newest version. Everything
//! that is read without a lock belongs to the first moment.

use pgstrata_sqltext::{LockStrength, Order, RelationName, TableLock, Term};

use crate::advisor::witness::Choice;

/// A set of columns of one relation; bit 0 is the row's existence. Columns from the 127th on share the last bit, which
/// can only add conflicts.
pub(super) type Columns = u128;

/// The bit of the row's coming and going.
pub(super) const EXISTS: Columns = 1;
/// Existence and all columns: what inserts and deletes write.
pub(super) const EVERYTHING: Columns = Columns::MAX;

/// All paths of all programs, with what they touch by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// Paths of the same program stand together.
    pub paths: Vec<Path>,
    /// Names of programs by number.
    pub programs: Vec<String>,
    /// Relations by number.
    pub relations: Vec<Relation>,
    /// Constants by number.
    pub constants: Vec<Constant>,
}

/// A relation, or the space of advisory locks.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub name: RelationName,
    /// Columns in the order of their bits, from bit 1.
    pub columns: Vec<String>,
    /// A statement that could not be analysed may touch any relation: this one stands for all.
    pub is_anything: bool,
}

/// A constant; of text types without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constant {
    pub sql: String,
}

/// One way through a program.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// Which program.
    pub program: usize,
    /// The statements in the order in which they run.
    pub statements: Vec<usize>,
    /// What makes it this path.
    pub choices: Vec<Choice>,
    /// The one statement that is in the transaction, when statements run separately.
    pub only: Option<usize>,
    /// Too many paths: this one holds all statements, and none of them is certain to run.
    pub is_merged: bool,
    /// In the order of [`Op::first`].
    pub ops: Vec<Op>,
    /// What the operations are about.
    pub vars: Vec<Var>,
    /// The values that keys and predicates are made of.
    pub values: Vec<Value>,
    /// The place in `statements` of the first that takes the transaction's snapshot at repeatable read. `lock table`
    /// takes none (`src/backend/tcop/pquery.c`, `PlannedStmtRequiresSnapshot`).
    pub snapshot: usize,
}

/// A value of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// An argument; in which iteration of its loop, when it is used in none else.
    Parameter { name: String, iteration: usize },
    /// By number.
    Constant(usize),
    /// What an earlier statement of the path found: its place in the path, and the column.
    Result { place: usize, column: String },
    /// Nothing is known of it.
    Unknown,
}

/// One row, or some rows of a relation.
#[derive(Debug, Clone)]
pub(super) struct Var {
    pub relation: usize,
    pub rows: RowSet,
}

/// Which rows a variable is about.
#[derive(Debug, Clone)]
pub(super) enum RowSet {
    /// The row whose key (columns by bit number) has these values.
    One { key: Vec<u8>, values: Vec<usize> },
    /// Rows of a predicate: columns that equal a value, and those that compare otherwise with one.
    Some { equal: Vec<(u8, usize)>, compared: Vec<(u8, Order, usize)> },
}

impl RowSet {
    /// Rows of which nothing is known.
    pub const fn anything() -> Self {
        Self::Some { equal: Vec::new(), compared: Vec::new() }
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Reads by the snapshot. `looks` when it is the first moment of an update, a delete or a lock: who finds the row
    /// is about to lock it.
    Read { looks: bool },
    /// Locks a row and reads its newest version.
    Lock(LockStrength),
    /// A new version; the lock tells whether a key may change.
    Update(LockStrength),
    /// A new row.
    Insert,
    /// The row's end.
    Delete,
    /// Locks the relation.
    Table(TableLock),
    /// An advisory lock until the end of the transaction.
    Advisory { shared: bool },
    /// Anything: the statement could not be analysed.
    Anything,
}

/// One moment of a statement.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all of them may hold")]
pub(super) struct Op {
    /// The earliest moment of the path at which it may happen.
    pub first: u16,
    /// The latest.
    pub last: u16,
    /// Place in [`Path::statements`].
    pub place: usize,
    /// Which access of the path: the two moments of one access share it.
    pub access: usize,
    pub var: usize,
    pub relation: usize,
    pub action: Action,
    pub reads: Columns,
    pub writes: Columns,
    /// Columns that get a value that is known, of inserts.
    pub values: Vec<(u8, usize)>,
    /// What a row named by its key must hold besides, or else it is not found: a column, how it compares (`None` is equality),
    /// and with which value.
    pub wants: Vec<(u8, Option<Order>, usize)>,
    /// It is sure to happen on this path, and to find its row when there is one.
    pub certain: bool,
    /// It is sure to find its row, as an error would end the transaction: a foreign key's check.
    pub finds: bool,
    /// It is sure to find no row, as an error would end the transaction: whether a row that goes is referred to.
    pub forbids: bool,
    /// Part of `on conflict`: an insert that does nothing when the row is there, or the update that takes its place.
    /// Both look at the newest version, whatever the snapshot (`nodeModifyTable.c`, `ExecOnConflictUpdate`).
    pub on_conflict: bool,
    /// The lock on the relation that it implies.
    pub table: TableLock,
}

impl Op {
    /// Whether it locks its row against others, or is a new row that others wait for.
    pub const fn locks(&self) -> bool {
        matches!(self.action, Action::Lock(_) | Action::Update(_) | Action::Insert | Action::Delete)
    }

    /// Whether it leaves a version: an update's, or a row's end.
    pub const fn is_version(&self) -> bool {
        matches!(self.action, Action::Update(_) | Action::Delete)
    }

    /// Whether a row ends, or leaves its key to others.
    pub const fn ends_row(&self) -> bool {
        match self.action {
            Action::Delete => true,
            Action::Update(_) => self.writes & EXISTS != 0,
            _ => false,
        }
    }

    /// The lock that it holds on its row.
    pub const fn strength(&self) -> Option<LockStrength> {
        match self.action {
            Action::Lock(strength) | Action::Update(strength) => Some(strength),
            Action::Delete => Some(LockStrength::Update),
            Action::Insert | Action::Read { .. } | Action::Table(_) | Action::Advisory { .. } | Action::Anything => {
                None
            }
        }
    }
}

impl Path {
    /// Whether two operations are moments of the same access.
    pub fn same_access(&self, one: usize, two: usize) -> bool {
        self.ops[one].access == self.ops[two].access
    }
}

impl Model {
    /// Names of columns, in the order of their bits.
    pub fn columns(&self, relation: usize, columns: Columns) -> Vec<String> {
        let relation = &self.relations[relation];
        if columns & EXISTS != 0 {
            return vec![super::EXISTENCE.to_owned()];
        }
        let is_in = |at: usize| columns & (1 << bit(at)) != 0;
        (0..relation.columns.len()).filter(|at| is_in(*at)).map(|at| relation.columns[at].clone()).collect()
    }

    /// Whether two constants can never be equal. Texts of integers and booleans decide; of others nothing is sure.
    pub fn differ(&self, one: usize, two: usize) -> bool {
        let term = |number: usize| Term::Constant(self.constants[number].sql.clone());
        one != two && term(one).surely_differs(&term(two))
    }

    /// Whether a comparison can never hold of two constants. Integers decide, and what is spelled alike.
    pub fn never(&self, one: usize, order: Order, two: usize) -> bool {
        let number = |constant: usize| self.constants[constant].sql.parse::<i64>();
        match (number(one), number(two)) {
            (Ok(one), Ok(two)) => !order.holds(one, two),
            _ => one == two && order.is_strict(),
        }
    }
}

/// The bit of a column by its place in the relation.
pub(super) fn bit(place: usize) -> u8 {
    u8::try_from(place + 1).map_or(127, |bit| bit.min(127))
}

/// Whether two row locks exclude each other (`src/backend/access/heap/heapam.c`, `tupleLockExtraInfo`; manual, 13.3.2).
pub(super) fn row_locks_conflict(one: LockStrength, two: LockStrength) -> bool {
    use LockStrength::{KeyShare, NoKeyUpdate, Share, Update};
    match (one.min(two), one.max(two)) {
        (KeyShare, other) => other == Update,
        (Share, other) => matches!(other, NoKeyUpdate | Update),
        (NoKeyUpdate | Update, _) => true,
    }
}

/// Whether two locks on a relation exclude each other (`src/backend/storage/lmgr/lock.c`, `LockConflicts`).
pub(super) const fn table_locks_conflict(one: TableLock, two: TableLock) -> bool {
    let conflicts = match one {
        TableLock::AccessShare => 0b1000_0000,
        TableLock::RowShare => 0b1100_0000,
        TableLock::RowExclusive => 0b1111_0000,
        TableLock::ShareUpdateExclusive => 0b1111_1000,
        TableLock::Share => 0b1110_1100,
        TableLock::ShareRowExclusive => 0b1111_1100,
        TableLock::Exclusive => 0b1111_1110,
        TableLock::AccessExclusive => 0b1111_1111,
    };
    conflicts & (1_u8 << two as u8) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_locks_exclude_each_other_as_the_manual_says() {
        use LockStrength::{KeyShare, NoKeyUpdate, Share, Update};
        let all = [KeyShare, Share, NoKeyUpdate, Update];
        let table = all.map(|one| all.map(|two| u8::from(row_locks_conflict(one, two))));
        assert_eq!(table, [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]);
    }

    #[test]
    fn table_locks_exclude_each_other_both_ways() {
        use TableLock::{
            AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
            ShareUpdateExclusive,
        };
        let all = [
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ];
        for one in all {
            for two in all {
                assert_eq!(table_locks_conflict(one, two), table_locks_conflict(two, one), "{one:?} {two:?}");
            }
        }
        assert!(!table_locks_conflict(Share, Share));
        assert!(!table_locks_conflict(RowExclusive, RowExclusive));
        assert!(table_locks_conflict(ShareUpdateExclusive, ShareUpdateExclusive));
    }
}
