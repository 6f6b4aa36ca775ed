//! Programs with arguments as scripts that sessions play: begin, statements, commit.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_scenario::spec::{SessionScript, Spec, Step, Taken};
use pgstrata_sqltext::{Parameter, Program, Schema, Term};
use pgstrata_units::Isolation;

use super::bind::{Argument, bind, compared};
use super::error::ProofError;
use super::outcome::Player;
use super::scratch::Scratch;
use super::values::{is_number, value};
use super::{choices, notes};
use crate::advisor::{Instance, StepKind, Witness};

/// Statements that stand in the place of others, by program and statement.
pub(super) type Changes = BTreeMap<(String, usize), Vec<String>>;

/// A program with its part in a play.
#[derive(Clone, Debug)]
pub(super) struct Cast<'a> {
    pub program: &'a Program,
    pub name: String,
    pub level: Isolation,
    /// In SQL.
    pub arguments: BTreeMap<String, String>,
    /// Its statements in the order in which they run.
    pub path: Vec<usize>,
}

/// What a session plays, with what each of its steps is.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub player: Player,
    pub session: SessionScript,
    pub kinds: Vec<StepKind>,
    pub shown: Vec<Shown>,
    /// Words that leave nothing open in it.
    pub settled: Vec<&'static str>,
}

/// A step as it is shown: without what is added to it for the sake of the proof.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub sql: String,
    /// Which of the server's replies is the answer to it.
    pub reply: usize,
}

/// Where programs become scripts.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub scratch: &'a Scratch,
    pub schema: &'a Schema,
    pub changes: &'a Changes,
    pub begin: Begin,
}

/// Whether `begin` is a step of its own. It takes no snapshot and meets nobody, so it makes no other schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is, to be shown.
    Apart,
    /// It goes with the first statement, to be quick.
    Joined,
}

/// Values of columns that conditions look at and that are no keys. A witness may leave open what they are, or name values
/// under which its conditions do not hold; whether something happens hangs on them, so several ways are tried.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreed {
    /// What rows have, by the column's name.
    pub rows: BTreeMap<String, String>,
    /// Whether rows have it although the witness says something else.
    pub is_forced: bool,
    /// What parameters are, by the number of the instance and the name.
    pub arguments: BTreeMap<(usize, String), String>,
}

/// How many ways there are, [`FOLLOWED`] apart.
pub(super) const WAYS: u32 = 6;

/// The way in which what a witness leaves open is what the next transaction asks for that it does not leave open: who sets a
/// column makes a row the one that is looked for.
pub(super) const FOLLOWED: u32 = WAYS;

impl Agreed {
    /// One of the ways for a witness: as it says, where it says something, and agreeing with it (0); all the same (1);
    /// rows that differ from what all conditions say (2); a value for each transaction, and rows that have that of the first
    /// (3), of the last (4), or of none (5).
    pub(super) fn of(witness: &Witness, programs: &[Program], schema: &Schema, way: u32) -> Self {
        let soft = soft_columns(programs, schema);
        let mut agreed = Self { is_forced: (1..WAYS).contains(&way), ..Self::default() };
        for (column, type_name) in &soft {
            let named = witness.rows.iter().find_map(|row| row.values.get(column)).cloned();
            let mut first = named;
            let last = witness.instances.len().saturating_sub(1);
            for (number, instance) in witness.instances.iter().enumerate() {
                let Some(program) = of_instance(instance, programs) else { continue };
                for parameter in parameters_of(program, column) {
                    let given = instance.arguments.get(&parameter).cloned();
                    let of_number = value(type_name, 1 + u32::try_from(number).unwrap_or(0));
                    let chosen = match (way, given) {
                        (0 | FOLLOWED, Some(given)) => given,
                        (FOLLOWED, None) => {
                            let next = asked_next(witness, programs, column, number);
                            next.unwrap_or_else(|| value(type_name, 1))
                        }
                        (0, None) => first.clone().unwrap_or_else(|| value(type_name, 1)),
                        (1 | 2, _) => value(type_name, 1),
                        _ => of_number,
                    };
                    first.get_or_insert_with(|| chosen.clone());
                    agreed.arguments.insert((number, parameter), chosen);
                }
            }
            let of_rows = match way {
                0 | FOLLOWED => first.unwrap_or_else(|| value(type_name, 1)),
                1 | 3 => value(type_name, 1),
                4 => value(type_name, 1 + u32::try_from(last).unwrap_or(0)),
                _ => value(type_name, 9),
            };
            agreed.rows.insert(column.clone(), of_rows);
        }
        agreed
    }
}

/// What the next transaction after one asks of a column, or is told to set it to.
fn asked_next(witness: &Witness, programs: &[Program], column: &str, number: usize) -> Option<String> {
    let (before, after) = witness.instances.split_at(number);
    after.iter().skip(1).chain(before).find_map(|instance| {
        let program = of_instance(instance, programs)?;
        parameters_of(program, column).iter().find_map(|parameter| instance.arguments.get(parameter).cloned())
    })
}

