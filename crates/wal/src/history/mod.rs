//! The lives of row versions, folded from the log: who made each, from which one, who locked it, what took its place,
//! whether that was rolled back, when it was frozen and when it left the disk. And what anybody would have seen.
//!
//! Pages forget: the next update overwrites the pointer to a version that was rolled back, pruning takes old ones away. The log
//! does not, so a [`History`] keeps the links that are on no page any more. All it says is exact as long as the records
//! came without a gap; what it cannot know it says it does not know (`None`, [`Status::Unknown`]).
//!
//! It is bounded by [`Limits`]. What is forgotten first: versions that left the disk, in the order in which they did;
//! transactions that ended, by their ids. A question that would need them gets no answer, not a wrong one.
//!
//! # Positions
//!
//! "At a position" is after all records that *begin* before it; the end of a record is such a position. The order of the
//! log is not exactly the order in which others see commits: a commit's record is written before the transaction is
//! taken off the list of running ones (`src/backend/access/transam/xact.c`, `CommitTransaction`).

mod as_of;
mod fold;
mod memory;
mod statuses;
mod store;
mod transactions;
mod version;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pgstrata_tuple::{ItemPointer, Judgement, Member, Reason, Status, TupleHeader, Viewer, judge};
use pgstrata_units::{Lsn, Snapshot, Xid};

use crate::block::RelFile;
use crate::error::DecodeError;
use crate::operation::{LogOperation, Operation};
use crate::record::Record;
use crate::replay::{Page, PageId, Pages, Touched};
use crate::running::MultixactOperation;
use crate::transaction::TransactionOperation;

pub use as_of::AsOf;
pub use store::Versions;
pub use transactions::{Ended, Life, Outcome, Seed, Transactions};
pub use version::{Removal, RemovalReason, State, Step, Version, VersionId, VersionName};

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Versions, on disk or not.
    pub versions: usize,
    /// Bytes of rows of those versions.
    pub row_bytes: usize,
    /// Headers of one version.
    pub states_per_version: usize,
    /// Transactions that have ended.
    pub transactions: usize,
    /// Multixacts.
    pub multixacts: usize,
    /// Pages, of 8 kB each.
    pub pages: usize,
}

impl Default for Limits {
    /// About 250 MB when full.
    fn default() -> Self {
        Self {
            versions: 200_000,
            row_bytes: 64 << 20,
            states_per_version: 64,
            transactions: 100_000,
            multixacts: 100_000,
            pages: crate::replay::PAGES_MAX,
        }
    }
}

/// What one record changed in the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Versions that are new or differ, in the order in which they became so.
    pub versions: Vec<VersionId>,
    /// Transactions that began, or stand otherwise.
    pub transactions: Vec<Xid>,
    /// Pages that were changed, or became known.
    pub pages: Vec<Touched>,
    /// Versions that were forgotten to make room; they are among no others here.
    pub forgotten: Vec<VersionId>,
}

impl Happened {
    /// Whether nothing did.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.transactions.is_empty() && self.pages.is_empty() && self.forgotten.is_empty()
    }

    fn version(&mut self, id: VersionId) {
        if !self.versions.contains(&id) {
            self.versions.push(id);
        }
    }
}

/// Versions, transactions and pages as the log tells them.
#[derive(Debug)]
pub struct History {
    transactions: Transactions,
    versions: Versions,
    pages: Pages,
    multixacts: BTreeMap<u32, Vec<Member>>,
    multixact_order: VecDeque<u32>,
    /// The relations whose versions are followed; `None` for all.
    follows: Option<BTreeSet<RelFile>>,
    limits: Limits,
    told: Lsn,
}

impl History {
    /// Begins with what a server said. `logs_hints`: as for [`Pages::new`].
    #[must_use]
    pub fn begin(seed: Seed, limits: Limits, logs_hints: bool) -> Self {
        Self {
            told: seed.lsn,
            transactions: Transactions::new(seed, limits.transactions.max(1)),
            versions: Versions::new(limits),
            pages: Pages::new(limits.pages, logs_hints),
            multixacts: BTreeMap::new(),
            multixact_order: VecDeque::new(),
            follows: Some(BTreeSet::new()),
            limits,
        }
    }

    /// The same for the rows of all tables, catalogs too.
    #[must_use]
    pub fn of_everything(mut self) -> Self {
        self.follows = None;
        self
    }

    /// Follows the rows in these files from here on: a table's, or its new ones after a rewrite.
    pub fn follow(&mut self, relation: RelFile) {
        if let Some(follows) = &mut self.follows {
            follows.insert(relation);
        }
    }

