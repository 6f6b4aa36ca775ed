//! Programs with arguments as scripts that sessions play: begin, statements, commit.

use std::collections::BTreeMap;

use pgstrata_scenario::spec::{SessionScript, Spec, Step, Taken};
use pgstrata_sqltext::{Parameter, Program};
use pgstrata_units::Isolation;

use super::bind::{Argument, bind};
use super::error::ProofError;
use super::outcome::Player;
use super::scratch::Scratch;
use super::values::{is_number, value};
use crate::advisor::{Instance, StepKind};

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
}

/// Whether `begin` is a step of its own. It takes no snapshot and meets nobody, so it makes no other schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is, to be shown.
    Apart,
    /// It goes with the first statement, to be quick.
    Joined,
}

impl<'a> Cast<'a> {
    /// An instance of a witness; none when it names no program.
    pub(super) fn of(instance: &Instance, programs: &'a [Program], number: usize, variant: u32) -> Option<Self> {
        let program = programs.iter().find(|program| program.name == instance.program)?;
        let mut cast = Self {
            program,
            name: instance.name.clone(),
            level: instance.level,
            arguments: instance.arguments.clone(),
            path: instance.path.clone(),
        };
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
    }

    /// The script; the changes stand in the place of the program's statements.
    pub(super) fn script(&self, scratch: &Scratch, changes: &Changes, begin: Begin) -> Result<Script, ProofError> {
        let mut steps = Vec::new();
        let mut kinds = Vec::new();
        let opening = format!("begin isolation level {}", self.level.sql());
        let mut step = |sql: String, kind: StepKind, takes: Vec<Taken>, uses: Vec<String>| {
            let sql = if begin == Begin::Joined && steps.is_empty() { format!("{opening}; {sql}") } else { sql };
            steps.push(Step { name: format!("{}.{}", self.name, steps.len()), sql, takes, uses });
            kinds.push(kind);
        };
        if begin == Begin::Apart {
            step(opening.clone(), StepKind::Begin, Vec::new(), Vec::new());
        }
        for index in &self.path {
            let Some(statement) = self.program.statements.get(*index) else { continue };
            let kind = StepKind::Statement(*index);
            let takes = statement
                .results
                .iter()
                .map(|result| Taken { index: result.index, variable: self.variable(&result.variable) });
            let takes: Vec<Taken> = takes.collect();
            if let Some(texts) = changes.get(&(self.program.name.clone(), *index)) {
                let arguments = self.named(*index);
                for (place, text) in texts.iter().enumerate() {
                    let bound = bind(&scratch.own(text)?, &arguments);
                    // What stands before the statement itself returns nothing that is used.
                    let takes = if place + 1 == texts.len() { takes.clone() } else { Vec::new() };
                    step(bound.sql, kind, takes, bound.uses);
                }
            } else {
                let named = self.named(*index);
                let numbered = statement
                    .arguments
                    .iter()
                    .enumerate()
                    .filter_map(|(place, name)| Some(((place + 1).to_string(), named.get(name)?.clone())));
                let bound = bind(&scratch.own(&statement.prepared)?, &numbered.collect());
                step(bound.sql, kind, takes, bound.uses);
            }
        }
        step("commit".to_owned(), StepKind::Commit, Vec::new(), Vec::new());
        let session = SessionScript { name: self.name.clone(), setup: None, steps, teardown: None };
        let player = Player {
            name: self.name.clone(),
            program: self.program.name.clone(),
            level: self.level,
            arguments: self.arguments.clone(),
        };
        Ok(Script { player, session, kinds })
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
