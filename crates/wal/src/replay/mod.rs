//! Pages folded from the log: seeded by full page images, or by pages that were read from the server, and changed by each
//! record as the server's own recovery changes them.
//!
//! A [`Pages`] is bounded: when it holds as many pages as it may, the one that was not changed for longest is forgotten,
//! and is known again from its next image. Nothing here guesses: a record whose page is not known, whose image cannot be
//! unpacked or that does not fit says so in its [`Outcome`].

pub(crate) mod apply;
mod mask;
mod page;

use std::collections::{BTreeMap, HashMap};

use pgstrata_units::Lsn;

use crate::block::{Block, Fork, RelFile};
use crate::bytes::Bytes;
use crate::error::DecodeError;
use crate::heap_record::{AllVisible, HeapAction, Update};
use crate::image::ImageError;
use crate::record::Record;
use crate::resource::ResourceManager;

pub use page::{Line, LineKind, Misfit, Page};

/// Which page of which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// The relation's files.
    pub relation: RelFile,
    /// The page's number in the main one.
    pub block: u32,
}

/// What became of one page that a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record brought the whole page.
    Restored,
    /// The record was carried out on it.
    Changed,
    /// The page held the change already: it was read from the server later.
    AlreadyThere,
    /// The page as it was before is not known.
    Unknown,
    /// The record's image could not be made a page; the page is not known from here on.
    NotCovered(ImageError),
    /// The record does not fit the page; the page is not known from here on.
    Misfit(Misfit),
    /// The page is no longer in the file.
    Cut,
}

impl Outcome {
    /// Whether the page is known as it was right after the record.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self, Self::Restored | Self::Changed)
    }
}

/// One page that a record is about, with what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub page: PageId,
    /// What became of it.
    pub outcome: Outcome,
}

/// How many pages are kept unless told otherwise: 64 MB.
pub const PAGES_MAX: usize = 8192;

#[derive(Debug)]
struct Kept {
    page: Page,
    /// When it was changed last, in [`Pages::clock`]'s count.
    changed: u64,
}

/// Pages of tables as the log tells them.
#[derive(Debug)]
pub struct Pages {
    kept: HashMap<PageId, Kept>,
    /// Pages by when they were changed last.
    by_change: BTreeMap<u64, PageId>,
    clock: u64,
    most: usize,
    forgotten: u64,
    logs_hints: bool,
}

impl Pages {
    /// Keeps at most `most` pages, at least one. `logs_hints`: whether the server has checksums or `wal_log_hints`; then marking a
    /// page all-visible moves its position too (`XLogHintBitIsNeeded`).
    #[must_use]
    pub fn new(most: usize, logs_hints: bool) -> Self {
        Self { kept: HashMap::new(), by_change: BTreeMap::new(), clock: 0, most: most.max(1), forgotten: 0, logs_hints }
    }

    /// A page that is known.
    #[must_use]
    pub fn page(&self, id: PageId) -> Option<&Page> {
        self.kept.get(&id).map(|kept| &kept.page)
    }

    /// How many pages are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many pages were forgotten to make room.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Takes a page as it was read from the server, unless a newer one is known. Returns whether it was taken.
    pub fn seed(&mut self, id: PageId, page: Page) -> bool {
        let is_older = self.page(id).is_some_and(|known| known.lsn() > page.lsn());
        if !is_older {
            self.keep(id, page);
        }
        !is_older
    }

    /// Carries a record out. Pages of indexes and maps are left alone; the error is a body that cannot be read, whose pages
    /// are not known from here on.
    pub fn apply(&mut self, record: &Record) -> Result<Vec<Touched>, DecodeError> {
        let mut touched = Vec::new();
        for block in &record.blocks {
            if block.fork == Fork::Main && block.image.as_ref().is_some_and(|image| image.applies) {
                touched.push(self.restore(record, block));
            }
        }
        let heap = record.heap().inspect_err(|_| self.forget_pages_of(record))?;
        if let Some(heap) = heap {
            self.carry_out(record, heap.relation, &heap.action, &mut touched);
        } else if record.header.manager == ResourceManager::STORAGE {
            self.cut(record, &mut touched);
        } else if record.header.manager == ResourceManager::LOG {
            self.note_hints(record, &mut touched);
        }
        Ok(touched)
    }

