//! A schema from DDL text.
//!
//! Order matters as it does to the server: what a later statement drops or alters is dropped or altered. Statements that
//! cannot change what programs touch (grants, comments, settings, types, data) are skipped; those that may and are not
//! understood are said.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterTableStmt, AlterTableType, ColumnDef, ConstrType, Constraint as Clause, CreateDomainStmt, CreateStmt,
    CreateTableAsStmt, DropStmt, IndexStmt, ObjectType, RangeVar, RenameStmt, VariableSetStmt, ViewStmt,
};

use super::constraints;
use super::{Column, Key, Relation, RelationKind, Schema, UnreadDefinition, reach};
use crate::error::SqlError;
use crate::grammar::{deep, read};
use crate::name::{DEFAULT_SCHEMA, RelationName};
use crate::tree;
use crate::workload::Unanalysed;

impl Schema {
    /// Reads `create table`, `alter table` and their like from several files, given in the order in which a server would
    /// run them.
    pub fn from_sources(sources: &[(&str, &str)]) -> Result<Self, Vec<SqlError>> {
        deep(|| {
            let mut schema = Self::default();
            let mut errors = Vec::new();
            for (name, text) in sources {
                match read::read(name, text) {
                    Ok(read) => schema.take(&read),
                    Err(more) => errors.extend(more),
                }
            }
            schema.finish();
            if errors.is_empty() { Ok(schema) } else { Err(errors) }
        })
    }

    /// Takes all DDL of one source; other statements are left alone.
    pub(crate) fn take(&mut self, read: &read::Read<'_>) {
        for statement in &read.statements {
            if let Err(why) = self.apply(statement) {
                let what = Unanalysed { span: read.span_of(statement), why, hint: None };
                self.unanalysed.push(UnreadDefinition { what, relation: reach::only_relation(self, &statement.tree) });
            }
        }
    }

    /// What holds only of the whole: partitions' inherited parts, references to primary keys.
    pub(crate) fn finish(&mut self) {
        constraints::inherit(self);
        constraints::complete_references(self);
        constraints::check_domains(self);
        for relation in self.relations.values_mut() {
            relation.keys.sort_by_key(|key| !key.primary);
            relation.triggers.sort_by(|one, two| one.name.cmp(&two.name));
        }
    }

    fn apply(&mut self, statement: &read::Parsed) -> Result<(), String> {
        match &statement.tree {
            NodeEnum::CreateStmt(create) => self.create_table(create, RelationKind::Table),
            NodeEnum::CreateForeignTableStmt(create) => match &create.base_stmt {
                Some(base) => self.create_table(base, RelationKind::ForeignTable),
                None => Err("a foreign table without columns".to_owned()),
            },
            NodeEnum::AlterTableStmt(alter) => self.alter_table(alter),
            NodeEnum::IndexStmt(index) => self.create_index(index),
            NodeEnum::ViewStmt(view) => self.create_view(view),
            NodeEnum::CreateTableAsStmt(create) => self.create_table_as(create),
            NodeEnum::CreateTrigStmt(trigger) => constraints::create_trigger(self, trigger),
            NodeEnum::CreateFunctionStmt(function) => {
                constraints::create_function(self, function, &statement.prepared);
                Ok(())
            }
            NodeEnum::CreateSeqStmt(sequence) => {
                let name = self.new_name(sequence.sequence.as_ref());
                self.relations.insert(name, Relation { kind: RelationKind::Sequence, ..Relation::default() });
                Ok(())
            }
            NodeEnum::RuleStmt(rule) => {
                self.altered(rule.relation.as_ref())?.has_rules = true;
                Ok(())
            }
            NodeEnum::CreateDomainStmt(domain) => {
                self.create_domain(domain);
                Ok(())
            }
            NodeEnum::AlterDomainStmt(alter) => {
                Err(format!("what `alter domain {}` checks is not read", tree::strings(&alter.type_name).join(".")))
            }
            NodeEnum::CreatePolicyStmt(policy) => {
                self.altered(policy.table.as_ref())?.has_policies = true;
                Ok(())
            }
            NodeEnum::VariableSetStmt(set) => {
                self.set(set);
                Ok(())
            }
            NodeEnum::DropStmt(drop) => {
                self.drop(drop);
                Ok(())
            }
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::CreateSchemaStmt(create) if !create.schema_elts.is_empty() => {
                Err("tables inside `create schema` are not read; create them after it".to_owned())
            }
            NodeEnum::DoStmt(_) => Err("what a `do` block changes in the schema is not known".to_owned()),
            _ => Ok(()),
        }
    }

