//! A page of a table that replay changes: line pointers, tuples, and the room between them.
//!
//! Sources: src/include/storage/bufpage.h and itemid.h; src/backend/storage/page/bufpage.c (`PageInit`,
//! `PageAddItemExtended`, `PageRepairFragmentation`, `PageTruncateLinePointerArray`). A page that is not one is an
//! error here, never a panic: its bytes come from a log.

use pgstrata_tuple::TupleHeader;
use pgstrata_units::Lsn;

use crate::Xid;
use crate::bytes::align;
use crate::image::HEAP_PAGE_BYTES;

/// Bytes of a page's header, before the first line pointer.
pub(super) const PAGE_HEADER_BYTES: usize = 24;
/// Bytes of a line pointer.
const LINE_BYTES: usize = 4;
/// `pd_pagesize_version`: the size and layout version 4.
const SIZE_AND_VERSION: u16 = 8192 | 4;

const FLAGS: usize = 10;
const LOWER: usize = 12;
const UPPER: usize = 14;
const SPECIAL: usize = 16;
const PRUNE_XID: usize = 20;
/// `PD_ALL_VISIBLE`.
const ALL_VISIBLE: u16 = 0x0004;

/// Where a tuple says how long its header is (`t_hoff`).
const DATA_OFFSET: usize = 22;

/// What a record asks of a page that does not fit it: the base was not this page, or a page is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record does not fit the page: {0}")]
pub struct Misfit(pub &'static str);

/// What a line pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Free.
    Unused,
    /// Of a tuple.
    Normal,
    /// Leads to another.
    Redirect,
    /// Waits until index entries to it are gone.
    Dead,
}

/// One line pointer as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Where its tuple begins, bytes; of a redirection, the line pointer it leads to.
    pub at: u16,
    /// How long the tuple is, bytes.
    pub bytes: u16,
}

impl Line {
    const UNUSED: Self = Self { kind: LineKind::Unused, at: 0, bytes: 0 };
    const DEAD: Self = Self { kind: LineKind::Dead, at: 0, bytes: 0 };

    const fn of(stored: u32) -> Self {
        let kind = match stored >> 15 & 3 {
            0 => LineKind::Unused,
            1 => LineKind::Normal,
            2 => LineKind::Redirect,
            _ => LineKind::Dead,
        };
        Self { kind, at: (stored & 0x7FFF) as u16, bytes: (stored >> 17) as u16 }
    }

    const fn stored(self) -> u32 {
        self.at as u32 | (self.kind as u32) << 15 | (self.bytes as u32) << 17
    }

    pub(super) const fn has_storage(self) -> bool {
        self.bytes != 0
    }
}

/// A page of a table: always [`HEAP_PAGE_BYTES`] long.
#[derive(Clone, PartialEq, Eq)]
pub struct Page {
    bytes: Box<[u8]>,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Page").field("lsn", &self.lsn()).field("lines", &self.lines()).finish_non_exhaustive()
    }
}

impl Page {
    /// An empty page (`PageInit`).
    #[must_use]
    pub fn empty() -> Self {
        let mut page = Self { bytes: vec![0; HEAP_PAGE_BYTES].into_boxed_slice() };
        page.set16(LOWER, 24);
        page.set16(UPPER, 8192);
        page.set16(SPECIAL, 8192);
        page.set16(18, SIZE_AND_VERSION);
        page
    }

