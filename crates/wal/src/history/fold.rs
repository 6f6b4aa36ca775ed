//! Folding the heap's records into versions.
//!
//! Headers follow the same rules as pages do ([`crate::replay`]), so a version's life is known also while its page is
//! not; what was on a page before it became known is found when it does.

use std::borrow::Cow;

use pgstrata_tuple::{ItemPointer, Row, TupleHeader};
use pgstrata_units::{Lsn, Xid};

use super::version::{Removal, RemovalReason, State, Step, Version, VersionId};
use super::{Happened, History};
use crate::block::RelFile;
use crate::error::DecodeError;
use crate::heap_record::{HeapAction, NewVersion, Prune, Update};
use crate::record::Record;
use crate::replay::apply::{Deletion, Locking, fresh, mark_deleted, mark_frozen, mark_locked, mark_replaced, parts};
use crate::replay::{LineKind, Outcome, PageId, storage_truncation};

/// A record's place and writer.
#[derive(Clone, Copy)]
struct Writer {
    relation: RelFile,
    lsn: Lsn,
    xid: Option<Xid>,
    short: u32,
}

/// A tuple that came.
struct Newcomer<'a> {
    at: ItemPointer,
    header: Option<TupleHeader>,
    row: Option<Cow<'a, [u8]>>,
}

impl History {
    /// The part of a record that is about rows and pages.
    pub(super) fn change_rows(&mut self, record: &Record, happened: &mut Happened) -> Result<(), DecodeError> {
        if let Some((relation, from)) = storage_truncation(record).filter(|(relation, _)| self.is_followed(*relation)) {
            self.cut(relation, from, record.lsn, happened);
            happened.pages = self.pages.apply(record)?;
        }
        if !record.blocks.iter().any(|block| self.is_followed(block.relation)) {
            return Ok(());
        }
        let touched = self.pages.apply(record)?;
        if let Some(heap) = record.heap()?
            && self.is_followed(heap.relation)
        {
            let (relation, lsn, short) = (heap.relation, record.lsn, record.header.xid);
            let xid = self.transactions.full(short).filter(|xid| xid.is_normal());
            // Pages that were read later than this hold the change already: only its origin is news.
            let is_there = |block: u32| {
                let id = PageId { relation, block };
                touched.iter().any(|touched| touched.page == id && touched.outcome == Outcome::AlreadyThere)
            };
            self.change(Writer { relation, lsn, xid, short }, &heap.action, &is_there, happened);
        }
        let reason = match record.heap()?.map(|heap| heap.action) {
            // With an image the record may leave out what it removed.
            Some(HeapAction::Prune(prune)) => RemovalReason::Pruned(prune.reason),
            _ => RemovalReason::Unseen,
        };
        for touched in &touched {
            if self.is_followed(touched.page.relation) && touched.outcome == Outcome::Restored {
                self.reconcile(touched.page, record.lsn, reason, happened);
            }
        }
        happened.pages = touched.into_iter().filter(|touched| self.is_followed(touched.page.relation)).collect();
        Ok(())
    }

