//! Triggers: what their functions do, as part of the statement that fires them.

use std::collections::BTreeMap;

use super::builder::Builder;
use crate::access::{AccessKind, Cause, Term};
use crate::budget;
use crate::name::RelationName;
use crate::programs::{Row, trigger_statements};
use crate::schema::{Function, Schema, Trigger, TriggerEvent};

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
        self.triggers_of_heirs(index);
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
        if self.surroundings.calls >= super::CALLS_MAX || !budget::spend() {
            self.say(-1, format!("trigger \"{}\" fires too deep", trigger.name), None);
            return;
        }
        if trigger.before && trigger.for_each_row && !always_goes_on(&function.definition) {
            self.uses[index].may_miss = true;
        }
        // Of an update or a delete, rows fire it only if there are some.
        let used = &self.uses[index];
        let is_sure = !trigger.for_each_row || used.kind == AccessKind::Insert && !used.may_miss;
        let perhaps = used.conditional || trigger.has_condition || !is_sure;
        let row = self.row(index, trigger, equal);
        let body = trigger_statements(self.schema(), function, &row, self.surroundings.calls + 1);
        let span = self.uses[index].span.clone();
        for (statement, conditional) in body.statements.into_iter().zip(body.conditional) {
            for mut access in statement.accesses {
                access.conditional |= conditional || perhaps;
                access.nested = true;
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

    /// Rows that are written through a table live in its partitions or heirs, whose own triggers and foreign keys are
    /// theirs alone.
    fn triggers_of_heirs(&mut self, index: usize) {
        let Some(relation) = self.relation_of(index) else { return };
        let (named, schema) = (self.uses[index].named.clone(), self.schema());
        let is_below = |name: &RelationName| *name != named && is_heir(schema, name, &named);
        for (name, heir) in schema.relations.iter().filter(|(name, _)| is_below(name)) {
            let own = |trigger: &Trigger| !relation.triggers.iter().any(|known| known.name == trigger.name);
            if heir.triggers.iter().any(own) || heir.foreign_keys.len() > relation.foreign_keys.len() {
                let why = format!("triggers or foreign keys of \"{}\" alone are not analysed here", name.name());
                self.say(-1, why, Some("declare them on the table that programs name"));
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

/// Whether a trigger's function returns the row whatever happens, so that the change is made: every `return` of its text
/// is of `new` or `old`. What looks like one in a comment makes the answer no.
fn always_goes_on(definition: &str) -> bool {
    let text = definition.to_ascii_lowercase();
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut returns = text.match_indices("return").filter(|(at, word)| {
        let is_apart = |around: Option<char>| !around.is_some_and(is_name);
        is_apart(text[..*at].chars().next_back()) && is_apart(text[at + word.len()..].chars().next())
    });
    let value = |at: usize| text[at + "return".len()..].split(';').next().unwrap_or_default().trim();
    text.contains("plpgsql") && returns.all(|(at, _)| matches!(value(at), "new" | "old" | "coalesce(new, old)"))
}

fn is_heir(schema: &Schema, name: &RelationName, of: &RelationName) -> bool {
    let mut parents: Vec<&RelationName> = vec![name];
    // As many generations as there can be.
    for _ in 0..schema.relations.len() {
        let next = parents.iter().filter_map(|name| schema.relations.get(*name)).flat_map(|relation| &relation.parents);
        parents = next.collect();
        if parents.contains(&of) || parents.is_empty() {
            break;
        }
    }
    parents.contains(&of)
}
