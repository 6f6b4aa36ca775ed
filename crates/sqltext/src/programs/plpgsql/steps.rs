//! One SQL statement or expression of a body: added to the program with its variables as parameters.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names::{self, Named};
use super::walk::Walk;
use super::{assignment, query, simple_term};
use crate::access::Term;
use crate::analyse::OutputColumn;
use crate::grammar::native::{self, Mode};
use crate::position::Span;
use crate::programs::assemble::Draft;
use crate::programs::functions;
use crate::workload::Node;

/// The columns of an added statement, and its index.
pub type Added = Option<(usize, Vec<OutputColumn>)>;

impl Walk<'_, '_> {
    /// A declared variable's default.
    pub fn default_value(&mut self, variable: &str, expression: &Value) {
        if let Some(text) = query(expression) {
            self.compute(variable, text, None);
        }
    }

    /// `variable := expression`.
    pub fn assign(&mut self, statement: &Value) {
        let Some(text) = query(&statement["expr"]) else { return self.strange("an assignment", statement) };
        let Some((target, expression)) = assignment(text) else { return self.strange("an assignment", statement) };
        let target = target.split('[').next().unwrap_or(target).trim().to_ascii_lowercase();
        self.compute(&target, expression, statement["lineno"].as_u64());
    }

    /// A variable gets the value of an expression.
    fn compute(&mut self, variable: &str, expression: &str, line: Option<u64>) {
        let text = format!("select {expression}");
        let Some(named) = self.named(&text) else {
            self.say(line, expression, "an expression that is not read");
            self.forget(variable);
            return;
        };
        let term = native::parse(&text, Mode::Statements)
            .ok()
            .and_then(|tree| tree.stmts.into_iter().next()?.stmt?.node)
            .and_then(|tree| simple_term(&tree, self.assembler));
        let (index, columns) = self.push(named, &self.place.of(line, expression));
        let column = columns.first().map_or("?column?", |column| column.name.as_str()).to_owned();
        self.bind(index, 0, &column, variable, term.unwrap_or(Term::Unknown));
        self.node(Node::Statement(index));
    }

    /// An expression whose value decides something: a statement if it touches a table.
    pub fn condition(&mut self, expression: &Value, line: Option<u64>) {
        let Some(text) = query(expression) else { return };
        let Some(named) = self.named(&format!("select {text}")) else {
            return self.say(line, text, "an expression that is not read");
        };
        let (index, _) = self.push(named, &self.place.of(line, text));
        let added = &self.assembler.statements[index];
        if added.accesses.is_empty() && added.unanalysed.is_empty() {
            self.assembler.statements.pop();
            self.assembler.conditional.pop();
        } else {
            self.node(Node::Statement(index));
        }
    }

    /// All expressions inside something, wherever they stand.
    pub fn expressions(&mut self, value: &Value, line: Option<u64>) {
        match value {
            Value::Object(fields) if fields.contains_key("PLpgSQL_expr") => self.condition(value, line),
            Value::Object(fields) => fields.values().for_each(|inside| self.expressions(inside, line)),
            Value::Array(items) => items.iter().for_each(|item| self.expressions(item, line)),
            _ => {}
        }
    }

    /// A statement of SQL.
    pub fn sql(&mut self, text: &str, line: Option<u64>) -> Added {
        let Some(named) = self.named(text) else {
            self.say(line, text, "SQL that is not read");
            return None;
        };
        let span = self.place.of(line, text);
        let schema = self.assembler.schema;
        if let Some(nodes) = functions::inline(schema, &named.tree, &named.arguments, &span, self.assembler) {
            self.extend(nodes);
            return None;
        }
        let (index, columns) = self.push(named, &span);
        self.node(Node::Statement(index));
        Some((index, columns))
    }

    /// `execute`: read when its text is a constant without arguments.
    pub fn dynamic(&mut self, expression: &Value, statement: &Value) -> Added {
        let line = statement["lineno"].as_u64();
        let text = query(expression).unwrap_or_default();
        let constant = native::parse(&format!("select {text}"), Mode::Statements).ok().and_then(|tree| {
            let node = tree.stmts.into_iter().next()?.stmt?.node?;
            let pg_query::NodeEnum::SelectStmt(select) = node else { return None };
            let Some(pg_query::NodeEnum::ResTarget(target)) = &select.target_list.first()?.node else { return None };
            crate::tree::string(target.val.as_deref()?).map(str::to_owned)
        });
        if let Some(constant) = constant.filter(|_| statement.get("params").is_none()) {
            return self.sql(&constant, line);
        }
        self.condition(expression, line);
        self.expressions(&statement["params"], line);
        let span = self.place.of(line, text);
        let hint = "write the statement itself: what a text becomes when it runs is not known";
        let node = self.assembler.say_at(span, text, "dynamic SQL", Some(hint));
        self.node(node);
        None
    }

    /// What a statement found, by the names of `into`.
    pub fn into(&mut self, target: &Value, added: Added) {
        let names: Vec<String> = target["PLpgSQL_row"]["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| field["name"].as_str().map(str::to_owned))
            .collect();
        let record = target["PLpgSQL_rec"]["refname"].as_str();
        let Some((index, columns)) = added else {
            for name in names.iter().map(String::as_str).chain(record) {
                self.forget(name);
            }
            return;
        };
        // A single target of a row type takes the whole row.
        let whole = match (names.as_slice(), record) {
            (_, Some(record)) => Some(record.to_owned()),
            ([only], None) if columns.len() > 1 => Some(only.clone()),
            _ => None,
        };
        match whole {
            Some(record) => {
                self.forget(&record);
                self.assembler.environment.insert(record.clone(), Term::Unknown);
                for (at, column) in columns.into_iter().enumerate() {
                    self.bind(index, at, &column.name, &format!("{record}.{}", column.name), column.term);
                }
            }
            None => {
                for (at, name) in names.iter().enumerate() {
                    match columns.get(at) {
                        Some(column) => self.bind(index, at, &column.name, name, column.term.clone()),
                        None => self.forget(name),
                    }
                }
            }
        }
    }

    fn bind(&mut self, index: usize, at: usize, column: &str, variable: &str, term: Term) {
        self.assembler.bind(index, at, column, variable, term);
        // From one round of a loop to the next the same variable holds something else.
        if self.assembler.loops > 0 {
            self.assembler.environment.insert(variable.to_owned(), Term::Unknown);
        }
    }

    /// Nothing is known of these variables.
    pub fn forget_all(&mut self, variables: &BTreeSet<String>) {
        for variable in variables {
            self.forget(variable);
        }
    }

    /// Nothing is known of a variable, and of its fields.
    pub fn forget(&mut self, variable: &str) {
        let fields = format!("{variable}.");
        self.assembler.environment.retain(|name, _| !name.starts_with(&fields));
        self.assembler.environment.insert(variable.to_owned(), Term::Unknown);
    }

    fn named(&self, text: &str) -> Option<Named> {
        let tree = native::parse(text, Mode::Statements).ok()?;
        let tree = tree.stmts.into_iter().next()?.stmt?.node?;
        names::substitute(text, &[], &tree, self.assembler)
    }

    fn push(&mut self, named: Named, span: &Span) -> (usize, Vec<OutputColumn>) {
        let place = |_: Option<usize>| span.clone();
        let draft = Draft {
            span: span.clone(),
            text: named.text,
            prepared: named.prepared,
            arguments: named.arguments,
            tree: &named.tree,
            place: &place,
        };
        let (index, analysed) = self.assembler.add(draft);
        (index, analysed.columns)
    }
}
