//! Which solutions keep everything that is needed, alone or with companions.

use super::super::rules::Findings;
use super::super::solutions::{Need, Role, Solution, SolutionId};
use super::super::words::Words;
use super::decision::{Because, Beside, RankedSolution, Rejected};
use super::{Judged, listed};
use crate::advisor::estimate::Estimates;

/// Points that a step of effort costs.
const POINTS_OF_EFFORT: i32 = 3;

/// The solutions that keep everything, unordered, and those that do not.
pub(super) fn weigh(judged: &Judged, findings: Option<Findings>) -> (Vec<RankedSolution>, Vec<Rejected>) {
    let (mut ranked, mut rejected) = (Vec::new(), Vec::new());
    for card in Solution::all().filter(|card| card.role.leads()) {
        match candidate(card, judged, findings) {
            Ok(one) => ranked.push(one),
            Err(because) => rejected.push(reject(card, because)),
        }
    }
    (ranked, rejected)
}

/// One solution with its companions, or why it is not possible.
fn candidate(
    card: &'static Solution,
    judged: &Judged,
    findings: Option<Findings>,
) -> Result<RankedSolution, Vec<Because>> {
    let mut against = judged.excluded.get(&card.id).cloned().unwrap_or_default();
    let own: Vec<Need> = judged.needs.keys().copied().filter(|need| keeps(card, *need, findings)).collect();
    let mut beside: Vec<Beside> = Vec::new();
    let mut missing = Vec::new();
    for need in judged.needs.keys().filter(|need| !own.contains(need)) {
        if let Some(there) = beside.iter_mut().find(|one| one.solution.solution().keeps(*need)) {
            there.keeps.push(need.key().to_owned());
            continue;
        }
        match companion(card.id, *need, judged) {
            Some(found) => beside.push(found),
            None => missing.push(*need),
        }
    }
    if !missing.is_empty() {
        against.push(keeps_too_little(card, &missing));
    } else if adds_nothing(card, &own, judged) {
        against.push(adds_nothing_because());
    }
    if !against.is_empty() {
        return Err(against);
    }
    let effort: i32 =
        i32::from(card.effort) + beside.iter().map(|one| i32::from(one.solution.solution().effort)).sum::<i32>();
    Ok(RankedSolution {
        solution: card.id,
        name: card.name.into(),
        score: judged.points(card.id) - POINTS_OF_EFFORT * effort,
        why: judged.points.get(&card.id).cloned().unwrap_or_default(),
        keeps: own.iter().map(|need| need.key().to_owned()).collect(),
        beside,
        estimates: Estimates::default(),
    })
}

/// Whether a solution keeps a need by itself. Where the SQL was analysed, what it found of a level is what the level keeps.
fn keeps(card: &Solution, need: Need, findings: Option<Findings>) -> bool {
    let Some(findings) = findings else { return card.keeps(need) };
    let is_safe = match card.id {
        SolutionId::ReadCommitted => findings.read_committed_is_safe,
        SolutionId::RepeatableRead => findings.repeatable_read_is_safe,
        SolutionId::MixedLevels | SolutionId::Promotion => true,
        _ => return card.keeps(need),
    };
    // What serializable executions keep, each of these keeps then.
    card.keeps(need) || is_safe && SolutionId::Serializable.solution().keeps(need)
}

/// The best companion of a leader that keeps a need.
fn companion(leader: SolutionId, need: Need, judged: &Judged) -> Option<Beside> {
    let may_stand_there = |card: &&Solution| {
        let beside = judged.only_beside.get(&card.id);
        card.role.accompanies()
            && card.id != leader
            && card.keeps(need)
            && !judged.is_excluded(card.id)
            && beside.is_none_or(|leaders| leaders.contains(&leader))
    };
    let worth = |card: &Solution| judged.points(card.id) - POINTS_OF_EFFORT * i32::from(card.effort);
    // The first of equals: `max_by_key` would take the last.
    let best = Solution::all().filter(may_stand_there).min_by_key(|card| -worth(card))?;
    Some(Beside {
        solution: best.id,
        name: best.name.into(),
        keeps: vec![need.key().to_owned()],
        because: best.when.into(),
    })
}

