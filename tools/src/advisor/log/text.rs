//! Programs of a log as SQL with parameters, in the form that `pgstrata advise --sql` reads.
//!
//! A value becomes a parameter, named after its column; places that always held the same value become the same one. A
//! literal stays when it never varied. Values that varied, or were sent as parameters, are not written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::equal::EqualPlaces;
use super::programs::{Group, ShapeId, Shapes};
use super::shape::{Shape, Slot, SlotKind};
use super::{LogReading, LoggedProgram};

/// Relations that a name is made of.
const RELATIONS_IN_NAME_MOST: usize = 3;

/// The programs of the groups, in their order.
pub fn programs(groups: &[Group], shapes: &Shapes) -> Vec<LoggedProgram> {
    let commits: u64 = groups.iter().map(|group| group.commits).sum();
    let names = names(groups, shapes);
    groups
        .iter()
        .zip(names)
        .map(|(group, name)| LoggedProgram {
            name,
            sql: sql(group, shapes),
            frequency: group.commits as f64 / commits.max(1) as f64,
            commits: group.commits,
            rollbacks: group.rollbacks,
            failures: group.failures.clone(),
            levels: group.levels.clone(),
            is_load: group.is_load(),
            statements: group.flat.as_ref().unwrap_or(&group.folded).len(),
            loops: if group.flat.is_some() { Vec::new() } else { loops(group) },
        })
        .collect()
}

fn loops(group: &Group) -> Vec<(usize, usize)> {
    group.loops.iter().map(|body| (body.start, body.end)).collect()
}

/// The whole file.
pub fn file(reading: &LogReading) -> String {
    let mut text = String::from("-- Programs found in a log, most frequent first.\n");
    if !reading.left_out.is_empty() {
        let _ =
            writeln!(text, "--\n-- LEFT OUT, so that a verdict on the others says nothing of what runs beside these:");
    }
    for program in &reading.left_out {
        let why = if program.is_load { "loads data" } else { "seldom seen" };
        let _ = writeln!(text, "--   {}: {why}, {} committed", program.name, program.commits);
    }
    for program in &reading.programs {
        text.push('\n');
        let _ = write!(text, "-- pgstrata: program {}", program.name);
        if let Some(level) = program.level() {
            let _ = write!(text, " {level}");
        }
        let _ =
            write!(text, "\n-- pgstrata: frequency {:.6}\n-- seen: {} committed", program.frequency, program.commits);
        if program.rollbacks > 0 {
            let _ = write!(text, ", {} rolled back", program.rollbacks);
        }
        for (sqlstate, count) in &program.failures {
            let _ = write!(text, ", {count} failed ({sqlstate})");
        }
        let _ = write!(text, "\n{}", program.sql);
    }
    text
}

/// A statement where it stands in a program: its shape, the place of its first value, and the loop it is in.
struct Placed<'a> {
    shape: &'a Shape,
    first: usize,
    body: Option<usize>,
    /// 0 or 1: loops are written twice, with parameters of their own.
    round: usize,
}

/// The text of a program.
fn sql(group: &Group, shapes: &Shapes) -> String {
    let (statements, places) = match &group.flat {
        Some(flat) => (placed(flat, &[], shapes), &group.flat_places),
        None => (placed(&group.folded, &group.loops, shapes), &group.folded_places),
    };
    let mut writer = Writer { placed: &statements, places, names: BTreeMap::new(), used: BTreeSet::new() };
    let mut text = String::new();
    let is_transaction = group.is_explicit || statements.len() > 1;
    if is_transaction {
        text.push_str("begin;\n");
    }
    let mut noted = None;
    for statement in &statements {
        if statement.body.is_some() && statement.body != noted && statement.round == 0 {
            text.push_str("-- a loop: two of its rounds\n");
        }
        noted = statement.body;
        text.push_str(&writer.statement(statement));
        text.push_str(";\n");
    }
    if is_transaction {
        text.push_str("commit;\n");
    }
    text
}

