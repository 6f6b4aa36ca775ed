//! Variables inside SQL: which names are variables, and the statement with parameters in their place.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{ScanToken, Token};
use serde_json::Value;

use crate::access::Term;
use crate::grammar::native::{self, Mode};
use crate::grammar::split;
use crate::name::RelationName;
use crate::programs::assemble::Assembler;
use crate::schema::Schema;

/// A statement whose variables have become parameters.
pub struct Named {
    pub text: String,
    pub prepared: String,
    pub arguments: Vec<String>,
    pub tree: NodeEnum,
}

/// Puts parameters in the place of variables. Nothing when the text is not read afterwards.
pub fn substitute(prepared: &str, arguments: &[String], tree: &NodeEnum, assembler: &Assembler<'_>) -> Option<Named> {
    let shape = serde_json::to_value(tree).ok()?;
    let columns = columns_in(assembler.schema, &shape);
    let mut references = Vec::new();
    column_references(&shape, &mut references);
    let mut variables: Vec<(usize, usize, String)> = Vec::new();
    for (location, fields) in references {
        let Some((name, parts)) = variable(&fields, &columns, assembler) else { continue };
        variables.push((location, parts, name));
    }
    variables.sort();
    let tokens = pg_query::scan_tokens(prepared).ok()?;
    let mut named = Named {
        text: String::new(),
        prepared: String::new(),
        arguments: Vec::new(),
        tree: NodeEnum::AStar(pg_query::protobuf::AStar {}),
    };
    let mut copied = 0;
    for (index, token) in tokens.iter().enumerate() {
        let (from, to) = (split::offset(token.start), split::offset(token.end));
        let (name, end) = if token.token() == Token::Param {
            let number: usize = prepared[from + 1..to].parse().ok()?;
            (parameter(arguments.get(number.checked_sub(1)?)?, assembler), to)
        } else if let Some((_, parts, name)) = variables.iter().find(|(location, _, _)| *location == from) {
            (name.clone(), end_of_name(&tokens[index..], *parts))
        } else {
            continue;
        };
        if from < copied {
            continue;
        }
        named.push(&prepared[copied..from], &name);
        copied = end;
    }
    named.text.push_str(&prepared[copied..]);
    named.prepared.push_str(&prepared[copied..]);
    let parsed = native::parse(&named.prepared, Mode::Statements).ok()?;
    named.tree = parsed.stmts.into_iter().next()?.stmt?.node?;
    Some(named)
}

impl Named {
    fn push(&mut self, before: &str, name: &str) {
        let number = match self.arguments.iter().position(|each| each == name) {
            Some(index) => index + 1,
            None => {
                self.arguments.push(name.to_owned());
                self.arguments.len()
            }
        };
        self.text.push_str(before);
        self.prepared.push_str(before);
        self.text.push(':');
        self.text.push_str(name);
        self.prepared.push('$');
        self.prepared.push_str(&number.to_string());
    }
}

/// `$1` of a function is its first argument, by whatever name it has.
fn parameter(argument: &str, assembler: &Assembler<'_>) -> String {
    match assembler.environment.get(argument) {
        Some(Term::Parameter(name)) => name.clone(),
        _ => argument.to_owned(),
    }
}

/// The variable that a reference is, and how many of its parts that takes.
fn variable(fields: &[String], columns: &BTreeSet<String>, assembler: &Assembler<'_>) -> Option<(String, usize)> {
    let known = |name: &str| assembler.environment.contains_key(name);
    match fields {
        [name] if known(name) && !columns.contains(name) => Some((name.clone(), 1)),
        [first, second, ..] => {
            let dotted = format!("{first}.{second}");
            if known(&dotted) {
                Some((dotted, 2))
            } else if known(first) && !columns.contains(&format!("{first}.")) {
                // A field of a row about which nothing is known.
                Some((dotted, 2))
            } else if known(second) && assembler.labels.contains(first) {
                Some((second.clone(), 2))
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The end of a dotted name of `parts` parts.
fn end_of_name(tokens: &[ScanToken], parts: usize) -> usize {
    let last = tokens.get(2 * (parts - 1)).or(tokens.first());
    last.map_or(0, |token| split::offset(token.end))
}

/// The columns of the relations that a tree names, and, with a dot behind them, its tables' names and aliases.
fn columns_in(schema: &Schema, shape: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    relations(schema, shape, &mut found);
    found
}

fn relations(schema: &Schema, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("relname").and_then(Value::as_str) {
                let in_schema = fields.get("schemaname").and_then(Value::as_str).filter(|schema| !schema.is_empty());
                let known: Option<(&RelationName, _)> = schema.resolve(in_schema, name);
                let columns = known.into_iter().flat_map(|(_, relation)| &relation.columns);
                found.extend(columns.map(|column| column.name.clone()));
                found.insert(format!("{name}."));
            }
            for alias in ["aliasname", "ctename"] {
                if let Some(alias) = fields.get(alias).and_then(Value::as_str) {
                    found.insert(format!("{alias}."));
                }
            }
            fields.values().for_each(|inside| relations(schema, inside, found));
        }
        Value::Array(items) => items.iter().for_each(|item| relations(schema, item, found)),
        _ => {}
    }
}

/// Every column reference of a tree: its byte offset and parts.
fn column_references(value: &Value, found: &mut Vec<(usize, Vec<String>)>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("ColumnRef") {
                let parts = reference["fields"].as_array().into_iter().flatten();
                let parts = parts.filter_map(|part| part["node"]["String"]["sval"].as_str().map(str::to_owned));
                let location = reference["location"].as_u64().and_then(|at| usize::try_from(at).ok());
                found.extend(location.map(|location| (location, parts.collect())));
            }
            fields.values().for_each(|inside| column_references(inside, found));
        }
        Value::Array(items) => items.iter().for_each(|item| column_references(item, found)),
        _ => {}
    }
}
