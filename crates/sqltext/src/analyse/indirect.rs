//! What PostgreSQL does to other tables because of a change: foreign keys' checks and actions.
//!
//! The queries are those of `src/backend/utils/adt/ri_triggers.c`: the referenced row is locked `for key share`;
//! whether rows refer to a deleted or changed one is asked `for key share` too; actions are an `update` or `delete`.

use std::collections::{BTreeMap, BTreeSet};

use super::builder::{Builder, Use};
use crate::access::{Access, AccessKind, Cause, LockStrength, Rows, Term};
use crate::name::RelationName;
use crate::position::Span;
use crate::schema::{Action, ForeignKey, Relation};

/// How many tables an action may pass through before the analysis says that it stops.
const CASCADES_MAX: usize = 16;

/// A change whose consequences are looked for.
struct Change {
    relation: RelationName,
    kind: AccessKind,
    writes: BTreeSet<String>,
    /// Of an insert: the columns that it names.
    given: BTreeSet<String>,
    /// What is known of the old row.
    old: BTreeMap<String, Term>,
    /// What is known of the new row's written columns.
    new: BTreeMap<String, Term>,
    conditional: bool,
    span: Span,
    depth: usize,
}

impl Builder<'_> {
    /// What one use brings about; `equal` is what is known of its rows.
    pub fn consequences(&mut self, index: usize, equal: &BTreeMap<String, Term>) {
        if !self.uses[index].kind.is_write() {
            return;
        }
        self.fire(index, equal);
        let used: &Use = &self.uses[index];
        let change = Change {
            relation: used.named.clone(),
            kind: used.kind,
            writes: used.writes.clone(),
            given: used.given.clone(),
            old: equal.clone(),
            new: used.values.clone(),
            conditional: used.conditional || used.may_miss,
            span: used.span.clone(),
            depth: 0,
        };
        self.follow(&change);
    }

    fn follow(&mut self, change: &Change) {
        if change.depth > CASCADES_MAX {
            self.say(-1, "foreign keys' actions go too deep", None);
            return;
        }
        if matches!(change.kind, AccessKind::Insert | AccessKind::Update) {
            self.check_parents(change);
        }
        if matches!(change.kind, AccessKind::Delete | AccessKind::Update) {
            self.touch_children(change);
        }
    }

    /// The rows that new values refer to are locked.
    fn check_parents(&mut self, change: &Change) {
        let Some(relation) = self.schema().relations.get(&change.relation) else { return };
        for foreign_key in &relation.foreign_keys {
            // An insert leaves columns null that it does not name and that have no default: nothing is checked then.
            let is_set = foreign_key.columns.iter().all(|column| match change.kind {
                AccessKind::Insert => {
                    let has_default =
                        relation.column(column).is_some_and(|column| column.default.is_some() || column.from_sequence);
                    change.given.contains(column) || change.given.is_empty() || has_default
                }
                _ => true,
            });
            let is_hit = change.kind == AccessKind::Insert
                || foreign_key.columns.iter().any(|column| change.writes.contains(column));
            if !is_set || !is_hit {
                continue;
            }
            let term = |column: &String| change.new.get(column).cloned().unwrap_or(Term::Unknown);
            let terms: Vec<Term> = foreign_key.columns.iter().map(term).collect();
            let nullable = |name: &String| relation.column(name).is_none_or(|column| !column.not_null);
            let has_value = |name: &String| change.new.contains_key(name);
            let may_be_null = foreign_key.columns.iter().any(|name| nullable(name) && !has_value(name));
            let access = Access {
                relation: self.root_of(&foreign_key.references),
                kind: AccessKind::Lock(LockStrength::KeyShare),
                rows: Rows::one(foreign_key.referenced.clone(), terms),
                reads: foreign_key.referenced.iter().cloned().collect(),
                writes: BTreeSet::new(),
                values: BTreeMap::new(),
                conditions: BTreeSet::new(),
                conditional: change.conditional || may_be_null || change.kind == AccessKind::Update,
                may_miss: false,
                nested: false,
                cause: Cause::ForeignKey(foreign_key.name.clone()),
                span: change.span.clone(),
            };
            self.brought_about.push(access);
        }
    }

    /// The rows that refer to a deleted or changed row.
    fn touch_children(&mut self, change: &Change) {
        let parent = self.root_of(&change.relation);
        let schema = self.schema();
        for (name, child) in &schema.relations {
            // Partitions have their parent's foreign keys, and are reached through it.
            if child.parents.iter().any(|parent| schema.relations.contains_key(parent)) {
                continue;
            }
            for foreign_key in &child.foreign_keys {
                let is_hit = self.root_of(&foreign_key.references) == parent
                    && (change.kind == AccessKind::Delete
                        || foreign_key.referenced.iter().any(|column| change.writes.contains(column)));
                if is_hit {
                    self.touch_child(change, name, child, foreign_key);
                }
            }
        }
    }

    fn touch_child(&mut self, change: &Change, name: &RelationName, child: &Relation, foreign_key: &ForeignKey) {
        let pairs = || foreign_key.columns.iter().zip(&foreign_key.referenced);
        let known = |referenced: &String| change.old.get(referenced).filter(|term| **term != Term::Unknown).cloned();
        let equal: BTreeMap<String, Term> =
            pairs().filter_map(|(own, referenced)| Some((own.clone(), known(referenced)?))).collect();
        let deletes = change.kind == AccessKind::Delete;
        let action = if deletes { foreign_key.on_delete } else { foreign_key.on_update };
        let set = if foreign_key.set_columns.is_empty() || !deletes {
            &foreign_key.columns
        } else {
            &foreign_key.set_columns
        };
        let own: BTreeSet<String> = foreign_key.columns.iter().cloned().collect();
        let (kind, writes, cause) = match action {
            Action::NoAction | Action::Restrict => {
                let cause = Cause::ForeignKey(foreign_key.name.clone());
                (AccessKind::Lock(LockStrength::KeyShare), BTreeSet::new(), cause)
            }
            Action::Cascade if deletes => {
                let all = child.columns.iter().map(|column| column.name.clone()).collect();
                (AccessKind::Delete, all, Cause::Cascade(foreign_key.name.clone()))
            }
            Action::Cascade | Action::SetNull | Action::SetDefault => {
                let cause = Cause::Cascade(foreign_key.name.clone());
                (AccessKind::Update, set.iter().cloned().collect(), cause)
            }
        };
        let access = Access {
            relation: self.root_of(name),
            kind,
            rows: Rows::Where { columns: own.clone(), equal: equal.clone(), compared: BTreeSet::new() },
            reads: own.clone(),
            writes: writes.clone(),
            values: BTreeMap::new(),
            conditions: own,
            conditional: true,
            may_miss: false,
            nested: false,
            cause,
            span: change.span.clone(),
        };
        if self.brought_about.contains(&access) {
            return;
        }
        self.brought_about.push(access);
        if kind.is_write() {
            if !child.triggers.is_empty() {
                let why = format!("triggers of \"{name}\" fire on the rows that \"{}\" changes", foreign_key.name);
                self.say(-1, why, None);
            }
            let span = change.span.clone();
            let next = Change {
                relation: name.clone(),
                kind,
                writes,
                given: BTreeSet::new(),
                old: equal,
                new: BTreeMap::new(),
                conditional: true,
                span,
                depth: change.depth + 1,
            };
            self.follow(&next);
        }
    }
}
