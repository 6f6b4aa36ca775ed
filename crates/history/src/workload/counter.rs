//! Counter: concurrent additions bound what a read may show.
//!
//! An addition that was acknowledged before a read began counts; one that was begun before the read's answer may count;
//! a failed one does not. So every read has a lowest and a highest value it may show (Jepsen's counter checker). Within
//! these bounds nothing is judged: a read inside them can still be wrong.

use serde::Serialize;

use super::Recorded;
use crate::model::{Status, Value};

/// What clients of a counter do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterOperation {
    /// Adds to it; a negative number subtracts.
    Add(Value),
    /// Reads it; nothing where the answer never came.
    Read(Option<Value>),
}

/// A read outside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CounterViolation {
    /// The read's place among the operations, from 0.
    pub index: usize,
    /// The least that it could show.
    pub lowest: i128,
    /// The most.
    pub highest: i128,
    /// What it showed.
    pub found: Value,
}

/// All reads that show what the counter cannot have been. It starts at 0.
#[must_use]
pub fn check_counter(history: &[Recorded<CounterOperation>]) -> Vec<CounterViolation> {
    let additions = Additions::of(history);
    let mut violations = Vec::new();
    for (index, record) in history.iter().enumerate() {
        let (Status::Committed, CounterOperation::Read(Some(found))) = (record.status, record.operation) else {
            continue;
        };
        // Up: certain additions of positive amounts, possible ones of negative amounts. And the other way round.
        let lowest = additions.certain_up.until(record.invoked_ns, false)
            + additions.possible_down.until(record.completed_ns, true);
        let highest = additions.possible_up.until(record.completed_ns, true)
            + additions.certain_down.until(record.invoked_ns, false);
        if !(lowest..=highest).contains(&i128::from(found)) {
            violations.push(CounterViolation { index, lowest, highest, found });
        }
    }
    violations
}

/// Sums of additions by the time from which they count.
struct Additions {
    certain_up: Sums,
    certain_down: Sums,
    possible_up: Sums,
    possible_down: Sums,
}

impl Additions {
    fn of(history: &[Recorded<CounterOperation>]) -> Self {
        let times = |is_wanted: fn(Status) -> bool, is_up: bool, time: fn(&Recorded<CounterOperation>) -> u64| {
            let wanted = history.iter().filter(|record| is_wanted(record.status));
            Sums::of(wanted.filter_map(|record| match record.operation {
                CounterOperation::Add(amount) if (amount > 0) == is_up => Some((time(record), amount)),
                _ => None,
            }))
        };
        let certain = |is_up| times(|status| status == Status::Committed, is_up, |record| record.completed_ns);
        let possible = |is_up| times(|status| status != Status::Aborted, is_up, |record| record.invoked_ns);
        Self {
            certain_up: certain(true),
            certain_down: certain(false),
            possible_up: possible(true),
            possible_down: possible(false),
        }
    }
}

/// Running sums, ordered by time.
struct Sums(Vec<(u64, i128)>);

impl Sums {
    fn of(additions: impl Iterator<Item = (u64, Value)>) -> Self {
        let mut sums: Vec<(u64, i128)> = additions.map(|(time_ns, amount)| (time_ns, i128::from(amount))).collect();
        sums.sort_by_key(|(time_ns, _)| *time_ns);
        let mut sum = 0;
        for (_, amount) in &mut sums {
            sum += *amount;
            *amount = sum;
        }
        Self(sums)
    }

    /// The sum of all before a time, or until and with it.
    fn until(&self, time_ns: u64, inclusive: bool) -> i128 {
        let count = self.0.partition_point(|(at, _)| if inclusive { *at <= time_ns } else { *at < time_ns });
        if count == 0 { 0 } else { self.0[count - 1].1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operations: &[(Status, u64, u64, CounterOperation)], expected: &[CounterViolation]) {
        let record = |&(status, invoked_ns, completed_ns, operation)| Recorded {
            process: 0,
            status,
            invoked_ns,
            completed_ns,
            operation,
        };
        let history: Vec<_> = operations.iter().map(record).collect();
        assert_eq!(check_counter(&history), expected);
    }

    #[test]
    fn a_read_may_show_concurrent_additions_and_must_show_earlier_ones() {
        use CounterOperation::{Add, Read};
        use Status::Committed;
        check(
            &[
                (Committed, 0, 1, Add(5)),
                (Committed, 2, 6, Add(-2)),
                (Committed, 3, 4, Read(Some(5))),
                (Committed, 3, 4, Read(Some(3))),
                (Committed, 3, 4, Read(Some(2))),
                (Committed, 7, 8, Read(Some(5))),
            ],
            &[
                CounterViolation { index: 4, lowest: 3, highest: 5, found: 2 },
                CounterViolation { index: 5, lowest: 3, highest: 3, found: 5 },
            ],
        );
    }

    #[test]
    fn a_failed_addition_never_counts_and_an_unknown_one_may_for_ever() {
        use CounterOperation::{Add, Read};
        check(
            &[
                (Status::Aborted, 0, 1, Add(100)),
                (Status::Unknown, 0, u64::MAX, Add(1)),
                (Status::Committed, 50, 51, Read(Some(0))),
                (Status::Committed, 50, 51, Read(Some(1))),
                (Status::Committed, 50, 51, Read(Some(100))),
            ],
            &[CounterViolation { index: 4, lowest: 0, highest: 1, found: 100 }],
        );
    }
}
