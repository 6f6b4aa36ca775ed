//! Runs a scenario at its levels and in its orders, and gives one verdict.

use pgstrata_pg::PgVersion;
use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use crate::judge::{self, Judged};
use crate::language::Scenario;
use crate::orders;
use crate::play::{self, PlayError, Stage};

/// What came of a scenario at one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtLevel {
    /// The level.
    pub level: Isolation,
    /// The plays that showed something: the written order, and others only with complaints.
    pub plays: Vec<Judged>,
    /// How many orders were played.
    pub orders: usize,
    /// How many of them could not happen: a session was to go on that still waited.
    pub impossible: usize,
}

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub scenario: String,
    /// By level.
    pub levels: Vec<AtLevel>,
    /// Whether this server's version is known to fail it; none when the scenario does not say.
    pub affected: Option<bool>,
}

/// What an outcome says of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is as the scenario says.
    Held,
    /// It is not, and releases like this one are known for it.
    Convicted,
    /// It is not.
    Failed,
    /// All is as the scenario says, although releases like this one are known to fail.
    NotShown,
}

impl Outcome {
    /// Whether anything was otherwise than the scenario says.
    #[must_use]
    pub fn has_complaints(&self) -> bool {
        self.levels.iter().flat_map(|level| &level.plays).any(|judged| !judged.complaints.is_empty())
    }

    /// What it says of the server.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.has_complaints(), self.affected) {
            (true, Some(true)) => Verdict::Convicted,
            (true, _) => Verdict::Failed,
            (false, Some(true)) => Verdict::NotShown,
            (false, _) => Verdict::Held,
        }
    }
}

/// Runs a scenario at those of its levels that are wanted.
pub async fn run(
    stage: &Stage,
    scenario: &Scenario,
    version: PgVersion,
    wanted: &[Isolation],
) -> Result<Outcome, PlayError> {
    let mut levels = Vec::new();
    for level in scenario.levels().into_iter().filter(|level| wanted.contains(level)) {
        levels.push(at_level(stage, scenario, level).await?);
    }
    Ok(Outcome { scenario: scenario.name.clone(), levels, affected: scenario.is_affected(version) })
}

async fn at_level(stage: &Stage, scenario: &Scenario, level: Isolation) -> Result<AtLevel, PlayError> {
    let orders = orders::of(scenario);
    let mut outcome = AtLevel { level, plays: Vec::new(), orders: orders.len(), impossible: 0 };
    for (index, order) in orders.iter().enumerate() {
        let played = play::play(stage, scenario, level, order).await?;
        outcome.impossible += usize::from(index > 0 && played.stopped.is_some());
        let checked = judge::check(stage, scenario, &played).await?;
        let judged = judge::judge(scenario, played, checked);
        if index == 0 || !judged.complaints.is_empty() {
            outcome.plays.push(judged);
        }
    }
    Ok(outcome)
}
