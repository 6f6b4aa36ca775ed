//! When two operations depend on each other, and when one keeps the other out.
//!
//! Dependencies are per column, as no value flows otherwise; blocking is per row, as PostgreSQL locks rows. So they are
//! asked for separately, and a dependency is assumed when it is possible, blocking only when it is certain.

use super::ground::Tie;
use super::model::{Action, EXISTS, Model, Op, row_locks_conflict, table_locks_conflict};
use super::unify::Unifier;
use crate::advisor::witness::DependencyKind;

/// The dependencies that two operations on the same row can make, the first one's transaction before the second one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds {
    pub ww: bool,
    pub wr: bool,
    pub rw: bool,
}

impl Kinds {
    pub const fn any(self) -> bool {
        self.ww || self.wr || self.rw
    }

    /// All of them, the plainest first.
    pub fn list(self) -> impl Iterator<Item = DependencyKind> {
        use DependencyKind::{Rw, Wr, Ww};
        [(self.wr, Wr), (self.rw, Rw), (self.ww, Ww)].into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind)
    }
}

/// What dependencies the first operation's transaction can have on the second's, if they meet in a row. Direct ones
/// only: between two inserts of a row, say, somebody deletes it, and the way through that one is a dependency, too.
pub(super) fn dependencies(one: &Op, two: &Op) -> Kinds {
    if one.action == Action::Anything || two.action == Action::Anything {
        return Kinds { ww: true, wr: true, rw: true };
    }
    if one.relation != two.relation {
        return Kinds::default();
    }
    // An insert finds no row, and locks, updates and deletes find one.
    let is_hit = |op: &Op| matches!(op.action, Action::Lock(_) | Action::Update(_) | Action::Delete);
    let (inserts, ends) = (two.action == Action::Insert, one.action == Action::Delete);
    // An update of a key takes its row from one name to another.
    let moves = |op: &Op| matches!(op.action, Action::Update(_)) && op.writes & EXISTS != 0;
    let after = if inserts { ends || moves(one) } else { !ends || moves(two) };
    // Who must find no row was not there before it went, nor after it came.
    if (one.forbids && two.action == Action::Delete) || (two.forbids && one.action == Action::Insert) {
        return Kinds::default();
    }
    Kinds {
        ww: one.writes & two.writes != 0 && after,
        wr: one.writes & two.reads != 0 && !(ends && is_hit(two)),
        rw: one.reads & two.writes != 0 && !(inserts && (is_hit(one) || one.action == Action::Insert)),
    }
}

/// What is known about which rows exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presence {
    /// By relation: some program inserts or deletes rows, so that a row which is looked for may not be there. Of other
    /// relations every row is assumed to exist that programs name by its key.
    changes: Vec<bool>,
    /// By relation: some program deletes rows or takes them to another key, so that a key may be free again.
    ends: Vec<bool>,
}

impl Presence {
    /// Whether rows of a relation come and go.
    pub fn changes(&self, relation: usize) -> bool {
        self.changes.get(relation).copied().unwrap_or(false)
    }

    /// Whether the key of a row may be free again.
    pub fn ends(&self, relation: usize) -> bool {
        self.ends.get(relation).copied().unwrap_or(false)
    }

    /// Whether the same is known, relations aside of which neither knows that rows come and go.
    pub fn is_same(&self, other: &Self) -> bool {
        (0..self.changes.len().max(other.changes.len())).all(|relation| {
            self.changes(relation) == other.changes(relation) && self.ends(relation) == other.ends(relation)
        })
    }

    /// Looks at the paths that `included` says take part.
    pub fn of(model: &Model, included: &dyn Fn(usize) -> bool) -> Self {
        let mut changes = vec![false; model.relations.len()];
        let mut ends = changes.clone();
        let mut anything = false;
        for path in model.paths.iter().filter(|path| included(path.program)) {
            for op in &path.ops {
                changes[op.relation] |= op.writes & EXISTS != 0;
                ends[op.relation] |= op.ends_row();
                anything |= op.action == Action::Anything;
            }
        }
        for changed in changes.iter_mut().chain(&mut ends) {
            *changed |= anything;
        }
        Self { changes, ends }
    }

