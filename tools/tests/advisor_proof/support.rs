//! Programs, schedules and reports made by hand, so that proofs are tested without those who decide.

use std::collections::BTreeMap;

use pgstrata_sqltext::schema::{Column, Key, Relation};
use pgstrata_sqltext::{
    Node, Origin, Parameter, Position, Program, RelationName, ResultBinding, Schema, Scope, Span, Statement, Workload,
};
use pgstrata_tools::advisor::{
    Allocation, ChangedStatement, Instance, PromotedAllocation, Report, SeedRow, Step, StepKind, Verdict, Witness, Work,
};
use pgstrata_units::Isolation;

/// A statement: its text with `$n`, the names of its arguments, and the variables that its columns become.
pub type Said<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

fn nowhere() -> Span {
    let start = Position { line: 1, column: 1 };
    Span { source: "input".to_owned(), from: start, to: start }
}

pub fn program(name: &str, statements: &[Said<'_>]) -> Program {
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut made: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    for (text, arguments, results) in statements {
        for argument in *arguments {
            if !made.contains(argument) && !parameters.iter().any(|parameter| parameter.name == **argument) {
                let type_name = Some("integer".to_owned());
                parameters.push(Parameter { name: (*argument).to_owned(), type_name, example: None });
            }
        }
        made.extend(*results);
        let binding = |(index, variable): (usize, &&str)| ResultBinding {
            column: (*variable).to_owned(),
            index,
            variable: (*variable).to_owned(),
        };
        all.push(Statement {
            span: nowhere(),
            text: (*text).to_owned(),
            prepared: (*text).to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            results: results.iter().enumerate().map(binding).collect(),
            accesses: Vec::new(),
            unanalysed: Vec::new(),
        });
    }
    Program {
        name: name.to_owned(),
        span: nowhere(),
        parameters,
        level: None,
        scope: Scope::OneTransaction,
        body: (0..all.len()).map(Node::Statement).collect(),
        statements: all,
        pragmas: Vec::new(),
        frequency: None,
        origin: Origin::Statements,
        around: Vec::new(),
    }
}

pub fn workload(programs: Vec<Program>) -> Workload {
    Workload { programs, unanalysed: Vec::new() }
}

/// Tables with integer columns, the first of which is the key.
pub fn schema(tables: &[(&str, &[&str])]) -> Schema {
    let table = |(name, columns): &(&str, &[&str])| {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            type_name: "integer".to_owned(),
            not_null: true,
            ..Column::default()
        };
        let key = Key { name: "key".to_owned(), columns: vec![columns[0].to_owned()], primary: true, predicate: None };
        let relation =
            Relation { columns: columns.iter().map(column).collect(), keys: vec![key], ..Relation::default() };
        (RelationName::new(name), relation)
    };
    Schema { relations: tables.iter().map(table).collect(), ..Schema::default() }
}

/// A witness of programs that all get the same customer, in this order of turns; each session begins at its first turn and
/// commits at its last.
pub fn witness(programs: &[(&Program, Isolation)], turns: &[usize], rows: Vec<SeedRow>) -> Witness {
    let instance = |(place, (program, level)): (usize, &(&Program, Isolation))| Instance {
        name: format!("T{}", place + 1),
        program: program.name.clone(),
        level: *level,
        arguments: BTreeMap::from([("customer".to_owned(), "1".to_owned())]),
        path: (0..program.statements.len()).collect(),
        choices: Vec::new(),
        only: None,
    };
    let mut next = vec![0; programs.len()];
    let mut schedule = Vec::new();
    for turn in turns {
        let mut step = |what| schedule.push(Step { instance: *turn, what, waits: false });
        if next[*turn] == 0 {
            step(StepKind::Begin);
        }
        step(StepKind::Statement(next[*turn]));
        next[*turn] += 1;
        if next[*turn] == programs[*turn].0.statements.len() {
            step(StepKind::Commit);
        }
    }
    Witness {
        allocation: Allocation(programs.iter().map(|(program, level)| (program.name.clone(), *level)).collect()),
        instances: programs.iter().enumerate().map(instance).collect(),
        schedule,
        cycle: Vec::new(),
        rows,
    }
}

/// A report that says that a witness is real, that these levels are safe, and these changes with theirs.
pub fn report(witness: Witness, optimal: Allocation, with_promotion: Vec<PromotedAllocation>) -> Report {
    Report {
        programs: Vec::new(),
        uniform: BTreeMap::new(),
        asked_levels: witness.allocation.clone(),
        asked: Verdict::Unsafe(Box::new(witness)),
        optimal,
        why_not_lower: BTreeMap::new(),
        with_promotion,
        maximal_safe: BTreeMap::new(),
        edges: Vec::new(),
        scopes: Vec::new(),
        unanalysed: Vec::new(),
        work: Work::default(),
    }
}

/// One statement replaced, at these levels.
pub fn promoted(program: &str, statement: usize, after: &[&str], allocation: Allocation) -> PromotedAllocation {
    let after = after.iter().map(|text| (*text).to_owned()).collect();
    let changed = ChangedStatement { program: program.to_owned(), statement, before: String::new(), after };
    PromotedAllocation { promotions: Vec::new(), changed: vec![changed], allocation, level_cost: 0.0 }
}