/// The statements in their order, the bodies of loops twice: what two rounds on two rows cannot show, more cannot
/// either (Vandevoort et al., EDBT 2023, unfold loops in the same way).
fn placed<'a>(ids: &[ShapeId], loops: &[std::ops::Range<usize>], shapes: &'a Shapes) -> Vec<Placed<'a>> {
    let mut firsts = Vec::new();
    let mut first = 0;
    for id in ids {
        firsts.push(first);
        first += shapes.get(*id).slots.len();
    }
    let mut placed = Vec::new();
    let mut item = 0;
    while item < ids.len() {
        // Bodies that were seen at different times may overlap; the first that begins here counts.
        let body = loops.iter().position(|body| body.start == item);
        let end = body.map_or(item + 1, |number| loops[number].end.min(ids.len()));
        for round in 0..if body.is_some() { 2 } else { 1 } {
            placed.extend((item..end).map(|at| Placed { shape: shapes.get(ids[at]), first: firsts[at], body, round }));
        }
        item = end;
    }
    placed
}

struct Writer<'a> {
    placed: &'a [Placed<'a>],
    places: &'a EqualPlaces,
    /// Names of parameters by place and round.
    names: BTreeMap<(usize, usize), String>,
    used: BTreeSet<String>,
}

impl Writer<'_> {
    fn statement(&mut self, statement: &Placed<'_>) -> String {
        let shape = statement.shape;
        let mut text = String::new();
        let mut end = 0;
        for (offset, slot) in shape.slots.iter().enumerate() {
            text.push_str(&shape.text[end..slot.at.start]);
            end = slot.at.end;
            let literal = &shape.text[slot.at.clone()];
            match slot.kind {
                SlotKind::Typed => text.push_str(literal),
                SlotKind::Literal if self.places.is_constant(statement.first + offset) => text.push_str(literal),
                SlotKind::Literal | SlotKind::Parameter => {
                    let _ = write!(text, ":{}", self.name(statement, offset));
                }
                SlotKind::List => {
                    let name = slot.name.as_deref().unwrap_or("element");
                    let (one, other) = (self.unused(name), self.unused(name));
                    let _ = write!(text, ":{one}, :{other}");
                }
                SlotKind::Rows => {}
            }
        }
        text.push_str(&shape.text[end..]);
        text.trim_end().to_owned()
    }

    /// The name of the parameter at a place.
    fn name(&mut self, statement: &Placed<'_>, offset: usize) -> String {
        let slots = &statement.shape.slots;
        let same_number = |slot: &Slot| slot.number.is_some() && slot.number == slots[offset].number;
        let offset = slots.iter().position(same_number).unwrap_or(offset);
        let place = self.representative(statement.first + offset, statement.body);
        let round = if self.body_of(place).is_some() { statement.round } else { 0 };
        if let Some(name) = self.names.get(&(place, round)) {
            return name.clone();
        }
        let wanted = slots[offset].name.clone().or_else(|| self.column_of(place)).unwrap_or_else(|| "value".to_owned());
        let name = self.unused(&wanted);
        self.names.insert((place, round), name.clone());
        name
    }

    /// A column that the parameter of a place is compared with somewhere.
    fn column_of(&self, place: usize) -> Option<String> {
        self.placed.iter().find_map(|statement| {
            let of_place =
                |(offset, _): &(usize, &Slot)| self.representative(statement.first + offset, statement.body) == place;
            statement.shape.slots.iter().enumerate().filter(of_place).find_map(|(_, slot)| slot.name.clone())
        })
    }

    /// The place whose parameter this one is: outside of loops if there is one, else in the same loop.
    fn representative(&self, place: usize, body: Option<usize>) -> usize {
        let outside = |other: usize| self.body_of(other).is_none();
        let found = self.places.representative(place, &outside);
        if body.is_none() || self.body_of(found).is_none() {
            return found;
        }
        self.places.representative(place, &|other| self.body_of(other) == body)
    }

    fn body_of(&self, place: usize) -> Option<usize> {
        let of =
            |statement: &&Placed<'_>| (statement.first..statement.first + statement.shape.slots.len()).contains(&place);
        self.placed.iter().find(of).and_then(|statement| statement.body)
    }

    fn unused(&mut self, wanted: &str) -> String {
        let numbered = std::iter::once(wanted.to_owned()).chain((2..).map(|number| format!("{wanted}_{number}")));
        let name = numbered.into_iter().find(|name| !self.used.contains(name)).unwrap_or_else(|| wanted.to_owned());
        self.used.insert(name.clone());
        name
    }
}

