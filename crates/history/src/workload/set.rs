//! Set: elements are added and never removed, so what was acknowledged before a read began must be in it.
//!
//! After Jepsen's set-full: each element is judged on its own, from its addition through every read. An element that a
//! later read shows again was stale, not lost.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::Recorded;
use crate::model::{Status, Value};

/// What clients of a set do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetOperation {
    /// Adds an element.
    Add(Value),
    /// Reads the whole set; nothing where the answer never came.
    Read(Option<Vec<Value>>),
}

/// What is wrong with one element of a set. Indices are places among the operations, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "violation")]
pub enum SetViolation {
    /// Acknowledged or seen, and then missing from every read that began later, to the last.
    Lost {
        /// The element.
        element: Value,
        /// Its addition.
        added: usize,
        /// The first read that should have shown it.
        missing_from: usize,
    },
    /// Acknowledged or seen, missing from a read that began later, and seen again.
    Stale {
        /// The element.
        element: Value,
        /// Its addition.
        added: usize,
        /// The first read that should have shown it.
        missing_from: usize,
    },
    /// Read, although nobody added it, or its addition certainly failed.
    Unexpected {
        /// The element.
        element: Value,
        /// The first read that showed it.
        read: usize,
    },
    /// Read more than once in one read.
    Duplicated {
        /// The element.
        element: Value,
        /// The first read that showed it so.
        read: usize,
        /// How often.
        times: usize,
    },
}

/// What was found out about a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SetReport {
    /// What is wrong, ordered by element.
    pub violations: Vec<SetViolation>,
    /// Acknowledged elements that no read was late enough to show: nothing is known of them.
    pub never_read: Vec<Value>,
    /// Elements whose addition was never answered, and that were seen: they happened.
    pub recovered: Vec<Value>,
}

/// What is known of an element before the reads are gone through.
struct Element {
    added: usize,
    status: Status,
    /// When it must be visible: since its addition was acknowledged, or since a read that showed it was answered.
    known_ns: u64,
    missing_from: Option<usize>,
    /// The latest read, by its beginning, that could and that did show it.
    last_missing_ns: Option<u64>,
    last_seen_ns: Option<u64>,
}

/// Judges every element of a set.
#[must_use]
pub fn check_set(history: &[Recorded<SetOperation>]) -> SetReport {
    let mut elements = additions(history);
    let mut report = SetReport::default();
    // Answers in the order in which they came: what one read showed, a read that began after it must show.
    let mut reads: Vec<(usize, &Recorded<SetOperation>, &[Value])> = history
        .iter()
        .enumerate()
        .filter(|(_, record)| record.status == Status::Committed)
        .filter_map(|(index, record)| match &record.operation {
            SetOperation::Read(Some(values)) => Some((index, record, values.as_slice())),
            _ => None,
        })
        .collect();
    reads.sort_by_key(|(index, record, _)| (record.completed_ns, *index));
    for (index, record, values) in &reads {
        let counts = shown(*index, values, &elements, &mut report);
        for (value, element) in &mut elements {
            if counts.contains_key(value) {
                element.known_ns = element.known_ns.min(record.completed_ns);
                element.last_seen_ns = element.last_seen_ns.max(Some(record.invoked_ns));
            }
        }
    }
    for (index, record, values) in &reads {
        let shown: HashSet<Value> = values.iter().copied().collect();
        for (value, element) in &mut elements {
            if element.known_ns < record.invoked_ns && !shown.contains(value) {
                element.missing_from.get_or_insert(*index);
                element.last_missing_ns = element.last_missing_ns.max(Some(record.invoked_ns));
            }
        }
    }
    conclude(&elements, &mut report);
    report
}

fn additions(history: &[Recorded<SetOperation>]) -> HashMap<Value, Element> {
    let mut elements = HashMap::new();
    for (index, record) in history.iter().enumerate() {
        if let SetOperation::Add(value) = record.operation {
            let known_ns = if record.status == Status::Committed { record.completed_ns } else { u64::MAX };
            let element = elements.entry(value).or_insert(Element {
                added: index,
                status: record.status,
                known_ns,
                missing_from: None,
                last_missing_ns: None,
                last_seen_ns: None,
            });
            // Added more than once: one that succeeded is enough, and a failed one takes nothing away.
            element.known_ns = element.known_ns.min(known_ns);
            if element.status != Status::Committed && record.status != Status::Aborted {
                element.status = record.status;
            }
        }
    }
    elements
}

