//! The parts of tables: columns, keys, foreign keys, triggers, and functions.

use std::collections::BTreeMap;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, ConstrType, Constraint as Clause, CreateFunctionStmt, CreateTrigStmt, FunctionParameterMode,
};

use super::{Action, Column, ForeignKey, Function, Key, Relation, Schema, Trigger, TriggerEvent};
use crate::name::{DEFAULT_SCHEMA, RelationName};
use crate::tree;

/// Bits of `CreateTrigStmt` (`src/include/catalog/pg_trigger.h`).
const TRIGGER_BEFORE: i32 = 1 << 1;
const TRIGGER_INSTEAD: i32 = 1 << 6;
const TRIGGER_EVENTS: [(i32, TriggerEvent); 4] = [
    (1 << 2, TriggerEvent::Insert),
    (1 << 3, TriggerEvent::Delete),
    (1 << 4, TriggerEvent::Update),
    (1 << 5, TriggerEvent::Truncate),
];

/// Types whose columns take values from a sequence.
const SERIAL: [&str; 6] = ["serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"];

/// How many generations of partitions or heirs are followed.
const GENERATIONS_MAX: usize = 16;

/// Adds a column with the constraints that stand behind it.
pub fn add_column(
    schema: &Schema,
    name: &RelationName,
    relation: &mut Relation,
    definition: &ColumnDef,
) -> Result<(), String> {
    let mut column = Column { name: definition.colname.clone(), ..Column::default() };
    column.type_name = definition.type_name.as_ref().map(tree::type_sql).unwrap_or_default();
    if SERIAL.contains(&column.type_name.as_str()) {
        column.from_sequence = true;
        column.not_null = true;
    }
    for constraint in &definition.constraints {
        let Some(NodeEnum::Constraint(clause)) = &constraint.node else { continue };
        let expression = tree::inner(clause.raw_expr.as_deref()).map(tree::sql);
        match clause.contype() {
            ConstrType::ConstrNotnull | ConstrType::ConstrPrimary => column.not_null = true,
            ConstrType::ConstrDefault => column.default = expression,
            ConstrType::ConstrIdentity => {
                column.from_sequence = true;
                column.not_null = true;
            }
            ConstrType::ConstrGenerated => column.generated = expression,
            _ => {}
        }
    }
    let own = [column.name.clone()];
    relation.columns.push(column);
    for (index, constraint) in definition.constraints.iter().enumerate() {
        if let Some(NodeEnum::Constraint(clause)) = &constraint.node {
            add(schema, name, relation, clause, &own)?;
            let following = definition.constraints.get(index + 1).and_then(|next| next.node.as_ref());
            if let (ConstrType::ConstrForeign, Some(NodeEnum::Constraint(next))) = (clause.contype(), following)
                && matches!(next.contype(), ConstrType::ConstrAttrDeferred | ConstrType::ConstrAttrDeferrable)
                && let Some(foreign_key) = relation.foreign_keys.last_mut()
            {
                foreign_key.deferred = true;
            }
        }
    }
    Ok(())
}

/// Adds a constraint; `own` is the column behind which it stands, if it stands behind one.
pub fn add(
    schema: &Schema,
    table: &RelationName,
    relation: &mut Relation,
    clause: &Clause,
    own: &[String],
) -> Result<(), String> {
    match clause.contype() {
        ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
            let primary = clause.contype() == ConstrType::ConstrPrimary;
            let columns = if clause.keys.is_empty() { own.to_vec() } else { tree::strings(&clause.keys) };
            if clause.without_overlaps {
                return Err("`without overlaps`: the key's last column is a range, and is not read as a key".to_owned());
            }
            for column in relation.columns.iter_mut().filter(|column| primary && columns.contains(&column.name)) {
                column.not_null = true;
            }
            let usual = if primary {
                format!("{}_pkey", table.name())
            } else {
                format!("{}_{}_key", table.name(), columns.join("_"))
            };
            relation.keys.push(Key { name: named(clause, usual), columns, primary, predicate: None });
        }
        ConstrType::ConstrForeign => {
            let foreign_key = foreign_key(schema, table, clause, own)?;
            relation.foreign_keys.push(foreign_key);
        }
        ConstrType::ConstrCheck => {
            relation.checks.extend(tree::inner(clause.raw_expr.as_deref()).map(tree::sql));
        }
        _ => {}
    }
    Ok(())
}

