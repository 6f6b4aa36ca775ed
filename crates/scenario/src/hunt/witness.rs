//! From a program that was played to a scenario that plays it again.

use pgstrata_units::Isolation;

use super::arena::Round;
use super::program::{Program, TABLES};
use crate::language::{Action, Clause, Expectation, Item, Scenario, Step};

const TABLES_SQL: &str = include_str!("arena.sql");

/// The scenario of a round: its statements in the order in which they were sent.
pub(super) fn scenario(round: &Round, name: &str, level: Isolation) -> Scenario {
    let mut steps = vec![Item::Blank, set_up(&round.program), Item::Blank];
    let mut next = vec![0; round.program.transactions.len()];
    // What the server does with a table depends on how it reads it: as in the hunt.
    for turn in 0..next.len() {
        steps.push(sql(turn, "set enable_seqscan = off"));
    }
    for turn in &round.taken {
        if next[*turn] == 0 {
            steps.push(step(*turn, Action::Begin(String::new())));
        }
        let statement = round.program.transactions[*turn].get(next[*turn]);
        let text = statement.map_or_else(|| "commit".to_owned(), ToString::to_string);
        next[*turn] += 1;
        steps.push(step(*turn, Action::Sql { text, hold: None }));
    }
    let clauses = vec![Clause::Anomaly(None)];
    steps.push(Item::Blank);
    steps.push(Item::Expect(Expectation { levels: vec![level], clauses }));
    let mut items = vec![Item::About("Found by pgstrata isolation hunt".to_owned()), Item::Levels(vec![level])];
    items.append(&mut steps);
    Scenario { name: name.to_owned(), items }
}

fn set_up(program: &Program) -> Item {
    let tables = TABLES_SQL.lines().filter(|line| !line.starts_with("--"));
    let mut lines: Vec<String> = tables.map(str::to_owned).collect();
    for (table, keys) in program.rows.iter().enumerate() {
        lines.extend(keys.iter().map(|key| format!("insert into {} values ({key}, 0);", TABLES[table])));
    }
    Item::Setup(lines.join("\n"))
}

fn sql(turn: usize, text: &str) -> Item {
    step(turn, Action::Sql { text: text.to_owned(), hold: None })
}

fn step(turn: usize, action: Action) -> Item {
    Item::Step(Step { session: format!("T{}", turn + 1), action, outcomes: Vec::new(), line: 0 })
}
