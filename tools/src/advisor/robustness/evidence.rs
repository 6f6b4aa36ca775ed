//! From a schedule of the model to a witness that a server can run: arguments, rows, and the cycle.

use std::collections::BTreeMap;

use pgstrata_sqltext::{AccessKind, Rows, Schema, Workload};

use super::machine::Made;
use super::model::{Model, RowSet, Value};
use super::search::Shown;
use super::spread;
use super::stage::Cast;
use super::telling::Telling;
use crate::advisor::report::Allocation;
use crate::advisor::witness::{Dependency, DependencyEnd, Instance, SeedRow, Step, StepKind, Witness};

/// The first number given to a value. Small ones are left to rows that are there anyway.
const FIRST_VALUE: i64 = 1;

/// What the model's numbers mean.
#[derive(Clone, Copy)]
pub(super) struct Meaning<'a> {
    pub workload: &'a Workload,
    pub schema: &'a Schema,
    pub model: &'a Model,
    pub telling: &'a Telling,
}

/// A witness out of a schedule, of those who take part in it.
pub(super) fn witness(meaning: Meaning<'_>, cast: &Cast<'_>, values: &Values<'_>, shown: &Shown) -> Witness {
    let members: Vec<usize> = (0..cast.rows.paths.len()).filter(|actor| shown.has(*actor)).collect();
    let instances = instances(meaning, cast, values, &members);
    let levels = instances.iter().map(|instance| (instance.program.clone(), instance.level)).collect();
    let mut rows = rows(meaning, cast, values, &members);
    rows.extend(found_rows(meaning, cast, values, &members));
    let links = shown.cycle.iter();
    Witness {
        allocation: Allocation(levels),
        schedule: schedule(cast, shown, &members),
        cycle: links.map(|made| dependency(meaning, cast, (shown, &members), made)).collect(),
        instances,
        rows: merged(rows),
    }
}

/// What the values of the transactions are, in SQL.
pub(super) struct Values<'a> {
    meaning: Meaning<'a>,
    by_root: BTreeMap<usize, String>,
    /// By row and column: what only comparisons are about.
    besides: BTreeMap<(usize, u8), String>,
}

/// Numbers for values that are not constants.
struct Numbers {
    by_root: BTreeMap<usize, i64>,
    besides: BTreeMap<(usize, u8), i64>,
}

impl Numbers {
    /// Different numbers, such that every row satisfies the comparisons of the predicates that cover it; nothing if there
    /// are none.
    fn choose(meaning: Meaning<'_>, cast: &Cast<'_>, roots: impl Iterator<Item = usize>) -> Option<Self> {
        let mut values = spread::Values::default();
        let (mut places, mut besides) = (BTreeMap::new(), BTreeMap::new());
        for root in roots {
            let constant = cast.rows.constant(root).map(|constant| meaning.model.constants[constant].sql.as_str());
            match constant.map(str::parse::<i64>) {
                None => places.insert(root, values.add(None)),
                Some(Ok(number)) => places.insert(root, values.add(Some(number))),
                Some(Err(_)) => None,
            };
        }
        for (row, column, order, (actor, value)) in cast.compared() {
            let with = places.get(&cast.rows.root(actor, value)).copied();
            let of_row = match cast.names[row].columns.get(&column) {
                Some((actor, value)) => places.get(&cast.rows.root(*actor, *value)).copied(),
                None => Some(*besides.entry((row, column)).or_insert_with(|| values.add(None))),
            };
            if let (Some(of_row), Some(with)) = (of_row, with) {
                values.want(of_row, order, with);
            }
        }
        let numbers = values.numbers(FIRST_VALUE)?;
        Some(Self {
            by_root: places.into_iter().map(|(root, place)| (root, numbers[place])).collect(),
            besides: besides.into_iter().map(|(column, place)| (column, numbers[place])).collect(),
        })
    }
}