fn named(clause: &Clause, usual: String) -> String {
    if clause.conname.is_empty() { usual } else { clause.conname.clone() }
}

fn foreign_key(schema: &Schema, table: &RelationName, clause: &Clause, own: &[String]) -> Result<ForeignKey, String> {
    let columns = if clause.fk_attrs.is_empty() { own.to_vec() } else { tree::strings(&clause.fk_attrs) };
    let target = clause.pktable.as_ref().ok_or("a foreign key without a table")?;
    let known = schema.resolve(tree::schema_of(target), &target.relname).map(|(name, _)| name.clone());
    // A table may refer to itself, or to one that is created later.
    let references = known.unwrap_or_else(|| schema.new_name(Some(target)));
    let usual = format!("{}_{}_fkey", table.name(), columns.join("_"));
    Ok(ForeignKey {
        name: named(clause, usual),
        columns,
        references,
        referenced: tree::strings(&clause.pk_attrs),
        on_delete: action(&clause.fk_del_action),
        on_update: action(&clause.fk_upd_action),
        set_columns: tree::strings(&clause.fk_del_set_cols),
        deferred: clause.deferrable || clause.initdeferred,
    })
}

/// The letters are those of `pg_constraint.confdeltype`.
pub fn action(letter: &str) -> Action {
    match letter {
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull,
        "d" => Action::SetDefault,
        _ => Action::NoAction,
    }
}

/// Adds a trigger to its table.
pub fn create_trigger(schema: &mut Schema, create: &CreateTrigStmt) -> Result<(), String> {
    let trigger = Trigger {
        name: create.trigname.clone(),
        function: tree::strings(&create.funcname).join("."),
        events: TRIGGER_EVENTS.iter().filter(|(bit, _)| create.events & bit != 0).map(|(_, event)| *event).collect(),
        columns: tree::strings(&create.columns),
        for_each_row: create.row,
        before: create.timing & (TRIGGER_BEFORE | TRIGGER_INSTEAD) != 0,
        has_condition: create.when_clause.is_some(),
        deferrable: create.deferrable || create.initdeferred,
    };
    let relation = schema.altered(create.relation.as_ref())?;
    relation.triggers.retain(|each| each.name != trigger.name);
    relation.triggers.push(trigger);
    Ok(())
}

/// Remembers a function with its text.
pub fn create_function(schema: &mut Schema, create: &CreateFunctionStmt, definition: &str) {
    let parts = tree::strings(&create.funcname);
    let (in_schema, name) = tree::qualified(&parts);
    let default = schema.search_path.first().map_or(DEFAULT_SCHEMA, String::as_str);
    let option = |wanted: &str| {
        create.options.iter().find_map(|option| match &option.node {
            Some(NodeEnum::DefElem(option)) if option.defname == wanted => option.arg.as_deref().and_then(tree::string),
            _ => None,
        })
    };
    let arguments = create.parameters.iter().filter_map(|parameter| match &parameter.node {
        Some(NodeEnum::FunctionParameter(parameter))
            if !matches!(
                parameter.mode(),
                FunctionParameterMode::FuncParamOut | FunctionParameterMode::FuncParamTable
            ) =>
        {
            let type_name = parameter.arg_type.as_ref().map(tree::type_sql).unwrap_or_default();
            Some((parameter.name.clone(), type_name))
        }
        _ => None,
    });
    let function = Function {
        name: RelationName::in_schema(in_schema.unwrap_or(default), name),
        arguments: arguments.collect(),
        language: option("language").unwrap_or("sql").to_ascii_lowercase(),
        definition: definition.to_owned(),
        is_immutable: option("volatility") == Some("immutable"),
    };
    let types =
        |function: &Function| -> Vec<String> { function.arguments.iter().map(|(_, kind)| kind.clone()).collect() };
    schema.functions.retain(|each| each.name != function.name || types(each) != types(&function));
    schema.functions.push(function);
}