    /// Follows them no more; what is remembered stays.
    pub fn unfollow(&mut self, relation: RelFile) {
        if let Some(follows) = &mut self.follows {
            follows.remove(&relation);
        }
    }

    /// Whether the rows in these files are followed.
    #[must_use]
    pub fn is_followed(&self, relation: RelFile) -> bool {
        self.follows.as_ref().is_none_or(|follows| follows.contains(&relation))
    }

    /// Transactions.
    #[must_use]
    pub const fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// Versions.
    #[must_use]
    pub const fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Pages.
    #[must_use]
    pub const fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Up to where records were told.
    #[must_use]
    pub const fn told(&self) -> Lsn {
        self.told
    }

    /// The log is flushed up to here, and all of it was folded in: nothing happened since the last record.
    pub fn told_up_to(&mut self, lsn: Lsn) {
        self.told = self.told.max(lsn);
    }

    /// Takes word of a transaction that ended before the history began (`pg_xact_status`).
    pub fn learn(&mut self, xid: Xid, status: Status) {
        self.transactions.learn(xid, status);
    }

    /// Takes word of a multixact that was made before the history began (`pg_get_multixact_members`).
    pub fn learn_multixact(&mut self, id: u32, members: Vec<Member>) {
        if self.multixacts.insert(id, members).is_none() {
            self.multixact_order.push_back(id);
        }
        while self.multixacts.len() > self.limits.multixacts.max(1) {
            let Some(oldest) = self.multixact_order.pop_front() else { break };
            self.multixacts.remove(&oldest);
        }
    }

    /// Takes a page as it was read from the server, with the versions on it, unless a newer one is known. Any time will
    /// do: its own position says which records it has.
    pub fn seed_page(&mut self, id: PageId, page: Page) -> Happened {
        let mut happened = Happened::default();
        self.follow(id.relation);
        let lsn = page.lsn();
        if self.pages.seed(id, page) {
            // The position of a page is the end of the record that changed it last.
            self.reconcile(id, Lsn(lsn.0.saturating_sub(1)), RemovalReason::Unseen, &mut happened);
        }
        self.note_forgotten(&mut happened);
        happened
    }

    /// Folds a record in; they must come in the order of the log, without gaps.
    ///
    /// The error is a record that cannot be read. The history goes on with the next; the record's pages are not known from
    /// here on, and of versions on them later changes alone.
    pub fn apply(&mut self, record: &Record) -> Result<Happened, DecodeError> {
        let mut happened = Happened::default();
        self.note_writer(record, &mut happened);
        match record.operation()? {
            Operation::Transaction(operation) => self.transaction(record, &operation, &mut happened),
            Operation::Log(operation) => self.log(record, &operation, &mut happened),
            _ => {}
        }
        if let Some(told) = record.running_transactions()? {
            happened.transactions.extend(self.transactions.list(&told, record.lsn));
        }
        if let Some(MultixactOperation::Create { id, members }) = record.multixact()? {
            let full = |member: crate::running::MultixactMember| {
                let xid = self.transactions.full(member.xid)?;
                Some(Member { xid, mode: member.mode, is_change: member.is_change })
            };
            let members = members.into_iter().filter_map(full).collect();
            self.learn_multixact(id, members);
        }
        self.change_rows(record, &mut happened)?;
        self.told = self.told.max(record.end);
        self.note_forgotten(&mut happened);
        Ok(happened)
    }