impl<'a> Values<'a> {
    /// Nothing when arguments cannot be chosen so that the rows are what they must be, whatever the schedule.
    pub fn choose(meaning: Meaning<'a>, cast: &Cast<'_>) -> Option<Self> {
        if !picks_are_sure(cast) {
            return None;
        }
        let mut types: BTreeMap<usize, String> = BTreeMap::new();
        let mut members: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (actor, path) in cast.rows.paths.iter().enumerate() {
            for value in 0..path.values.len() {
                members.entry(cast.rows.root(actor, value)).or_default().push((actor, value));
            }
            for (column, relation, value) in columns(path) {
                if let Some(type_name) = type_of(meaning, relation, column) {
                    types.entry(cast.rows.root(actor, value)).or_insert(type_name);
                }
            }
        }
        let numbers = Numbers::choose(meaning, cast, members.keys().copied())?;
        let mut by_root = BTreeMap::new();
        for (root, members) in members {
            if let Some(constant) = cast.rows.constant(root) {
                by_root.insert(root, meaning.model.constants[constant].sql.clone());
                continue;
            }
            if members.len() > 1 && !members.iter().all(|(actor, value)| is_chosen(meaning, cast, *actor, *value)) {
                return None;
            }
            let declared = || members.iter().find_map(|(actor, value)| declared_type(meaning, cast, *actor, *value));
            let type_name = types.get(&root).cloned().or_else(declared).unwrap_or_default();
            by_root.insert(root, literal(&type_name, numbers.by_root[&root]));
        }
        let besides = numbers.besides.iter().map(|((row, column), number)| {
            let type_name = type_of(meaning, cast.names[*row].relation, *column).unwrap_or_default();
            ((*row, *column), literal(&type_name, *number))
        });
        Some(Self { meaning, by_root, besides: besides.collect() })
    }

    fn get(&self, cast: &Cast<'_>, at: (usize, usize)) -> String {
        self.by_root.get(&cast.rows.root(at.0, at.1)).cloned().unwrap_or_default()
    }

    fn column(&self, relation: usize, column: u8) -> Option<String> {
        self.meaning.model.relations[relation].columns.get(usize::from(column).checked_sub(1)?).cloned()
    }
}

/// Whether we can make a value what it has to be: arguments can be chosen, and so can what a plain read finds.
fn is_chosen(meaning: Meaning<'_>, cast: &Cast<'_>, actor: usize, value: usize) -> bool {
    match &cast.rows.paths[actor].values[value] {
        Value::Parameter { .. } | Value::Constant(_) => true,
        Value::Result { place, column } => source(meaning, cast, actor, *place, column).is_some(),
        Value::Unknown => false,
    }
}

/// The variable of the row out of which a statement returns a column unchanged, and the column's own name.
fn source(meaning: Meaning<'_>, cast: &Cast<'_>, actor: usize, place: usize, column: &str) -> Option<(usize, String)> {
    let path = cast.rows.paths[actor];
    let statement = &meaning.workload.programs[path.program].statements[path.statements[place]];
    let [access] = statement.accesses.as_slice() else { return None };
    let returns =
        matches!(access.kind, AccessKind::Read | AccessKind::Lock(_) | AccessKind::Update | AccessKind::Delete);
    if !returns || !matches!(access.rows, Rows::One { .. }) {
        return None;
    }
    let words = statement.text.to_ascii_lowercase().split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let is_named = |known: &&String| *known == column || words.contains(&format!("{known} as {column}"));
    let mut kept =
        access.reads.iter().filter(|known| !access.writes.contains(*known) || access.kind == AccessKind::Delete);
    let name = kept.clone().find(|known| *known == column).or_else(|| kept.find(is_named))?;
    let var = path.ops.iter().find(|op| op.place == place).map(|op| op.var)?;
    Some((var, name.clone()))
}

/// Whether each row that a statement goes on with, because an earlier one found it among several, is the only one that
/// it could have found. Which of several it takes is not for us to say.
fn picks_are_sure(cast: &Cast<'_>) -> bool {
    cast.rows.paths.iter().enumerate().all(|(actor, path)| {
        path.vars.iter().enumerate().all(|(number, var)| {
            let RowSet::One { values, .. } = &var.rows else { return true };
            let found = values.iter().filter_map(|value| {
                if let Value::Result { place, .. } = &path.values[*value] { Some(*place) } else { None }
            });
            found.into_iter().all(|place| {
                let is_source = |op: &&super::model::Op| {
                    op.place == place
                        && op.relation == var.relation
                        && matches!(path.vars[op.var].rows, RowSet::Some { .. })
                };
                let Some(op) = path.ops.iter().find(is_source) else { return true };
                let rows = &cast.stage.actors[actor].rows;
                let mut there = rows[op.var].iter().filter(|row| cast.stage.rows[**row].1);
                there.next() == rows[number].first() && there.next().is_none()
            })
        })
    })
}