    fn restore(&mut self, record: &Record, block: &Block) -> Touched {
        let id = PageId { relation: block.relation, block: block.number };
        let outcome = match record.page_image(block) {
            Ok(bytes) => match Page::new(&bytes) {
                Some(mut page) => {
                    page.set_lsn(record.end);
                    self.keep(id, page);
                    Outcome::Restored
                }
                None => self.lose(id, Outcome::NotCovered(ImageError::Length)),
            },
            Err(error) => self.lose(id, Outcome::NotCovered(error)),
        };
        Touched { page: id, outcome }
    }

    fn lose(&mut self, id: PageId, outcome: Outcome) -> Outcome {
        self.forget(id);
        outcome
    }

    fn carry_out(&mut self, record: &Record, relation: RelFile, action: &HeapAction<'_>, touched: &mut Vec<Touched>) {
        let xid = record.header.xid;
        let mut on = |block: u32, is_new: bool, change: &mut dyn FnMut(&mut Page) -> Result<(), Misfit>| {
            let id = PageId { relation, block };
            if !touched.iter().any(|touched| touched.page == id) {
                touched.push(Touched { page: id, outcome: self.change(id, record.end, is_new, change) });
            }
        };
        match action {
            HeapAction::Insert { at, tuple, visibility, makes_page, .. } => on(at.block, *makes_page, &mut |page| {
                apply::set_visibility(page, *visibility);
                apply::insert(page, *at, xid, *tuple)
            }),
            HeapAction::MultiInsert { block, tuples, visibility, makes_page, .. } => {
                on(*block, *makes_page, &mut |page| {
                    apply::set_visibility(page, *visibility);
                    tuples.iter().try_for_each(|(offset, tuple)| {
                        let at = pgstrata_tuple::ItemPointer { block: *block, offset: *offset };
                        apply::insert(page, at, xid, *tuple)
                    })
                });
            }
            HeapAction::Delete { at, xmax, bits, visibility, takes_back, moves_partition, .. } => {
                let (takes_back, moves_partition) = (*takes_back, *moves_partition);
                let deletion = apply::Deletion { at: *at, xmax: *xmax, bits: *bits, takes_back, moves_partition };
                on(at.block, false, &mut |page| {
                    apply::set_visibility(page, *visibility);
                    apply::delete(page, &deletion, xid)
                });
            }
            HeapAction::Update(update) => apply_update(update, xid, &mut on),
            HeapAction::Confirm { at } => {
                on(at.block, false, &mut |page| page.change(at.offset, |header| header.ctid = *at));
            }
            HeapAction::Lock { at, xmax, bits, follows_update } => {
                let locking = apply::Locking { at: *at, xmax: *xmax, bits: *bits, follows_update: *follows_update };
                on(at.block, false, &mut |page| apply::lock(page, &locking));
            }
            HeapAction::Inplace { at, columns } => {
                on(at.block, false, &mut |page| page.overwrite(at.offset, columns));
            }
            HeapAction::Prune(prune) => on(prune.block, false, &mut |page| apply::prune(page, prune)),
            HeapAction::Visible { block, .. } => self.mark_visible(PageId { relation, block: *block }, record, touched),
            HeapAction::NewCid { .. } | HeapAction::Truncate { .. } | HeapAction::Nothing => {}
        }
    }

    fn mark_visible(&mut self, id: PageId, record: &Record, touched: &mut Vec<Touched>) {
        if touched.iter().any(|touched| touched.page == id) {
            return;
        }
        let outcome = match self.kept.get_mut(&id) {
            None => Outcome::Unknown,
            Some(kept) if kept.page.lsn() >= record.end => Outcome::AlreadyThere,
            Some(kept) => {
                kept.page.set_all_visible(true);
                if self.logs_hints {
                    kept.page.set_lsn(record.end);
                }
                Outcome::Changed
            }
        };
        touched.push(Touched { page: id, outcome });
    }

