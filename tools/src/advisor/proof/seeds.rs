//! The rows before a schedule: those that it names, the parents that foreign keys ask of them, and values for every column.
//!
//! Which values a table takes (checks, domains, triggers) the server knows: several are tried on it, and what it takes is
//! kept as one text that makes the tables as they were before each play.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::quote_identifier;
use pgstrata_sqltext::schema::Relation;
use pgstrata_sqltext::{RelationName, Schema};

use super::arena::Arena;
use super::error::ProofError;
use super::scratch::words_of;
use super::script::Agreed;
use super::values::{is_number, value};

/// How deep parents of parents are followed.
const PARENTS_MAX: usize = 8;

/// How many ways of filling columns that nobody asked about are tried.
const FILLINGS: u32 = 7;

/// The number of a parent that no witness names.
const STRANGER: u32 = 900;

/// A row that is to be there, with the values that matter, in SQL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub relation: RelationName,
    pub values: BTreeMap<String, String>,
}

/// What is not asked of rows, and yet decided for them.
#[derive(Clone, Debug)]
pub(super) struct Filling<'a> {
    /// Which kind of values.
    pub variant: u32,
    pub rows: Rows,
    pub agreed: &'a Agreed,
    /// By column: a number next to one that a condition compares it with.
    pub edges: &'a BTreeMap<String, String>,
    /// Rows of the user, as SQL.
    pub extra: &'a str,
}

/// What rows are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// A witness, which cannot do without any of them.
    Needed,
    /// Trials.
    ByLot,
}

/// What makes the tables hold these rows and no others, as SQL; the reason when the server refuses.
pub(super) async fn plan(
    arena: &Arena,
    schema: &Schema,
    wanted: &[Wanted],
    filling: &Filling<'_>,
) -> Result<Result<String, String>, ProofError> {
    let wanted = with_parents(schema, wanted, filling.variant);
    let mut text = empty(arena, schema);
    let run = async |sql: &str| arena.planner.batch_execute(sql).await;
    run("begin").await.map_err(super::scratch::sql)?;
    let mut refused = None;
    if let Err(error) = run(&text).await {
        refused = Some(format!("the tables cannot be emptied: {}", words_of(&error).0));
    }
    for (number, row) in wanted.iter().enumerate() {
        if refused.is_some() {
            break;
        }
        let Some(relation) = schema.relations.get(&row.relation) else { continue };
        let mut last = String::new();
        let mut taken = None;
        for attempt in 0..FILLINGS {
            let insert = insert(row, relation, number, attempt, filling);
            match run(&format!("savepoint row; {insert}; release row")).await {
                Ok(()) => {
                    taken = Some(insert);
                    break;
                }
                Err(error) => {
                    last = words_of(&error).0;
                    run("rollback to row").await.map_err(super::scratch::sql)?;
                }
            }
        }
        match taken {
            Some(insert) => text.extend(["; ", &insert]),
            // Rows by lot need not all be there.
            None if filling.rows == Rows::ByLot => {}
            None => refused = Some(format!("{} takes no row for it: {last}", row.relation)),
        }
    }
    let extra = filling.extra.trim();
    if refused.is_none() && !extra.is_empty() {
        match run(extra).await {
            Ok(()) => text.extend(["; ", extra.trim_end_matches(';')]),
            Err(error) => refused = Some(format!("the given rows are refused: {}", words_of(&error).0)),
        }
    }
    run("rollback").await.map_err(super::scratch::sql)?;
    Ok(refused.map_or(Ok(text), Err))
}

/// What empties all tables. Deleting is quicker, truncating fires no triggers of the user's.
fn empty(arena: &Arena, schema: &Schema) -> String {
    let names: Vec<&str> = arena.table_names().collect();
    let is_simple = schema.relations.values().all(|relation| relation.triggers.is_empty());
    if names.is_empty() {
        return "select 1".to_owned();
    }
    if is_simple {
        let ordered = children_first(schema, &names);
        let deletes: Vec<String> =
            ordered.iter().map(|name| format!("delete from {}", quote_identifier(name))).collect();
        return deletes.join("; ");
    }
    let quoted: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
    format!("truncate {} cascade", quoted.join(", "))
}

/// Tables in an order in which none is emptied before those that refer to it, as far as there is one.
fn children_first<'a>(schema: &Schema, names: &[&'a str]) -> Vec<&'a str> {
    let mut left: Vec<&str> = names.to_vec();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let is_free = |name: &&str| {
            !left.iter().filter(|other| *other != name).any(|other| {
                let relation = schema.relations.get(&RelationName::new(other));
                relation.is_some_and(|other| other.foreign_keys.iter().any(|key| key.references.name() == *name))
            })
        };
        let next = left.iter().position(is_free).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// The rows with the rows that their foreign keys refer to before them.
fn with_parents(schema: &Schema, wanted: &[Wanted], variant: u32) -> Vec<Wanted> {
    let mut all = Vec::new();
    for row in wanted {
        add((schema, wanted, variant), row, &mut all, 0);
    }
    all
}

