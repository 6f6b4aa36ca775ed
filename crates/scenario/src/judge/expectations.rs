//! Compares what happened with what the scenario's text says must come of it.

use pgstrata_history::Anomaly;
use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use super::{Checked, is_of_family, promise};
use crate::language::{Action, Cell, Clause, Scenario, Step, What};
use crate::play::{Played, StepRecord, TransactionEnd, Why};

/// One way in which a play is not what its scenario says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Complaint {
    /// It could not be played to its end.
    #[error("{0}")]
    Stopped(Why),
    /// A step ended otherwise.
    #[error("line {line}: expected {expected}, and it {found}")]
    Step {
        /// The step's line.
        line: usize,
        /// What must come of it.
        expected: String,
        /// What did.
        found: String,
    },
    /// Other transactions failed than should.
    #[error("expected: {expected}; but {found}")]
    Ends {
        /// Which should fail, in the words of the language.
        expected: String,
        /// Which did.
        found: String,
    },
    /// The checked history is not what the text says.
    #[error("expected anomaly {}, found {}", name(.expected.as_ref()), name(.found.as_ref()))]
    Anomaly {
        /// What the text says.
        expected: Option<Anomaly>,
        /// What was found.
        found: Option<Anomaly>,
    },
    /// The transactions could not have run one after the other, and no single answer tells why.
    #[error("the outcome is that of no order of the transactions, and no single answer tells why")]
    Unexplained,
    /// The level promises that this does not happen.
    #[error("{anomaly} must not happen at {level}")]
    BrokenPromise {
        /// What was found.
        anomaly: Anomaly,
        /// Where.
        level: Isolation,
    },
    /// An invariant is broken at the end.
    #[error("invariant \"{name}\" is broken by {}", rows_words(.rows))]
    Invariant {
        /// Its name.
        name: String,
        /// The rows that it returned.
        rows: Vec<Vec<Cell>>,
    },
}

fn name(anomaly: Option<&Anomaly>) -> String {
    anomaly.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn rows_words(rows: &[Vec<Cell>]) -> String {
    What::Rows(rows.to_vec()).to_string()
}

pub(super) fn complaints(scenario: &Scenario, played: &Played, checked: &Checked) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let is_as_written = played.order.is_sorted();
    if let Some(why) = &played.stopped {
        // An order drawn by lot may be one that cannot happen.
        if is_as_written {
            complaints.push(Complaint::Stopped(why.clone()));
        }
        return complaints;
    }
    let clauses: Vec<&Clause> = scenario.clauses(played.level).collect();
    if is_as_written {
        steps(scenario, played, &mut complaints);
        ends(&clauses, played, &mut complaints);
    }
    let expected = clauses.iter().find_map(|clause| match clause {
        Clause::Anomaly(None) => Some(Expected::None),
        Clause::Anomaly(Some(anomaly)) => Some(Expected::This(*anomaly)),
        Clause::AllCommit | Clause::Fail { .. } => None,
    });
    let expected = expected.unwrap_or(Expected::WhatIsPromised);
    let of_written = if is_as_written { expected } else { Expected::WhatIsPromised };
    meaning(of_written, played.level, checked, &mut complaints);
    // Where an anomaly is expected, so is what it breaks.
    if !matches!(expected, Expected::This(_)) {
        let broken = played.broken_invariants.iter();
        complaints.extend(broken.map(|(name, rows)| Complaint::Invariant { name: name.clone(), rows: rows.clone() }));
    }
    complaints
}

/// What the text says about the meaning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// That it is serial.
    None,
    /// That it is this.
    This(Anomaly),
    /// Nothing, so that what the level promises must do.
    WhatIsPromised,
}

