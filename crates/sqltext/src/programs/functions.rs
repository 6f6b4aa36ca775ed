//! Functions and procedures: as programs of their own, as part of the statement that calls them, as triggers.

use std::collections::{BTreeMap, BTreeSet};

use pg_query::NodeEnum;
use pg_query::protobuf::{CreateFunctionStmt, FuncCall, FunctionParameterMode};

use super::assemble::{Assembler, Draft};
use super::{parameters, plpgsql};
use crate::access::{Rows, Term};
use crate::grammar::native;
use crate::grammar::read::{self, Parsed, Read};
use crate::position::{Source, Span};
use crate::schema::{Function, Schema};
use crate::tree;
use crate::workload::{Node, Origin, Parameter, Program, Scope, Statement};

/// A function's statements.
#[derive(Debug, Default)]
pub struct Body {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// Whether each of them is on some paths only.
    pub conditional: Vec<bool>,
    /// Columns of `new` that the function assigns.
    pub assigned: BTreeSet<String>,
}

/// The row that a trigger fires on: what is known of its old and new values.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// `old.…`.
    pub old: BTreeMap<String, Term>,
    /// `new.…`.
    pub new: BTreeMap<String, Term>,
}

/// Numbers of statements inside of a function that is part of a statement: what they find has no name outside.
const INSIDE: usize = usize::MAX / 2;

/// The statements of a function that is called with these arguments.
#[must_use]
pub fn function_statements(schema: &Schema, function: &Function, arguments: &[Term], calls: usize) -> Body {
    let mut assembler = Assembler::new(schema, calls, false);
    assembler.first = INSIDE;
    for (index, (name, _)) in function.arguments.iter().enumerate() {
        let term = arguments.get(index).cloned().unwrap_or(Term::Unknown);
        assembler.environment.insert((index + 1).to_string(), term.clone());
        if !name.is_empty() {
            assembler.environment.insert(name.clone(), term);
        }
    }
    walk(function, &mut assembler);
    forget_inside(&mut assembler.statements);
    Body { statements: assembler.statements, conditional: assembler.conditional, assigned: BTreeSet::new() }
}

/// The statements of a trigger's function.
#[must_use]
pub fn trigger_statements(schema: &Schema, function: &Function, row: &Row, calls: usize) -> Body {
    let mut assembler = Assembler::new(schema, calls, false);
    assembler.first = INSIDE;
    for (prefix, values) in [("old", &row.old), ("new", &row.new)] {
        for (column, term) in values {
            assembler.environment.insert(format!("{prefix}.{column}"), term.clone());
        }
    }
    let before = assembler.environment.clone();
    walk(function, &mut assembler);
    let changed = |(name, term): (&String, &Term)| {
        name.strip_prefix("new.").filter(|_| before.get(name) != Some(term)).map(str::to_owned)
    };
    forget_inside(&mut assembler.statements);
    let assigned = assembler.environment.iter().filter_map(changed).collect();
    Body { statements: assembler.statements, conditional: assembler.conditional, assigned }
}

/// Adds a function's statements to a program.
fn walk(function: &Function, assembler: &mut Assembler<'_>) -> Vec<Node> {
    let tree = native::parse(&function.definition, native::Mode::Statements).ok();
    let node = tree.and_then(|tree| tree.stmts.into_iter().next()?.stmt?.node);
    if let Some(NodeEnum::CreateFunctionStmt(create)) = node {
        let source = Source::new("function", &function.definition);
        return body(&source, 0, &function.definition, &create, assembler).unwrap_or_default();
    }
    let why = format!("the text of function {}() is not understood", function.name);
    vec![assembler.say_at(Span::default(), "", why, None)]
}

/// The statements between a function's quotes. `offset` is where `definition` begins in the source.
fn body(
    source: &Source<'_>,
    offset: usize,
    definition: &str,
    create: &CreateFunctionStmt,
    assembler: &mut Assembler<'_>,
) -> Option<Vec<Node>> {
    let whole = source.span(offset, offset + definition.len());
    if let Some(NodeEnum::List(_) | NodeEnum::ReturnStmt(_)) = tree::inner(create.sql_body.as_deref()) {
        let why = "functions with a body in standard SQL are not analysed";
        return Some(vec![assembler.say_at(whole, "", why, Some("write the body between $$ and $$"))]);
    }
    let text = body_text(create)?;
    // The body stands in the definition as it is, unless it is in quotes that double others.
    let at = definition.find(text.as_str()).map(|at| offset + at);
    match language(create).as_str() {
        "sql" => Some(sql_body(source, at, &text, &whole, assembler)),
        "plpgsql" => Some(plpgsql::body(source, at, &text, definition, create, assembler)),
        other => {
            let why = format!("functions in {other} are not analysed");
            Some(vec![assembler.say_at(whole, "", why, Some("only SQL and PL/pgSQL are read"))])
        }
    }
}

