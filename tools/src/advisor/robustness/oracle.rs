//! Verdicts against brute force: every interleaving, statement by statement, of up to three transactions of random
//! programs in the model of PostgreSQL. Whether the model is right is asked of a server elsewhere; here it is asked whether
//! the decision follows from it.

use std::collections::BTreeSet;

use pgstrata_sqltext::{LockStrength, Order, Schema, Workload, read_sources};
use pgstrata_units::Isolation;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::build::{Seen, build};
use super::decide::{Dangers, Levels};
use super::evidence::Meaning;
use super::machine::{Actor, Stage};
use super::model::{Action, EXISTS, Model, Path, RowSet, Value};
use super::telling::Telling;
use super::{search, verdict};
use crate::advisor::report::{Verdict, Work};
use crate::advisor::synthetic::{GROUPS, Shape, template_set};

/// Keys that transactions are run with: two of rows that exist, and one of a row that does not.
const KEYS: usize = 3;
/// Most statements of one brute force.
const MOST_STATEMENTS: u64 = 2_500;

struct Drawn {
    schema: Schema,
    workload: Workload,
    text: String,
}

fn draw(seed: u64, shape: &Shape) -> Drawn {
    let set = template_set(seed, shape);
    let schema = Schema::from_ddl(&set.schema).expect("drawn tables can be read");
    let workload = read_sources(&[("drawn.sql", &set.programs)], &schema).expect("drawn programs can be read");
    Drawn { schema, workload, text: set.programs }
}

/// A transaction with random arguments. Conditions of updates hold or not, by lot.
fn actor<'m>(
    lot: &mut ChaCha8Rng,
    model: &'m Model,
    path: &'m Path,
    level: Isolation,
    keys: usize,
    group: u32,
) -> Actor<'m> {
    let keys: Vec<usize> = (0..path.values.len()).map(|_| lot.random_range(1..=keys)).collect();
    let number = |value: usize| match &path.values[value] {
        Value::Constant(constant) => model.constants[*constant].sql.parse().unwrap_or(0),
        _ => keys[value],
    };
    let rows = |var: &super::model::Var| match &var.rows {
        RowSet::One { values, .. } => vec![row_of(var.relation, number(values[0]))],
        RowSet::Some { equal, compared } => {
            let column =
                |bit: u8, key: usize| match model.relations[var.relation].columns[usize::from(bit) - 1].as_str() {
                    "id" => key,
                    _ => group_of(key, group),
                };
            let is_equal = |key: usize, (bit, value): &(u8, usize)| number(*value) == column(*bit, key);
            let compares = |key: usize, (bit, order, value): &(u8, Order, usize)| {
                order.holds(signed(column(*bit, key)), signed(number(*value)))
            };
            (1..=KEYS)
                .filter(|key| equal.iter().all(|each| is_equal(*key, each)))
                .filter(|key| compared.iter().all(|each| compares(*key, each)))
                .map(|key| row_of(var.relation, key))
                .collect()
        }
    };
    let is_condition = |op: &&super::model::Op| op.action == Action::Read { looks: true } && op.reads & !EXISTS != 0;
    let conditional =
        path.ops.iter().filter(is_condition).filter(|op| matches!(path.vars[op.var].rows, RowSet::One { .. }));
    let missing = conditional.filter(|_| lot.random_bool(0.3)).map(|op| op.access).collect();
    Actor { path, level, rows: path.vars.iter().map(rows).collect(), missing }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn row_of(relation: usize, key: usize) -> usize {
    relation * KEYS + key - 1
}

/// The group of a row: of the one that does not exist, what whoever inserts it says.
fn group_of(key: usize, inserted: u32) -> usize {
    if key == KEYS { inserted as usize } else { key % GROUPS as usize + 1 }
}

/// The group that all inserts of some paths agree on.
fn inserted_group(model: &Model, paths: &[&Path]) -> Option<u32> {
    let mut groups = BTreeSet::new();
    for path in paths {
        for op in path.ops.iter().filter(|op| op.action == Action::Insert) {
            let column = |bit: u8| model.relations[op.relation].columns.get(usize::from(bit) - 1).map(String::as_str);
            for (_, value) in op.values.iter().filter(|(bit, _)| column(*bit) == Some("g")) {
                if let Value::Constant(constant) = &path.values[*value] {
                    groups.insert(model.constants[*constant].sql.parse().unwrap_or(0));
                }
            }
        }
    }
    (groups.len() <= 1).then(|| groups.pop_first().unwrap_or(1))
}