/// Every use of a value as a column of a relation.
fn columns(path: &super::model::Path) -> Vec<(u8, usize, usize)> {
    let of_vars = path.vars.iter().flat_map(|var| match &var.rows {
        RowSet::One { key, values } => {
            key.iter().zip(values).map(|(column, value)| (*column, var.relation, *value)).collect::<Vec<_>>()
        }
        RowSet::Some { equal, compared } => {
            let compared = compared.iter().map(|(column, _, value)| (*column, var.relation, *value));
            equal.iter().map(|(column, value)| (*column, var.relation, *value)).chain(compared).collect()
        }
    });
    let of_inserts =
        path.ops.iter().flat_map(|op| op.values.iter().map(|(column, value)| (*column, op.relation, *value)));
    of_vars.chain(of_inserts).collect()
}

fn type_of(meaning: Meaning<'_>, relation: usize, column: u8) -> Option<String> {
    let relation = &meaning.model.relations[relation];
    let name = relation.columns.get(usize::from(column).checked_sub(1)?)?;
    let columns = &meaning.schema.relations.get(&relation.name)?.columns;
    columns.iter().find(|column| &column.name == name).map(|column| column.type_name.clone())
}

fn declared_type(meaning: Meaning<'_>, cast: &Cast<'_>, actor: usize, value: usize) -> Option<String> {
    let path = cast.rows.paths[actor];
    let Value::Parameter { name, .. } = &path.values[value] else { return None };
    let parameters = &meaning.workload.programs[path.program].parameters;
    parameters.iter().find(|parameter| &parameter.name == name)?.type_name.clone()
}

/// A literal of a type; different numbers give different values, but of booleans.
fn literal(type_name: &str, number: i64) -> String {
    let base = type_name.split(['(', '[']).next().unwrap_or_default().trim().to_ascii_lowercase();
    match base.as_str() {
        "text" | "varchar" | "character varying" | "char" | "character" | "bpchar" | "name" | "citext" => {
            format!("'v{number}'")
        }
        "uuid" => format!("'00000000-0000-0000-0000-{number:012}'"),
        "date" => format!("date '2000-01-01' + {number}"),
        "timestamp" | "timestamp without time zone" => format!("timestamp '2000-01-01' + interval '{number} days'"),
        "timestamptz" | "timestamp with time zone" => {
            format!("timestamptz '2000-01-01 00:00:00+00' + interval '{number} days'")
        }
        "bool" | "boolean" => if number % 2 != 0 { "true" } else { "false" }.to_owned(),
        "json" | "jsonb" => format!("'{number}'"),
        "bytea" => format!("'\\x{number:02x}'"),
        _ => number.to_string(),
    }
}

fn instances(meaning: Meaning<'_>, cast: &Cast<'_>, values: &Values<'_>, members: &[usize]) -> Vec<Instance> {
    let of = |(number, actor): (usize, &usize)| {
        let (actor, path) = (*actor, cast.rows.paths[*actor]);
        let mut arguments = BTreeMap::new();
        for (place, value) in path.values.iter().enumerate() {
            if let Value::Parameter { name, iteration } = value {
                // Of a loop, the first iteration's: what varies from one to the next is no argument.
                if *iteration <= 1 || !arguments.contains_key(name) {
                    arguments.insert(name.clone(), values.get(cast, (actor, place)));
                }
            }
        }
        Instance {
            name: format!("T{}", number + 1),
            program: meaning.model.programs[path.program].clone(),
            level: cast.stage.actors[actor].level,
            arguments,
            path: path.statements.clone(),
            choices: path.choices.clone(),
            only: path.only,
        }
    };
    members.iter().enumerate().map(of).collect()
}

/// The number of a transaction in the witness.
fn number(members: &[usize], actor: usize) -> usize {
    members.iter().position(|member| *member == actor).unwrap_or(actor)
}

fn schedule(cast: &Cast<'_>, shown: &Shown, members: &[usize]) -> Vec<Step> {
    let mut done = vec![0; cast.rows.paths.len()];
    let mut steps = Vec::new();
    for (actor, waits) in &shown.order {
        let path = cast.rows.paths[*actor];
        let step = |what, waits| Step { instance: number(members, *actor), what, waits };
        if done[*actor] == 0 {
            steps.push(step(StepKind::Begin, false));
        }
        match path.statements.get(done[*actor]) {
            Some(statement) => steps.push(step(StepKind::Statement(*statement), *waits)),
            None => steps.push(step(StepKind::Commit, false)),
        }
        done[*actor] += 1;
    }
    steps
}

