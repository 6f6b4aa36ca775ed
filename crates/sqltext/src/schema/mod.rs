//! The tables, keys, foreign keys, triggers and functions that decide what a statement touches.
//!
//! Made from DDL text ([`Schema::from_ddl`], [`Schema::from_sources`]) or from a live server's catalogue
//! ([`Schema::from_catalogue`]).

mod constraints;
mod ddl;
mod reach;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::SqlError;
use crate::name::RelationName;
use crate::workload::Unanalysed;

/// What the programs' SQL means: relations and functions by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Tables, views and their like.
    pub relations: BTreeMap<RelationName, Relation>,
    /// Functions and procedures whose body is known.
    pub functions: Vec<Function>,
    /// What domains check, in SQL, with `value` for the value.
    pub domains: BTreeMap<RelationName, Vec<String>>,
    /// Where unqualified names are looked up, in order; empty means `public`.
    pub search_path: Vec<String>,
    /// DDL that was not understood and may matter.
    pub unanalysed: Vec<UnreadDefinition>,
}

/// A definition that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadDefinition {
    /// What it is.
    pub what: Unanalysed,
    /// The one relation whose statements it may change; nothing where that cannot be told, so that it may be any.
    pub relation: Option<RelationName>,
}

/// A table or what can stand in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// In order.
    pub columns: Vec<Column>,
    /// Primary key first, then unique constraints and unique indexes without expressions.
    pub keys: Vec<Key>,
    /// Of this table to others.
    pub foreign_keys: Vec<ForeignKey>,
    /// In the order of their names, as they fire.
    pub triggers: Vec<Trigger>,
    /// Check constraints in SQL, those of its columns' domains among them.
    pub checks: Vec<String>,
    /// Expressions and predicates of its indexes in SQL: they are computed for every row that is written.
    pub index_expressions: Vec<String>,
    /// The partitioned table that it is a partition of, or the tables it inherits from.
    pub parents: Vec<RelationName>,
    /// Of a view: its query.
    pub query: Option<String>,
    /// Rules other than a view's own: what they do is not analysed.
    pub has_rules: bool,
    /// Row-level security is on: policies are not analysed.
    pub has_policies: bool,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary table, or a partition.
    #[default]
    Table,
    /// A partitioned table: rows live in its partitions.
    Partitioned,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A table on another server.
    ForeignTable,
    /// A sequence.
    Sequence,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// As the catalogue spells it.
    pub name: String,
    /// Its type in SQL.
    pub type_name: String,
    /// Declared so, or part of the primary key.
    pub not_null: bool,
    /// The default in SQL. Of identity columns nothing.
    pub default: Option<String>,
    /// `generated always as (…)`: the expression in SQL.
    pub generated: Option<String>,
    /// `generated … as identity`, or a serial type: values come from a sequence.
    pub from_sequence: bool,
}

/// Columns that no two rows share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The constraint's or index's name.
    pub name: String,
    /// In order.
    pub columns: Vec<String>,
    /// The primary key.
    pub primary: bool,
    /// The predicate of a partial unique index in SQL. Such a key identifies a row only where the predicate holds.
    pub predicate: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// Of the referencing table.
    pub columns: Vec<String>,
    /// The referenced table.
    pub references: RelationName,
    /// Its columns, one for each of `columns`.
    pub referenced: Vec<String>,
    /// What happens to the row when the row that it refers to is deleted.
    pub on_delete: Action,
    /// What happens to the row when the key that it refers to is updated.
    pub on_update: Action,
    /// The columns that `set null (…)` or `set default (…)` name; empty means all of `columns`.
    pub set_columns: Vec<String>,
    /// Checked at the transaction's end, or deferrable, so that `set constraints` may say so.
    pub deferred: bool,
}

/// What a foreign key does when the row that is referred to changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Refuse, at the end of the statement or the transaction.
    #[default]
    NoAction,
    /// Refuse at once.
    Restrict,
    /// Delete the row too, or update its key.
    Cascade,
    /// Set the key to null.
    SetNull,
    /// Set the key to its default.
    SetDefault,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a clause of `create trigger`, whatever the others say")]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The function that it runs, as DDL names it.
    pub function: String,
    /// Which statements fire it.
    pub events: Vec<TriggerEvent>,
    /// `update of`: the columns; empty means all.
    pub columns: Vec<String>,
    /// `for each row`, else once a statement.
    pub for_each_row: bool,
    /// Before the change, so that it may change the row.
    pub before: bool,
    /// `when (…)`: it does not fire for every row.
    pub has_condition: bool,
    /// May be put off to the end of the transaction.
    pub deferrable: bool,
}

/// What fires a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerEvent {
    /// `insert`.
    Insert,
    /// `update`.
    Update,
    /// `delete`.
    Delete,
    /// `truncate`.
    Truncate,
}

/// A function or procedure whose body is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Schema and name: functions share the rules of relations' names.
    pub name: RelationName,
    /// Its arguments' names, empty where they have none, and types.
    pub arguments: Vec<(String, String)>,
    /// `sql`, `plpgsql`, ….
    pub language: String,
    /// The whole `create function` statement.
    pub definition: String,
    /// Declared immutable: it touches no table.
    pub is_immutable: bool,
}

/// The query whose rows [`Schema::from_catalogue`] takes: one text column. This crate does not run it.
pub const CATALOGUE_QUERY: &str = include_str!("catalogue.sql");

impl Schema {
    /// The relation of a name as a statement writes it, looked up along the search path.
    #[must_use]
    pub fn resolve(&self, schema: Option<&str>, name: &str) -> Option<(&RelationName, &Relation)> {
        let known = |schema: &str| self.relations.get_key_value(&RelationName::in_schema(schema, name));
        match schema {
            Some(schema) => known(schema),
            None if self.search_path.is_empty() => known(crate::name::DEFAULT_SCHEMA),
            None => self.search_path.iter().find_map(|schema| known(schema)),
        }
    }

    /// The schema of a live server, from the rows of [`CATALOGUE_QUERY`].
    pub fn from_catalogue(rows: &[String]) -> Result<Self, Vec<SqlError>> {
        Self::from_sources(&[("catalogue", &rows.join(";\n"))])
    }

    /// Reads `create table`, `alter table` and their like from one text.
    pub fn from_ddl(text: &str) -> Result<Self, Vec<SqlError>> {
        Self::from_sources(&[("schema", text)])
    }
}

impl Relation {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The primary key.
    #[must_use]
    pub fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.primary)
    }

    /// Whether it is a view, materialized or not.
    #[must_use]
    pub const fn is_view(&self) -> bool {
        matches!(self.kind, RelationKind::View | RelationKind::MaterializedView)
    }
}
