//! Who plays with which arguments, over which rows, in which order: drawn by lot from a seed.
//!
//! Arguments and rows are drawn from few values, so that transactions meet; what is only written is different for each
//! session, so that it shows whose it is.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_scenario::session::Seat;
use pgstrata_scenario::spec::{Interleavings, Spec, interleaving_count};
use pgstrata_sqltext::schema::{Relation, RelationKind};
use pgstrata_sqltext::{Node, Program, RelationName, Rows, Schema, Scope, Term, Workload};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::script::{Cast, free_value};
use super::seeds::Wanted;
use super::values::value;
use crate::advisor::Allocation;

/// How many rows of a table are drawn at most.
const ROWS_MAX: usize = 6;

/// How often a loop is gone through at most.
const ITERATIONS_MAX: u32 = 2;

/// The values that are drawn for columns by which rows are found, and for parameters.
#[derive(Debug, Default)]
pub(super) struct Domains {
    columns: BTreeMap<(RelationName, String), BTreeSet<String>>,
    /// Those of them that programs name, by relation.
    constants: BTreeSet<(RelationName, String)>,
    /// By program and parameter: the columns that it is compared with or put into.
    parameters: BTreeMap<(String, String), Vec<(RelationName, String)>>,
    /// Those of them that inserts put into a key, which may be new.
    fresh: BTreeSet<(String, String)>,
}

impl Domains {
    /// What the statements of a workload look at.
    pub(super) fn of(schema: &Schema, workload: &Workload) -> Self {
        let mut domains = Self::default();
        for (name, relation) in &schema.relations {
            let keys = relation.keys.iter().flat_map(|key| &key.columns);
            let references = relation.foreign_keys.iter().flat_map(|key| &key.columns);
            for column in keys.chain(references) {
                domains.add_column(name, relation, column);
            }
        }
        for program in &workload.programs {
            for access in program.statements.iter().flat_map(|statement| &statement.accesses) {
                let Some(relation) = schema.relations.get(&access.relation) else { continue };
                let mut pairs: Vec<(&String, &Term)> = Vec::new();
                match &access.rows {
                    Rows::One { .. } => pairs.extend(access.rows.equalities()),
                    Rows::Where { columns, equal, .. } => {
                        for column in columns {
                            domains.add_column(&access.relation, relation, column);
                        }
                        pairs.extend(equal);
                    }
                    Rows::All => {}
                }
                let looked_at = pairs.len();
                pairs.extend(&access.values);
                for (place, (column, term)) in pairs.into_iter().enumerate() {
                    let at = (access.relation.clone(), column.clone());
                    match term {
                        Term::Parameter(parameter) => {
                            let of = (program.name.clone(), parameter.clone());
                            if place >= looked_at && relation.keys.iter().any(|key| key.columns.contains(column)) {
                                domains.fresh.insert(of.clone());
                            }
                            domains.parameters.entry(of).or_default().push(at);
                        }
                        Term::Constant(constant) if domains.columns.contains_key(&at) || place < looked_at => {
                            domains.constants.insert((at.0.clone(), constant.clone()));
                            domains.columns.entry(at).or_default().insert(constant.clone());
                        }
                        Term::Constant(_) | Term::Result { .. } | Term::Unknown => {}
                    }
                }
            }
        }
        domains
    }

    fn add_column(&mut self, name: &RelationName, relation: &Relation, column: &str) {
        let Some(of) = relation.column(column) else { return };
        let values = self.columns.entry((name.clone(), column.to_owned())).or_default();
        values.extend([value(&of.type_name, 1), value(&of.type_name, 2)]);
    }

    /// The values of a column by which rows are found; none of one that is not.
    fn of_column(&self, relation: &RelationName, column: &str) -> Option<Vec<&String>> {
        self.columns.get(&(relation.clone(), column.to_owned())).map(|values| values.iter().collect())
    }

    /// A value for a parameter.
    fn argument(
        &self,
        program: &Program,
        place: usize,
        (number, is_together): (usize, bool),
        schema: &Schema,
        chance: &mut ChaCha8Rng,
    ) -> String {
        let parameter = &program.parameters[place];
        let of = (program.name.clone(), parameter.name.clone());
        let columns = self.parameters.get(&of).map(Vec::as_slice).unwrap_or_default();
        let Some((at, values)) = columns.iter().find_map(|at| Some((at, self.columns.get(at)?))) else {
            return free_value(parameter, number, place, chance.random_range(0..2));
        };
        if self.fresh.contains(&of) && chance.random_ratio(1, 3) {
            let column = schema.relations.get(&at.0).and_then(|relation| relation.column(&at.1));
            return value(column.map(|column| column.type_name.as_str()).unwrap_or_default(), 3);
        }
        let drawn = if is_together { 0 } else { chance.random_range(0..values.len()) };
        values.iter().nth(drawn).cloned().unwrap_or_default()
    }

