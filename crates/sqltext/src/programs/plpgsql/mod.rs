//! PL/pgSQL: the paths through a body, and its statements as plain SQL with variables as parameters.

pub mod names;

use pg_query::protobuf::CreateFunctionStmt;

use super::assemble::Assembler;
use crate::position::Source;
use crate::workload::Node;

/// The nodes of a function's body.
pub fn body(
    source: &Source<'_>,
    at: Option<usize>,
    text: &str,
    _definition: &str,
    _create: &CreateFunctionStmt,
    assembler: &mut Assembler<'_>,
) -> Vec<Node> {
    let span = source.span(at.unwrap_or(0), at.unwrap_or(0) + text.len());
    vec![assembler.say_at(span, "", "functions in PL/pgSQL are not analysed yet", None)]
}
