//! Statements of one program, one after the other: what their arguments are, and what they leave to later ones.

use std::collections::{BTreeMap, BTreeSet};

use pg_query::NodeEnum;

use crate::access::Term;
use crate::analyse::{self, Analysed, Surroundings};
use crate::position::Span;
use crate::schema::Schema;
use crate::workload::{Node, ResultBinding, Statement, Unanalysed};

/// What a name stands for at one point of a program.
pub type Environment = BTreeMap<String, Term>;

/// A statement before its analysis.
pub struct Draft<'a> {
    pub span: Span,
    pub text: String,
    pub prepared: String,
    pub arguments: Vec<String>,
    pub tree: &'a NodeEnum,
    /// The span of a byte of `prepared`.
    pub place: &'a dyn Fn(Option<usize>) -> Span,
}

/// A program's statements so far.
pub struct Assembler<'a> {
    pub schema: &'a Schema,
    pub environment: Environment,
    pub statements: Vec<Statement>,
    /// Whether the statement is on some paths only.
    pub conditional: Vec<bool>,
    /// How many branches and loops are open.
    pub branches: usize,
    /// How many functions called each other to get here.
    pub calls: usize,
    /// The number of its first statement in [`Term::Result`].
    pub first: usize,
    /// Names that may stand before a variable's: the function's, and labels of blocks.
    pub labels: BTreeSet<String>,
    /// Names outside `environment` are parameters of the program; else nothing is known of them.
    pub open_parameters: bool,
}

impl<'a> Assembler<'a> {
    pub fn new(schema: &'a Schema, calls: usize, open_parameters: bool) -> Self {
        Self {
            schema,
            environment: Environment::new(),
            statements: Vec::new(),
            conditional: Vec::new(),
            branches: 0,
            calls,
            first: 0,
            labels: BTreeSet::new(),
            open_parameters,
        }
    }

    fn term(&self, name: &str) -> Term {
        let otherwise = || if self.open_parameters { Term::Parameter(name.to_owned()) } else { Term::Unknown };
        self.environment.get(name).cloned().unwrap_or_else(otherwise)
    }

    /// The terms of a statement's arguments as they are now.
    pub fn terms(&self, arguments: &[String]) -> Vec<Term> {
        arguments.iter().map(|name| self.term(name)).collect()
    }

    /// Analyses a statement and adds it; tells its index and the columns of its result.
    pub fn add(&mut self, draft: Draft<'_>) -> (usize, Analysed) {
        let terms = self.terms(&draft.arguments);
        let surroundings =
            Surroundings { schema: self.schema, arguments: &terms, place: draft.place, calls: self.calls };
        let mut analysed = analyse::statement(draft.tree, surroundings);
        let index = self.statements.len();
        self.statements.push(Statement {
            span: draft.span,
            text: draft.text,
            prepared: draft.prepared,
            arguments: draft.arguments,
            results: Vec::new(),
            accesses: std::mem::take(&mut analysed.accesses),
            unanalysed: std::mem::take(&mut analysed.unanalysed),
        });
        self.conditional.push(self.branches > 0);
        (index, analysed)
    }

    /// Later statements know a column of this statement's row by a name.
    pub fn bind(&mut self, statement: usize, index: usize, column: &str, variable: &str, term: Term) {
        let binding = ResultBinding { column: column.to_owned(), index, variable: variable.to_owned() };
        self.statements[statement].results.push(binding);
        let result = Term::Result { statement: self.first + statement, column: column.to_owned() };
        let term = if term == Term::Unknown { result } else { term };
        self.environment.insert(variable.to_owned(), term);
    }

    /// Says something about a statement that was added.
    pub fn say(&mut self, statement: usize, why: impl Into<String>, hint: Option<&str>) {
        let span = self.statements[statement].span.clone();
        let said = Unanalysed { span, why: why.into(), hint: hint.map(str::to_owned) };
        self.statements[statement].unanalysed.push(said);
    }

    /// A place for something that is no statement: it does nothing but be said.
    pub fn say_at(&mut self, span: Span, text: &str, why: impl Into<String>, hint: Option<&str>) -> Node {
        self.statements.push(Statement {
            span,
            text: text.to_owned(),
            prepared: text.to_owned(),
            arguments: Vec::new(),
            results: Vec::new(),
            accesses: Vec::new(),
            unanalysed: Vec::new(),
        });
        self.conditional.push(self.branches > 0);
        let index = self.statements.len() - 1;
        self.say(index, why, hint);
        Node::Statement(index)
    }

    /// Walks a branch that may not be taken; tells what the environment is after it.
    pub fn branch<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> (T, Environment) {
        let before = self.environment.clone();
        self.branches += 1;
        let result = walk(self);
        self.branches -= 1;
        (result, std::mem::replace(&mut self.environment, before))
    }

    /// After branches: a name stands for what it does after each of them, or for nothing known.
    pub fn merge(&mut self, ends: &[Environment]) {
        let Some((first, rest)) = ends.split_first() else { return };
        let mut merged = first.clone();
        for end in rest {
            for name in end.keys() {
                merged.entry(name.clone()).or_insert(Term::Unknown);
            }
            for (name, term) in &mut merged {
                if end.get(name) != Some(term) {
                    *term = Term::Unknown;
                }
            }
        }
        self.environment = merged;
    }
}
