//! Bank: money moves between accounts and none is made or lost, so every read of all balances must show the same total.
//!
//! The oldest test of isolation that users write themselves (Jepsen's bank workload). It finds torn reads and lost updates, and
//! nothing else; transfers are not replayed.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::Recorded;
use crate::model::{Status, Value};

/// What clients of a bank do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BankOperation {
    /// Moves money.
    Transfer {
        /// The account that pays.
        from: String,
        /// The account that is paid.
        to: String,
        /// How much.
        amount: Value,
    },
    /// Reads all balances.
    Read {
        /// What each account has; nothing where the answer never came. A balance of nothing was seen as null.
        balances: Option<Vec<(String, Option<Value>)>>,
    },
}

/// What must hold of every read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BankOptions {
    /// The total of all balances; the first complete read tells it otherwise.
    pub total: Option<Value>,
    /// The accounts that there are; the first complete read tells them otherwise.
    pub accounts: Option<BTreeSet<String>>,
    /// Accounts may be overdrawn.
    pub negative_allowed: bool,
}

/// What is wrong with one read of a bank. `index` is its place among the operations, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "violation")]
pub enum BankViolation {
    /// The total is another.
    WrongTotal {
        /// Which read.
        index: usize,
        /// What it must be.
        expected: i128,
        /// What was read.
        found: i128,
    },
    /// An account that does not exist, or one that exists is missing.
    WrongAccounts {
        /// Which read.
        index: usize,
        /// Accounts that nobody opened.
        unexpected: Vec<String>,
        /// Accounts that were not there.
        missing: Vec<String>,
    },
    /// An account had no balance at all.
    NullBalance {
        /// Which read.
        index: usize,
        /// Which accounts.
        accounts: Vec<String>,
    },
    /// An account was overdrawn.
    Negative {
        /// Which read.
        index: usize,
        /// Which accounts, and their balances.
        balances: Vec<(String, Value)>,
    },
}

/// All that is wrong with the reads of a bank, in the order of the history.
#[must_use]
pub fn check_bank(history: &[Recorded<BankOperation>], options: &BankOptions) -> Vec<BankViolation> {
    let reads = history.iter().enumerate().filter(|(_, record)| record.status == Status::Committed).filter_map(
        |(index, record)| match &record.operation {
            BankOperation::Read { balances: Some(balances) } => Some((index, balances.as_slice())),
            _ => None,
        },
    );
    let mut expected: Option<(i128, BTreeSet<&str>)> = None;
    let mut violations = Vec::new();
    for (index, balances) in reads {
        let (total, accounts) = expected.get_or_insert_with(|| {
            let total = options.total.map_or_else(|| sum(balances), i128::from);
            let accounts = match &options.accounts {
                Some(accounts) => accounts.iter().map(String::as_str).collect(),
                None => balances.iter().map(|(account, _)| account.as_str()).collect(),
            };
            (total, accounts)
        });
        let before = violations.len();
        violations.extend(wrong_accounts(index, balances, accounts));
        violations.extend(null_balances(index, balances));
        // A total over other accounts says nothing more.
        let found = sum(balances);
        if violations.len() == before && found != *total {
            violations.push(BankViolation::WrongTotal { index, expected: *total, found });
        }
        if !options.negative_allowed {
            violations.extend(negative(index, balances));
        }
    }
    violations
}

fn sum(balances: &[(String, Option<Value>)]) -> i128 {
    balances.iter().filter_map(|(_, balance)| balance.map(i128::from)).sum()
}

fn wrong_accounts(
    index: usize,
    balances: &[(String, Option<Value>)],
    expected: &BTreeSet<&str>,
) -> Option<BankViolation> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (account, _) in balances {
        *seen.entry(account).or_default() += 1;
    }
    let unexpected: BTreeSet<&str> = seen
        .iter()
        .filter(|(account, times)| !expected.contains(**account) || **times > 1)
        .map(|(name, _)| *name)
        .collect();
    let missing: Vec<String> =
        expected.iter().filter(|account| !seen.contains_key(**account)).map(|account| (*account).to_owned()).collect();
    let unexpected: Vec<String> = unexpected.into_iter().map(str::to_owned).collect();
    (!unexpected.is_empty() || !missing.is_empty()).then_some(BankViolation::WrongAccounts {
        index,
        unexpected,
        missing,
    })
}

fn null_balances(index: usize, balances: &[(String, Option<Value>)]) -> Option<BankViolation> {
    let accounts: Vec<String> =
        balances.iter().filter(|(_, balance)| balance.is_none()).map(|(account, _)| account.clone()).collect();
    (!accounts.is_empty()).then_some(BankViolation::NullBalance { index, accounts })
}

fn negative(index: usize, balances: &[(String, Option<Value>)]) -> Option<BankViolation> {
    let balances: Vec<(String, Value)> = balances
        .iter()
        .filter_map(|(account, balance)| {
            balance.filter(|balance| *balance < 0).map(|balance| (account.clone(), balance))
        })
        .collect();
    (!balances.is_empty()).then_some(BankViolation::Negative { index, balances })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(balances: &[(&str, Option<Value>)]) -> Recorded<BankOperation> {
        let balances = balances.iter().map(|(account, balance)| ((*account).to_owned(), *balance)).collect();
        Recorded {
            process: 0,
            status: Status::Committed,
            invoked_ns: 0,
            completed_ns: 1,
            operation: BankOperation::Read { balances: Some(balances) },
        }
    }

    #[test]
    fn a_torn_read_is_convicted_by_its_total() {
        let history = [
            read(&[("a", Some(60)), ("b", Some(40))]),
            read(&[("a", Some(50)), ("b", Some(40))]),
            read(&[("b", Some(50)), ("a", Some(50))]),
        ];
        let violations = check_bank(&history, &BankOptions::default());
        assert_eq!(violations, [BankViolation::WrongTotal { index: 1, expected: 100, found: 90 }]);
        let wanted = BankOptions { total: Some(90), ..BankOptions::default() };
        assert_eq!(check_bank(&history, &wanted).len(), 2, "the stated total counts, not the first read's");
    }

    #[test]
    fn strange_missing_null_and_overdrawn_accounts_are_named() {
        let history = [
            read(&[("a", Some(60)), ("b", Some(40))]),
            read(&[("a", Some(60)), ("c", Some(40))]),
            read(&[("a", Some(100)), ("b", None)]),
            read(&[("a", Some(110)), ("b", Some(-10))]),
        ];
        let violations = check_bank(&history, &BankOptions::default());
        assert_eq!(
            violations,
            [
                BankViolation::WrongAccounts { index: 1, unexpected: vec!["c".into()], missing: vec!["b".into()] },
                BankViolation::NullBalance { index: 2, accounts: vec!["b".into()] },
                BankViolation::Negative { index: 3, balances: vec![("b".into(), -10)] },
            ]
        );
        let overdraft = BankOptions { negative_allowed: true, ..BankOptions::default() };
        assert_eq!(check_bank(&history, &overdraft).len(), 2);
    }

    #[test]
    fn a_read_that_failed_or_never_answered_proves_nothing() {
        let mut failed = read(&[("a", Some(1))]);
        failed.status = Status::Aborted;
        let mut silent = read(&[]);
        silent.operation = BankOperation::Read { balances: None };
        let history = [failed, silent, read(&[("a", Some(100))])];
        assert_eq!(check_bank(&history, &BankOptions::default()), []);
    }
}
