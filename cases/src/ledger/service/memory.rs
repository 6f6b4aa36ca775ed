//! What a flush remembers from the ones before it: the accounts, and which keys may be in the books.
//!
//! Nothing depends on it being right. `post_batch` compares every account that was looked at with the table and refuses
//! where they differ; a key that was forgotten meets the unique index. Then everything is forgotten, and read again.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::ledger::admission::{Account, Posting};

/// How many accounts are remembered at most, about 150 MB; then all are forgotten.
const ACCOUNT_LIMIT: usize = 1 << 20;

/// How many keys are remembered at most, about 150 MB; then all are forgotten.
const KEY_LIMIT: usize = 1 << 22;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    accounts: HashMap<i64, Remembered>,
    keys: HashSet<Uuid>,
    /// The day that limits count by, as the server said when the first account was read.
    pub(super) today: i32,
    /// The number of the present flush.
    flush: u64,
    /// Whether keys that are not remembered may be in the books: always true of those of earlier instances, but the
    /// unique index tells that at no cost; set when it has.
    pub(super) ask_about_all_keys: bool,
}

/// An account in memory.
#[derive(Clone, Copy, Debug)]
struct Remembered {
    account: Account,
    /// The flush that last looked at it, and its last entry when that flush began.
    flush: u64,
    expected: i64,
}

/// An account that this flush has looked at: as it was, and as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) expected: i64,
    pub(super) account: Account,
}

impl Memory {
    /// Begins a flush: makes room.
    pub(super) fn begin(&mut self) {
        self.flush += 1;
        if self.accounts.len() > ACCOUNT_LIMIT {
            self.accounts.clear();
        }
        if self.keys.len() > KEY_LIMIT {
            self.keys.clear();
        }
    }

    /// Forgets what may be wrong, after a flush that was refused or undone.
    pub(super) fn distrust(&mut self) {
        self.accounts.clear();
        self.ask_about_all_keys = true;
    }

    /// Remembers a key; whether it may be in the books.
    pub(super) fn note_key(&mut self, key: Uuid) -> bool {
        !self.keys.insert(key) || self.ask_about_all_keys
    }

    pub(super) fn knows_account(&self, account_id: i64) -> bool {
        self.accounts.contains_key(&account_id)
    }

    /// Remembers accounts as they were just read.
    pub(super) fn learn(&mut self, accounts: impl Iterator<Item = Account>, today: i32) {
        if today != self.today {
            // What was spent on another day is not spent today.
            self.accounts.clear();
            self.today = today;
        }
        for account in accounts {
            self.accounts.insert(account.account_id, Remembered { account, flush: 0, expected: 0 });
        }
    }

    /// An account as it stands after everything that this flush has admitted. `first` is told of it the first time.
    pub(super) fn look(&mut self, account_id: i64, first: impl FnOnce()) -> Option<Account> {
        let remembered = self.accounts.get_mut(&account_id)?;
        if remembered.flush != self.flush {
            remembered.flush = self.flush;
            remembered.expected = remembered.account.last_entry;
            first();
        }
        Some(remembered.account)
    }

    /// What an account becomes.
    pub(super) fn apply(&mut self, posting: &Posting) {
        if let Some(remembered) = self.accounts.get_mut(&posting.account_id) {
            remembered.account.balance = posting.balance;
            remembered.account.spent = posting.spent;
            remembered.account.last_entry = posting.number;
        }
    }

    /// An account that this flush has looked at.
    pub(super) fn touched(&self, account_id: i64) -> Option<Touched> {
        let remembered = self.accounts.get(&account_id)?;
        Some(Touched { expected: remembered.expected, account: remembered.account })
    }
}
