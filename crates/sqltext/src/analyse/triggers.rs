//! Triggers: what their functions do, as part of the statement that fires them.

use std::collections::BTreeMap;

use super::builder::Builder;
use crate::access::{AccessKind, Cause, Term};
use crate::programs::{Row, trigger_statements};
use crate::schema::{Function, Trigger, TriggerEvent};

impl Builder<'_> {
    /// Adds what the triggers of one use do.
    pub(super) fn fire(&mut self, index: usize, equal: &BTreeMap<String, Term>) {
        let Some(relation) = self.relation_of(index) else { return };
        let (kind, writes) = (self.uses[index].kind, self.uses[index].writes.clone());
        let event = match kind {
            AccessKind::Insert => TriggerEvent::Insert,
            AccessKind::Update => TriggerEvent::Update,
            AccessKind::Delete => TriggerEvent::Delete,
            _ => return,
        };
        for trigger in &relation.triggers {
            let is_of = event != TriggerEvent::Update
                || trigger.columns.is_empty()
                || trigger.columns.iter().any(|column| writes.contains(column));
            if trigger.events.contains(&event) && is_of {
                self.fire_one(index, trigger, equal);
            }
        }
    }

    fn fire_one(&mut self, index: usize, trigger: &Trigger, equal: &BTreeMap<String, Term>) {
        let name = trigger.function.rsplit('.').next().unwrap_or(&trigger.function);
        let known: Option<&Function> = self.schema().functions.iter().find(|function| function.name.name() == name);
        let Some(function) = known else {
            let why = format!("the function {name}() of trigger \"{}\" is not known", trigger.name);
            self.say(-1, why, Some("add its `create function` to the schema"));
            return;
        };
        if self.surroundings.calls >= super::CALLS_MAX {
            self.say(-1, format!("trigger \"{}\" fires too deep", trigger.name), None);
            return;
        }
        let row = self.row(index, trigger, equal);
        let body = trigger_statements(self.schema(), function, &row, self.surroundings.calls + 1);
        let span = self.uses[index].span.clone();
        for (statement, conditional) in body.statements.into_iter().zip(body.conditional) {
            for mut access in statement.accesses {
                access.conditional |= conditional || self.uses[index].conditional;
                access.span = span.clone();
                if access.cause == Cause::Statement {
                    access.cause = Cause::Trigger(trigger.name.clone());
                }
                self.brought_about.push(access);
            }
            for said in statement.unanalysed {
                let why = format!("in trigger \"{}\": {}", trigger.name, said.why);
                self.say(-1, why, said.hint.as_deref());
            }
        }
        if trigger.before {
            // The function may write what the statement did not say.
            for column in body.assigned {
                self.uses[index].values.remove(&column);
                self.uses[index].writes.insert(column);
            }
        }
    }

    /// What is known of the row that fires a trigger.
    fn row(&self, index: usize, trigger: &Trigger, equal: &BTreeMap<String, Term>) -> Row {
        let mut row = Row::default();
        let Some(relation) = self.relation_of(index).filter(|_| trigger.for_each_row) else { return row };
        let used = &self.uses[index];
        for column in &relation.columns {
            let old = equal.get(&column.name).cloned().unwrap_or(Term::Unknown);
            let new = match used.values.get(&column.name) {
                Some(term) => term.clone(),
                None if used.kind == AccessKind::Update && !used.writes.contains(&column.name) => old.clone(),
                None => Term::Unknown,
            };
            row.old.insert(column.name.clone(), old);
            row.new.insert(column.name.clone(), new);
        }
        row
    }
}