fn sql_body(
    source: &Source<'_>,
    at: Option<usize>,
    text: &str,
    whole: &Span,
    assembler: &mut Assembler<'_>,
) -> Vec<Node> {
    let read = match read::read("function", text) {
        Ok(read) => read,
        Err(errors) => {
            let why = errors.first().map_or_else(|| "the body is not read".to_owned(), |error| error.message.clone());
            return vec![assembler.say_at(whole.clone(), "", why, None)];
        }
    };
    let span = |from: usize, to: usize| at.map_or_else(|| whole.clone(), |at| source.span(at + from, at + to));
    let mut nodes = Vec::new();
    for statement in &read.statements {
        let named = plpgsql::names::substitute(&statement.prepared, &statement.arguments, &statement.tree, assembler);
        let Some(named) = named else {
            nodes.push(assembler.say_at(span(statement.from, statement.to), "", "a statement that is not read", None));
            continue;
        };
        let place = |_: Option<usize>| span(statement.from, statement.to);
        let draft = Draft {
            span: span(statement.from, statement.to),
            text: named.text,
            prepared: named.prepared,
            arguments: named.arguments,
            tree: &named.tree,
            place: &place,
        };
        let (index, _) = assembler.add(draft);
        nodes.push(Node::Statement(index));
    }
    nodes
}

fn body_text(create: &CreateFunctionStmt) -> Option<String> {
    option(create, "as").and_then(|node| match node {
        NodeEnum::List(list) => list.items.first().and_then(tree::string).map(str::to_owned),
        NodeEnum::String(string) => Some(string.sval.clone()),
        _ => None,
    })
}

fn language(create: &CreateFunctionStmt) -> String {
    match option(create, "language") {
        Some(NodeEnum::String(language)) => language.sval.to_ascii_lowercase(),
        _ => "sql".to_owned(),
    }
}

fn option<'n>(create: &'n CreateFunctionStmt, wanted: &str) -> Option<&'n NodeEnum> {
    create.options.iter().find_map(|option| match &option.node {
        Some(NodeEnum::DefElem(option)) if option.defname == wanted => tree::inner(option.arg.as_deref()),
        _ => None,
    })
}

/// A function that is no program: a trigger's, or one without a body that touches tables.
pub fn is_helper(create: &CreateFunctionStmt) -> bool {
    let returns = create.return_type.as_ref().map(tree::type_sql).unwrap_or_default();
    let is_immutable = matches!(option(create, "volatility"), Some(NodeEnum::String(kind)) if kind.sval == "immutable");
    returns == "trigger" || returns == "event_trigger" || is_immutable
}

/// A function as a program: a call of it is a transaction.
pub fn program(read: &Read<'_>, schema: &Schema, parsed: &Parsed, create: &CreateFunctionStmt) -> Program {
    let declared: Vec<Parameter> = signature(create);
    let mut assembler = Assembler::new(schema, 0, false);
    for (index, parameter) in declared.iter().enumerate() {
        let term = Term::Parameter(parameter.name.clone());
        assembler.environment.insert((index + 1).to_string(), term.clone());
        assembler.environment.insert(parameter.name.clone(), term);
    }
    let definition = &read.source.text()[parsed.from..parsed.to];
    let nodes = body(&read.source, parsed.from, definition, create, &mut assembler).unwrap_or_default();
    let is_plpgsql = language(create) == "plpgsql";
    let mut program = Program {
        name: tree::strings(&create.funcname).pop().unwrap_or_default(),
        span: read.span_of(parsed),
        parameters: declared,
        level: level_of(create),
        scope: Scope::OneTransaction,
        body: nodes,
        statements: assembler.statements,
        pragmas: Vec::new(),
        frequency: None,
        origin: if is_plpgsql { Origin::PlPgSql } else { Origin::SqlFunction },
        around: Vec::new(),
    };
    for found in parameters::of(schema, &program.statements) {
        if let Some(parameter) = program.parameters.iter_mut().find(|parameter| parameter.name == found.name)
            && parameter.type_name.is_none()
        {
            parameter.type_name = found.type_name;
        }
    }
    program
}

/// `create function … set default_transaction_isolation` has no effect on the transaction that calls it; nothing that
/// a function says gives its caller a level.
fn level_of(_create: &CreateFunctionStmt) -> Option<pgstrata_units::Isolation> {
    None
}

/// The arguments that callers give.
fn signature(create: &CreateFunctionStmt) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for parameter in &create.parameters {
        let Some(NodeEnum::FunctionParameter(parameter)) = &parameter.node else { continue };
        if matches!(parameter.mode(), FunctionParameterMode::FuncParamOut | FunctionParameterMode::FuncParamTable) {
            continue;
        }
        let number = (parameters.len() + 1).to_string();
        parameters.push(Parameter {
            name: if parameter.name.is_empty() { number } else { parameter.name.clone() },
            type_name: parameter.arg_type.as_ref().map(tree::type_sql),
            example: None,
        });
    }
    parameters
}

/// The names of functions that statements of these sources call: those are part of their callers.
pub fn called(reads: &[Read<'_>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in reads.iter().flat_map(|read| &read.statements) {
        if matches!(statement.tree, NodeEnum::CreateFunctionStmt(_)) {
            continue;
        }
        if let Ok(shape) = serde_json::to_value(&statement.tree) {
            calls(&shape, &mut names);
        }
    }
    names
}

