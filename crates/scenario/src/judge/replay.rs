//! Runs the transactions of a play again, one after the other, and takes everything back afterwards.

use std::collections::HashMap;

use pgstrata_pg::simple::SimpleSession;

use crate::language::{Action, Scenario, Step};
use crate::play::{Answer, PlayError, Played, Row, Stage, Table, TableState};

/// What came of running some transactions one after the other.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    /// The answers by step.
    pub(super) answers: HashMap<usize, Answer>,
    /// All tables afterwards.
    pub(super) state: Vec<TableState>,
}

impl Replay {
    /// Whether this row is there afterwards.
    pub(super) fn has_row(&self, table: &str, row: &Row) -> bool {
        self.state.iter().any(|state| state.name == table && state.rows.contains(row))
    }

    /// The row of this identity.
    pub(super) fn row_of(&self, table: &str, identity: &str) -> Option<&Row> {
        self.state.iter().find(|state| state.name == table)?.rows.iter().find(|row| row.identity == identity)
    }
}

/// A transaction, or its first steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    /// Its place in the play.
    pub(super) transaction: usize,
    /// How many of its steps; all when none is said.
    pub(super) steps: Option<usize>,
}

/// A transaction with all its steps.
pub(super) fn whole(transaction: usize) -> Part {
    Part { transaction, steps: None }
}

/// A server with the scenario's tables, on which transactions are run and rolled back.
pub(super) struct Replays<'a> {
    stage: &'a Stage,
    scenario: &'a Scenario,
    steps: Vec<&'a Step>,
    played: &'a Played,
    /// What the clients were told.
    told: HashMap<usize, &'a Answer>,
    session: SimpleSession,
    tables: Vec<Table>,
    /// What was run already.
    done: HashMap<Vec<Part>, Replay>,
}

impl<'a> Replays<'a> {
    pub(super) async fn open(stage: &'a Stage, scenario: &'a Scenario, played: &'a Played) -> Result<Self, PlayError> {
        let mut session = stage.control().await?;
        stage.set_up(&mut session, scenario).await?;
        let tables = stage.tables(&mut session).await?;
        let told = played.steps.iter().filter_map(|record| Some((record.step, record.answer.as_ref()?))).collect();
        let steps = scenario.steps().collect();
        Ok(Self { stage, scenario, steps, played, told, session, tables, done: HashMap::new() })
    }

    pub(super) async fn close(mut self) -> Result<(), PlayError> {
        self.stage.tear_down(&mut self.session, self.scenario).await?;
        self.session.close().await;
        Ok(())
    }

    pub(super) fn played(&self) -> &'a Played {
        self.played
    }

    /// What the client was told about a step.
    pub(super) fn told(&self, step: usize) -> Option<&'a Answer> {
        self.told.get(&step).copied()
    }

    /// All orders of these transactions, each with what comes of it.
    pub(super) async fn all_orders(&mut self, transactions: &[usize]) -> Result<Vec<(Vec<usize>, Replay)>, PlayError> {
        let mut runs = Vec::new();
        for order in orders_of(transactions) {
            let parts: Vec<Part> = order.iter().copied().map(whole).collect();
            let replay = self.run(&parts).await?;
            runs.push((order, replay));
        }
        Ok(runs)
    }

    /// Whether an order tells the clients the same and leaves the same tables.
    pub(super) fn fits(&self, (order, replay): &(Vec<usize>, Replay)) -> bool {
        let mut steps = order.iter().flat_map(|index| &self.played.transactions[*index].steps);
        let tells = steps.all(|step| {
            let told = self.told.get(step);
            told.zip(replay.answers.get(step)).is_none_or(|(told, again)| told.says_the_same_as(again))
        });
        tells && replay.state == self.played.state
    }

    /// Runs transactions, or parts of them, in this order, as from the set-up.
    pub(super) async fn run(&mut self, order: &[Part]) -> Result<Replay, PlayError> {
        if let Some(replay) = self.done.get(order) {
            return Ok(replay.clone());
        }
        let mut answers = HashMap::new();
        self.session.run("begin").await?;
        for part in order {
            let steps = &self.played.transactions[part.transaction].steps;
            for step in &steps[..part.steps.unwrap_or(steps.len())] {
                if let Action::Sql { text, .. } = &self.steps[*step].action {
                    answers.insert(*step, self.statement(text).await?);
                }
            }
        }
        let state = self.stage.state(&mut self.session, &self.tables).await?;
        self.session.run("rollback").await?;
        let replay = Replay { answers, state };
        self.done.insert(order.to_vec(), replay.clone());
        Ok(replay)
    }

    /// Runs one statement; its failure undoes nothing but itself.
    async fn statement(&mut self, text: &str) -> Result<Answer, PlayError> {
        self.session.run("savepoint pgstrata_statement").await?;
        let answer = Answer::of(&self.session.run(text).await?);
        if answer.error.is_some() {
            self.session.run("rollback to savepoint pgstrata_statement").await?;
        }
        Ok(answer)
    }
}

/// All orders of some things; the given one first.
fn orders_of(things: &[usize]) -> Vec<Vec<usize>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for (index, first) in things.iter().enumerate() {
        let mut rest = things.to_vec();
        rest.remove(index);
        for mut order in orders_of(&rest) {
            order.insert(0, *first);
            orders.push(order);
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_are_tried_each_once() {
        let mut orders = orders_of(&[1, 2, 3, 4]);
        assert_eq!(orders[0], [1, 2, 3, 4]);
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 24);
        assert_eq!(orders_of(&[]), [Vec::<usize>::new()]);
    }
}