fn dependency(meaning: Meaning<'_>, cast: &Cast<'_>, (shown, members): (&Shown, &[usize]), made: &Made) -> Dependency {
    let end = |(actor, op): (usize, usize)| {
        let path = cast.rows.paths[actor];
        DependencyEnd { instance: number(members, actor), statement: path.statements[path.ops[op].place] }
    };
    let relation = cast.names[made.row].relation;
    Dependency {
        from: end(made.from),
        to: end(made.to),
        kind: made.kind,
        relation: meaning.model.relations[relation].name.clone(),
        columns: meaning.model.columns(relation, made.columns),
        is_counterflow: shown.commits[made.to.0] < shown.commits[made.from.0],
    }
}

/// The rows that the schedule is about. Advisory locks have none.
fn rows(meaning: Meaning<'_>, cast: &Cast<'_>, values: &Values<'_>, members: &[usize]) -> Vec<SeedRow> {
    let advisory = pgstrata_sqltext::advisory_space();
    let is_real = |name: &&(usize, &super::stage::RowName)| meaning.model.relations[name.1.relation].name != advisory;
    let comes_to = |actor: &usize, row: usize| cast.stage.actors[*actor].rows.iter().any(|rows| rows.contains(&row));
    let is_met = |(row, _): &(usize, &super::stage::RowName)| members.iter().any(|actor| comes_to(actor, *row));
    let named: Vec<(usize, &super::stage::RowName)> = cast.names.iter().enumerate().filter(is_met).collect();
    named
        .iter()
        .filter(is_real)
        .map(|(row, name)| {
            let known = name.columns.iter().map(|(column, at)| (*column, values.get(cast, *at)));
            let besides = values.besides.range((*row, 0)..=(*row, u8::MAX));
            let besides = besides.map(|((_, column), value)| (*column, value.clone()));
            let columns =
                known.chain(besides).filter_map(|(column, value)| Some((values.column(name.relation, column)?, value)));
            SeedRow {
                relation: meaning.model.relations[name.relation].name.clone(),
                values: columns.collect(),
                present: cast.stage.rows[*row].1,
            }
        })
        .collect()
}

/// Columns that rows must have because a later statement goes on with what an earlier one found.
fn found_rows(meaning: Meaning<'_>, cast: &Cast<'_>, values: &Values<'_>, members: &[usize]) -> Vec<SeedRow> {
    let mut all = Vec::new();
    for (actor, path) in members.iter().map(|actor| (*actor, cast.rows.paths[*actor])) {
        for (number, value) in path.values.iter().enumerate() {
            let Value::Result { place, column } = value else { continue };
            let Some((var, column)) = source(meaning, cast, actor, *place, column) else { continue };
            let RowSet::One { key, values: keys } = &path.vars[var].rows else { continue };
            let relation = path.vars[var].relation;
            let mut row: BTreeMap<String, String> = key
                .iter()
                .zip(keys)
                .filter_map(|(column, value)| {
                    Some((values.column(relation, *column)?, values.get(cast, (actor, *value))))
                })
                .collect();
            row.insert(column, values.get(cast, (actor, number)));
            let present = cast.stage.actors[actor].rows[var].iter().all(|row| cast.stage.rows[*row].1);
            all.push(SeedRow { relation: meaning.model.relations[relation].name.clone(), values: row, present });
        }
    }
    all
}

/// Rows of the same key are one row.
fn merged(rows: Vec<SeedRow>) -> Vec<SeedRow> {
    let mut all: Vec<SeedRow> = Vec::new();
    for row in rows {
        let agrees = |known: &SeedRow| {
            let mut shared = known
                .values
                .iter()
                .filter_map(|(column, value)| row.values.get(column).map(|other| other == value))
                .peekable();
            known.relation == row.relation
                && known.present == row.present
                && shared.peek().is_some()
                && shared.all(|same| same)
        };
        match all.iter_mut().find(|known| agrees(known)) {
            Some(known) => known.values.extend(row.values),
            None => all.push(row),
        }
    }
    all
}