    /// Rows for all tables.
    pub(super) fn rows(&self, schema: &Schema, chance: &mut ChaCha8Rng) -> Vec<Wanted> {
        let mut rows = Vec::new();
        for (name, relation) in &schema.relations {
            let is_table = matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned);
            if !is_table || !relation.parents.is_empty() {
                continue;
            }
            let key: Vec<&String> = relation.keys.first().map(|key| key.columns.iter().collect()).unwrap_or_default();
            let mut combinations: Vec<BTreeMap<String, String>> = vec![BTreeMap::new()];
            for column in &key {
                let values = self.of_column(name, column).unwrap_or_default();
                let extended = combinations.iter().flat_map(|row| {
                    values.iter().map(move |value| {
                        let mut row = row.clone();
                        row.insert((*column).clone(), (*value).clone());
                        row
                    })
                });
                combinations = extended.take(ROWS_MAX).collect();
            }
            for mut values in combinations {
                if !chance.random_ratio(4, 5) {
                    continue;
                }
                for column in &relation.columns {
                    let Some(mut domain) = self.of_column(name, &column.name) else { continue };
                    // Where programs name values, a state say, others may not be allowed.
                    let of_programs = |value: &&String| self.constants.contains(&(name.clone(), (*value).clone()));
                    if domain.iter().any(of_programs) {
                        domain.retain(of_programs);
                    }
                    if !values.contains_key(&column.name) && !domain.is_empty() {
                        let drawn = domain[chance.random_range(0..domain.len())];
                        values.insert(column.name.clone(), drawn.clone());
                    }
                }
                rows.push(Wanted { relation: name.clone(), values });
            }
        }
        rows
    }

    /// Some sessions with programs and arguments.
    pub(super) fn casts<'a>(
        &self,
        count: usize,
        programs: &[&'a Program],
        schema: &Schema,
        allocation: &Allocation,
        chance: &mut ChaCha8Rng,
    ) -> Vec<Cast<'a>> {
        // Half of the casts are of different programs, half meet in the same rows.
        let (is_mixed, is_together) = (chance.random_ratio(1, 2), chance.random_ratio(1, 2));
        let mut left: Vec<&'a Program> = Vec::new();
        let cast = |number: usize| {
            if left.is_empty() || !is_mixed {
                left = programs.to_vec();
            }
            let program = left.swap_remove(chance.random_range(0..left.len()));
            let arguments = program.parameters.iter().enumerate().map(|(place, parameter)| {
                (parameter.name.clone(), self.argument(program, place, (number, is_together), schema, chance))
            });
            let arguments = arguments.collect();
            let mut path = Vec::new();
            if program.scope == Scope::OneTransaction {
                walk(&program.body, chance, &mut path);
            } else if !program.statements.is_empty() {
                // Each statement is a transaction.
                path.push(chance.random_range(0..program.statements.len()));
            }
            let level = allocation.level(&program.name);
            let mut cast = Cast { program, name: format!("T{}", number + 1), level, arguments, path };
            cast.fill(number, 0);
            cast
        };
        (0..count).map(cast).collect()
    }
}

/// A way through a program.
fn walk(body: &[Node], chance: &mut ChaCha8Rng, path: &mut Vec<usize>) {
    for node in body {
        match node {
            Node::Statement(index) => path.push(*index),
            Node::Choice(branches) if branches.is_empty() => {}
            Node::Choice(branches) => walk(&branches[chance.random_range(0..branches.len())], chance, path),
            Node::Repeat(inner) => {
                for _ in 0..chance.random_range(0..=ITERATIONS_MAX) {
                    walk(inner, chance, path);
                }
            }
        }
    }
}

/// Orders of turns: all when there are at most `most` of them, else as many, half of them of the kind that a theorem says is
/// enough to look at (one transaction split in two, the others whole in between), half of any kind.
pub(super) fn orders(spec: &Spec, most: usize, chance: &mut ChaCha8Rng) -> Vec<Vec<Seat>> {
    let lengths: Vec<usize> = spec.sessions.iter().map(|session| session.steps.len()).collect();
    if interleaving_count(&lengths) <= most as u128 {
        let all = Interleavings::of_lengths(lengths);
        return all.map(|order| order.steps.iter().map(|planned| planned.step.session).collect()).collect();
    }
    let mut orders: BTreeSet<Vec<Seat>> = BTreeSet::new();
    // Draws that were had already are not replaced for ever.
    for lot in 0..2 * most {
        if orders.len() >= most {
            break;
        }
        orders.insert(if lot % 2 == 0 { split(&lengths, chance) } else { any(&lengths, chance) });
    }
    orders.into_iter().collect()
}

fn split(lengths: &[usize], chance: &mut ChaCha8Rng) -> Vec<Seat> {
    let mut sessions: Vec<usize> = (0..lengths.len()).collect();
    for place in (1..sessions.len()).rev() {
        sessions.swap(place, chance.random_range(0..=place));
    }
    let Some((first, others)) = sessions.split_first() else { return Vec::new() };
    let before = chance.random_range(1..lengths[*first].max(2));
    let mut turns = vec![Seat(*first); before];
    for other in others {
        turns.extend(std::iter::repeat_n(Seat(*other), lengths[*other]));
    }
    turns.extend(std::iter::repeat_n(Seat(*first), lengths[*first].saturating_sub(before)));
    turns
}

fn any(lengths: &[usize], chance: &mut ChaCha8Rng) -> Vec<Seat> {
    let mut left = lengths.to_vec();
    let mut turns = Vec::new();
    loop {
        let total: usize = left.iter().sum();
        if total == 0 {
            return turns;
        }
        let mut lot = chance.random_range(0..total);
        let mut session = 0;
        while lot >= left[session] {
            lot -= left[session];
            session += 1;
        }
        left[session] -= 1;
        turns.push(Seat(session));
    }
}
