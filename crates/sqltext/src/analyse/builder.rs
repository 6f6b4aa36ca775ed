//! What is gathered while a statement's tree is walked: uses of relations, and equalities between their columns and
//! terms. At the end the equalities tell which rows each use is about.

use std::collections::{BTreeMap, BTreeSet};

use super::Surroundings;
use super::names::{Cte, Scope};
use crate::access::{Access, AccessKind, Cause, Rows, Term};
use crate::comparison::{Comparison, Order};
use crate::name::RelationName;
use crate::position::Span;
use crate::schema::{Key, Relation, RelationKind, Schema};
use crate::workload::Unanalysed;

/// A column of one use of a relation.
pub type UsedColumn = (usize, String);

/// One mention of a relation, or one thing that PostgreSQL does to it.
#[derive(Debug, Clone)]
pub struct Use {
    /// The relation; of a partition or heir, the root of its tree, because their rows are the same.
    pub relation: RelationName,
    /// As it was named, for keys and columns.
    pub named: RelationName,
    pub kind: AccessKind,
    pub reads: BTreeSet<String>,
    pub writes: BTreeSet<String>,
    pub values: BTreeMap<String, Term>,
    /// Of an insert: the columns that it names, which are not left to their defaults.
    pub given: BTreeSet<String>,
    /// Columns that conditions look at.
    pub predicate: BTreeSet<String>,
    pub conditional: bool,
    /// Something besides the key decides whether the row is found.
    pub may_miss: bool,
    /// Columns that conditions bind to a term, each as often as they do.
    pub bound: Vec<String>,
    pub cause: Cause,
    pub span: Span,
    /// Known without conditions: the row of an insert.
    pub rows: Option<Rows>,
}

/// Where an equality's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Term(Term),
    Column(UsedColumn),
}

/// `to` equals `from` in every row that counts.
#[derive(Debug, Clone)]
pub struct Link {
    pub from: Source,
    pub to: UsedColumn,
}

/// `column` compares so with `with` in every row that counts.
#[derive(Debug, Clone)]
pub struct Compared {
    pub column: UsedColumn,
    pub order: Order,
    pub with: Source,
}

/// The walk over one statement.
pub struct Builder<'a> {
    pub surroundings: Surroundings<'a>,
    pub uses: Vec<Use>,
    pub links: Vec<Link>,
    pub compared: Vec<Compared>,
    pub unanalysed: Vec<Unanalysed>,
    pub scopes: Vec<Scope>,
    pub ctes: Vec<Cte>,
    /// Every column that was resolved, in order: callers look at what a part of the walk has added.
    pub touched: Vec<UsedColumn>,
    /// Whether a function was met whose value changes from row to row.
    pub volatile: bool,
    /// Offsets of the relations' names that were looked at.
    pub seen: BTreeSet<i32>,
    /// What is done by functions and triggers, after the statement itself.
    pub brought_about: Vec<Access>,
    /// The cause of uses that are added now.
    pub cause: Cause,
}

impl<'a> Builder<'a> {
    pub fn new(surroundings: Surroundings<'a>) -> Self {
        Self {
            surroundings,
            uses: Vec::new(),
            links: Vec::new(),
            compared: Vec::new(),
            unanalysed: Vec::new(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            touched: Vec::new(),
            volatile: false,
            seen: BTreeSet::new(),
            brought_about: Vec::new(),
            cause: Cause::Statement,
        }
    }

    pub fn schema(&self) -> &'a Schema {
        self.surroundings.schema
    }

    /// The span of an offset in the prepared text; negative offsets mean none, as in PostgreSQL's trees.
    pub fn place(&self, location: i32) -> Span {
        (self.surroundings.place)(usize::try_from(location).ok())
    }