    /// `FPI_FOR_HINT` without an image, which `full_page_writes = off` makes: only hints changed, and the position. The server's
    /// recovery does nothing then; the page that it was written for has the position.
    fn note_hints(&mut self, record: &Record, touched: &mut Vec<Touched>) {
        for block in record.blocks.iter().filter(|block| block.fork == Fork::Main && block.image.is_none()) {
            let id = PageId { relation: block.relation, block: block.number };
            if self.kept.contains_key(&id) {
                touched.push(Touched { page: id, outcome: self.change(id, record.end, false, &mut |_| Ok(())) });
            }
        }
    }

    fn change(
        &mut self,
        id: PageId,
        end: Lsn,
        is_new: bool,
        change: &mut dyn FnMut(&mut Page) -> Result<(), Misfit>,
    ) -> Outcome {
        if self.page(id).is_some_and(|page| page.lsn() >= end) {
            return Outcome::AlreadyThere;
        }
        let mut page = match self.forget(id) {
            _ if is_new => Page::empty(),
            Some(page) => page,
            None => return Outcome::Unknown,
        };
        match change(&mut page) {
            Ok(()) => {
                page.set_lsn(end);
                self.keep(id, page);
                Outcome::Changed
            }
            Err(misfit) => self.lose(id, Outcome::Misfit(misfit)),
        }
    }

    /// `XLOG_SMGR_TRUNCATE`: pages from a number on are cut off the file.
    fn cut(&mut self, record: &Record, touched: &mut Vec<Touched>) {
        let Some((relation, from)) = storage_truncation(record) else { return };
        let cut: Vec<_> = self.kept.keys().filter(|id| id.relation == relation && id.block >= from).copied().collect();
        for id in cut {
            self.forget(id);
            touched.push(Touched { page: id, outcome: Outcome::Cut });
        }
    }

    fn keep(&mut self, id: PageId, page: Page) {
        self.forget(id);
        while self.kept.len() >= self.most {
            let Some((_, oldest)) = self.by_change.pop_first() else { break };
            self.kept.remove(&oldest);
            self.forgotten += 1;
        }
        self.clock += 1;
        self.by_change.insert(self.clock, id);
        self.kept.insert(id, Kept { page, changed: self.clock });
    }

    fn forget_pages_of(&mut self, record: &Record) {
        for block in record.blocks.iter().filter(|block| block.fork == Fork::Main) {
            self.forget(PageId { relation: block.relation, block: block.number });
        }
    }

    fn forget(&mut self, id: PageId) -> Option<Page> {
        let kept = self.kept.remove(&id)?;
        self.by_change.remove(&kept.changed);
        Some(kept.page)
    }
}

type OnPage<'a> = dyn FnMut(u32, bool, &mut dyn FnMut(&mut Page) -> Result<(), Misfit>) + 'a;

fn apply_update(update: &Update<'_>, xid: u32, on: &mut OnPage<'_>) {
    if update.from.block == update.to.block {
        on(update.to.block, false, &mut |page| {
            // The old bytes as they were: its columns do not change, and parts of them make the new version.
            let old = page.tuple(update.from.offset).map(<[u8]>::to_vec);
            apply::replace(page, update, xid)?;
            apply::set_visibility(page, both(update.old_visibility, update.new_visibility));
            apply::renew(page, update, old.as_deref(), xid)
        });
        return;
    }
    on(update.from.block, false, &mut |page| {
        apply::set_visibility(page, update.old_visibility);
        apply::replace(page, update, xid)
    });
    on(update.to.block, update.makes_page, &mut |page| {
        apply::set_visibility(page, update.new_visibility);
        apply::renew(page, update, None, xid)
    });
}

const fn both(old: AllVisible, new: AllVisible) -> AllVisible {
    if matches!(old, AllVisible::Cleared) { old } else { new }
}

/// `xl_smgr_truncate` in `src/include/catalog/storage_xlog.h`, if it cuts the main file.
pub(crate) fn storage_truncation(record: &Record) -> Option<(RelFile, u32)> {
    const TRUNCATE: u8 = 0x20;
    const CUTS_MAIN: u32 = 1;
    if record.header.manager != ResourceManager::STORAGE || record.header.operation_code() != TRUNCATE {
        return None;
    }
    let mut main = Bytes::new(record.main_data());
    let from = main.u32()?;
    let relation = RelFile { tablespace: main.u32()?, database: main.u32()?, file: main.u32()? };
    (main.u32()? & CUTS_MAIN != 0).then_some((relation, from))
}