fn calls(value: &serde_json::Value, names: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            if let Some(parts) = fields.get("funcname").and_then(serde_json::Value::as_array)
                && let Some(name) = parts.last().and_then(|part| part["node"]["String"]["sval"].as_str())
            {
                names.insert(name.to_owned());
            }
            fields.values().for_each(|inside| calls(inside, names));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| calls(item, names)),
        _ => {}
    }
}

/// A statement that only calls a function whose body is known: the body's statements take its place, because each of
/// them has a snapshot of its own. Calls with computed arguments stay calls.
pub fn inline(
    schema: &Schema,
    tree: &NodeEnum,
    arguments: &[String],
    span: &Span,
    assembler: &mut Assembler<'_>,
) -> Option<Vec<Node>> {
    let call = only_call(tree)?;
    if assembler.calls >= crate::analyse::CALLS_MAX || !crate::budget::spend() {
        return None;
    }
    let parts = tree::strings(&call.funcname);
    let (in_schema, name) = tree::qualified(&parts);
    let matches = |function: &&Function| {
        function.name.name() == name
            && in_schema.is_none_or(|schema| function.name.schema() == schema)
            && function.arguments.len() == call.args.len()
    };
    let function = schema.functions.iter().find(matches)?.clone();
    let mut inner = Assembler::new(schema, assembler.calls + 1, false);
    (inner.branches, inner.loops) = (assembler.branches, assembler.loops);
    let mut names = BTreeMap::new();
    for (index, ((name, _), argument)) in function.arguments.iter().zip(&call.args).enumerate() {
        let Some(NodeEnum::ParamRef(parameter)) = &argument.node else { return None };
        let number = usize::try_from(parameter.number).ok()?.checked_sub(1)?;
        let outer = arguments.get(number)?.clone();
        let term = assembler.terms(std::slice::from_ref(&outer)).pop()?;
        for name in [name.clone(), (index + 1).to_string()] {
            inner.environment.insert(name.clone(), term.clone());
            names.insert(name, outer.clone());
        }
    }
    let first = assembler.statements.len();
    inner.first = assembler.first + first;
    let nodes = walk(&function, &mut inner);
    for mut statement in inner.statements {
        statement.span = span.clone();
        for argument in &mut statement.arguments {
            if let Some(outer) = names.get(argument) {
                argument.clone_from(outer);
            }
        }
        for access in &mut statement.accesses {
            access.span = span.clone();
        }
        for said in &mut statement.unanalysed {
            said.span = span.clone();
        }
        assembler.statements.push(statement);
    }
    assembler.conditional.extend(inner.conditional);
    Some(nodes.into_iter().map(|node| shift(node, first)).collect())
}

fn only_call(tree: &NodeEnum) -> Option<&FuncCall> {
    match tree {
        NodeEnum::CallStmt(call) => call.funccall.as_deref(),
        NodeEnum::SelectStmt(select) if select.where_clause.is_none() && select.with_clause.is_none() => {
            match (select.target_list.as_slice(), select.from_clause.as_slice()) {
                ([target], []) => match &target.node {
                    Some(NodeEnum::ResTarget(target)) => match tree::inner(target.val.as_deref()) {
                        Some(NodeEnum::FuncCall(call)) => Some(call),
                        _ => None,
                    },
                    _ => None,
                },
                (_, [item]) => match &item.node {
                    Some(NodeEnum::RangeFunction(function)) if function.functions.len() == 1 => {
                        match &function.functions[0].node {
                            Some(NodeEnum::List(list)) => {
                                match list.items.first().and_then(|item| item.node.as_ref()) {
                                    Some(NodeEnum::FuncCall(call)) => Some(call),
                                    _ => None,
                                }
                            }
                            _ => None,
                        }
                    }
                    _ => None,
                },
                _ => None,
            }
        }
        _ => None,
    }
}

fn shift(node: Node, by: usize) -> Node {
    let all = |nodes: Vec<Node>| nodes.into_iter().map(|node| shift(node, by)).collect();
    match node {
        Node::Statement(index) => Node::Statement(index + by),
        Node::Choice(branches) => Node::Choice(branches.into_iter().map(all).collect()),
        Node::Repeat(nodes) => Node::Repeat(all(nodes)),
    }
}

/// What a function's own statements found is nothing known outside of it.
fn forget_inside(statements: &mut [Statement]) {
    let forget = |term: &mut Term| {
        if matches!(term, Term::Result { statement, .. } if *statement >= INSIDE) {
            *term = Term::Unknown;
        }
    };
    for access in statements.iter_mut().flat_map(|statement| &mut statement.accesses) {
        access.values.values_mut().for_each(forget);
        access.rows.change_terms(forget);
        if let Rows::One { compared, .. } | Rows::Where { compared, .. } = &mut access.rows {
            compared.retain(|comparison| comparison.term != Term::Unknown);
        }
    }
}