fn add((schema, wanted, variant): (&Schema, &[Wanted], u32), row: &Wanted, all: &mut Vec<Wanted>, depth: usize) {
    let Some(relation) = schema.relations.get(&row.relation) else { return };
    let mut row = row.clone();
    for key in &relation.foreign_keys {
        let is_given = key.columns.iter().any(|column| row.values.contains_key(column));
        let is_needed = key.columns.iter().any(|name| relation.column(name).is_some_and(|column| column.not_null));
        if !is_given && !is_needed {
            continue;
        }
        // A parent that is wanted anyway; in every other variant one that nobody touches.
        let stranger = if variant.is_multiple_of(2) { 1 } else { STRANGER };
        let present = wanted.iter().find(|other| {
            other.relation == key.references && key.referenced.iter().all(|column| other.values.contains_key(column))
        });
        for (column, referenced) in key.columns.iter().zip(&key.referenced) {
            if row.values.contains_key(column) {
                continue;
            }
            let type_name = relation.column(column).map(|column| column.type_name.clone()).unwrap_or_default();
            let of_parent = present
                .filter(|_| !is_given && stranger != STRANGER)
                .and_then(|parent| parent.values.get(referenced))
                .cloned();
            row.values.insert(column.clone(), of_parent.unwrap_or_else(|| value(&type_name, stranger)));
        }
        let values: BTreeMap<String, String> = key
            .columns
            .iter()
            .zip(&key.referenced)
            .filter_map(|(column, referenced)| Some((referenced.clone(), row.values.get(column)?.clone())))
            .collect();
        let is_null = values.values().any(|value| value.eq_ignore_ascii_case("null"));
        if depth < PARENTS_MAX && !is_null && key.references != row.relation {
            let parent = Wanted { relation: key.references.clone(), values };
            // The wanted row itself has more values than its key.
            let known = wanted.iter().find(|other| other.relation == parent.relation && covers(other, &parent));
            add((schema, wanted, variant), known.unwrap_or(&parent), all, depth + 1);
        }
    }
    let identity: BTreeSet<&String> = relation.keys.first().map(|key| key.columns.iter().collect()).unwrap_or_default();
    let is_there = all.iter().any(|other| {
        other.relation == row.relation
            && (other.values == row.values
                || (!identity.is_empty()
                    && identity.iter().all(|column| {
                        row.values.contains_key(*column) && row.values.get(*column) == other.values.get(*column)
                    })))
    });
    if !is_there {
        all.push(row);
    }
}

/// Whether a row has all values of another one.
fn covers(row: &Wanted, other: &Wanted) -> bool {
    other.values.iter().all(|(column, value)| row.values.get(column) == Some(value))
}

/// The row with all its columns. Variants differ in what columns get that nobody asked about: at first all rows alike, later
/// each column of each row another; attempts in the same variant, too.
fn insert(row: &Wanted, relation: &Relation, number: usize, attempt: u32, filling: &Filling<'_>) -> String {
    let Filling { variant, agreed, edges, .. } = *filling;
    let number = u32::try_from(number).unwrap_or(0);
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for (place, column) in relation.columns.iter().enumerate() {
        let place = u32::try_from(place).unwrap_or(0);
        let filling =
            if variant < FILLINGS { variant } else { variant * 3 + number * (variant % 5 + 1) + place * (variant % 4) };
        let filling = (filling + attempt) % FILLINGS;
        let is_key = relation.keys.iter().any(|key| key.columns.contains(&column.name));
        let is_reference = relation.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
        let agreed_value = agreed.rows.get(&column.name).filter(|_| !is_key && !is_reference);
        let filled = match row.values.get(&column.name) {
            Some(value) => agreed_value.filter(|_| agreed.is_forced).unwrap_or(value).clone(),
            None if column.generated.is_some() || column.from_sequence || (is_reference && !is_key) => continue,
            None if agreed_value.is_some() => agreed_value.cloned().unwrap_or_default(),
            None if attempt == 0 && edges.contains_key(&column.name) => edges[&column.name].clone(),
            None if is_key => value(&column.type_name, 1000 + number),
            None if filling == 1 && (column.default.is_some() || !column.not_null) => continue,
            None if is_number(&column.type_name) => {
                let distinct = (number + 1) * 100 + place;
                let numbers = [distinct, distinct, 1, 0, 10 + number, 1_000_000 + distinct];
                // The last is below what conditions ask for, and above it when something is added.
                numbers.get(filling as usize % FILLINGS as usize).map_or_else(|| "-1".to_owned(), u32::to_string)
            }
            None => value(&column.type_name, number * 10 + place + filling),
        };
        columns.push(quote_identifier(&column.name));
        values.push(filled);
    }
    let table = quote_identifier(row.relation.name());
    if columns.is_empty() {
        return format!("insert into {table} default values");
    }
    format!("insert into {table} ({}) overriding system value values ({})", columns.join(", "), values.join(", "))
}
