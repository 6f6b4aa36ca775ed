//! Which kind of statement it is, and those that are no queries: locks of tables, `truncate`, `copy`, settings.

use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, LockStmt, RangeVar, TransactionStmtKind, TruncateStmt};

use super::builder::Builder;
use super::names::{Output, Scope};
use crate::access::{AccessKind, Rows, TableLock};
use crate::tree;

impl Builder<'_> {
    /// Walks a statement and tells the columns of its result.
    pub fn statement(&mut self, node: &NodeEnum) -> Vec<Output> {
        match node {
            NodeEnum::SelectStmt(select) => {
                if let Some(into) = &select.into_clause {
                    self.say(-1, "`select … into` makes a table", Some("create tables outside of programs"));
                    if let Some(relation) = &into.rel {
                        self.seen.insert(relation.location);
                    }
                }
                self.select(select).0
            }
            NodeEnum::InsertStmt(insert) => self.insert(insert),
            NodeEnum::UpdateStmt(update) => self.update(update),
            NodeEnum::DeleteStmt(delete) => self.delete(delete),
            NodeEnum::MergeStmt(merge) => self.merge(merge),
            NodeEnum::LockStmt(lock) => self.lock_tables(lock),
            NodeEnum::TruncateStmt(truncate) => self.truncate(truncate),
            NodeEnum::CopyStmt(copy) => self.copy(copy),
            NodeEnum::CallStmt(call) => {
                self.scopes.push(Scope::default());
                call.funccall.as_deref().into_iter().for_each(|call| self.function_call(call));
                self.scopes.pop();
                Vec::new()
            }
            NodeEnum::DeclareCursorStmt(cursor) => {
                let query = tree::inner(cursor.query.as_deref());
                query.map(|query| self.query(query));
                self.say(-1, "rows of a cursor are read by later `fetch`es", Some("read them with one `select`"));
                Vec::new()
            }
            NodeEnum::ExplainStmt(explain) => {
                let query = tree::inner(explain.query.as_deref());
                query.map(|query| self.query(query));
                Vec::new()
            }
            other => {
                self.other(other);
                Vec::new()
            }
        }
    }

    /// Statements that touch no rows are known by name; all others are said.
    fn other(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::TransactionStmt(transaction) => match transaction.kind() {
                TransactionStmtKind::TransStmtPrepare
                | TransactionStmtKind::TransStmtCommitPrepared
                | TransactionStmtKind::TransStmtRollbackPrepared => {
                    self.say(-1, "two-phase commit is not analysed", None);
                }
                TransactionStmtKind::TransStmtRollbackTo => {
                    self.say(
                        -1,
                        "`rollback to`: what it undoes is analysed as if it stayed",
                        Some("accept the finding if the savepoint guards nothing that others read"),
                    );
                }
                _ => {}
            },
            NodeEnum::VariableSetStmt(_)
            | NodeEnum::VariableShowStmt(_)
            | NodeEnum::ConstraintsSetStmt(_)
            | NodeEnum::NotifyStmt(_)
            | NodeEnum::ListenStmt(_)
            | NodeEnum::UnlistenStmt(_)
            | NodeEnum::DiscardStmt(_)
            | NodeEnum::DeallocateStmt(_)
            | NodeEnum::ClosePortalStmt(_)
            | NodeEnum::CheckPointStmt(_) => {}
            NodeEnum::ExecuteStmt(execute) => {
                let why = format!("the text of the prepared statement \"{}\" is not known here", execute.name);
                self.say(-1, why, Some("write the statement itself"));
            }
            NodeEnum::PrepareStmt(prepare) => {
                let why = format!("`prepare {}` is run by a later `execute`", prepare.name);
                self.say(-1, why, Some("write the statement itself where it is executed"));
            }
            NodeEnum::FetchStmt(_) => self.say(-1, "what a `fetch` reads is its cursor's", Some("use one `select`")),
            NodeEnum::DoStmt(_) => {
                self.say(-1, "a `do` block inside a program", Some("make it a function, or write its statements"));
            }
            _ => self.say(-1, "a statement that changes the schema or is not known", Some("keep it out of programs")),
        }
    }

    fn lock_tables(&mut self, lock: &LockStmt) -> Vec<Output> {
        let mode = match lock.mode {
            1 => TableLock::AccessShare,
            2 => TableLock::RowShare,
            3 => TableLock::RowExclusive,
            4 => TableLock::ShareUpdateExclusive,
            5 => TableLock::Share,
            6 => TableLock::ShareRowExclusive,
            7 => TableLock::Exclusive,
            _ => TableLock::AccessExclusive,
        };
        for relation in &lock.relations {
            if let Some(NodeEnum::RangeVar(relation)) = &relation.node {
                self.whole_table(relation, AccessKind::LockTable(mode));
            }
        }
        Vec::new()
    }

    fn whole_table(&mut self, relation: &RangeVar, kind: AccessKind) -> Option<usize> {
        let name = self.relation_name(relation)?;
        let index = self.add_use(name, kind, self.place(relation.location));
        self.uses[index].rows = Some(Rows::All);
        Some(index)
    }

    /// `truncate` deletes all rows, and is not seen as such by older snapshots (manual, 13.6 Caveats).
    fn truncate(&mut self, truncate: &TruncateStmt) -> Vec<Output> {
        for relation in &truncate.relations {
            let Some(NodeEnum::RangeVar(relation)) = &relation.node else { continue };
            self.whole_table(relation, AccessKind::LockTable(TableLock::AccessExclusive));
            if let Some(index) = self.whole_table(relation, AccessKind::Delete) {
                let all = self.named_columns(index, &[]).into_iter().map(|(_, column)| column);
                self.uses[index].writes = all.collect();
            }
            let why = "`truncate` is not safe under snapshots: older ones find the table empty";
            self.say(relation.location, why, Some("use `delete`"));
        }
        Vec::new()
    }

    fn copy(&mut self, copy: &CopyStmt) -> Vec<Output> {
        if let Some(query) = tree::inner(copy.query.as_deref()) {
            return self.query(query);
        }
        let Some(relation) = &copy.relation else { return Vec::new() };
        let kind = if copy.is_from { AccessKind::Insert } else { AccessKind::Read };
        if let Some(index) = self.whole_table(relation, kind) {
            let columns: Vec<String> = self.named_columns(index, &[]).into_iter().map(|(_, column)| column).collect();
            let named = tree::strings(&copy.attlist);
            let used = &mut self.uses[index];
            if copy.is_from {
                used.writes.extend(columns);
            } else {
                used.reads.extend(if named.is_empty() { columns } else { named });
            }
        }
        if let Some(condition) = tree::inner(copy.where_clause.as_deref()) {
            self.scopes.push(Scope::default());
            self.expression(condition);
            self.scopes.pop();
        }
        Vec::new()
    }
}
