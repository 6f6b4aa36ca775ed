//! What two operations are to each other, asked for by itself each time.

use crate::advisor::robustness::conflict::{At, Judge};
use crate::advisor::robustness::model::{Action, Op, row_locks_conflict, table_locks_conflict};

impl Judge<'_, '_> {
    /// Whether the first operation, while its transaction goes on, keeps the second one waiting.
    pub(super) fn keeps_out(&self, one: At, two: At) -> bool {
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
    pub(super) fn fails_after(&self, one: At, two: At) -> bool {
        let (first, second) = (self.op(one), self.op(two));
        let leaves = second.is_version() || (first.action == Action::Insert && second.action == Action::Insert);
        let inserts = first.action == Action::Insert && second.action == Action::Delete;
        leaves && !inserts && first.locks() && self.keeps_out(one, two)
    }

    /// Whether the two operations depend on each other in every schedule, one way or the other.
    pub(super) fn surely_depend(&self, one: At, two: At) -> bool {
        let (first, second) = (self.op(one), self.op(two));
        let meets = (first.writes & (second.reads | second.writes)) | (first.reads & second.writes);
        meets != 0 && self.same_row(one, two) && self.holds(one) && self.holds(two)
    }

    /// Whether one reads a row that the other writes, whatever the columns: what the server's serializable transactions
    /// notice of each other (`src/backend/storage/lmgr/predicate.c`). Never less than rows.
    pub(super) fn notices(&self, reader: At, writer: At) -> bool {
        let (mine, theirs) = (self.op(reader), self.op(writer));
        let is_read =
            !matches!(mine.action, Action::Insert | Action::Table(_) | Action::Advisory { .. } | Action::Anything);
        let is_write = matches!(theirs.action, Action::Update(_) | Action::Delete | Action::Insert);
        is_read && is_write && mine.certain && self.same_row(reader, writer) && self.holds(writer)
    }

    /// Every pair of operations of two transactions.
    pub(super) fn pairs(&self, one: usize, two: usize) -> impl Iterator<Item = (At, At)> {
        let (mine, theirs) = (self.rows.paths[one].ops.len(), self.rows.paths[two].ops.len());
        (0..mine).flat_map(move |a| (0..theirs).map(move |b| ((one, a), (two, b))))
    }
}