/// Whether everything about the state is kept by companions alone, so that the leader is there for nothing.
fn adds_nothing(card: &Solution, own: &[Need], judged: &Judged) -> bool {
    if own.iter().any(|need| need.is_about_state()) {
        return false;
    }
    let something_to_keep = judged.needs.keys().any(|need| need.is_about_state());
    something_to_keep || card.id != SolutionId::ReadCommitted && !judged.is_excluded(SolutionId::ReadCommitted)
}

fn adds_nothing_because() -> Because {
    Because {
        rule: "adds-nothing".to_owned(),
        text: Words::new(
            "Of what must stay true it keeps nothing: what would stand beside it does all of it.",
            "在必须成立的事实中它一个也不保证：全靠与之并用的其他做法。",
        ),
        source: "the engine".to_owned(),
    }
}

fn keeps_too_little(card: &Solution, missing: &[Need]) -> Because {
    let broken: Vec<Words> = missing.iter().map(|need| need.text().into()).collect();
    let broken = listed(&broken);
    let why = if missing.contains(&Need::Serializability) && card.role != Role::Level {
        Words::new(
            "The statements were analysed as they are: rewrite them this way and have them analysed again.",
            "分析针对的是现有语句：请按此改写后重新分析。",
        )
    } else if missing.contains(&Need::Serializability) {
        Words::new(
            "The analysis shows an execution that no serial order explains.",
            "分析给出了任何串行顺序都无法解释的执行。",
        )
    } else {
        card.why_no_more.into()
    };
    Because {
        rule: "keeps".to_owned(),
        text: Words::new(
            format!("Nothing that could stand beside it keeps: {}. {}", broken.en, why.en),
            format!("它与可并用的做法都不能保证：{}。{}", broken.zh, why.zh),
        ),
        source: card.source.to_owned(),
    }
}

/// Companions that nothing asked for.
pub(super) fn not_needed(judged: &Judged, ranked: &[RankedSolution]) -> Vec<Rejected> {
    let stands = |id| ranked.iter().any(|one| one.beside.iter().any(|beside| beside.solution == id));
    let idle = Solution::all().filter(|card| card.role == Role::Companion && !stands(card.id));
    idle.map(|card| {
        let excluded = judged.excluded.get(&card.id).cloned();
        reject(card, excluded.unwrap_or_else(|| vec![not_needed_because(card, judged)]))
    })
    .collect()
}

fn not_needed_because(card: &Solution, judged: &Judged) -> Because {
    let text = if card.keeps.iter().any(|need| judged.needs.contains_key(need)) {
        Words::new(
            "What it would add is kept without it, or by something simpler.",
            "它所增加的已由其他更简单的做法保证。",
        )
    } else {
        Words::new("Nothing in the requirement asks for what it adds.", "需求中没有要求它所增加的内容。")
    };
    Because { rule: "not-needed".to_owned(), text, source: "the engine".to_owned() }
}

fn reject(card: &Solution, because: Vec<Because>) -> Rejected {
    Rejected { solution: card.id, name: card.name.into(), because }
}

/// What is worth adding to the best solution, where nothing forbids it and it is not there yet.
pub(super) fn suggested(judged: &Judged, ranked: &[RankedSolution]) -> Vec<Beside> {
    let Some(best) = ranked.first() else { return Vec::new() };
    let there = |id| best.solution == id || best.beside.iter().any(|one| one.solution == id);
    let worth_adding = judged.suggestions.iter().filter(|(id, _)| !there(**id) && !judged.is_excluded(**id));
    worth_adding
        .map(|(id, because)| Beside {
            solution: *id,
            name: id.solution().name.into(),
            keeps: Vec::new(),
            because: because.text.clone(),
        })
        .collect()
}