    /// Says that something was not understood.
    pub fn say(&mut self, location: i32, why: impl Into<String>, hint: Option<&str>) {
        let said = Unanalysed { span: self.place(location), why: why.into(), hint: hint.map(str::to_owned) };
        if !self.unanalysed.contains(&said) {
            self.unanalysed.push(said);
        }
    }

    /// Adds a use of a relation and returns its index.
    pub fn add_use(&mut self, named: RelationName, kind: AccessKind, span: Span) -> usize {
        self.uses.push(Use {
            relation: root(self.schema(), &named),
            named,
            kind,
            reads: BTreeSet::new(),
            writes: BTreeSet::new(),
            values: BTreeMap::new(),
            given: BTreeSet::new(),
            predicate: BTreeSet::new(),
            conditional: false,
            may_miss: false,
            bound: Vec::new(),
            cause: self.cause.clone(),
            span,
            rows: None,
        });
        self.uses.len() - 1
    }

    /// The relation of a use, if the schema has it.
    pub fn relation_of(&self, index: usize) -> Option<&'a Relation> {
        self.schema().relations.get(&self.uses[index].named)
    }

    /// The keys that tell rows of a use apart. Heirs have rows of their own that no key of their parent guards.
    pub fn keys_of(&self, index: usize) -> &'a [Key] {
        let Some(relation) = self.relation_of(index) else { return &[] };
        let name = &self.uses[index].named;
        let has_heirs = || self.schema().relations.values().any(|other| other.parents.contains(name));
        if relation.kind != RelationKind::Partitioned && has_heirs() { &[] } else { &relation.keys }
    }

    /// Adds an equality.
    pub fn link(&mut self, from: Source, to: UsedColumn) {
        self.links.push(Link { from, to });
    }

    /// The accesses, with what they bring about, and what was not understood.
    pub fn finish(mut self) -> (Vec<Access>, Vec<Unanalysed>) {
        let known = self.propagate();
        let direct = self.uses.len();
        for index in 0..direct {
            let equal: BTreeMap<String, Term> = columns_of(&known, index);
            if self.uses[index].rows.is_none() {
                let rows = self.rows(index, &equal, &known);
                self.uses[index].may_miss |= is_bound_otherwise(&self.uses[index], &rows);
                self.uses[index].rows = Some(rows);
            }
        }
        for index in 0..direct {
            self.consequences(index, &columns_of(&known, index));
        }
        let brought_about = std::mem::take(&mut self.brought_about);
        let accesses = self.uses.into_iter().map(Use::into_access).chain(brought_about);
        let mut distinct: Vec<Access> = Vec::new();
        for access in accesses {
            if !distinct.contains(&access) {
                distinct.push(access);
            }
        }
        (distinct, self.unanalysed)
    }

    /// Which columns of which uses equal a term. A column of a use that has one row is equal to something, if not to
    /// something that has a name.
    fn propagate(&self) -> BTreeMap<UsedColumn, Term> {
        let mut known: BTreeMap<UsedColumn, Term> = BTreeMap::new();
        // Every round but the last makes a column known, and there are no more columns than links.
        for _ in 0..=2 * self.links.len() {
            let mut changed = false;
            for link in &self.links {
                let term = match &link.from {
                    Source::Term(term) => Some(term.clone()),
                    Source::Column(column) => known.get(column).cloned().or_else(|| self.single(column.0, &known)),
                };
                let Some(term) = term else { continue };
                let better = match known.get(&link.to) {
                    None => true,
                    Some(Term::Unknown) => term != Term::Unknown,
                    Some(_) => false,
                };
                if better {
                    known.insert(link.to.clone(), term);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        known
    }

    fn single(&self, index: usize, known: &BTreeMap<UsedColumn, Term>) -> Option<Term> {
        let bound = |column: &String| known.contains_key(&(index, column.clone()));
        let is_one = self.keys_of(index).iter().any(|key| key.predicate.is_none() && key.columns.iter().all(bound));
        is_one.then_some(Term::Unknown)
    }

    /// What a use's columns are compared with, where that is a term.
    fn compared(&self, index: usize, known: &BTreeMap<UsedColumn, Term>) -> BTreeSet<Comparison> {
        let of_use = self.compared.iter().filter(|compared| compared.column.0 == index);
        let named = |compared: &Compared| {
            let term = match &compared.with {
                Source::Term(term) => term,
                Source::Column(column) => known.get(column)?,
            };
            let comparison =
                || Comparison { column: compared.column.1.clone(), order: compared.order, term: term.clone() };
            (*term != Term::Unknown).then(comparison)
        };
        of_use.filter_map(named).collect()
    }

    fn rows(&self, index: usize, equal: &BTreeMap<String, Term>, known: &BTreeMap<UsedColumn, Term>) -> Rows {
        let used = &self.uses[index];
        let keys = self.keys_of(index);
        let bound = |columns: &[String]| columns.iter().map(|column| equal.get(column).cloned()).collect();
        let unconditional = keys.iter().filter(|key| key.predicate.is_none() && !key.columns.is_empty());
        let candidates = unconditional.filter_map(|key| {
            let terms: Option<Vec<Term>> = bound(&key.columns);
            terms.map(|terms| (key.columns.clone(), terms))
        });
        // Of two keys, the one about which more is known.
        let best = candidates.min_by_key(|(_, terms)| terms.iter().filter(|term| **term == Term::Unknown).count());
        match best {
            Some((key, terms)) => {
                let others = equal.iter().filter(|(column, term)| !key.contains(column) && **term != Term::Unknown);
                let also = others.map(|(column, term)| (column.clone(), term.clone())).collect();
                let compared = self.compared(index, known);
                Rows::One { key, terms, also, compared }
            }
            None if used.predicate.is_empty() && equal.is_empty() => Rows::All,
            None => {
                let named =
                    |(column, term): (&String, &Term)| (*term != Term::Unknown).then(|| (column.clone(), term.clone()));
                let columns = used.predicate.iter().chain(equal.keys()).cloned().collect();
                let equal = equal.iter().filter_map(named).collect();
                Rows::Where { columns, equal, compared: self.compared(index, known) }
            }
        }
    }
}

/// What is known of one use's columns.
fn columns_of(known: &BTreeMap<UsedColumn, Term>, index: usize) -> BTreeMap<String, Term> {
    let own = known.range((index, String::new())..(index + 1, String::new()));
    own.map(|((_, column), term)| (column.clone(), term.clone())).collect()
}

/// Whether a column of the key is bound twice, or not by a condition of its own: then it may be equal to one thing and
/// not to the other.
fn is_bound_otherwise(used: &Use, rows: &Rows) -> bool {
    let Rows::One { key, .. } = rows else { return false };
    let times = |column: &String| used.bound.iter().filter(|bound| *bound == column).count();
    key.iter().any(|column| times(column) != 1)
}

impl Use {
    pub fn into_access(self) -> Access {
        let is_one = matches!(self.rows, Some(Rows::One { .. })) && self.kind != AccessKind::Read;
        Access {
            relation: self.relation,
            kind: self.kind,
            rows: self.rows.unwrap_or(Rows::All),
            reads: self.reads,
            writes: self.writes,
            values: self.values,
            conditions: self.predicate,
            conditional: self.conditional,
            may_miss: self.may_miss && is_one,
            nested: false,
            cause: self.cause,
            span: self.span,
        }
    }
}

/// The topmost parent of a partition or heir: the name under which all rows of its tree are told apart.
pub fn root(schema: &Schema, name: &RelationName) -> RelationName {
    let mut root = name;
    // Parents cannot form a ring in a server; a text may say so all the same.
    for _ in 0..schema.relations.len() {
        match schema.relations.get(root).and_then(|relation| relation.parents.first()) {
            Some(parent) => root = parent,
            None => break,
        }
    }
    root.clone()
}
