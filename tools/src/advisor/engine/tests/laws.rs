//! What must be true of every decision, over requirements drawn by lot from the whole space of answers.

use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::*;
use crate::advisor::requirement::{Answer, QUESTIONS};

/// Requirements that each law is held against.
const DRAWS: u64 = 400;

/// A requirement with an answer to each question drawn by lot. Contradicting answers are drawn again.
fn drawn(seed: u64) -> (Requirement, Option<Findings>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    loop {
        let mut answers = Map::new();
        for question in &QUESTIONS {
            let value = match question.answer {
                Answer::Flag { .. } => json!(random.random_bool(0.5)),
                Answer::Number { most, whole: true, .. } => json!(random.random_range(1..=(most as u32).min(300))),
                Answer::Number { least, most, .. } => {
                    json!(least + (most - least).min(2_000.0) * random.random::<f64>().powi(3))
                }
                Answer::One { options } => json!(options[random.random_range(0..options.len())].0),
                Answer::Many { options } => {
                    options.iter().filter(|_| random.random_bool(0.2)).map(|(key, _)| Value::from(*key)).collect()
                }
            };
            answers.insert(question.field.to_owned(), value);
        }
        let mut lot = || random.random_bool(0.5);
        let findings = Findings {
            read_committed_is_safe: lot(),
            repeatable_read_is_safe: lot(),
            mixed_is_weaker: lot(),
            mixed_retries: lot(),
            promotable: lot(),
            promoted_retries: lot(),
            split_program: lot(),
            not_understood: lot(),
        };
        let findings = lot().then_some(findings);
        if let Ok(requirement) = Requirement::from_json(&Value::Object(answers).to_string()) {
            return (requirement, findings);
        }
    }
}

fn decided(seed: u64) -> (Requirement, Decision) {
    let (requirement, findings) = drawn(seed);
    let decision = DecisionEngine { rules: RuleSet::shipped(), ml_model: None }.decide_on(&requirement, findings);
    (requirement, decision)
}

#[test]
fn every_solution_is_ranked_or_stands_beside_one_or_has_a_reason_against_it() {
    for seed in 0..DRAWS {
        let (_, decision) = decided(seed);
        let ranked: BTreeSet<_> = decision.ranked.iter().map(|one| one.solution).collect();
        let rejected: BTreeSet<_> = decision.rejected.iter().map(|one| one.solution).collect();
        let beside: BTreeSet<_> = decision.ranked.iter().flat_map(|one| &one.beside).map(|one| one.solution).collect();
        assert!(ranked.is_disjoint(&rejected), "seed {seed}: a solution is ranked and rejected");
        assert!(decision.rejected.iter().all(|one| !one.because.is_empty()), "seed {seed}: rejected without a reason");
        for id in SolutionId::ALL {
            assert!([&ranked, &rejected, &beside].iter().any(|set| set.contains(id)), "seed {seed}: {id:?} is lost");
        }
    }
}

#[test]
fn what_a_taken_rule_excludes_is_neither_ranked_nor_stands_beside_a_ranked_one() {
    let mut excluded_somewhere = 0;
    for seed in 0..DRAWS {
        let (_, decision) = decided(seed);
        let excluded: BTreeSet<_> =
            decision.trace.iter().filter(|step| step.taken).flat_map(|step| &step.excludes).copied().collect();
        excluded_somewhere += usize::from(!excluded.is_empty() && !decision.ranked.is_empty());
        for one in &decision.ranked {
            assert!(!excluded.contains(&one.solution), "seed {seed}: {:?}", one.solution);
            assert!(one.beside.iter().all(|beside| !excluded.contains(&beside.solution)), "seed {seed}");
        }
    }
    assert!(excluded_somewhere > 50, "the draws hardly test anything: {excluded_somewhere}");
}

#[test]
fn a_ranked_solution_and_its_companions_keep_every_need() {
    for seed in 0..DRAWS {
        let (_, decision) = decided(seed);
        for one in &decision.ranked {
            let kept: BTreeSet<&String> =
                one.keeps.iter().chain(one.beside.iter().flat_map(|beside| &beside.keeps)).collect();
            for needed in &decision.needs {
                assert!(kept.contains(&needed.need), "seed {seed}: {:?} leaves {}", one.solution, needed.need);
            }
        }
    }
}

#[test]
fn the_same_input_gives_the_same_answer_to_the_last_byte() {
    for seed in 0..DRAWS / 4 {
        let told = |decision: Decision| serde_json::to_string(&decision).expect("written");
        assert_eq!(told(decided(seed).1), told(decided(seed).1));
    }
}

#[test]
fn a_decision_survives_being_written_and_read() {
    for seed in 0..DRAWS / 4 {
        let (_, decision) = decided(seed);
        let text = serde_json::to_string(&decision).expect("written");
        assert_eq!(serde_json::from_str::<Decision>(&text).expect("read"), decision);
    }
}

#[test]
fn more_conflicts_never_lift_optimistic_ways_over_those_that_wait() {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    let optimistic = [SolutionId::OptimisticVersion, SolutionId::RepeatableRead, SolutionId::Serializable];
    let waiting = [SolutionId::ForUpdate, SolutionId::ConditionalUpdate, SolutionId::GuardRow];
    let mut compared = 0;
    for seed in 0..DRAWS {
        let (requirement, findings) = drawn(seed);
        let at = |conflict_rate: f64| {
            let decision = engine.decide_on(&Requirement { conflict_rate, ..requirement.clone() }, findings);
            move |id| decision.ranked.iter().position(|one| one.solution == id)
        };
        let rates = [0.0, 0.05, 0.2, 0.5, 1.0];
        for (calm, wild) in rates.iter().zip(&rates[1..]) {
            let (calm, wild) = (at(*calm), at(*wild));
            for (hopes, waits) in optimistic.iter().flat_map(|one| waiting.iter().map(move |two| (*one, *two))) {
                let (Some(before), Some(before_waits)) = (calm(hopes), calm(waits)) else { continue };
                let (Some(after), Some(after_waits)) = (wild(hopes), wild(waits)) else { continue };
                compared += 1;
                assert!(before < before_waits || after > after_waits, "seed {seed}: {hopes:?} rose over {waits:?}");
            }
        }
    }
    assert!(compared > 100, "the draws hardly test anything: {compared}");
}

#[test]
fn fewer_freedoms_never_make_more_solutions_possible() {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    for seed in 0..DRAWS {
        let (requirement, findings) = drawn(seed);
        let possible = |requirement: &Requirement| -> BTreeSet<SolutionId> {
            engine.decide_on(requirement, findings).ranked.iter().map(|one| one.solution).collect()
        };
        let free = Requirement {
            may_retry: true,
            may_change_sql: true,
            may_change_schema: true,
            may_add_service: true,
            ..requirement.clone()
        };
        assert!(possible(&requirement).is_subset(&possible(&free)), "seed {seed}");
    }
}