    /// Judges with what was known at a position.
    #[must_use]
    pub const fn as_of(&self, lsn: Lsn) -> AsOf<'_> {
        AsOf::new(self, lsn)
    }

    /// What a transaction that begins at a position would see as ended; `None` if that is not known.
    #[must_use]
    pub fn snapshot_at(&self, lsn: Lsn) -> Option<Snapshot> {
        self.transactions.snapshot_at(lsn)
    }

    /// The versions of a table's file that were on disk at a position, each with whether a transaction that began there
    /// would have seen it; versions that were removed since too, and those of which it is not known whether they were there. `None` as for [`Self::snapshot_at`].
    #[must_use]
    pub fn seen_at(&self, relation: RelFile, lsn: Lsn) -> Option<Vec<(VersionId, Judgement)>> {
        let snapshot = self.snapshot_at(lsn)?;
        let viewer = Viewer::of(&snapshot);
        let there = self.versions.of(relation).filter(|version| version.may_exist_at(lsn));
        Some(there.map(|version| (version.id, self.judge_at(version, lsn, &viewer))).collect())
    }

    /// Whether a viewer sees a version as it stood at a position. If it was first seen later, only its maker can tell.
    #[must_use]
    pub fn judge_at(&self, version: &Version, lsn: Lsn, viewer: &Viewer<'_>) -> Judgement {
        let unknown = Judgement { visible: None, reason: Reason::UnknownMaker };
        let knowledge = self.as_of(lsn);
        if let Some(state) = version.state_at(lsn) {
            return state.header.map_or(unknown, |header| judge(&header, version.at, viewer, &knowledge));
        }
        let header = version.states.first().and_then(|state| state.header);
        let judgement = header.map(|header| judge(&header, version.at, viewer, &knowledge));
        judgement.filter(|judgement| is_of_maker(judgement.reason)).unwrap_or(unknown)
    }

    /// The members of a multixact.
    #[must_use]
    pub fn members(&self, id: u32) -> Option<&[Member]> {
        self.multixacts.get(&id).map(Vec::as_slice)
    }

    /// The version at a place that has this header's maker, the newest first.
    fn made_at(&self, relation: RelFile, at: ItemPointer, xmin: Option<Xid>) -> Option<VersionId> {
        let ids = self.versions.at(relation, at).iter().rev();
        ids.copied().find(|id| self.versions.get(*id).is_some_and(|version| version.xmin == xmin && xmin.is_some()))
    }

    fn note_forgotten(&mut self, happened: &mut Happened) {
        happened.forgotten = self.versions.take_forgotten();
        happened.versions.retain(|id| !happened.forgotten.contains(id));
    }

    fn note_writer(&mut self, record: &Record, happened: &mut Happened) {
        let Some(xid) = self.transactions.full(record.header.xid).filter(|xid| xid.is_normal()) else { return };
        happened.transactions.extend(self.transactions.see(xid));
        let is_first = self.transactions.wrote(xid, record.lsn);
        if let Some(top) = record.top_xid.and_then(|top| self.transactions.full(top)) {
            self.transactions.assign(xid, top);
        }
        if is_first && !happened.transactions.contains(&xid) {
            happened.transactions.push(xid);
        }
    }

    fn transaction(&mut self, record: &Record, operation: &TransactionOperation, happened: &mut Happened) {
        let lsn = record.lsn;
        let ended = match operation {
            TransactionOperation::Commit(end) | TransactionOperation::CommitPrepared(end) => {
                self.drop_files(&end.dropped_files, lsn, happened);
                self.transactions.end(end, lsn, Outcome::Committed)
            }
            TransactionOperation::Abort(end) | TransactionOperation::AbortPrepared(end) => {
                self.drop_files(&end.dropped_files, lsn, happened);
                self.transactions.end(end, lsn, Outcome::Aborted)
            }
            TransactionOperation::Prepare(preparation) => self.transactions.prepare(preparation, lsn),
            TransactionOperation::Assignment { top, subtransactions } => {
                let Some(top) = self.transactions.full(*top) else { return };
                let subs: Vec<Xid> = subtransactions.iter().filter_map(|sub| self.transactions.full(*sub)).collect();
                for sub in &subs {
                    self.transactions.assign(*sub, top);
                }
                subs
            }
            TransactionOperation::Invalidations => return,
        };
        happened.transactions.extend(ended);
    }

    fn log(&mut self, record: &Record, operation: &LogOperation, happened: &mut Happened) {
        match operation {
            LogOperation::Checkpoint { next_xid, is_shutdown, .. } => {
                if *is_shutdown {
                    happened.transactions.extend(self.transactions.restart(record.lsn));
                }
                happened.transactions.extend(self.transactions.see(Xid(next_xid.saturating_sub(1))));
            }
            LogOperation::EndOfRecovery { .. } => {
                happened.transactions.extend(self.transactions.restart(record.lsn));
            }
            _ => {}
        }
    }

    fn drop_files(&mut self, files: &[RelFile], lsn: Lsn, happened: &mut Happened) {
        for relation in files {
            let removal = Removal { lsn, reason: RemovalReason::FileGone };
            let there: Vec<_> = self
                .versions
                .of(*relation)
                .filter(|version| version.removed.is_none())
                .map(|version| version.id)
                .collect();
            for id in there {
                self.versions.remove(id, removal);
                happened.version(id);
            }
        }
    }

    fn header_of(&self, id: VersionId) -> Option<TupleHeader> {
        self.versions.get(id)?.latest()?.header
    }
}

/// Whether a version does not exist for a viewer because of its maker alone, whatever happened to it since.
const fn is_of_maker(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::MakerRunning
            | Reason::MakerPrepared
            | Reason::MakerCommittedAfter
            | Reason::MakerNotEnded
            | Reason::MakerAborted
    )
}