/// Gives partitions and heirs their parents' columns, and partitions their keys, foreign keys and triggers.
pub fn inherit(schema: &mut Schema) {
    for _ in 0..GENERATIONS_MAX {
        let before = schema.relations.clone();
        for relation in schema.relations.values_mut() {
            for parent in relation.parents.clone() {
                let Some(parent) = before.get(&parent) else { continue };
                let known = |name: &str| relation.columns.iter().any(|column| column.name == name);
                let missing: Vec<_> = parent.columns.iter().filter(|column| !known(&column.name)).cloned().collect();
                relation.columns.splice(0..0, missing);
                add_missing(&mut relation.checks, &parent.checks, Clone::clone);
                if parent.kind != super::RelationKind::Partitioned {
                    continue;
                }
                add_missing(&mut relation.keys, &parent.keys, |key| key.columns.clone());
                add_missing(&mut relation.index_expressions, &parent.index_expressions, Clone::clone);
                add_missing(&mut relation.foreign_keys, &parent.foreign_keys, |key| key.columns.clone());
                let row_triggers: Vec<_> = parent.triggers.iter().filter(|each| each.for_each_row).cloned().collect();
                add_missing(&mut relation.triggers, &row_triggers, |trigger| trigger.name.clone());
            }
        }
        if schema.relations == before {
            return;
        }
    }
}

fn add_missing<T: Clone, K: PartialEq>(own: &mut Vec<T>, inherited: &[T], key: impl Fn(&T) -> K) {
    for each in inherited {
        if !own.iter().any(|mine| key(mine) == key(each)) {
            own.push(each.clone());
        }
    }
}

/// A foreign key that names no columns means the primary key.
pub fn complete_references(schema: &mut Schema) {
    let keys: BTreeMap<RelationName, Vec<String>> = schema
        .relations
        .iter()
        .filter_map(|(name, relation)| Some((name.clone(), relation.primary_key()?.columns.clone())))
        .collect();
    for foreign_key in schema.relations.values_mut().flat_map(|relation| &mut relation.foreign_keys) {
        if foreign_key.referenced.is_empty() {
            foreign_key.referenced = keys.get(&foreign_key.references).cloned().unwrap_or_default();
        }
    }
}

/// What a column's domain checks is checked for the column.
pub fn check_domains(schema: &mut Schema) {
    let domains = std::mem::take(&mut schema.domains);
    let path: Vec<String> = match schema.search_path.as_slice() {
        [] => vec![DEFAULT_SCHEMA.to_owned()],
        path => path.to_vec(),
    };
    for relation in schema.relations.values_mut() {
        let mut checks = Vec::new();
        for column in &relation.columns {
            let known = match column.type_name.rsplit_once('.') {
                Some((schema, name)) => domains.get(&RelationName::in_schema(schema, name)),
                None => path.iter().find_map(|schema| domains.get(&RelationName::in_schema(schema, &column.type_name))),
            };
            let name = crate::name::quoted(&column.name);
            let of_column = |check: &String| format!("(select {check} from (select {name} as value) as checked)");
            checks.extend(known.into_iter().flatten().map(of_column));
        }
        add_missing(&mut relation.checks, &checks, Clone::clone);
    }
    schema.domains = domains;
}

/// Changes one column, if it is there.
pub fn alter_column(relation: &mut Relation, name: &str, change: impl FnOnce(&mut Column)) {
    if let Some(column) = relation.columns.iter_mut().find(|column| column.name == name) {
        change(column);
    }
}

/// Drops a column with the constraints that name it.
pub fn drop_column(relation: &mut Relation, name: &str) {
    let names = |columns: &[String]| columns.iter().any(|column| column == name);
    relation.columns.retain(|column| column.name != name);
    relation.keys.retain(|key| !names(&key.columns));
    relation.foreign_keys.retain(|key| !names(&key.columns));
}

/// Drops a key or foreign key.
pub fn drop_constraint(relation: &mut Relation, name: &str) {
    relation.keys.retain(|key| key.name != name);
    relation.foreign_keys.retain(|key| key.name != name);
}

/// Renames a column wherever its table names it.
pub fn rename_column(relation: &mut Relation, old: &str, new: &str) {
    let lists = relation.keys.iter_mut().map(|key| &mut key.columns);
    let lists = lists.chain(relation.foreign_keys.iter_mut().map(|key| &mut key.columns));
    for column in lists.flatten().filter(|column| *column == old) {
        new.clone_into(column);
    }
    alter_column(relation, old, |column| new.clone_into(&mut column.name));
}

/// Renames a relation wherever another refers to it.
pub fn rename_relation(schema: &mut Schema, old: &RelationName, new: &RelationName) {
    for relation in schema.relations.values_mut() {
        let references = relation.foreign_keys.iter_mut().map(|key| &mut key.references);
        for name in references.chain(&mut relation.parents).filter(|name| *name == old) {
            name.clone_from(new);
        }
    }
}