/// Columns that are compared with parameters and that no key and no foreign key has, with their types.
fn soft_columns(programs: &[Program], schema: &Schema) -> BTreeMap<String, String> {
    let statements = programs.iter().flat_map(|program| &program.statements);
    let names: BTreeSet<String> =
        statements.flat_map(|statement| compared(&statement.text)).map(|(column, _)| column).collect();
    let of_relation = |name: &String| {
        let mut found = None;
        for relation in schema.relations.values() {
            let keys = relation.keys.iter().flat_map(|key| &key.columns);
            if keys.chain(relation.foreign_keys.iter().flat_map(|key| &key.columns)).any(|column| column == name) {
                return None;
            }
            found = found.or_else(|| relation.column(name));
        }
        found.map(|column| (name.clone(), column.type_name.clone()))
    };
    names.iter().filter_map(of_relation).collect()
}

/// The parameters of a program that are compared with a column, or that it is set to.
fn parameters_of(program: &Program, column: &str) -> BTreeSet<String> {
    let compared = program.statements.iter().flat_map(|statement| compared(&statement.text));
    let found = compared.filter(|(name, _)| name == column).map(|(_, parameter)| parameter);
    found.chain(set_to(program, column)).collect()
}

/// The parameters that a program sets a column to.
pub(super) fn set_to(program: &Program, column: &str) -> BTreeSet<String> {
    let accesses = program.statements.iter().flat_map(|statement| &statement.accesses);
    let parameter = |term: &Term| if let Term::Parameter(name) = term { Some(name.clone()) } else { None };
    accesses.filter_map(|access| access.values.get(column).and_then(parameter)).collect()
}

/// The program of an instance; none when a witness names none that there is.
pub(super) fn of_instance<'a>(instance: &Instance, programs: &'a [Program]) -> Option<&'a Program> {
    programs.iter().find(|program| program.name == instance.program)
}

impl<'a> Cast<'a> {
    /// An instance of a witness; none when it names no program.
    pub(super) fn of(
        instance: &Instance,
        programs: &'a [Program],
        number: usize,
        variant: u32,
        agreed: &Agreed,
    ) -> Option<Self> {
        let program = of_instance(instance, programs)?;
        let mut cast = Self {
            program,
            name: instance.name.clone(),
            level: instance.level,
            arguments: instance.arguments.clone(),
            path: instance.path.clone(),
        };
        for ((of, parameter), value) in &agreed.arguments {
            if *of == number {
                cast.arguments.insert(parameter.clone(), value.clone());
            }
        }
        cast.fill(number, variant);
        Some(cast)
    }

    /// Gives values to parameters that have none: the user's example, else one of its own for each session.
    pub(super) fn fill(&mut self, number: usize, variant: u32) {
        for (place, parameter) in self.program.parameters.iter().enumerate() {
            if self.arguments.contains_key(&parameter.name) {
                continue;
            }
            let value = free_value(parameter, number, place, variant);
            self.arguments.insert(parameter.name.clone(), value);
        }
        // Of a statement that runs without those before it, what they would have found.
        let mut found: BTreeSet<&str> = BTreeSet::new();
        for statement in self.path.iter().filter_map(|index| self.program.statements.get(*index)) {
            for name in statement.arguments.iter().filter(|name| !found.contains(name.as_str())) {
                let parameter = Parameter { name: name.clone(), type_name: None, example: None };
                let place = self.arguments.len();
                self.arguments.entry(name.clone()).or_insert_with(|| free_value(&parameter, number, place, variant));
            }
            found.extend(statement.results.iter().map(|result| result.variable.as_str()));
        }
    }

    /// The script; the changes stand in the place of the program's statements.
    pub(super) fn script(&self, setting: Setting<'_>) -> Result<Script, ProofError> {
        let Setting { scratch, schema, changes, begin } = setting;
        let mut draft = Draft { name: &self.name, steps: Vec::new(), kinds: Vec::new(), shown: Vec::new() };
        let opening = format!("begin isolation level {}", self.level.sql());
        let mut before = Vec::new();
        if begin == Begin::Apart {
            draft.add(Vec::new(), opening, StepKind::Begin, Vec::new(), Vec::new());
        } else {
            before.push(opening);
        }
        for (place, index) in self.path.iter().enumerate() {
            let Some(statement) = self.program.statements.get(*index) else { continue };
            let kind = StepKind::Statement(*index);
            let takes = statement
                .results
                .iter()
                .map(|result| Taken { index: result.index, variable: self.variable(&result.variable) });
            let takes: Vec<Taken> = takes.collect();
            if let Some(texts) = changes.get(&(self.program.name.clone(), *index)) {
                let arguments = self.named(*index);
                for (number, text) in texts.iter().enumerate() {
                    let bound = bind(&scratch.own(text)?, &arguments);
                    // What stands before the statement itself returns nothing that is used.
                    let takes = if number + 1 == texts.len() { takes.clone() } else { Vec::new() };
                    before.extend(scratch.as_it_is());
                    draft.add(std::mem::take(&mut before), bound.sql, kind, takes, bound.uses);
                }
            } else {
                let named = self.named(*index);
                let numbered = statement
                    .arguments
                    .iter()
                    .enumerate()
                    .filter_map(|(number, name)| Some(((number + 1).to_string(), named.get(name)?.clone())));
                let bound = bind(&scratch.own(&statement.prepared)?, &numbered.collect());
                before.extend(scratch.before(statement, place + 1));
                draft.add(std::mem::take(&mut before), bound.sql, kind, takes, bound.uses);
            }
        }
        if let (true, Some(last)) = (scratch.is_noting, draft.steps.last_mut()) {
            last.sql.push_str(notes::TELL);
        }
        draft.add(before, "commit".to_owned(), StepKind::Commit, Vec::new(), Vec::new());
        let Draft { steps, kinds, shown, .. } = draft;
        let session = SessionScript { name: self.name.clone(), setup: None, steps, teardown: None };
        let player = Player {
            name: self.name.clone(),
            program: self.program.name.clone(),
            level: self.level,
            arguments: self.arguments.clone(),
        };
        let statements = self.path.iter().filter_map(|index| self.program.statements.get(*index));
        Ok(Script { player, session, kinds, shown, settled: choices::settled(statements, schema) })
    }

