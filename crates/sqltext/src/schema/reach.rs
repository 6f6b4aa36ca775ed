//! How far a definition reaches that was not understood: whether it can change what is done to other relations than its own.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableType, ConstrType, CreateStmt, Node, RangeVar};

use super::Schema;
use crate::name::RelationName;
use crate::tree;

/// The one relation whose statements a definition may change; nothing where it may be others as well.
pub fn only_relation(schema: &Schema, statement: &NodeEnum) -> Option<RelationName> {
    let named = |relation: Option<&RangeVar>| name(schema, relation);
    match statement {
        NodeEnum::CreateTrigStmt(trigger) => named(trigger.relation.as_ref()),
        NodeEnum::IndexStmt(index) => named(index.relation.as_ref()),
        NodeEnum::RuleStmt(rule) => named(rule.relation.as_ref()),
        NodeEnum::CreatePolicyStmt(policy) => named(policy.table.as_ref()),
        NodeEnum::ViewStmt(view) => named(view.view.as_ref()),
        NodeEnum::RenameStmt(rename) => named(rename.relation.as_ref()),
        NodeEnum::CreateStmt(create) if stands_alone(create) => named(create.relation.as_ref()),
        NodeEnum::AlterTableStmt(alter) if !alter.cmds.iter().any(is_about_others) => named(alter.relation.as_ref()),
        _ => None,
    }
}

fn name(schema: &Schema, relation: Option<&RangeVar>) -> Option<RelationName> {
    let relation = relation?;
    let known = schema.resolve(tree::schema_of(relation), &relation.relname).map(|(name, _)| name.clone());
    Some(known.unwrap_or_else(|| schema.new_name(Some(relation))))
}

/// Whether a table has no parents whose rows its own would be, and refers to no table whose rows would cascade to it.
fn stands_alone(create: &CreateStmt) -> bool {
    let parts = create.table_elts.iter().chain(&create.constraints);
    create.inh_relations.is_empty() && !parts.into_iter().any(refers)
}

fn refers(part: &Node) -> bool {
    match &part.node {
        Some(NodeEnum::Constraint(clause)) => clause.contype() == ConstrType::ConstrForeign,
        Some(NodeEnum::ColumnDef(column)) => column.constraints.iter().any(refers),
        _ => false,
    }
}

/// Whether a part of `alter table` ties the table to others. Those that say what a column or a trigger is do not.
fn is_about_others(command: &Node) -> bool {
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return true };
    let is_reference = || command.def.as_deref().is_none_or(refers);
    match command.subtype() {
        AlterTableType::AtAttachPartition | AlterTableType::AtAddInherit => true,
        AlterTableType::AtAddConstraint | AlterTableType::AtAddColumn => is_reference(),
        _ => false,
    }
}
