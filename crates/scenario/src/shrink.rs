//! Makes a scenario that shows an anomaly as short as it can be while it still shows one of the same family.
//!
//! One step after another is left out (Zeller's delta debugging with pieces of one step, which is enough at this size), then
//! one row of the set-up after another; each attempt is played on the server.

use pgstrata_units::Isolation;

use crate::judge::{self, Judged, is_of_family};
use crate::language::{Action, Item, Outcome, Scenario, What};
use crate::play::{PlayError, Stage, play};

/// How often in a row a shorter scenario must show the anomaly to be taken.
const SHOWN: usize = 2;

/// The most plays that shrinking one scenario may take.
pub const PLAYS_MAX: usize = 400;

/// Plays a scenario as written and judges it.
pub async fn judged(stage: &Stage, scenario: &Scenario, level: Isolation) -> Result<Judged, PlayError> {
    let order: Vec<usize> = (0..scenario.steps().count()).collect();
    let played = play(stage, scenario, level, &order).await?;
    let checked = judge::check(stage, scenario, &played).await?;
    Ok(judge::judge(scenario, played, checked))
}

/// The shortest scenario found that shows what this one shows at a level, with its judgement; none if this one shows nothing.
pub async fn shrink(
    stage: &Stage,
    scenario: &Scenario,
    level: Isolation,
) -> Result<Option<(Scenario, Judged)>, PlayError> {
    let first = judged(stage, scenario, level).await?;
    let Some(sought) = first.checked.anomaly else { return Ok(None) };
    let mut best = (scenario.clone(), first);
    let mut plays = 0;
    loop {
        let mut is_shorter = false;
        for candidate in shorter(&best.0) {
            let mut shown = None;
            for _ in 0..SHOWN {
                plays += 1;
                if plays > PLAYS_MAX {
                    return Ok(Some(best));
                }
                // A scenario that cannot be played shows nothing.
                let judged = judged(stage, &candidate, level).await.ok();
                shown = judged.filter(|judged| judged.checked.anomaly.is_some_and(|found| is_of_family(found, sought)));
                if shown.is_none() {
                    break;
                }
            }
            if let Some(judged) = shown {
                best = (candidate, judged);
                is_shorter = true;
                break;
            }
        }
        if !is_shorter {
            return Ok(Some(best));
        }
    }
}

/// Says in the scenario which of its steps had to wait when it was played.
pub fn note_waits(scenario: &mut Scenario, judged: &Judged) {
    let waited: Vec<usize> =
        judged.played.steps.iter().filter(|record| record.blocked).map(|record| record.step).collect();
    let steps =
        scenario.items.iter_mut().filter_map(|item| if let Item::Step(step) = item { Some(step) } else { None });
    for (index, step) in steps.enumerate() {
        if waited.contains(&index) {
            step.outcomes.push(Outcome { what: What::Blocks, levels: Vec::new() });
        }
    }
}

/// All scenarios that lack one thing: a session, a step, or a line of the set-up.
fn shorter(scenario: &Scenario) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    if scenario.sessions().len() > 2 {
        for session in scenario.sessions() {
            let mut candidate = scenario.clone();
            candidate.items.retain(|item| !matches!(item, Item::Step(step) if step.session == session));
            candidates.push(candidate);
        }
    }
    for (index, item) in scenario.items.iter().enumerate() {
        match item {
            Item::Step(step) if can_go(&step.action) => {
                let mut candidate = scenario.clone();
                candidate.items.remove(index);
                // Whoever waited for this step's session does so no more.
                candidates.push(candidate);
            }
            Item::Setup(sql) => {
                let lines: Vec<&str> = sql.lines().collect();
                for line in (0..lines.len())
                    .filter(|line| lines[*line].starts_with("insert") || lines[*line].starts_with("create"))
                {
                    let mut fewer = lines.clone();
                    fewer.remove(line);
                    let mut candidate = scenario.clone();
                    candidate.items[index] = Item::Setup(fewer.join("\n"));
                    candidates.push(candidate);
                }
            }
            _ => {}
        }
    }
    candidates
}

/// Whether a transaction is still one without this step.
fn can_go(action: &Action) -> bool {
    let Action::Sql { text, .. } = action else { return matches!(action, Action::Resumes) };
    let word = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    !matches!(word.as_str(), "commit" | "rollback")
}
