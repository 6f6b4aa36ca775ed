//! Simple objects that do what they should are never convicted: each operation takes effect at one moment between its
//! beginning and its end, and clients hear of some ends only.

use std::collections::BTreeMap;

use pgstrata_history::linearizable::{SearchLimits, check_linearizable};
use pgstrata_history::workload::Recorded;
use pgstrata_history::workload::bank::{BankOperation, BankOptions, check_bank};
use pgstrata_history::workload::counter::{CounterOperation, check_counter};
use pgstrata_history::workload::set::{SetOperation, SetViolation, check_set};
use pgstrata_history::{HistoryBuilder, Operation, Read, Status};
use proptest::collection::vec;
use proptest::prelude::*;

/// One operation of an object that works: when it takes effect, how long before it was begun and after it is answered, what
/// its client hears of it, and numbers to choose by.
#[derive(Clone, Copy, Debug)]
struct Act {
    at_ns: u64,
    before_ns: u64,
    after_ns: u64,
    fate: Fate,
    is_read: bool,
    number: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It was done, and nobody heard of it.
    Silent,
    /// It was not done, and nobody knows.
    Vanished,
    /// It was not done, and its client knows.
    Refused,
}

impl Act {
    fn is_done(&self) -> bool {
        matches!(self.fate, Fate::Answered | Fate::Silent)
    }

    fn record<T>(&self, process: usize, operation: T) -> Recorded<T> {
        let status = match self.fate {
            Fate::Answered => Status::Committed,
            Fate::Silent | Fate::Vanished => Status::Unknown,
            Fate::Refused => Status::Aborted,
        };
        let completed_ns = if status == Status::Unknown { u64::MAX } else { self.at_ns + self.after_ns };
        let process = u32::try_from(process).unwrap_or(u32::MAX);
        Recorded { process, status, invoked_ns: self.at_ns - self.before_ns, completed_ns, operation }
    }
}

/// Acts in the order in which they take effect.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::Silent),
        1 => Just(Fate::Vanished),
        1 => Just(Fate::Refused),
    ];
    let act = (1_u64..20, 0_u64..200, 0_u64..200, fate, any::<bool>(), 0_i64..1_000);
    vec(act, 1..60).prop_map(|drafts| {
        let mut now_ns = 1_000;
        let act = |(pause, before_ns, after_ns, fate, is_read, number)| {
            now_ns += pause;
            Act { at_ns: now_ns, before_ns, after_ns, fate, is_read, number }
        };
        drafts.into_iter().map(act).collect()
    })
}

/// In the order in which they were begun, as histories are.
fn begun<T>(mut records: Vec<Recorded<T>>) -> Vec<Recorded<T>> {
    records.sort_by_key(|record| record.invoked_ns);
    records
}

fn counter(acts: &[Act]) -> Vec<Recorded<CounterOperation>> {
    let mut value = 0;
    let record = |(process, act): (usize, &Act)| {
        if act.is_read {
            return act.record(process, CounterOperation::Read((act.fate == Fate::Answered).then_some(value)));
        }
        let amount = act.number - 500;
        value += if act.is_done() { amount } else { 0 };
        act.record(process, CounterOperation::Add(amount))
    };
    begun(acts.iter().enumerate().map(record).collect())
}

fn set(acts: &[Act]) -> Vec<Recorded<SetOperation>> {
    let mut elements = Vec::new();
    let record = |(process, act): (usize, &Act)| {
        if act.is_read {
            return act.record(process, SetOperation::Read((act.fate == Fate::Answered).then(|| elements.clone())));
        }
        let element = i64::try_from(process).unwrap_or(0);
        if act.is_done() {
            elements.push(element);
        }
        act.record(process, SetOperation::Add(element))
    };
    begun(acts.iter().enumerate().map(record).collect())
}