/// Whether each row that comes has the group that predicates here take the row of its key to have, whether it was there
/// before or not.
fn inserts_what_was_there(actor: &Actor<'_>, group: u32) -> bool {
    let inserts = actor.path.ops.iter().filter(|op| op.action == Action::Insert && !op.on_conflict);
    inserts.flat_map(|op| &actor.rows[op.var]).all(|row| group_of(row % KEYS + 1, group) == group as usize)
}

/// Whether some interleaving of some transactions is not serializable; tries so many choices of transactions.
fn is_broken(lot: &mut ChaCha8Rng, model: &Model, levels: &Levels, choices: usize) -> Option<String> {
    let rows = (0..model.relations.len())
        .flat_map(|relation| (1..=KEYS).map(move |key| (relation, key != KEYS)))
        .collect::<Vec<_>>();
    for _ in 0..choices {
        let count = lot.random_range(2..=3);
        let paths: Vec<&Path> = (0..count).map(|_| &model.paths[lot.random_range(0..model.paths.len())]).collect();
        let Some(group) = inserted_group(model, &paths) else { continue };
        let keys = if lot.random_bool(0.5) { 2 } else { KEYS };
        let actors = paths.iter().map(|path| actor(lot, model, path, levels[path.program], keys, group)).collect();
        let stage = Stage { actors, rows: rows.clone() };
        // What serializable transactions notice of each other is the server's business; the model knows less of it.
        let is_judged = stage.actors.iter().any(|actor| actor.level != Isolation::Serializable);
        if !is_judged || !stage.actors.iter().all(|actor| inserts_what_was_there(actor, group)) {
            continue;
        }
        if search::any(&stage, MOST_STATEMENTS) == Some(true) {
            let names: Vec<String> = stage
                .actors
                .iter()
                .map(|actor| {
                    format!(
                        "{} {} {:?} missing {:?}",
                        model.programs[actor.path.program], actor.level, actor.rows, actor.missing
                    )
                })
                .collect();
            return Some(names.join("\n"));
        }
    }
    None
}

fn random_levels(lot: &mut ChaCha8Rng, programs: usize) -> Levels {
    let any = |lot: &mut ChaCha8Rng| Isolation::ALL[lot.random_range(0..3)];
    let uniform = lot.random_bool(0.5).then(|| any(lot));
    (0..programs).map(|_| uniform.unwrap_or_else(|| any(lot))).collect()
}

/// What came of some sets.
#[derive(Debug, Default)]
struct Tally {
    safe: usize,
    unsafe_: usize,
    unknown: usize,
    /// Unsafe, and brute force with random arguments came across it, too: it can convict.
    convicted: usize,
    /// Unknown, and brute force found nothing either.
    unknown_but_not_broken: usize,
}

fn compare(seeds: std::ops::Range<u64>, shape: &Shape, choices: usize) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let drawn = draw(seed, shape);
        let model = build(&drawn.workload, &drawn.schema, Seen::AsTheyRun);
        let mut work = Work::default();
        let dangers = Dangers::of(&model, &mut work);
        let telling = Telling::of(&drawn.workload);
        let meaning = Meaning { workload: &drawn.workload, schema: &drawn.schema, model: &model, telling: &telling };
        let mut lot = ChaCha8Rng::seed_from_u64(seed);
        for round in 0..3 {
            let levels = if round == 0 {
                dangers.optimal(model.programs.len())
            } else {
                random_levels(&mut lot, model.programs.len())
            };
            let broken = |lot: &mut ChaCha8Rng| is_broken(lot, &model, &levels, choices);
            match verdict::verdict(meaning, &dangers, &levels, &mut verdict::Failed::default(), &mut work) {
                Verdict::Safe => {
                    tally.safe += 1;
                    let found = broken(&mut lot);
                    assert!(
                        found.is_none(),
                        "seed {seed}, {levels:?}, called safe:\n{}\n{}",
                        drawn.text,
                        found.unwrap_or_default()
                    );
                }
                Verdict::Unsafe(_) => {
                    tally.unsafe_ += 1;
                    tally.convicted += usize::from(broken(&mut lot).is_some());
                }
                Verdict::Unknown { .. } => {
                    tally.unknown += 1;
                    tally.unknown_but_not_broken += usize::from(broken(&mut lot).is_none());
                }
            }
        }
    }
    tally
}