    fn change(
        &mut self,
        writer: Writer,
        action: &HeapAction<'_>,
        is_there: &dyn Fn(u32) -> bool,
        happened: &mut Happened,
    ) {
        match action {
            HeapAction::Insert { at, tuple, .. } => {
                let newcomer = newcomer(writer, *at, *tuple);
                self.arrive(writer, &newcomer, None, is_there(at.block), happened);
            }
            HeapAction::MultiInsert { block, tuples, .. } => {
                for (offset, tuple) in tuples {
                    let newcomer = newcomer(writer, ItemPointer { block: *block, offset: *offset }, *tuple);
                    self.arrive(writer, &newcomer, None, is_there(*block), happened);
                }
            }
            HeapAction::Update(update) => self.update(writer, update, is_there, happened),
            HeapAction::Delete { at, xmax, bits, takes_back, moves_partition, .. } if !is_there(at.block) => {
                let (at, takes_back, moves_partition) = (*at, *takes_back, *moves_partition);
                let deletion = Deletion { at, xmax: *xmax, bits: *bits, takes_back, moves_partition };
                let step = match (takes_back, moves_partition) {
                    (true, _) => Step::TakenBack,
                    (_, true) => Step::Moved,
                    _ => Step::Deleted,
                };
                self.step(writer, at, step, happened, |header| mark_deleted(header, &deletion));
            }
            HeapAction::Confirm { at } if !is_there(at.block) => {
                self.step(writer, *at, Step::Confirmed, happened, |header| header.ctid = *at);
            }
            HeapAction::Lock { at, xmax, bits, follows_update } if !is_there(at.block) => {
                let locking = Locking { at: *at, xmax: *xmax, bits: *bits, follows_update: *follows_update };
                self.step(writer, *at, Step::Locked, happened, |header| mark_locked(header, &locking));
            }
            HeapAction::Inplace { at, .. } if !is_there(at.block) => {
                self.step(writer, *at, Step::Overwritten, happened, |_| {});
                let row = self.row_on_page(writer.relation, *at);
                if let (Some(version), Some(row)) = (self.current_mut(writer.relation, *at), row) {
                    version.row =
                        version.row.as_ref().filter(|before| before.len() != row.len()).cloned().or(Some(row));
                }
            }
            HeapAction::Prune(prune) if !is_there(prune.block) => self.prune(writer, prune, happened),
            _ => {}
        }
    }

    fn current_mut(&mut self, relation: RelFile, at: ItemPointer) -> Option<&mut Version> {
        let id = self.versions.current(relation, at)?.id;
        self.versions.get_mut(id)
    }

    /// A tuple came: a new version, or one that a page has shown already.
    fn arrive(
        &mut self,
        writer: Writer,
        newcomer: &Newcomer<'_>,
        parent: Option<VersionId>,
        is_there: bool,
        happened: &mut Happened,
    ) -> Option<VersionId> {
        let parent = parent.and_then(|parent| self.versions.get(parent)).map(Version::name);
        if is_there {
            // It may have left the disk before the page was read; then only its children may tell of it.
            let id = self.made_at(writer.relation, newcomer.at, writer.xid)?;
            let version = self.versions.get_mut(id)?;
            version.made = version.made.or(Some(writer.lsn));
            version.parent = version.parent.or(parent);
            happened.version(id);
            return Some(id);
        }
        let on_page = self.pages.page(PageId { relation: writer.relation, block: newcomer.at.block });
        let tuple = on_page.and_then(|page| page.tuple(newcomer.at.offset));
        let header = newcomer.header.or_else(|| TupleHeader::parse(tuple?));
        let row = newcomer.row.as_deref().or_else(|| tuple.and_then(|tuple| tuple.get(TupleHeader::BYTES..)));
        let version = Version {
            id: VersionId(0),
            relation: writer.relation,
            at: newcomer.at,
            xmin: writer.xid,
            made: Some(writer.lsn),
            parent,
            children: Vec::new(),
            states: vec![State { lsn: writer.lsn, by: writer.xid, step: Step::Made, header }],
            has_dropped_states: false,
            frozen: None,
            removed: None,
            bytes: row.map_or(0, |row| u32::try_from(row.len() + TupleHeader::BYTES).unwrap_or(u32::MAX)),
            row: row.map(Into::into),
        };
        let (id, changed) = self.versions.add(writer.lsn, version);
        for before in changed {
            happened.version(before);
        }
        happened.version(id);
        Some(id)
    }

    fn update(&mut self, writer: Writer, update: &Update<'_>, is_there: &dyn Fn(u32) -> bool, happened: &mut Happened) {
        let old = self.known_at(writer, update.from, is_there(update.from.block), happened);
        let newcomer = Newcomer {
            at: update.to,
            header: update.new.map(|new| fresh(new.header, writer.short, update.new_xmax, update.to)),
            row: update.new.and_then(|new| self.whole_row(&new, old)),
        };
        let new = self.arrive(writer, &newcomer, old, is_there(update.to.block), happened);
        let (Some(old), Some(new)) = (old, new) else { return };
        if let Some(version) = self.versions.get_mut(old)
            && !version.children.contains(&new)
        {
            version.children.push(new);
            happened.version(old);
        }
        if !is_there(update.from.block) {
            self.step(writer, update.from, Step::Replaced(new), happened, |header| mark_replaced(header, update));
        }
    }