/// Names made of what programs do: the shortest that tells them apart, else with a number.
fn names(groups: &[Group], shapes: &Shapes) -> Vec<String> {
    let does: Vec<Does> = groups.iter().map(|group| Does::of(group, shapes)).collect();
    let short: Vec<String> = does.iter().map(Does::short).collect();
    let mut used = BTreeSet::new();
    does.iter()
        .zip(&short)
        .map(|(does, name)| {
            let is_unique = short.iter().filter(|other| *other == name).count() == 1;
            let wanted = if is_unique { name.clone() } else { does.long() };
            let mut numbered = std::iter::once(wanted.clone()).chain((2..).map(|number| format!("{wanted}_{number}")));
            let name = numbered.find(|name| !used.contains(name)).unwrap_or(wanted);
            used.insert(name.clone());
            name
        })
        .collect()
}

/// What a program does, by relation, in the order of its text.
#[derive(Default)]
struct Does {
    writes: Vec<String>,
    written: BTreeSet<String>,
    reads: Vec<String>,
}

impl Does {
    fn of(group: &Group, shapes: &Shapes) -> Self {
        let mut does = Self::default();
        for id in &group.folded {
            does.take(&shapes.get(*id).key);
        }
        does
    }

    fn take(&mut self, key: &str) {
        let words: Vec<&str> = key.split(' ').collect();
        let relation = |at: usize| -> Option<String> {
            let mut at = at;
            while words.get(at).is_some_and(|word| matches!(*word, "only" | "lateral")) {
                at += 1;
            }
            let name = if words.get(at + 1) == Some(&".") { words.get(at + 2) } else { words.get(at) }?;
            let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            (!name.is_empty()).then_some(name)
        };
        for (at, word) in words.iter().enumerate() {
            let before = if at > 0 { words[at - 1] } else { "" };
            let (verb, found) = match *word {
                "update" if !matches!(before, "for" | "key" | "do" | "on") => ("update", relation(at + 1)),
                "into" if before == "insert" => ("insert", relation(at + 1)),
                "into" if before == "merge" => ("merge", relation(at + 1)),
                "from" if before == "delete" => ("delete", relation(at + 1)),
                "from" | "join" => ("read", relation(at + 1)),
                _ => continue,
            };
            let Some(found) = found else { continue };
            if verb == "read" {
                if !self.reads.contains(&found) {
                    self.reads.push(found);
                }
            } else {
                let write = format!("{verb}_{found}");
                self.written.insert(found);
                if !self.writes.contains(&write) {
                    self.writes.push(write);
                }
            }
        }
    }

    fn short(&self) -> String {
        if !self.writes.is_empty() {
            return joined(self.writes.iter());
        }
        if self.reads.is_empty() { "transaction".to_owned() } else { format!("read_{}", joined(self.reads.iter())) }
    }

    fn long(&self) -> String {
        let others: Vec<&String> = self.reads.iter().filter(|read| !self.written.contains(*read)).collect();
        if self.writes.is_empty() || others.is_empty() {
            return self.short();
        }
        format!("{}_reading_{}", self.short(), joined(others.into_iter()))
    }
}

fn joined<'a>(words: impl Iterator<Item = &'a String>) -> String {
    words.take(RELATIONS_IN_NAME_MOST).map(String::as_str).collect::<Vec<_>>().join("_")
}