    /// Whether the operation is sure to happen and to find its row.
    pub fn is_sure(&self, op: &Op) -> bool {
        let finds = op.finds || matches!(op.action, Action::Insert | Action::Read { .. }) || !self.changes[op.relation];
        op.certain && finds
    }
}

/// One transaction of a candidate and one of its operations.
pub(super) type At = (usize, usize);

/// A candidate cycle while it is judged: what is known to be the same row, and which operations take place for sure
/// because the cycle goes through them.
pub(super) struct Judge<'a, 'm> {
    pub rows: &'a Unifier<'m>,
    pub presence: &'a Presence,
    /// The ends of the cycle's dependencies.
    pub ends: &'a [At],
}

impl Judge<'_, '_> {
    pub fn op(&self, at: At) -> &Op {
        &self.rows.paths[at.0].ops[at.1]
    }

    /// Whether two operations are about what is known to be one row.
    pub fn same_row(&self, one: At, two: At) -> bool {
        self.rows.same_row((one.0, self.op(one).var), (two.0, self.op(two).var))
    }

    /// Whether an operation takes place for sure on a row that is there.
    pub fn holds(&self, at: At) -> bool {
        if self.ends.contains(&at) {
            return true;
        }
        let op = self.op(at);
        // The cycle updates or deletes this very row, so it is there; who finds it absent has a dependency on whoever
        // inserts it in between, and that makes a candidate of its own.
        let exists = || self.ends.iter().any(|end| self.op(*end).is_version() && self.same_row(*end, at));
        self.presence.is_sure(op) || (op.certain && exists())
    }

    /// Whether the first operation of a tie, while its transaction goes on, keeps the second one waiting.
    pub fn blocks(&self, tie: Tie, one: At, two: At) -> bool {
        let is_same = tie.is(Tie::ANY_ROW) || self.same_row(one, two);
        let is_there = tie.is(Tie::ANY_ROW | Tie::ANY_STATE);
        tie.is(Tie::BLOCKS) && is_same && (is_there || (self.holds(one) && self.holds(two)))
    }
}

/// Whether two operations on the same row exclude each other, and what besides must be known: nothing more of locks on a
/// relation ([`Tie::ANY_ROW`]), not whether anything is there of advisory locks ([`Tie::ANY_STATE`]).
pub(super) fn excludes(first: &Op, second: &Op) -> Option<u8> {
    let certain = first.certain && second.certain;
    if first.relation != second.relation {
        return None;
    }
    if let (Action::Advisory { shared }, Action::Advisory { shared: other }) = (first.action, second.action) {
        return (!(shared && other) && certain).then_some(Tie::ANY_STATE);
    }
    let locks_table = |op: &Op| matches!(op.action, Action::Table(_));
    if locks_table(first) || locks_table(second) {
        return (certain && table_locks_conflict(first.table, second.table)).then_some(Tie::ANY_ROW);
    }
    let excludes = match (first.action, second.action) {
        (Action::Insert | Action::Delete, Action::Insert) => true,
        _ => first.strength().zip(second.strength()).is_some_and(|(one, two)| row_locks_conflict(one, two)),
    };
    excludes.then_some(0)
}

/// Whether the first operation, of a transaction at repeatable read or above, is refused once the second one has left a
/// version of its row that the snapshot does not see (`heapam.c`, `TM_Updated`; a second insert violates the unique key).
pub(super) fn is_refused_after(first: &Op, second: &Op) -> bool {
    let leaves = second.is_version() || (first.action == Action::Insert && second.action == Action::Insert);
    leaves && first.locks() && !(first.action == Action::Insert && second.action == Action::Delete)
}

/// Whether one of two operations writes what the other one touches, if they are about the same row.
pub(super) fn touches(first: &Op, second: &Op) -> bool {
    (first.writes & (second.reads | second.writes)) | (first.reads & second.writes) != 0
}

/// Whether the first one is sure to read, and the second one writes, whatever the columns: what the server's serializable
/// transactions notice of each other if it is the same row (`src/backend/storage/lmgr/predicate.c`). Never less than rows.
pub(super) fn can_notice(reader: &Op, writer: &Op) -> bool {
    let is_read =
        !matches!(reader.action, Action::Insert | Action::Table(_) | Action::Advisory { .. } | Action::Anything);
    let is_write = matches!(writer.action, Action::Update(_) | Action::Delete | Action::Insert);
    is_read && is_write && reader.certain
}