    /// Whether a version was surely there before a record: it was made before, or its maker had ended before.
    fn was_there(&self, version: &Version, lsn: Lsn) -> bool {
        if let Some(made) = version.made {
            return made < lsn;
        }
        let Some(xmin) = version.xmin else { return false };
        match self.transactions.life(xmin) {
            Some(life) => life.ended.is_some_and(|ended| ended.lsn < lsn),
            // Of before the history began, and no part of a transaction that ran then.
            None => xmin < self.transactions.next() && self.transactions.top(xmin).is_some(),
        }
    }

    /// A new version's bytes: what was left in the old one is taken from there, if that is known.
    fn whole_row<'a>(&self, new: &NewVersion<'a>, old: Option<VersionId>) -> Option<Cow<'a, [u8]>> {
        if new.prefix == 0 && new.suffix == 0 {
            return Some(Cow::Borrowed(new.bytes));
        }
        let old = self.versions.get(old?)?;
        let mut tuple = old.latest()?.header?.to_bytes().to_vec();
        tuple.extend_from_slice(old.row.as_deref()?);
        parts(new, Some(&tuple)).ok().map(|parts| Cow::Owned(parts.concat()))
    }

    /// The version that a record speaks of, which must be at a place; a stand-in if it was never seen.
    fn known_at(
        &mut self,
        writer: Writer,
        at: ItemPointer,
        is_later_page: bool,
        happened: &mut Happened,
    ) -> Option<VersionId> {
        if let Some(version) = self.versions.current(writer.relation, at) {
            // On a page of later, another version may be in the place that the record speaks of.
            return (!is_later_page || self.was_there(version, writer.lsn)).then_some(version.id);
        }
        if is_later_page {
            return None;
        }
        let stranger = Version {
            id: VersionId(0),
            relation: writer.relation,
            at,
            xmin: None,
            made: None,
            parent: None,
            children: Vec::new(),
            states: vec![State { lsn: writer.lsn, by: None, step: Step::Seen, header: None }],
            has_dropped_states: false,
            frozen: None,
            removed: None,
            row: None,
            bytes: 0,
        };
        let (id, _) = self.versions.add(writer.lsn, stranger);
        happened.version(id);
        Some(id)
    }

    /// Something happened to the version at a place.
    fn step(
        &mut self,
        writer: Writer,
        at: ItemPointer,
        step: Step,
        happened: &mut Happened,
        change: impl FnOnce(&mut TupleHeader),
    ) {
        let Some(id) = self.known_at(writer, at, false, happened) else { return };
        let mut header = self.header_of(id);
        if let Some(header) = &mut header {
            change(header);
        }
        self.versions.note(id, State { lsn: writer.lsn, by: writer.xid, step, header });
        happened.version(id);
    }

    fn prune(&mut self, writer: Writer, prune: &Prune, happened: &mut Happened) {
        let gone = prune.redirected.iter().map(|(from, _)| *from).chain(prune.dead.iter().copied());
        for offset in gone.chain(prune.unused.iter().copied()) {
            let at = ItemPointer { block: prune.block, offset };
            // Line pointers that were dead or redirections before had no version any more.
            if let Some(id) = self.versions.current(writer.relation, at).map(|version| version.id) {
                self.versions.remove(id, Removal { lsn: writer.lsn, reason: RemovalReason::Pruned(prune.reason) });
                happened.version(id);
            }
        }
        for freeze in &prune.frozen {
            let at = ItemPointer { block: prune.block, offset: freeze.offset };
            self.step(writer, at, Step::Frozen, happened, |header| mark_frozen(header, *freeze));
            if let Some(version) = self.current_mut(writer.relation, at) {
                version.frozen.get_or_insert(writer.lsn);
            }
        }
    }

    /// Compares what is known of a page's versions with the page itself: those that were not known are found, those that
    /// are not there any more have left.
    pub(super) fn reconcile(&mut self, id: PageId, lsn: Lsn, reason: RemovalReason, happened: &mut Happened) {
        let Some(page) = self.pages.page(id).cloned() else { return };
        let mut left = self.versions.on_page(id.relation, id.block);
        for offset in 1..=page.lines() {
            let is_tuple = page.line(offset).is_some_and(|line| line.kind == LineKind::Normal);
            let Some(header) = page.header(offset).filter(|_| is_tuple) else { continue };
            let at = ItemPointer { block: id.block, offset };
            let known = left.iter().position(|(there, _)| *there == offset).map(|index| left.swap_remove(index).1);
            match known {
                Some(version) if self.is_same(version, &header) => self.take_header(version, lsn, header, happened),
                _ => self.find(id.relation, at, lsn, header, page.tuple(offset), happened),
            }
        }
        for (_, version) in left {
            self.versions.remove(version, Removal { lsn, reason });
            happened.version(version);
        }
    }

    /// Whether a header on a page is of this version: the same maker, as far as that is known.
    fn is_same(&self, id: VersionId, header: &TupleHeader) -> bool {
        let Some(version) = self.versions.get(id) else { return false };
        match version.xmin {
            Some(xmin) => xmin.short() == header.xmin || header.xmin == 0,
            None => version.latest().is_none_or(|state| state.header.is_none()),
        }
    }

    /// A page shows the header of a known version: hints may be new, or all of it.
    fn take_header(&mut self, id: VersionId, lsn: Lsn, header: TupleHeader, happened: &mut Happened) {
        let full = self.transactions.full(header.xmin).filter(|_| header.xmin != 0);
        let Some(version) = self.versions.get_mut(id) else { return };
        version.xmin = version.xmin.or(full);
        let Some(state) = version.states.last_mut() else { return };
        match state.header {
            Some(known) if known == header => {}
            // The record is the one that changed it, and a page is more than what follows from a record: it has hints.
            _ if state.lsn == lsn => state.header = Some(header),
            _ => {
                let (step, by) = (Step::Seen, None);
                self.versions.note(id, State { lsn, by, step, header: Some(header) });
                happened.version(id);
            }
        }
    }

    /// A page shows a version that was not known.
    fn find(
        &mut self,
        relation: RelFile,
        at: ItemPointer,
        lsn: Lsn,
        header: TupleHeader,
        tuple: Option<&[u8]>,
        happened: &mut Happened,
    ) {
        let row = tuple.and_then(|tuple| tuple.get(TupleHeader::BYTES..));
        let version = Version {
            id: VersionId(0),
            relation,
            at,
            xmin: self.transactions.full(header.xmin),
            made: None,
            parent: None,
            children: Vec::new(),
            states: vec![State { lsn, by: None, step: Step::Seen, header: Some(header) }],
            has_dropped_states: false,
            frozen: header.is_frozen().then_some(lsn),
            removed: None,
            bytes: tuple.map_or(0, |tuple| u32::try_from(tuple.len()).unwrap_or(u32::MAX)),
            row: row.map(Into::into),
        };
        let (id, changed) = self.versions.add(lsn, version);
        for before in changed {
            happened.version(before);
        }
        happened.version(id);
    }

    fn row_on_page(&self, relation: RelFile, at: ItemPointer) -> Option<Box<[u8]>> {
        let page = self.pages.page(PageId { relation, block: at.block })?;
        page.tuple(at.offset)?.get(TupleHeader::BYTES..).map(Into::into)
    }

    /// The end of a file was cut off.
    fn cut(&mut self, relation: RelFile, from: u32, lsn: Lsn, happened: &mut Happened) {
        let gone: Vec<VersionId> = self
            .versions
            .of(relation)
            .filter(|version| version.at.block >= from && version.removed.is_none())
            .map(|version| version.id)
            .collect();
        for id in gone {
            self.versions.remove(id, Removal { lsn, reason: RemovalReason::FileGone });
            happened.version(id);
        }
    }
}

fn newcomer(writer: Writer, at: ItemPointer, tuple: Option<Row<'_>>) -> Newcomer<'_> {
    Newcomer {
        at,
        header: tuple.map(|tuple| fresh(tuple.header(), writer.short, 0, at)),
        row: tuple.map(|tuple| Cow::Borrowed(tuple.bytes())),
    }
}