/// Counts what a read shows, and notes what it should not.
fn shown(
    read: usize,
    values: &[Value],
    elements: &HashMap<Value, Element>,
    report: &mut SetReport,
) -> HashMap<Value, usize> {
    let mut counts: HashMap<Value, usize> = HashMap::new();
    for value in values {
        *counts.entry(*value).or_default() += 1;
    }
    for (&element, &times) in &counts {
        let is_possible = elements.get(&element).is_some_and(|known| known.status != Status::Aborted);
        if !is_possible {
            report.violations.push(SetViolation::Unexpected { element, read });
        }
        if times > 1 {
            report.violations.push(SetViolation::Duplicated { element, read, times });
        }
    }
    counts
}

fn conclude(elements: &HashMap<Value, Element>, report: &mut SetReport) {
    for (&value, element) in elements {
        let added = element.added;
        match (element.missing_from, element.last_missing_ns > element.last_seen_ns) {
            (Some(missing_from), true) => {
                report.violations.push(SetViolation::Lost { element: value, added, missing_from });
            }
            (Some(missing_from), false) => {
                report.violations.push(SetViolation::Stale { element: value, added, missing_from });
            }
            (None, _) if element.status == Status::Committed && element.last_seen_ns.is_none() => {
                report.never_read.push(value);
            }
            (None, _) if element.status == Status::Unknown && element.last_seen_ns.is_some() => {
                report.recovered.push(value);
            }
            (None, _) => {}
        }
    }
    report.violations.sort_by_key(SetViolation::order);
    report.violations.dedup_by_key(|violation| {
        let (element, kind, _) = violation.order();
        (element, kind)
    });
    report.never_read.sort_unstable();
    report.recovered.sort_unstable();
}

impl SetViolation {
    /// By element, kind and place.
    fn order(&self) -> (Value, u8, usize) {
        match *self {
            Self::Lost { element, missing_from, .. } => (element, 0, missing_from),
            Self::Stale { element, missing_from, .. } => (element, 1, missing_from),
            Self::Unexpected { element, read } => (element, 2, read),
            Self::Duplicated { element, read, .. } => (element, 3, read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(operations: Vec<(Status, u64, u64, SetOperation)>) -> Vec<Recorded<SetOperation>> {
        let record = |(status, invoked_ns, completed_ns, operation)| Recorded {
            process: 0,
            status,
            invoked_ns,
            completed_ns,
            operation,
        };
        operations.into_iter().map(record).collect()
    }

    #[test]
    fn an_acknowledged_element_that_later_reads_miss_is_lost_and_one_that_comes_back_is_stale() {
        use SetOperation::{Add, Read};
        use Status::Committed;
        let report = check_set(&history(vec![
            (Committed, 0, 1, Add(1)),
            (Committed, 0, 1, Add(2)),
            (Committed, 2, 3, Read(Some(vec![]))),
            (Committed, 4, 5, Read(Some(vec![2]))),
        ]));
        assert_eq!(
            report.violations,
            [
                SetViolation::Lost { element: 1, added: 0, missing_from: 2 },
                SetViolation::Stale { element: 2, added: 1, missing_from: 2 },
            ]
        );
    }

    #[test]
    fn an_element_once_seen_must_stay_even_if_its_addition_was_never_answered() {
        use SetOperation::{Add, Read};
        let report = check_set(&history(vec![
            (Status::Unknown, 0, u64::MAX, Add(7)),
            (Status::Committed, 1, 2, Read(Some(vec![7]))),
            (Status::Committed, 3, 4, Read(Some(vec![]))),
        ]));
        assert_eq!(report.violations, [SetViolation::Lost { element: 7, added: 0, missing_from: 2 }]);
    }

    #[test]
    fn strangers_failures_and_duplicates_are_named_once_each() {
        use SetOperation::{Add, Read};
        let report = check_set(&history(vec![
            (Status::Aborted, 0, 1, Add(1)),
            (Status::Committed, 0, 1, Add(2)),
            (Status::Committed, 2, 3, Read(Some(vec![1, 2, 2, 9]))),
            (Status::Committed, 4, 5, Read(Some(vec![1, 2, 9]))),
        ]));
        assert_eq!(
            report.violations,
            [
                SetViolation::Unexpected { element: 1, read: 2 },
                SetViolation::Duplicated { element: 2, read: 2, times: 2 },
                SetViolation::Unexpected { element: 9, read: 2 },
            ]
        );
    }

    #[test]
    fn what_no_read_was_late_enough_to_show_is_not_judged() {
        use SetOperation::{Add, Read};
        let report = check_set(&history(vec![
            (Status::Committed, 0, 10, Add(1)),
            (Status::Committed, 5, 6, Read(Some(vec![]))),
            (Status::Unknown, 0, u64::MAX, Add(2)),
            (Status::Committed, 5, 6, Read(Some(vec![2]))),
        ]));
        assert_eq!(report, SetReport { violations: vec![], never_read: vec![1], recovered: vec![2] });
    }
}