fn bank(acts: &[Act]) -> Vec<Recorded<BankOperation>> {
    let mut balances: BTreeMap<String, i64> = ["a", "b", "c"].map(|name| (name.to_owned(), 100)).into();
    let names = ["a", "b", "c"];
    let record = |(process, act): (usize, &Act)| {
        if act.is_read {
            let seen = balances.iter().map(|(name, balance)| (name.clone(), Some(*balance))).collect();
            return act.record(process, BankOperation::Read { balances: (act.fate == Fate::Answered).then_some(seen) });
        }
        let choice = usize::try_from(act.number).unwrap_or(0);
        let (from, to) = (names[choice % 3].to_owned(), names[choice / 3 % 3].to_owned());
        let amount = (act.number % 50).min(balances[&from]);
        if act.is_done() {
            *balances.entry(from.clone()).or_default() -= amount;
            *balances.entry(to.clone()).or_default() += amount;
        }
        act.record(process, BankOperation::Transfer { from, to, amount })
    };
    begun(acts.iter().enumerate().map(record).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_counter_that_counts_is_not_convicted(acts in acts()) {
        prop_assert_eq!(check_counter(&counter(&acts)), []);
    }

    #[test]
    fn a_set_that_keeps_is_not_convicted_and_a_lost_element_is(acts in acts()) {
        let mut history = set(&acts);
        prop_assert_eq!(check_set(&history).violations, []);
        // Take an element out of all reads although it was acknowledged before one of them began.
        let acknowledged = history.iter().enumerate().find_map(|(index, record)| match record.operation {
            SetOperation::Add(element) if record.status == Status::Committed => Some((index, element, record.completed_ns)),
            _ => None,
        });
        let Some((added, element, completed_ns)) = acknowledged else { return Ok(()) };
        let mut missing_from = None;
        for (index, record) in history.iter_mut().enumerate() {
            if let SetOperation::Read(Some(elements)) = &mut record.operation {
                elements.retain(|other| *other != element);
                if record.invoked_ns > completed_ns {
                    missing_from.get_or_insert((record.completed_ns, index));
                }
            }
        }
        let lost = check_set(&history).violations;
        match missing_from {
            None => prop_assert_eq!(lost, []),
            Some(_) => prop_assert!(
                matches!(lost[..], [SetViolation::Lost { element: e, added: a, .. }] if (e, a) == (element, added)),
                "{:?}", lost
            ),
        }
    }

    #[test]
    fn a_bank_that_conserves_is_not_convicted_and_a_torn_read_is(acts in acts(), torn in any::<prop::sample::Index>()) {
        let mut history = bank(&acts);
        let options = BankOptions { total: Some(300), ..BankOptions::default() };
        prop_assert_eq!(check_bank(&history, &options), []);
        let reads: Vec<usize> = (0..history.len())
            .filter(|place| matches!(history[*place].operation, BankOperation::Read { balances: Some(_) }))
            .collect();
        if reads.is_empty() {
            return Ok(());
        }
        let place = *torn.get(&reads);
        if let BankOperation::Read { balances: Some(balances) } = &mut history[place].operation {
            balances[0].1 = balances[0].1.map(|balance| balance + 1);
        }
        prop_assert_eq!(check_bank(&history, &options).len(), 1);
    }

}

proptest! {
    // The search for repeated values is slow without optimisation.
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_register_that_is_atomic_is_linearizable(acts in acts(), values in prop_oneof![Just(4_i64), Just(1_000_000)]) {
        let mut builder = HistoryBuilder::new();
        let key = builder.key("x");
        let mut state = Read::Initial;
        let mut records = Vec::new();
        for (process, act) in acts.iter().enumerate() {
            let number = i64::try_from(process).unwrap_or(0) % values;
            let operation = if act.is_read {
                Operation::Read { key, seen: if act.fate == Fate::Answered { state } else { Read::Unknown } }
            } else {
                if act.is_done() {
                    state = Read::Value(number);
                }
                Operation::Write { key, value: number }
            };
            records.push(act.record(process, operation));
        }
        for record in begun(records) {
            builder.push(record.process, record.status, (record.invoked_ns, record.completed_ns), &[record.operation]);
        }
        let limits = SearchLimits { steps: 10_000, ..SearchLimits::default() };
        let found = check_linearizable(&builder.finish(), limits).expect("single operations");
        prop_assert!(found.violations.is_empty(), "{:?}", found);
    }
}