    /// A page of its bytes. `None` for another length; all zeros are a page that was never written, and become an empty
    /// one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != HEAP_PAGE_BYTES {
            return None;
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Some(Self::empty());
        }
        let page = Self { bytes: bytes.into() };
        let (lower, upper, special) = (page.lower(), page.upper(), page.get16(SPECIAL));
        let is_sound = (24..=upper).contains(&lower) && upper <= special && special <= 8192 && special % 8 == 0;
        (is_sound && page.get16(18) & 0xFF00 == 0x2000).then_some(page)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Where the log stood after the last change of the page.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        Lsn(u64::from(self.get32(0)) << 32 | u64::from(self.get32(4)))
    }

    pub(super) fn set_lsn(&mut self, lsn: Lsn) {
        self.set32(0, (lsn.0 >> 32) as u32);
        self.set32(4, (lsn.0 & 0xFFFF_FFFF) as u32);
    }

    /// Whether it says that everybody sees all its tuples.
    #[must_use]
    pub fn is_all_visible(&self) -> bool {
        self.get16(FLAGS) & ALL_VISIBLE != 0
    }

    pub(super) fn set_all_visible(&mut self, is: bool) {
        let flags = self.get16(FLAGS);
        self.set16(FLAGS, if is { flags | ALL_VISIBLE } else { flags & !ALL_VISIBLE });
    }

    /// How many line pointers it has.
    #[must_use]
    pub fn lines(&self) -> u16 {
        // Checked to be at least the header's length when the page came.
        (self.lower() - 24) / 4
    }

    /// The line pointer with this number, from 1.
    #[must_use]
    pub fn line(&self, offset: u16) -> Option<Line> {
        let is_there = (1..=self.lines()).contains(&offset);
        is_there.then(|| Line::of(self.get32(line_at(offset))))
    }

    fn set_line(&mut self, offset: u16, line: Line) -> Result<(), Misfit> {
        self.line(offset).ok_or(Misfit("no such line pointer"))?;
        self.set32(line_at(offset), line.stored());
        Ok(())
    }

    /// The bytes of a tuple, from its header on.
    #[must_use]
    pub fn tuple(&self, offset: u16) -> Option<&[u8]> {
        let line = self.line(offset).filter(|line| line.kind == LineKind::Normal)?;
        let at = usize::from(line.at);
        self.bytes.get(at..at + usize::from(line.bytes)).filter(|tuple| tuple.len() >= TupleHeader::BYTES)
    }

    /// The header of a tuple.
    #[must_use]
    pub fn header(&self, offset: u16) -> Option<TupleHeader> {
        TupleHeader::parse(self.tuple(offset)?)
    }

    /// Where the tuple of a normal line pointer begins.
    fn tuple_at(&self, offset: u16) -> Result<usize, Misfit> {
        self.tuple(offset).ok_or(Misfit("no tuple at the line pointer"))?;
        self.line(offset).map(|line| usize::from(line.at)).ok_or(Misfit("no such line pointer"))
    }

    /// Changes a tuple's header.
    pub(super) fn change(&mut self, offset: u16, change: impl FnOnce(&mut TupleHeader)) -> Result<(), Misfit> {
        let at = self.tuple_at(offset)?;
        let mut header = self.header(offset).ok_or(Misfit("no tuple at the line pointer"))?;
        change(&mut header);
        self.bytes[at..at + TupleHeader::BYTES].copy_from_slice(&header.to_bytes());
        Ok(())
    }

    /// Overwrites a tuple's columns; they must be as long as before.
    pub(super) fn overwrite(&mut self, offset: u16, columns: &[u8]) -> Result<(), Misfit> {
        let at = self.tuple_at(offset)?;
        let (length, begin) = (self.tuple(offset).map_or(0, <[u8]>::len), usize::from(self.bytes[at + DATA_OFFSET]));
        let place = self.bytes.get_mut(at + begin..at + length).filter(|place| place.len() == columns.len());
        place.ok_or(Misfit("an overwritten tuple of another length"))?.copy_from_slice(columns);
        Ok(())
    }

    /// Puts a tuple at a free line pointer, or at the one behind the last (`PageAddItem` with `PAI_OVERWRITE`).
    pub(super) fn add(&mut self, offset: u16, tuple: &[u8]) -> Result<(), Misfit> {
        let is_behind = offset == self.lines() + 1;
        if !is_behind {
            let line = self.line(offset).ok_or(Misfit("a line pointer behind the next one"))?;
            if line.kind != LineKind::Unused || line.has_storage() {
                return Err(Misfit("the line pointer is in use"));
            }
        }
        let lower = self.lower() + if is_behind { 4 } else { 0 };
        let taken = u16::try_from(align(tuple.len(), 8)).map_err(|_| Misfit("a tuple longer than a page"))?;
        let upper = self.upper().checked_sub(taken).filter(|upper| *upper >= lower);
        let upper = upper.ok_or(Misfit("no room for the tuple"))?;
        self.set16(LOWER, lower);
        self.set16(UPPER, upper);
        let at = usize::from(upper);
        self.bytes[at..at + tuple.len()].copy_from_slice(tuple);
        let bytes = u16::try_from(tuple.len()).map_err(|_| Misfit("a tuple longer than a page"))?;
        self.set_line(offset, Line { kind: LineKind::Normal, at: upper, bytes })
    }

    /// Notes that there is something to prune since this transaction, if none older is noted.
    pub(super) fn note_prunable(&mut self, xid: Xid) {
        let noted = self.get32(PRUNE_XID);
        if noted == 0 || xid.wrapping_sub(noted).cast_signed() < 0 {
            self.set32(PRUNE_XID, xid);
        }
    }

    pub(super) fn redirect(&mut self, from: u16, to: u16) -> Result<(), Misfit> {
        self.set_line(from, Line { kind: LineKind::Redirect, at: to, bytes: 0 })
    }

    pub(super) fn kill(&mut self, offset: u16) -> Result<(), Misfit> {
        self.set_line(offset, Line::DEAD)
    }

    pub(super) fn free(&mut self, offset: u16) -> Result<(), Misfit> {
        self.set_line(offset, Line::UNUSED)
    }

    /// Moves the tuples together at the end of the page, in the order of their line pointers, and drops free line
    /// pointers at the end (`PageRepairFragmentation`).
    pub(super) fn compact(&mut self) -> Result<(), Misfit> {
        let before = self.bytes.clone();
        let mut upper = self.get16(SPECIAL);
        let mut last_used = 0;
        for offset in 1..=self.lines() {
            let Some(line) = self.line(offset) else { continue };
            if line.kind != LineKind::Unused {
                last_used = offset;
            }
            if !line.has_storage() {
                continue;
            }
            let taken = u16::try_from(align(usize::from(line.bytes), 8)).map_err(|_| Misfit("a line pointer"))?;
            upper = upper.checked_sub(taken).filter(|upper| *upper >= self.lower()).ok_or(Misfit("tuples overlap"))?;
            let from = before.get(usize::from(line.at)..usize::from(line.at) + usize::from(taken));
            let from = from.ok_or(Misfit("a tuple behind the end of the page"))?;
            self.bytes[usize::from(upper)..usize::from(upper + taken)].copy_from_slice(from);
            self.set_line(offset, Line { at: upper, ..line })?;
        }
        self.set16(UPPER, upper);
        self.set16(LOWER, 24 + last_used * 4);
        Ok(())
    }

    /// Drops free line pointers at the end, but the first (`PageTruncateLinePointerArray`).
    pub(super) fn drop_free_lines(&mut self) {
        let is_free = |offset| self.line(offset).is_some_and(|line| line.kind == LineKind::Unused);
        let mut lines = self.lines();
        while lines > 1 && is_free(lines) {
            lines -= 1;
        }
        self.set16(LOWER, 24 + lines * 4);
    }

    fn lower(&self) -> u16 {
        self.get16(LOWER)
    }

    fn upper(&self) -> u16 {
        self.get16(UPPER)
    }

    pub(super) fn get16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    pub(super) fn get32(&self, at: usize) -> u32 {
        u32::from(self.get16(at)) | u32::from(self.get16(at + 2)) << 16
    }

    pub(super) fn set16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn set32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

