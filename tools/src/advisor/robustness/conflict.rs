//! When two operations depend on each other, and when one keeps the other out.
//!
//! Dependencies are per column, as no value flows otherwise; blocking is per row, as PostgreSQL locks rows. So they are
//! asked for separately, and a dependency is assumed when it is possible, blocking only when it is certain.

use super::model::{Action, Model, Op, row_locks_conflict, table_locks_conflict};
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
    // Who must find no row was not there before it went, nor after it came.
    if (one.forbids && two.action == Action::Delete) || (two.forbids && one.action == Action::Insert) {
        return Kinds::default();
    }
    Kinds {
        ww: one.writes & two.writes != 0 && if inserts { ends } else { !ends },
        wr: one.writes & two.reads != 0 && !(ends && is_hit(two)),
        rw: one.reads & two.writes != 0 && !(inserts && (is_hit(one) || one.action == Action::Insert)),
    }
}

/// What is known about which rows exist.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    /// By relation: some program inserts or deletes rows, so that a row which is looked for may not be there. Of other
    /// relations every row is assumed to exist that programs name by its key.
    changes: Vec<bool>,
}

impl Presence {
    /// Looks at the paths that `included` says take part.
    pub fn of(model: &Model, included: &dyn Fn(usize) -> bool) -> Self {
        let mut changes = vec![false; model.relations.len()];
        let mut anything = false;
        for path in model.paths.iter().filter(|path| included(path.program)) {
            for op in &path.ops {
                changes[op.relation] |= op.writes & super::model::EXISTS != 0;
                anything |= op.action == Action::Anything;
            }
        }
        for changed in &mut changes {
            *changed |= anything;
        }
        Self { changes }
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
    fn op(&self, at: At) -> &Op {
        &self.rows.paths[at.0].ops[at.1]
    }

    fn same_row(&self, one: At, two: At) -> bool {
        self.rows.same_row((one.0, self.op(one).var), (two.0, self.op(two).var))
    }

    /// Whether an operation takes place for sure on a row that is there.
    fn holds(&self, at: At) -> bool {
        if self.ends.contains(&at) {
            return true;
        }
        let op = self.op(at);
        // The cycle updates or deletes this very row, so it is there; who finds it absent has a dependency on whoever
        // inserts it in between, and that makes a candidate of its own.
        let exists = || self.ends.iter().any(|end| self.op(*end).is_version() && self.same_row(*end, at));
        self.presence.is_sure(op) || (op.certain && exists())
    }

    /// Whether the first operation, while its transaction goes on, keeps the second one waiting.
    pub fn blocks(&self, one: At, two: At) -> bool {
        let (first, second) = (self.op(one), self.op(two));
        if let (Action::Advisory { shared }, Action::Advisory { shared: other }) = (first.action, second.action) {
            return !(shared && other) && first.certain && second.certain && self.same_row(one, two);
        }
        if first.relation != second.relation {
            return false;
        }
        let locks_table = |op: &Op| matches!(op.action, Action::Table(_));
        if locks_table(first) || locks_table(second) {
            return first.certain && second.certain && table_locks_conflict(first.table, second.table);
        }
        let excludes = match (first.action, second.action) {
            (Action::Insert | Action::Delete, Action::Insert) => true,
            _ => first.strength().zip(second.strength()).is_some_and(|(one, two)| row_locks_conflict(one, two)),
        };
        excludes && self.same_row(one, two) && self.holds(one) && self.holds(two)
    }

    /// Whether the first operation, of a transaction at repeatable read or above, fails once the second one has left a
    /// version that its snapshot does not see (`heapam.c`, `TM_Updated`; a second insert violates the unique key).
    pub fn fails_after(&self, one: At, two: At) -> bool {
        let (first, second) = (self.op(one), self.op(two));
        let leaves = second.is_version() || (first.action == Action::Insert && second.action == Action::Insert);
        let inserts = first.action == Action::Insert && second.action == Action::Delete;
        leaves && !inserts && first.locks() && self.blocks(one, two)
    }

    /// Whether the two operations depend on each other in every schedule, one way or the other.
    pub fn surely_depend(&self, one: At, two: At) -> bool {
        let (first, second) = (self.op(one), self.op(two));
        let meets = (first.writes & (second.reads | second.writes)) | (first.reads & second.writes);
        meets != 0 && self.same_row(one, two) && self.holds(one) && self.holds(two)
    }

    /// Whether one reads a row that the other writes, whatever the columns: what the server's serializable transactions
    /// notice of each other (`src/backend/storage/lmgr/predicate.c`). Never less than rows.
    pub fn notices(&self, reader: At, writer: At) -> bool {
        let (mine, theirs) = (self.op(reader), self.op(writer));
        let is_read =
            !matches!(mine.action, Action::Insert | Action::Table(_) | Action::Advisory { .. } | Action::Anything);
        let is_write = matches!(theirs.action, Action::Update(_) | Action::Delete | Action::Insert);
        is_read && is_write && mine.certain && self.same_row(reader, writer) && self.holds(writer)
    }

    /// Every pair of operations of two transactions.
    pub fn pairs(&self, one: usize, two: usize) -> impl Iterator<Item = (At, At)> {
        let (mine, theirs) = (self.rows.paths[one].ops.len(), self.rows.paths[two].ops.len());
        (0..mine).flat_map(move |a| (0..theirs).map(move |b| ((one, a), (two, b))))
    }
}