    /// A domain's checks, whose functions run whenever a column of it is written.
    fn create_domain(&mut self, domain: &CreateDomainStmt) {
        let parts = tree::strings(&domain.domainname);
        let (schema, name) = tree::qualified(&parts);
        let default = self.search_path.first().map_or(DEFAULT_SCHEMA, String::as_str);
        let checks = domain.constraints.iter().filter_map(|constraint| match &constraint.node {
            Some(NodeEnum::Constraint(clause)) if clause.contype() == ConstrType::ConstrCheck => {
                tree::inner(clause.raw_expr.as_deref()).map(tree::sql)
            }
            _ => None,
        });
        let checks = checks.collect();
        self.domains.insert(RelationName::in_schema(schema.unwrap_or(default), name), checks);
    }

    /// The name of something that is created.
    pub(super) fn new_name(&self, relation: Option<&RangeVar>) -> RelationName {
        let Some(relation) = relation else { return RelationName::new("") };
        let schema = match tree::schema_of(relation) {
            Some(schema) => schema,
            None if relation.relpersistence == "t" => "pg_temp",
            None => self.search_path.first().map_or(DEFAULT_SCHEMA, String::as_str),
        };
        RelationName::in_schema(schema, &relation.relname)
    }

    /// A relation that a statement changes.
    pub(super) fn altered(&mut self, relation: Option<&RangeVar>) -> Result<&mut Relation, String> {
        let relation = relation.ok_or("no relation is named")?;
        let known = self.resolve(tree::schema_of(relation), &relation.relname).map(|(name, _)| name.clone());
        known
            .and_then(|name| self.relations.get_mut(&name))
            .ok_or_else(|| format!("relation \"{}\" does not exist", relation.relname))
    }

    fn create_table(&mut self, create: &CreateStmt, kind: RelationKind) -> Result<(), String> {
        let name = self.new_name(create.relation.as_ref());
        if create.if_not_exists && self.relations.contains_key(&name) {
            return Ok(());
        }
        let kind = if create.partspec.is_some() { RelationKind::Partitioned } else { kind };
        let mut relation = Relation { kind, ..Relation::default() };
        for parent in &create.inh_relations {
            if let Some(NodeEnum::RangeVar(parent)) = &parent.node {
                let known = self.resolve(tree::schema_of(parent), &parent.relname);
                let (parent, _) = known.ok_or_else(|| format!("relation \"{}\" does not exist", parent.relname))?;
                relation.parents.push(parent.clone());
            }
        }
        if create.of_typename.is_some() {
            return Err("`create table … of type`: the type's columns are not read".to_owned());
        }
        for element in create.table_elts.iter().chain(&create.constraints) {
            match &element.node {
                Some(NodeEnum::ColumnDef(column)) => constraints::add_column(self, &name, &mut relation, column)?,
                Some(NodeEnum::Constraint(clause)) => constraints::add(self, &name, &mut relation, clause, &[])?,
                Some(NodeEnum::TableLikeClause(like)) => {
                    let like = like.relation.as_ref().ok_or("`like` without a table")?;
                    let known = self.resolve(tree::schema_of(like), &like.relname);
                    let (_, model) = known.ok_or_else(|| format!("relation \"{}\" does not exist", like.relname))?;
                    relation.columns.extend(model.columns.iter().cloned());
                    relation.keys.extend(model.keys.iter().cloned());
                    relation.checks.extend(model.checks.iter().cloned());
                    relation.index_expressions.extend(model.index_expressions.iter().cloned());
                }
                _ => return Err("a part of `create table` that is not read".to_owned()),
            }
        }
        self.relations.insert(name, relation);
        Ok(())
    }

