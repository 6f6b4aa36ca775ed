//! One statement's accesses, from its tree and the schema.
//!
//! Nothing is passed over in silence: an expression, relation or function that is not understood becomes an
//! [`Unanalysed`], and a guard compares the relations that the tree names with those that were looked at.

mod builder;
mod condition;
mod expression;
mod from;
mod functions;
mod guard;
mod indirect;
mod names;
mod select;
mod triggers;
mod utility;
mod write;

use pg_query::NodeEnum;

use crate::access::{Access, Term};
use crate::position::Span;
use crate::schema::Schema;
use crate::workload::Unanalysed;

use builder::Builder;
pub use builder::root;

/// How deep functions call functions, and triggers fire triggers, before the analysis says that it stops.
pub const CALLS_MAX: usize = 8;

/// What surrounds a statement.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// What names mean.
    pub schema: &'a Schema,
    /// What `$1` to `$n` are.
    pub arguments: &'a [Term],
    /// The span of a byte of the statement's prepared text; without one, of the whole statement.
    pub place: &'a dyn Fn(Option<usize>) -> Span,
    /// How many functions and triggers called each other to get here.
    pub calls: usize,
}

/// What a statement does.
#[derive(Debug, Clone, Default)]
pub struct Analysed {
    /// In the order in which they happen: the statement's own, then what it brings about.
    pub accesses: Vec<Access>,
    /// What was not understood.
    pub unanalysed: Vec<Unanalysed>,
    /// The columns of its result.
    pub columns: Vec<OutputColumn>,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// As the server would name it.
    pub name: String,
    /// What it is, when the statement only passes it on.
    pub term: Term,
}

/// Analyses a statement.
#[must_use]
pub fn statement(tree: &NodeEnum, surroundings: Surroundings<'_>) -> Analysed {
    let mut builder = Builder::new(surroundings);
    let outputs = builder.statement(tree);
    guard::check(&mut builder, tree);
    let columns = outputs.into_iter().map(|output| OutputColumn { name: output.name, term: output.term });
    let columns = columns.collect();
    let (accesses, unanalysed) = builder.finish();
    Analysed { accesses, unanalysed, columns }
}

/// The names of a query's columns; nothing when they cannot be told.
#[must_use]
pub fn output_columns(schema: &Schema, query: &NodeEnum) -> Option<Vec<String>> {
    let nowhere = |_| Span::default();
    let mut builder = Builder::new(Surroundings { schema, arguments: &[], place: &nowhere, calls: 0 });
    let outputs = builder.statement(query);
    let all_known = outputs.iter().all(|output| output.name != names::EVERYTHING);
    all_known.then(|| outputs.into_iter().map(|output| output.name).collect())
}
