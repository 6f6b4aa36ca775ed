//! Transactions as programs: those of the same sequence of statements are executions of one program.
//!
//! A loop that runs a different number of rounds each time is one program. Branches are several: what a log shows is a
//! path, and the paths of one program have other statements.

use std::collections::{BTreeMap, HashMap};

use pgstrata_units::Isolation;

use super::Counts;
use super::equal::EqualPlaces;
use super::fold::{Folded, fold};
use super::shape::{Shape, Slot, Value, shape, short};
use super::tokens::Token;
use super::transactions::{End, Execution, Transaction};

/// Different statements that are told apart; those after them are counted and left out.
const SHAPES_MOST: usize = 10_000;

/// Their texts together, bytes. Statements of applications are short; what is not is a program's own making.
const SHAPES_MOST_BYTES: usize = 32 * 1024 * 1024;

/// Different programs that are told apart.
const PROGRAMS_MOST: usize = 2_000;

/// What is kept of them together, bytes: their statements' texts, which come out again, and what is learnt of values.
const PROGRAMS_MOST_BYTES: usize = 64 * 1024 * 1024;

/// What is kept of one place of a value, bytes.
const PLACE_BYTES: usize = 320;

/// Rounds of loops that are looked at in one transaction; later ones would show the same.
const ROUNDS_MOST: usize = 64;

/// A statement's number in [`Shapes`].
pub type ShapeId = usize;

/// All statements seen so far.
#[derive(Debug, Default)]
pub struct Shapes {
    all: Vec<Shape>,
    by_key: HashMap<String, ShapeId>,
    bytes: usize,
}

impl Shapes {
    /// The execution that a text with values is; `None` when there are too many different statements.
    pub fn execution(
        &mut self,
        text: &str,
        tokens: &[Token],
        values: &[Value],
        counts: &mut Counts,
    ) -> Option<Execution> {
        let (shape, values) = shape(text, tokens, values);
        let values = values.into_iter().map(short).collect();
        if let Some(id) = self.by_key.get(&shape.key) {
            return Some(Execution { shape: *id, values });
        }
        // The key is here twice.
        let bytes = 2 * shape.key.len() + shape.text.len() + shape.slots.len() * size_of::<Slot>();
        if self.all.len() >= SHAPES_MOST || self.bytes + bytes > SHAPES_MOST_BYTES {
            counts.too_many_shapes += 1;
            return None;
        }
        self.bytes += bytes;
        let id = self.all.len();
        self.by_key.insert(shape.key.clone(), id);
        self.all.push(shape);
        Some(Execution { shape: id, values })
    }

    /// A statement.
    pub fn get(&self, id: ShapeId) -> &Shape {
        &self.all[id]
    }
}

/// What a group takes, bytes: its sequences, its statements' texts when they are written out, and its places.
fn group_bytes(folded: &[ShapeId], flat: &[ShapeId], shapes: &Shapes) -> usize {
    let of = |ids: &[ShapeId]| ids.iter().map(|id| shapes.get(*id).slots.len()).sum::<usize>() * PLACE_BYTES;
    let texts: usize = folded.iter().map(|id| shapes.get(*id).text.len()).sum();
    (2 * folded.len() + flat.len()) * size_of::<ShapeId>() + texts + of(folded) + of(flat)
}

/// The executions of one program.
#[derive(Debug)]
pub struct Group {
    /// Its statements, each body of a loop once.
    pub folded: Vec<ShapeId>,
    /// The loops, as ranges of those statements.
    pub loops: Vec<std::ops::Range<usize>>,
    /// Its statements as they were executed, when that was always the same sequence.
    pub flat: Option<Vec<ShapeId>>,
    /// Which places of the folded statements are equal.
    pub folded_places: EqualPlaces,
    /// Which places of the flat statements are equal.
    pub flat_places: EqualPlaces,
    /// How many were committed.
    pub commits: u64,
    /// How many were rolled back without an error.
    pub rollbacks: u64,
    /// How many failed, by SQLSTATE.
    pub failures: BTreeMap<String, u64>,
    /// How many asked for a level.
    pub levels: BTreeMap<Isolation, u64>,
    /// Whether they were begun by `begin`.
    pub is_explicit: bool,
    /// How many only put rows into tables, in sessions that had defined something.
    pub loads: u64,
}

/// All programs seen so far.
#[derive(Debug, Default)]
pub struct Programs {
    groups: Vec<Group>,
    by_sequence: HashMap<(Vec<ShapeId>, bool), usize>,
    bytes: usize,
    /// Failures before the sequence was complete, by SQLSTATE.
    failures: BTreeMap<String, u64>,
}

impl Programs {
    /// Takes a transaction.
    pub fn observe(&mut self, transaction: &Transaction, shapes: &Shapes, counts: &mut Counts) {
        counts.transactions += 1;
        match &transaction.end {
            End::Lost => {
                counts.unfinished += 1;
                return;
            }
            End::Failed(sqlstate) => {
                counts.failed += 1;
                self.fail(transaction, sqlstate);
                return;
            }
            End::RolledBack => counts.rolled_back += 1,
            End::Committed => counts.committed += 1,
        }
        let flat: Vec<ShapeId> = transaction.executions.iter().map(|execution| execution.shape).collect();
        let folded = fold(&flat);
        let key = (folded.items.clone(), transaction.is_explicit);
        let known = self.by_sequence.get(&key).copied();
        let Some(index) = known.or_else(|| self.group(key, &flat, &folded, transaction.is_explicit, shapes)) else {
            counts.too_many_programs += 1;
            return;
        };
        self.groups[index].observe(transaction, &folded, &flat, shapes);
    }