/// Where a line pointer is stored.
const fn line_at(offset: u16) -> usize {
    PAGE_HEADER_BYTES + (offset as usize - 1) * LINE_BYTES
}

#[cfg(test)]
mod tests {
    use pgstrata_tuple::ItemPointer;
    use proptest::prelude::*;

    use super::*;

    fn tuple(fill: u8, length: usize) -> Vec<u8> {
        vec![fill; length]
    }

    #[test]
    fn tuples_are_put_before_each_other_at_multiples_of_eight() {
        let mut page = Page::empty();
        page.add(1, &tuple(1, 30)).expect("room");
        page.add(2, &tuple(2, 33)).expect("room");
        assert_eq!(page.line(1), Some(Line { kind: LineKind::Normal, at: 8160, bytes: 30 }));
        assert_eq!(page.line(2), Some(Line { kind: LineKind::Normal, at: 8120, bytes: 33 }));
        assert_eq!(page.add(4, &tuple(1, 30)), Err(Misfit("a line pointer behind the next one")));
        assert_eq!(page.add(2, &tuple(1, 30)), Err(Misfit("the line pointer is in use")));
        assert_eq!(page.add(3, &tuple(1, 8100)), Err(Misfit("no room for the tuple")));
    }

    #[test]
    fn compaction_keeps_tuples_and_drops_free_lines_at_the_end() {
        let mut page = Page::empty();
        for (offset, fill) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
            page.add(offset, &tuple(fill, 40)).expect("room");
        }
        page.redirect(1, 3).expect("there");
        page.kill(2).expect("there");
        page.free(4).expect("there");
        page.compact().expect("sound");
        assert_eq!((page.lines(), page.tuple(3)), (3, Some(&[3; 40][..])));
        assert_eq!(page.line(3).map(|line| line.at), Some(8152));
        assert_eq!(page.line(1), Some(Line { kind: LineKind::Redirect, at: 3, bytes: 0 }));
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let mut page = Page::empty();
        page.add(1, &tuple(0, 24)).expect("room");
        let ctid = ItemPointer { block: 0x0012_3456, offset: 9 };
        let expected = TupleHeader { xmin: 7, xmax: 8, command: 9, ctid, infomask: 0x0A00, infomask2: 3, hoff: 24 };
        page.change(1, |header| *header = expected).expect("there");
        assert_eq!(page.header(1), Some(expected));
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_page_make_it_panic(
            seed in prop::collection::vec((0_usize..8192, any::<u8>()), 0..300), offset in 0_u16..400, to in 0_u16..400,
            length in 0_usize..9000,
        ) {
            let mut bytes = Page::empty().bytes().to_vec();
            for (at, byte) in seed {
                bytes[at] = byte;
            }
            if let Some(mut page) = Page::new(&bytes) {
                let _ = page.add(offset, &vec![1; length]);
                let _ = page.change(offset, |header| header.xmax = 5);
                let _ = page.overwrite(offset, &[1; 8]);
                let _ = page.redirect(offset, to);
                let _ = page.compact();
                page.drop_free_lines();
                let _ = (page.header(to), page.lsn());
            }
        }
    }
}