fn meaning(expected: Expected, level: Isolation, checked: &Checked, complaints: &mut Vec<Complaint>) {
    if checked.undecided {
        return;
    }
    let Some(found) = checked.anomaly else {
        match expected {
            _ if checked.is_anomalous() => complaints.push(Complaint::Unexplained),
            Expected::This(anomaly) => complaints.push(Complaint::Anomaly { expected: Some(anomaly), found: None }),
            Expected::None | Expected::WhatIsPromised => {}
        }
        return;
    };
    match expected {
        Expected::This(anomaly) if is_of_family(found, anomaly) => {}
        Expected::This(anomaly) => complaints.push(Complaint::Anomaly { expected: Some(anomaly), found: Some(found) }),
        Expected::None => complaints.push(Complaint::Anomaly { expected: None, found: Some(found) }),
        Expected::WhatIsPromised if promise(level).forbids(found) => {
            complaints.push(Complaint::BrokenPromise { anomaly: found, level });
        }
        Expected::WhatIsPromised => {}
    }
}

fn steps(scenario: &Scenario, played: &Played, complaints: &mut Vec<Complaint>) {
    let all: Vec<&Step> = scenario.steps().collect();
    for record in &played.steps {
        let step = all[record.step];
        if record.skipped {
            continue;
        }
        let mut expected = step.outcomes_at(played.level).peekable();
        let says_something = expected.peek().is_some();
        let mut may_wait = false;
        let shown = shown_by(record, &all, played);
        for what in expected {
            if *what == What::Blocks {
                may_wait = true;
                if !record.blocked {
                    complaints.push(Complaint::Step {
                        line: step.line,
                        expected: what.to_string(),
                        found: found(shown),
                    });
                }
            } else if !shown.and_then(|shown| shown.answer.as_ref()).is_some_and(|answer| answer.is(what)) {
                complaints.push(Complaint::Step { line: step.line, expected: what.to_string(), found: found(shown) });
            }
        }
        if record.blocked && says_something && !may_wait {
            let expected = "an answer without waiting".to_owned();
            complaints.push(Complaint::Step {
                line: step.line,
                expected,
                found: "waited for another session".to_owned(),
            });
        }
    }
}

/// Whose answer a step shows: its own, or for `resumes` and `release` that of the session's statement before it.
fn shown_by<'a>(record: &'a StepRecord, steps: &[&Step], played: &'a Played) -> Option<&'a StepRecord> {
    let step = steps[record.step];
    if matches!(step.action, Action::Sql { .. } | Action::Begin(_)) {
        return Some(record);
    }
    let before = played.steps.iter().take_while(|other| other.step != record.step);
    before
        .filter(|other| {
            steps[other.step].session == step.session && matches!(steps[other.step].action, Action::Sql { .. })
        })
        .last()
}

fn found(record: Option<&StepRecord>) -> String {
    match record.map(|record| (record, &record.answer)) {
        Some((_, Some(answer))) => match &answer.error {
            Some(sqlstate) => format!("failed with {sqlstate}: {}", answer.message),
            None => format!("gave {}", answer.what()),
        },
        Some((StepRecord { blocked: true, .. }, None)) => "waited for another session".to_owned(),
        _ => "gave nothing".to_owned(),
    }
}

fn ends(clauses: &[&Clause], played: &Played, complaints: &mut Vec<Complaint>) {
    let mut failed: Vec<(String, &str)> = Vec::new();
    for (place, transaction) in played.transactions.iter().enumerate() {
        match &transaction.end {
            TransactionEnd::Failed(sqlstate) => failed.push((transaction.session.clone(), sqlstate)),
            TransactionEnd::Open => failed.push((played.transaction_name(place), "without an end")),
            TransactionEnd::Committed | TransactionEnd::RolledBack => {}
        }
    }
    let fits = |clause: &Clause| match clause {
        Clause::Anomaly(_) => true,
        Clause::AllCommit => failed.is_empty(),
        Clause::Fail { sessions, one, sqlstate } => {
            let each_is_meant = failed.iter().all(|(session, state)| sessions.contains(session) && state == sqlstate);
            each_is_meant && failed.len() == if *one { 1 } else { sessions.len() }
        }
    };
    for clause in clauses.iter().filter(|clause| !fits(clause)) {
        let words: Vec<String> =
            failed.iter().map(|(session, sqlstate)| format!("{session} failed ({sqlstate})")).collect();
        let found = if words.is_empty() { "all committed".to_owned() } else { words.join(", ") };
        complaints.push(Complaint::Ends { expected: clause.to_string(), found });
    }
}