#[test]
fn nothing_that_is_called_safe_breaks_by_brute_force_with_accesses_by_key() {
    let tally = compare(0..24, &Shape { tables: 1, ..Shape::by_key() }, 12);
    assert!(tally.safe >= 8 && tally.unsafe_ >= 8 && tally.convicted >= 2, "{tally:?}");
    assert!(tally.unknown_but_not_broken * 10 <= tally.safe + tally.unsafe_, "{tally:?}");
}

#[test]
fn nothing_that_is_called_safe_breaks_by_brute_force_with_all_that_postgresql_has() {
    let tally = compare(1000..1024, &Shape { tables: 1, ..Shape::everything() }, 12);
    assert!(tally.safe >= 8 && tally.unsafe_ >= 8 && tally.convicted >= 2, "{tally:?}");
}

#[test]
fn nothing_that_is_called_safe_breaks_by_brute_force_with_predicates_that_compare() {
    let tally = compare(2000..2040, &Shape { tables: 1, ..Shape::predicates() }, 12);
    assert!(tally.safe >= 8 && tally.unsafe_ >= 8 && tally.convicted >= 2, "{tally:?}");
}

/// The model as somebody sees it who takes a row lock for a new version, as other systems do: of the columns that are read.
fn with_locks_as_writes(model: &Model) -> Model {
    let mut model = model.clone();
    for path in &mut model.paths {
        let vars = path.vars.clone();
        for op in &mut path.ops {
            if let Action::Lock(strength @ (LockStrength::Update | LockStrength::NoKeyUpdate)) = op.action {
                let key = match &vars[op.var].rows {
                    RowSet::One { key, .. } => key.iter().fold(EXISTS, |columns, column| columns | 1 << column),
                    RowSet::Some { .. } => EXISTS,
                };
                op.action = Action::Update(strength);
                op.writes = op.reads & !key;
            }
        }
    }
    model
}

/// Whether brute force convicts somebody with a mistake, who says of two programs that they are safe at repeatable read.
/// Nothing where there is nothing to convict.
fn is_convicted(mistake: fn(&Model) -> Model, pair: &Workload, schema: &Schema, seed: u64) -> Option<bool> {
    let model = build(pair, schema, Seen::AsTheyRun);
    let levels = vec![Isolation::RepeatableRead; model.programs.len()];
    let is_safe = |model: &Model| Dangers::of(model, &mut Work::default()).is_safe(&levels);
    if !is_safe(&mistake(&model)) || is_safe(&model) {
        return None;
    }
    let mut lot = ChaCha8Rng::seed_from_u64(seed);
    Some(is_broken(&mut lot, &model, &levels, 200).is_some())
}

/// Every two programs of sets by lot, until somebody with a mistake is convicted.
#[test]
fn a_decider_that_takes_locks_for_writes_is_convicted_by_brute_force_over_sets_by_lot() {
    use crate::advisor::synthetic::StatementKind::{Lock, Read, Update};
    let weights = vec![(Read, 3), (Lock, 4), (Update, 3)];
    let shape = Shape { programs: 8, statements: 2, tables: 2, parameters: 1, weights };
    let mut wrong = 0;
    let mut convicts = |seed: &u64| {
        let drawn = draw(*seed, &shape);
        let programs = &drawn.workload.programs;
        let pairs = (0..programs.len()).flat_map(|one| (one + 1..programs.len()).map(move |two| (one, two)));
        let mut found = pairs.filter_map(|(one, two)| {
            let pair = Workload { programs: vec![programs[one].clone(), programs[two].clone()], ..Workload::default() };
            is_convicted(with_locks_as_writes, &pair, &drawn.schema, *seed)
        });
        found.any(|convicted| {
            wrong += 1;
            convicted
        })
    };
    let seed = (0..3_000).find(|seed| convicts(seed));
    assert!(seed.is_some(), "of {wrong} pairs that it is wrong about");
}
