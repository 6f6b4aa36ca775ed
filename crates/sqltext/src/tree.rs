//! Small questions to nodes of PostgreSQL's trees: names in lists, constants, texts of expressions.

use pg_query::protobuf::{self, Node, RangeVar, TypeName, a_const};
use pg_query::{DeparseOptions, NodeEnum};

/// The strings of a list of names, such as a qualified name's parts.
pub fn strings(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| string(node).map(str::to_owned)).collect()
}

/// The string of a node that is one.
pub fn string(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(string)) => Some(&string.sval),
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(a_const::Val::Sval(string)) => Some(&string.sval),
            _ => None,
        },
        _ => None,
    }
}

/// Schema and name of a dotted name; a database's name before them is dropped.
pub fn qualified(parts: &[String]) -> (Option<&str>, &str) {
    match parts {
        [.., schema, name] => (Some(schema), name),
        [name] => (None, name),
        [] => (None, ""),
    }
}

/// The schema that a relation is named with.
pub fn schema_of(relation: &RangeVar) -> Option<&str> {
    (!relation.schemaname.is_empty()).then_some(relation.schemaname.as_str())
}

/// An expression as SQL; empty when it cannot be written.
pub fn sql(expression: &NodeEnum) -> String {
    let target = protobuf::ResTarget { val: Some(boxed(expression.clone())), ..Default::default() };
    let select = protobuf::SelectStmt {
        target_list: vec![Node { node: Some(NodeEnum::ResTarget(Box::new(target))) }],
        limit_option: protobuf::LimitOption::Default as i32,
        op: protobuf::SetOperation::SetopNone as i32,
        ..Default::default()
    };
    let text = statement_sql(NodeEnum::SelectStmt(Box::new(select)));
    text.and_then(|text| text.strip_prefix("SELECT ").map(str::to_owned)).unwrap_or_default()
}

/// A statement as SQL.
pub fn statement_sql(statement: NodeEnum) -> Option<String> {
    let raw = protobuf::RawStmt { stmt: Some(boxed(statement)), stmt_location: 0, stmt_len: 0 };
    let tree = protobuf::ParseResult { version: PG_VERSION_NUM, stmts: vec![raw] };
    pg_query::deparse(&tree, DeparseOptions::default()).ok()
}

/// The version that the grammar is of, as trees carry it.
const PG_VERSION_NUM: i32 = 180_000;

/// A type as SQL.
pub fn type_sql(type_name: &TypeName) -> String {
    let null = NodeEnum::AConst(protobuf::AConst { isnull: true, location: -1, val: None });
    let cast = protobuf::TypeCast { arg: Some(boxed(null)), type_name: Some(type_name.clone()), location: -1 };
    let text = sql(&NodeEnum::TypeCast(Box::new(cast)));
    text.strip_prefix("NULL::").unwrap_or(&text).to_owned()
}

/// A node in a box.
pub fn boxed(node: NodeEnum) -> Box<Node> {
    Box::new(Node { node: Some(node) })
}

/// The node inside an optional box.
pub fn inner(node: Option<&Node>) -> Option<&NodeEnum> {
    node.and_then(|node| node.node.as_ref())
}
