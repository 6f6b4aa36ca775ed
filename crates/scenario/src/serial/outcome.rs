//! What came of a set of transactions, and how two outcomes differ.

use pgstrata_pg::simple::Reply;

use super::contents::Contents;
use super::judgement::ContradictionKind;
use super::units::PartOf;

/// What each part was answered, and what the tables hold in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Sorted by the part; one that was run more than once comes more than once, in the order of its session.
    pub answers: Vec<(PartOf, Vec<Answer>)>,
    pub contents: Contents,
}

/// What one statement was answered.
///
/// Rows are compared without their order. That loses nothing: without `order by` the server may return them in any, and
/// with it their order follows from the rows themselves, but for ties. Notices are left out: functions raise them for
/// row versions that they look at and do not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done { tag: String, rows: Option<Vec<Vec<Option<String>>>> },
    Failed { sqlstate: String },
}

/// How far an outcome is from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distance {
    pub kind: ContradictionKind,
    /// How many answers and tables differ.
    pub differences: usize,
    /// The first of them.
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Table { name: String, found: Vec<String>, instead: Option<Vec<String>> },
    Answer { part: PartOf, found: Vec<Answer>, instead: Vec<Answer> },
}

pub(super) fn answers(replies: &[Reply]) -> Vec<Answer> {
    let answer = |reply: &Reply| match reply {
        Reply::Complete { tag, rows } => {
            let rows = rows.as_ref().map(|rows| {
                let mut rows = rows.rows.clone();
                rows.sort_unstable();
                rows
            });
            Some(Answer::Done { tag: tag.clone(), rows })
        }
        Reply::Error(error) => Some(Answer::Failed { sqlstate: error.sqlstate.clone() }),
        _ => None,
    };
    replies.iter().filter_map(answer).collect()
}

impl Outcome {
    pub(super) fn new(mut answers: Vec<(PartOf, Vec<Answer>)>, contents: Contents) -> Self {
        // Stable: parts that were run more than once keep their order.
        answers.sort_by_key(|(part, _)| *part);
        Self { answers, contents }
    }

    /// How another outcome of the same transactions differs from this one, if it does.
    pub(super) fn distance(&self, other: &Self) -> Option<Distance> {
        let answers = self.answers.iter().zip(&other.answers).filter(|(found, instead)| found != instead);
        let answers = answers.map(|((part, found), (_, instead))| What::Answer {
            part: *part,
            found: found.clone(),
            instead: instead.clone(),
        });
        let names = self.contents.keys().chain(other.contents.keys().filter(|name| !self.contents.contains_key(*name)));
        let tables =
            names.filter(|name| self.contents.get(*name) != other.contents.get(*name)).map(|name| What::Table {
                name: format!("{}.{}", name.0, name.1),
                found: self.contents.get(name).cloned().unwrap_or_default(),
                instead: other.contents.get(name).cloned(),
            });
        let tables: Vec<What> = tables.collect();
        let kind = if tables.is_empty() { ContradictionKind::Answers } else { ContradictionKind::Contents };
        let differences: Vec<What> = tables.into_iter().chain(answers).collect();
        let count = differences.len();
        differences.into_iter().next().map(|what| Distance { kind, differences: count, what })
    }

    /// Whether a statement failed inside a transaction that committed.
    pub(super) fn has_failures(&self) -> bool {
        self.answers.iter().flat_map(|(_, answers)| answers).any(|answer| matches!(answer, Answer::Failed { .. }))
    }
}