    /// Begins a group; nothing when there are too many, or too much is kept of them.
    fn group(
        &mut self,
        key: (Vec<ShapeId>, bool),
        flat: &[ShapeId],
        folded: &Folded<ShapeId>,
        is_explicit: bool,
        shapes: &Shapes,
    ) -> Option<usize> {
        let bytes = self.bytes + group_bytes(&folded.items, flat, shapes);
        if self.groups.len() >= PROGRAMS_MOST || bytes > PROGRAMS_MOST_BYTES {
            return None;
        }
        self.bytes = bytes;
        self.by_sequence.insert(key, self.groups.len());
        self.groups.push(Group::new(folded, flat, shapes, is_explicit));
        Some(self.groups.len() - 1)
    }

    /// A failed transaction executed the beginning of a program; it is counted where that is the beginning of one only.
    fn fail(&mut self, transaction: &Transaction, sqlstate: &str) {
        let begun: Vec<ShapeId> = transaction.executions.iter().map(|execution| execution.shape).collect();
        let begun = fold(&begun).items;
        let mut candidates = self.groups.iter_mut().filter(|group| group.folded.starts_with(&begun));
        let failures = match (candidates.next(), candidates.next()) {
            (Some(only), None) => &mut only.failures,
            _ => &mut self.failures,
        };
        *failures.entry(sqlstate.to_owned()).or_default() += 1;
    }

    /// The groups that were committed at least once, most frequent first, and failures that no group is known for.
    pub fn finish(self) -> (Vec<Group>, BTreeMap<String, u64>) {
        let mut groups: Vec<Group> = self.groups.into_iter().filter(|group| group.commits > 0).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.commits));
        (groups, self.failures)
    }
}

/// Whether a statement only puts rows into a table, or touches none.
fn only_fills(key: &str) -> bool {
    let is_call = key.starts_with("select ") && !key.contains(" from ");
    let is_fill = ["insert ", "copy ", "truncate "].iter().any(|word| key.starts_with(word));
    is_call || is_fill && !key.contains(" select ")
}

impl Group {
    /// Whether all of it was loading of data.
    pub fn is_load(&self) -> bool {
        self.loads > 0 && self.loads == self.commits + self.rollbacks
    }

    fn new(folded: &Folded<ShapeId>, flat: &[ShapeId], shapes: &Shapes, is_explicit: bool) -> Self {
        let places = |ids: &[ShapeId]| ids.iter().map(|id| shapes.get(*id).slots.len()).sum();
        Self {
            folded: folded.items.clone(),
            loops: folded.loops.clone(),
            flat: Some(flat.to_vec()),
            folded_places: EqualPlaces::new(places(&folded.items)),
            flat_places: EqualPlaces::new(places(flat)),
            commits: 0,
            rollbacks: 0,
            failures: BTreeMap::new(),
            levels: BTreeMap::new(),
            is_explicit,
            loads: 0,
        }
    }

    fn observe(&mut self, transaction: &Transaction, folded: &Folded<ShapeId>, flat: &[ShapeId], shapes: &Shapes) {
        match transaction.end {
            End::RolledBack => self.rollbacks += 1,
            _ => self.commits += 1,
        }
        if transaction.is_beside_definitions && flat.iter().all(|id| only_fills(&shapes.get(*id).key)) {
            self.loads += 1;
        }
        if let Some(level) = transaction.level {
            *self.levels.entry(level).or_default() += 1;
        }
        if self.flat.as_deref() == Some(flat) {
            let values: Vec<&Value> = transaction.executions.iter().flat_map(|execution| &execution.values).collect();
            self.flat_places.observe(&values);
        } else {
            self.flat = None;
            for body in &folded.loops {
                if !self.loops.contains(body) {
                    self.loops.push(body.clone());
                }
            }
        }
        self.observe_rounds(transaction, folded, shapes);
    }

    /// The rounds of the loops one by one; what stands outside of them has the same values in each, and a loop that is
    /// over keeps those of its last.
    fn observe_rounds(&mut self, transaction: &Transaction, folded: &Folded<ShapeId>, shapes: &Shapes) {
        let untold: Vec<Vec<Value>> = folded.items.iter().map(|id| vec![None; shapes.get(*id).slots.len()]).collect();
        let mut current: Vec<&[Value]> = untold.iter().map(Vec::as_slice).collect();
        let rounds = folded.places.iter().map(|(_, round)| round + 1).max().unwrap_or(0);
        let mut executions: Vec<(usize, usize, &[Value])> = folded
            .places
            .iter()
            .zip(&transaction.executions)
            .map(|((item, round), execution)| (*round, *item, execution.values.as_slice()))
            .collect();
        executions.sort_by_key(|(round, ..)| *round);
        for round in 0..rounds.min(ROUNDS_MOST) {
            let of_round = executions.iter().filter(|(of, ..)| *of == round);
            for (_, item, values) in of_round {
                current[*item] = values;
            }
            self.folded_places.observe(&current.concat().iter().collect::<Vec<_>>());
        }
    }
}
