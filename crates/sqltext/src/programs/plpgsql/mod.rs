//! PL/pgSQL: the paths through a body, and its statements as plain SQL with variables as parameters.
//!
//! The body is parsed by PostgreSQL's own PL/pgSQL parser. Rewritten statements say what a variable holds by their
//! `results`; computing a variable is a statement of its own that touches no table.

mod flow;
pub mod names;
mod place;
mod steps;
mod variables;
mod walk;

use pg_query::NodeEnum;
use pg_query::protobuf::CreateFunctionStmt;
use serde_json::Value;

use super::assemble::Assembler;
use crate::access::Term;
use crate::position::Source;
use crate::tree;
use crate::workload::Node;

use place::Place;
use walk::Walk;

/// What a trigger's function may name without declaring it (manual, 41.10 Trigger Functions).
const TRIGGER_VARIABLES: &str = "declare new record; old record; tg_op text; tg_name name; tg_when text; tg_level text; \
    tg_relid oid; tg_relname name; tg_table_name name; tg_table_schema name; tg_nargs int; tg_argv text[]; begin ";

/// The nodes of a function's body.
///
/// `at` is where the body's text begins in the source, if it stands there as it is.
pub fn body(
    source: &Source<'_>,
    at: Option<usize>,
    text: &str,
    definition: &str,
    create: &CreateFunctionStmt,
    assembler: &mut Assembler<'_>,
) -> Vec<Node> {
    let place = Place::new(source, at, text);
    let returns = create.return_type.as_ref().map(tree::type_sql).unwrap_or_default();
    let wrapped;
    let parsed_text = if returns == "trigger" {
        wrapped = as_plain_function(text);
        &wrapped
    } else {
        definition
    };
    let parsed = match pg_query::parse_plpgsql(parsed_text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let why = format!("PL/pgSQL that is not read: {}", error_text(&error));
            return vec![assembler.say_at(place.whole(), "", why, None)];
        }
    };
    let function = &parsed[0]["PLpgSQL_function"];
    let Some(action) = function.get("action") else {
        return vec![assembler.say_at(place.whole(), "", "PL/pgSQL without a body", None)];
    };
    assembler.labels.extend(tree::strings(&create.funcname).pop());
    let mut walk = Walk::new(assembler, place, function);
    walk.declare();
    walk.function(action)
}

/// A trigger's function as one that `libpg_query` gives a tree of: of trigger functions it writes JSON that is none. The
/// variables stand on the body's first line, so that line numbers stay.
fn as_plain_function(text: &str) -> String {
    let mut tag = "body".to_owned();
    while text.contains(&format!("${tag}$")) {
        tag.push('_');
    }
    let body = text.trim_end().trim_end_matches(';');
    let arguments = "create function trigger_function() returns record language plpgsql as";
    format!("{arguments} ${tag}${TRIGGER_VARIABLES}{body}; end ${tag}$")
}

fn error_text(error: &pg_query::Error) -> String {
    match error {
        pg_query::Error::Parse(message) => message.clone(),
        other => other.to_string(),
    }
}

/// The expression after an assignment's sign, and the variable before it.
fn assignment(query: &str) -> Option<(&str, &str)> {
    let assigned = query.find(":=").map(|at| (at, at + 2));
    let equals = query.find('=').map(|at| (at, at + 1));
    let (end, from) = match (assigned, equals) {
        (Some(assigned), Some(equals)) if equals.0 < assigned.0 => equals,
        (Some(assigned), _) => assigned,
        (None, equals) => equals?,
    };
    Some((query[..end].trim(), query[from..].trim()))
}

/// A variable's default, when it is a constant or another variable.
fn simple_term(tree: &NodeEnum, assembler: &Assembler<'_>) -> Option<Term> {
    let NodeEnum::SelectStmt(select) = tree else { return None };
    let [target] = select.target_list.as_slice() else { return None };
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return None };
    match tree::inner(target.val.as_deref())? {
        NodeEnum::ColumnRef(reference) => {
            let name = tree::strings(&reference.fields).join(".");
            assembler.environment.get(&name).cloned()
        }
        constant @ NodeEnum::AConst(value) if !value.isnull => Some(Term::Constant(tree::sql(constant))),
        _ => None,
    }
}

/// The text of a `PLpgSQL_expr`.
fn query(expression: &Value) -> Option<&str> {
    expression["PLpgSQL_expr"]["query"].as_str()
}