    fn alter_table(&mut self, alter: &AlterTableStmt) -> Result<(), String> {
        if !matches!(alter.objtype(), ObjectType::ObjectTable | ObjectType::ObjectForeignTable) {
            return Ok(());
        }
        let relation = alter.relation.as_ref().ok_or("no table is named")?;
        let known = self.resolve(tree::schema_of(relation), &relation.relname);
        let Some((name, _)) = known else {
            return if alter.missing_ok {
                Ok(())
            } else {
                Err(format!("relation \"{}\" does not exist", relation.relname))
            };
        };
        let name = name.clone();
        let mut altered = self.relations[&name].clone();
        for command in &alter.cmds {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
            let definition = tree::inner(command.def.as_deref());
            match (command.subtype(), definition) {
                (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(column))) => {
                    self.add_column(&name, &mut altered, column, command.missing_ok)?;
                }
                (AlterTableType::AtAddConstraint, Some(NodeEnum::Constraint(clause))) => {
                    self.add_clause(&name, &mut altered, clause)?;
                }
                (AlterTableType::AtDropColumn, _) => constraints::drop_column(&mut altered, &command.name),
                (AlterTableType::AtDropConstraint, _) => constraints::drop_constraint(&mut altered, &command.name),
                (AlterTableType::AtColumnDefault, default) => {
                    constraints::alter_column(&mut altered, &command.name, |column| {
                        column.default = default.map(tree::sql);
                    });
                }
                (AlterTableType::AtAddIdentity, _) => {
                    constraints::alter_column(&mut altered, &command.name, |column| column.from_sequence = true);
                }
                (AlterTableType::AtAlterColumnType, Some(NodeEnum::ColumnDef(column))) => {
                    let type_name = column.type_name.as_ref().map(tree::type_sql).unwrap_or_default();
                    constraints::alter_column(&mut altered, &command.name, |column| column.type_name = type_name);
                }
                (AlterTableType::AtSetNotNull, _) => {
                    constraints::alter_column(&mut altered, &command.name, |column| column.not_null = true);
                }
                (AlterTableType::AtEnableRowSecurity | AlterTableType::AtForceRowSecurity, _) => {
                    altered.has_policies = true;
                }
                (AlterTableType::AtAttachPartition, Some(NodeEnum::PartitionCmd(partition))) => {
                    self.altered(partition.name.as_ref())?.parents.push(name.clone());
                }
                (AlterTableType::AtAddInherit, Some(NodeEnum::RangeVar(parent))) => {
                    let known = self.resolve(tree::schema_of(parent), &parent.relname);
                    let (parent, _) = known.ok_or_else(|| format!("relation \"{}\" does not exist", parent.relname))?;
                    altered.parents.push(parent.clone());
                }
                (
                    AlterTableType::AtEnableTrig
                    | AlterTableType::AtEnableAlwaysTrig
                    | AlterTableType::AtEnableReplicaTrig
                    | AlterTableType::AtEnableTrigAll
                    | AlterTableType::AtEnableTrigUser,
                    _,
                ) => return Err("a trigger that is enabled again is not read".to_owned()),
                (AlterTableType::AtDisableTrig, _) => altered.triggers.retain(|each| each.name != command.name),
                (AlterTableType::AtDisableTrigAll | AlterTableType::AtDisableTrigUser, _) => altered.triggers.clear(),
                _ => {}
            }
        }
        self.relations.insert(name, altered);
        Ok(())
    }

    fn add_column(
        &self,
        name: &RelationName,
        relation: &mut Relation,
        column: &ColumnDef,
        missing_ok: bool,
    ) -> Result<(), String> {
        if missing_ok && relation.column(&column.colname).is_some() {
            return Ok(());
        }
        constraints::add_column(self, name, relation, column)
    }

    fn add_clause(&self, name: &RelationName, relation: &mut Relation, clause: &Clause) -> Result<(), String> {
        // `add primary key using index`: the index is known by its name.
        let by_index = matches!(clause.contype(), ConstrType::ConstrPrimary | ConstrType::ConstrUnique)
            && !clause.indexname.is_empty();
        if !by_index {
            return constraints::add(self, name, relation, clause, &[]);
        }
        let index = relation.keys.iter_mut().find(|key| key.name == clause.indexname);
        let index = index.ok_or_else(|| format!("index \"{}\" does not exist", clause.indexname))?;
        index.primary = clause.contype() == ConstrType::ConstrPrimary;
        Ok(())
    }

    fn create_index(&mut self, index: &IndexStmt) -> Result<(), String> {
        let (mut columns, mut expressions) = (Vec::new(), Vec::new());
        for element in &index.index_params {
            let Some(NodeEnum::IndexElem(element)) = &element.node else { continue };
            match tree::inner(element.expr.as_deref()) {
                Some(expression) => expressions.push(tree::sql(expression)),
                None => columns.push(element.name.clone()),
            }
        }
        // A key over expressions binds no columns.
        let is_key = index.unique && expressions.is_empty();
        let predicate = tree::inner(index.where_clause.as_deref()).map(tree::sql);
        let relation = self.altered(index.relation.as_ref())?;
        relation.index_expressions.extend(expressions.into_iter().chain(predicate.clone()));
        if !is_key {
            return Ok(());
        }
        relation.keys.push(Key { name: index.idxname.clone(), columns, primary: false, predicate });
        Ok(())
    }

    fn create_view(&mut self, view: &ViewStmt) -> Result<(), String> {
        let query = tree::inner(view.query.as_deref()).ok_or("a view without a query")?;
        let name = self.new_name(view.view.as_ref());
        self.add_view(name, RelationKind::View, query, tree::strings(&view.aliases));
        Ok(())
    }

    fn create_table_as(&mut self, create: &CreateTableAsStmt) -> Result<(), String> {
        let query = tree::inner(create.query.as_deref()).ok_or("no query")?;
        let into = create.into.as_deref().ok_or("no table is named")?;
        let name = self.new_name(into.rel.as_ref());
        if create.objtype() == ObjectType::ObjectMatview {
            self.add_view(name, RelationKind::MaterializedView, query, tree::strings(&into.col_names));
            return Ok(());
        }
        let columns = crate::analyse::output_columns(self, query);
        let columns = columns.ok_or("the columns of `create table as` could not be told")?;
        let named = columns.into_iter().map(|name| Column { name, ..Column::default() });
        self.relations.insert(name, Relation { columns: named.collect(), ..Relation::default() });
        Ok(())
    }

    fn add_view(&mut self, name: RelationName, kind: RelationKind, query: &NodeEnum, aliases: Vec<String>) {
        let mut columns = crate::analyse::output_columns(self, query).unwrap_or_default();
        for (column, alias) in columns.iter_mut().zip(aliases) {
            *column = alias;
        }
        let columns = columns.into_iter().map(|name| Column { name, ..Column::default() }).collect();
        let query = tree::statement_sql(query.clone());
        self.relations.insert(name, Relation { kind, columns, query, ..Relation::default() });
    }

    /// `set search_path`, also as `pg_dump` writes it.
    fn set(&mut self, set: &VariableSetStmt) {
        if set.name == "search_path" {
            let path = tree::strings(&set.args);
            self.search_path = path.into_iter().filter(|schema| !schema.is_empty() && schema != "$user").collect();
        }
    }

    fn drop(&mut self, drop: &DropStmt) {
        let tables = [
            ObjectType::ObjectTable,
            ObjectType::ObjectView,
            ObjectType::ObjectMatview,
            ObjectType::ObjectForeignTable,
            ObjectType::ObjectSequence,
        ];
        for object in &drop.objects {
            let Some(NodeEnum::List(parts)) = &object.node else { continue };
            let parts = tree::strings(&parts.items);
            match drop.remove_type() {
                kind if tables.contains(&kind) => {
                    let (schema, name) = tree::qualified(&parts);
                    let known = self.resolve(schema, name).map(|(name, _)| name.clone());
                    known.map(|name| self.relations.remove(&name));
                }
                ObjectType::ObjectIndex => {
                    let (_, index) = tree::qualified(&parts);
                    for relation in self.relations.values_mut() {
                        relation.keys.retain(|key| key.name != index);
                    }
                }
                ObjectType::ObjectTrigger => {
                    let Some((trigger, table)) = parts.split_last() else { continue };
                    let (schema, name) = tree::qualified(table);
                    let known = self.resolve(schema, name).map(|(name, _)| name.clone());
                    if let Some(relation) = known.and_then(|name| self.relations.get_mut(&name)) {
                        relation.triggers.retain(|each| each.name != *trigger);
                    }
                }
                _ => {}
            }
        }
    }

    fn rename(&mut self, rename: &RenameStmt) -> Result<(), String> {
        match rename.rename_type() {
            ObjectType::ObjectColumn => {
                let relation = self.altered(rename.relation.as_ref())?;
                constraints::rename_column(relation, &rename.subname, &rename.newname);
                Ok(())
            }
            ObjectType::ObjectTable | ObjectType::ObjectView => {
                let old = rename.relation.as_ref().ok_or("no relation is named")?;
                let known = self.resolve(tree::schema_of(old), &old.relname).map(|(name, _)| name.clone());
                let old = known.ok_or_else(|| format!("relation \"{}\" does not exist", old.relname))?;
                let new = RelationName::in_schema(old.schema(), &rename.newname);
                if let Some(relation) = self.relations.remove(&old) {
                    self.relations.insert(new.clone(), relation);
                }
                constraints::rename_relation(self, &old, &new);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