    /// What each name stands for in a statement: results of statements before it, else arguments.
    fn named(&self, statement: usize) -> BTreeMap<String, Argument> {
        let mut named: BTreeMap<String, Argument> =
            self.arguments.iter().map(|(name, value)| (name.clone(), Argument::Sql(value.clone()))).collect();
        for earlier in self.path.iter().take_while(|index| **index != statement) {
            for result in self.program.statements.get(*earlier).into_iter().flat_map(|earlier| &earlier.results) {
                named.insert(result.variable.clone(), Argument::Variable(self.variable(&result.variable)));
            }
        }
        named
    }

    fn variable(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }
}

/// A script while it is made.
struct Draft<'a> {
    name: &'a str,
    steps: Vec<Step>,
    kinds: Vec<StepKind>,
    shown: Vec<Shown>,
}

impl Draft<'_> {
    /// A statement with what goes before it in the same step.
    fn add(&mut self, before: Vec<String>, sql: String, kind: StepKind, takes: Vec<Taken>, uses: Vec<String>) {
        self.shown.push(Shown { sql: sql.clone(), reply: before.len() });
        let whole: Vec<String> = before.into_iter().chain([sql]).collect();
        let name = format!("{}.{}", self.name, self.steps.len());
        self.steps.push(Step { name, sql: whole.join("; "), takes, uses });
        self.kinds.push(kind);
    }
}

/// A value for a parameter of which nothing is asked. Other variants are other values, as some hide what happens: adding
/// nothing, paying what is not there.
pub(super) fn free_value(parameter: &Parameter, number: usize, place: usize, variant: u32) -> String {
    if let (Some(example), 0) = (&parameter.example, variant) {
        return example.clone();
    }
    let number = u32::try_from(number * 3 + place).unwrap_or(0) + 1;
    let type_name = parameter.type_name.as_deref();
    if type_name.is_none_or(is_number) {
        let scale = [1, 10, 1, 100, 7][variant as usize % 5];
        let shift = [2, 0, 0, 3, 1][variant as usize % 5];
        return (number * scale + shift).to_string();
    }
    value(type_name.unwrap_or_default(), number + 7 * variant)
}

/// Words that leave nothing open in any of the scripts.
pub(super) fn settled(scripts: &[Script]) -> Vec<&'static str> {
    let Some((first, others)) = scripts.split_first() else { return Vec::new() };
    let is_in_all = |word: &&&str| others.iter().all(|script| script.settled.contains(word));
    first.settled.iter().filter(is_in_all).copied().collect()
}

/// A text about a play as it is told to people: its steps as they are shown, and notes of what was read as such.
pub(super) fn plainly(text: &str, scripts: &[Script]) -> String {
    let one_line = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((who, found, instead)) = notes::told(text) {
        return format!("{who} read {found}, not {instead}");
    }
    let steps = scripts.iter().flat_map(|script| script.session.steps.iter().zip(&script.shown));
    let mut names: Vec<(String, String)> = steps
        .map(|(step, shown)| (one_line(&step.sql), one_line(&shown.sql)))
        .filter(|(sql, shown)| sql != shown)
        .collect();
    // A step that is the beginning of another one comes after it.
    names.sort_by_key(|(sql, _)| std::cmp::Reverse(sql.len()));
    names.iter().fold(text.to_owned(), |text, (sql, shown)| text.replace(sql, shown))
}

/// All sessions of a play as one specification.
pub(super) fn spec(scripts: &[Script], set_up: &str) -> Spec {
    Spec {
        setups: vec![set_up.to_owned()],
        teardown: None,
        sessions: scripts.iter().map(|script| script.session.clone()).collect(),
        permutations: Vec::new(),
        unused_steps: Vec::new(),
    }
}
