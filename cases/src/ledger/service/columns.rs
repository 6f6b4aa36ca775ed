//! A batch as the columns that `post_batch` takes.

use pgstrata_pg::sql::ToSql;
use uuid::Uuid;

use super::legs::LegsColumn;
use super::memory::Memory;
use crate::ledger::admission::Posting;
use crate::ledger::transfer::{Receipt, Request};

/// The columns, in the order of `post_batch`'s parameters.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Accounts that were looked at, in the order of the first look.
    touched: Vec<i64>,
    written: Accounts,
    only_read: Accounts,
    transfer_ids: Vec<Uuid>,
    request_hashes: Vec<i64>,
    kinds: Vec<i16>,
    reversals_of: Vec<Option<Uuid>>,
    legs: LegsColumn,
    /// In the order in which they were admitted; closing makes columns of them.
    postings: Vec<(Uuid, Posting)>,
    entries: Entries,
}

#[derive(Debug, Default)]
struct Entries {
    transfer_ids: Vec<Uuid>,
    account_ids: Vec<i64>,
    numbers: Vec<i64>,
    currencies: Vec<i16>,
    amounts: Vec<i64>,
    balances: Vec<i64>,
}

#[derive(Debug, Default)]
struct Accounts {
    ids: Vec<i64>,
    revisions: Vec<i32>,
    expected: Vec<i64>,
    last_entries: Vec<i64>,
    balances: Vec<i64>,
    spents: Vec<i64>,
}

impl Columns {
    pub(super) fn with_room_for(requests: usize) -> Self {
        let mut columns = Self::default();
        columns.transfer_ids.reserve(requests);
        columns.request_hashes.reserve(requests);
        columns.kinds.reserve(requests);
        columns.reversals_of.reserve(requests);
        columns.legs.with_room_for(requests);
        columns.postings.reserve(2 * requests);
        columns
    }

    /// An account is looked at for the first time.
    pub(super) fn touch(&mut self, account_id: i64) {
        self.touched.push(account_id);
    }

    /// A transfer that was admitted.
    pub(super) fn add(&mut self, request: &Request, postings: &[Posting]) -> Receipt {
        self.transfer_ids.push(request.key);
        self.request_hashes.push(request.hash());
        self.kinds.push(request.kind() as i16);
        self.reversals_of.push(request.reversal_of());
        self.legs.add(postings);
        self.postings.extend(postings.iter().map(|posting| (request.key, *posting)));
        let first = postings.iter().min_by_key(|posting| posting.account_id);
        Receipt { transfer_id: request.key, entry: first.map_or(0, |posting| posting.number) }
    }

    /// Nothing more is added: writes down what the accounts were and what they have become.
    pub(super) fn close(&mut self, memory: &Memory) {
        // By id, so that whoever else locks several accounts in that order does not wait for us in a circle.
        self.touched.sort_unstable();
        for touched in self.touched.iter().filter_map(|id| memory.touched(*id)) {
            let is_written = touched.account.last_entry != touched.expected;
            let accounts = if is_written { &mut self.written } else { &mut self.only_read };
            accounts.ids.push(touched.account.account_id);
            accounts.revisions.push(touched.account.revision);
            accounts.expected.push(touched.expected);
            accounts.last_entries.push(touched.account.last_entry);
            accounts.balances.push(touched.account.balance);
            accounts.spents.push(touched.account.spent);
        }
        self.postings.sort_unstable_by_key(|(_, posting)| (posting.account_id, posting.number));
        self.entries = Entries::of(&self.postings);
    }

    /// Whether there is nothing to write and nothing to compare.
    pub(super) fn is_idle(&self) -> bool {
        self.touched.is_empty()
    }

    pub(super) fn values<'a>(&'a self, today: &'a i32) -> [&'a (dyn ToSql + Sync); 21] {
        [
            today,
            &self.written.ids,
            &self.written.revisions,
            &self.written.expected,
            &self.written.last_entries,
            &self.written.balances,
            &self.written.spents,
            &self.only_read.ids,
            &self.only_read.revisions,
            &self.only_read.last_entries,
            &self.transfer_ids,
            &self.request_hashes,
            &self.kinds,
            &self.reversals_of,
            &self.legs,
            &self.entries.transfer_ids,
            &self.entries.account_ids,
            &self.entries.numbers,
            &self.entries.currencies,
            &self.entries.amounts,
            &self.entries.balances,
        ]
    }
}

impl Entries {
    fn of(postings: &[(Uuid, Posting)]) -> Self {
        let column = |value: fn(&Posting) -> i64| postings.iter().map(|(_, posting)| value(posting)).collect();
        Self {
            transfer_ids: postings.iter().map(|(transfer_id, _)| *transfer_id).collect(),
            account_ids: column(|posting| posting.account_id),
            numbers: column(|posting| posting.number),
            currencies: postings.iter().map(|(_, posting)| posting.currency.0).collect(),
            amounts: column(|posting| posting.amount),
            balances: column(|posting| posting.balance),
        }
    }
}
