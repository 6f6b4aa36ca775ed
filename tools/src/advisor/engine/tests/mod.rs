//! The engine held against cases that an engineer can check by hand, and against laws that no case may break.

mod cases;
mod laws;
mod shape;

use std::collections::BTreeSet;

use super::*;

#[test]
fn each_case_gets_the_answer_that_an_engineer_would_give() {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    let mut wrong = Vec::new();
    for case in cases::CASES {
        let requirement = Requirement::from_json(case.answers).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let decision = engine.decide_on(&requirement, case.findings);
        let best = decision.best().map(|one| one.solution);
        let beside: Vec<SolutionId> =
            decision.best().into_iter().flat_map(|one| &one.beside).map(|one| one.solution).collect();
        if best != case.best || beside != case.beside {
            wrong.push(format!(
                "{}: {best:?} with {beside:?}, expected {:?} with {:?}",
                case.name, case.best, case.beside
            ));
        }
        for (solution, rule) in case.rejected {
            let reasons = decision.rejected.iter().find(|one| one.solution == *solution).map(|one| &one.because);
            let named = reasons.is_some_and(|reasons| reasons.iter().any(|because| because.rule == *rule));
            if !named {
                wrong.push(format!("{}: {solution:?} is not rejected by {rule}: {reasons:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases::CASES.len() >= 40);
}

#[test]
fn each_rule_is_taken_in_a_case_and_not_taken_in_another() {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    let (mut taken, mut left) = (BTreeSet::new(), BTreeSet::new());
    for case in cases::CASES {
        let requirement = Requirement::from_json(case.answers).expect("a case");
        for step in engine.decide_on(&requirement, case.findings).trace {
            if step.taken {
                taken.insert(step.rule)
            } else {
                left.insert(step.rule)
            };
        }
    }
    let all: BTreeSet<String> = RuleSet::shipped().rules.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(all.difference(&taken).collect::<Vec<_>>(), Vec::<&String>::new(), "never taken");
    assert_eq!(all.difference(&left).collect::<Vec<_>>(), Vec::<&String>::new(), "always taken");
}

#[test]
fn each_solution_is_an_answer_in_a_case_and_rejected_for_a_reason_with_a_source_in_another() {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    let (mut possible, mut rejected) = (BTreeSet::new(), BTreeSet::new());
    for case in cases::CASES {
        let requirement = Requirement::from_json(case.answers).expect("a case");
        let decision = engine.decide_on(&requirement, case.findings);
        let beside = decision.ranked.iter().flat_map(|one| &one.beside).chain(&decision.suggested);
        possible.extend(decision.ranked.iter().map(|one| one.solution).chain(beside.map(|one| one.solution)));
        for one in &decision.rejected {
            assert!(!one.because.is_empty(), "{}: {:?}", case.name, one.solution);
            for because in &one.because {
                let said = [&because.rule, &because.source, &because.text.en, &because.text.zh];
                assert!(said.iter().all(|text| !text.is_empty()), "{}: {because:?}", case.name);
            }
            rejected.insert(one.solution);
        }
    }
    let lacking = |found: &BTreeSet<SolutionId>| {
        SolutionId::ALL.iter().filter(|id| !found.contains(id)).copied().collect::<Vec<_>>()
    };
    assert_eq!(lacking(&possible), [], "never an answer, nor beside one");
    assert_eq!(lacking(&rejected), [], "never rejected");
}

#[test]
fn where_nothing_fits_the_engine_says_so_with_the_reasons() {
    let answers =
        r#"{"invariants": ["no_oversell"], "distribution": "multi_writer", "availability": "always_writable"}"#;
    let requirement = Requirement::from_json(answers).expect("valid");
    let nothing = DecisionEngine::shipped().recommend(&requirement).expect_err("no algorithm keeps a floor there");
    let why = nothing.decision.why_not(SolutionId::Crdt).expect("a reason");
    assert!(why.en.contains("never sell more than there is") && why.zh.contains("绝不超卖"), "{why:?}");
    assert!(!nothing.hint().is_empty());
}

#[test]
fn the_trace_shows_what_each_rule_asked_and_found() {
    let requirement = Requirement::from_json(r#"{"conflict_rate": 0.3}"#).expect("valid");
    let decision = DecisionEngine::shipped().decide(&requirement, None);
    let step = decision.trace.iter().find(|step| step.rule == "frequent-conflicts").expect("tried");
    assert!(step.taken && step.weighs.contains(&(SolutionId::OptimisticVersion, -14)));
    let [observed] = step.observed.as_slice() else { panic!("{step:?}") };
    assert_eq!(observed.what.en, "conflict_rate is 0.3; at least 0.2?");
    assert_eq!((observed.holds, observed.field.as_deref()), (true, Some("conflict_rate")));
}

#[test]
fn a_better_ranked_solution_is_the_reason_against_the_next_one() {
    let requirement = Requirement::from_json(r#"{"invariants": ["no_oversell"]}"#).expect("valid");
    let decision = DecisionEngine { rules: RuleSet::shipped(), ml_model: None }.decide(&requirement, None);
    assert_eq!(decision.why_not(decision.ranked[0].solution), None);
    let why = decision.why_not(decision.ranked[1].solution).expect("a reason");
    assert!(why.en.contains("place 2 behind \"One conditional statement\""), "{why:?}");
}
