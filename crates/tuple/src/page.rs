//! A heap page: its header, its line pointers, the tuples that they lead to. Layout: `src/include/storage/bufpage.h`
//! and `itemid.h`, the same in PostgreSQL 8.3 to 18.
//!
//! Any bytes may be given: what does not add up is an error of the page, or of the one tuple that it is about. Checksums
//! are not computed.

use pgstrata_units::Lsn;

use crate::bytes::{u16_at, u32_at};
use crate::error::{PageError, TupleError};
use crate::header::TupleHeader;
use crate::row::{Row, RowHeader};

/// Bytes of a page's header (`SizeOfPageHeaderData`).
pub const PAGE_HEADER_BYTES: usize = 24;
/// Bytes of a line pointer.
const LINE_BYTES: usize = 4;
/// Sizes that PostgreSQL can be built for (`--with-blocksize`).
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 1024..=32768;
const LAYOUT_VERSION: u8 = 4;
/// `MAXALIGN` on all machines of today.
const MAXIMUM_ALIGNMENT: u16 = 8;

/// The fields of a page's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// The end of the last log record that changed the page.
    pub lsn: Lsn,
    /// Its checksum, if the cluster has them; unchecked.
    pub checksum: u16,
    /// `pd_flags`: see [`PageHeader::has_free_lines`] and so on.
    pub flags: u16,
    /// Where free space begins.
    pub lower: u16,
    /// Where free space ends.
    pub upper: u16,
    /// Where special space begins: the page's size.
    pub special: u16,
    /// The oldest transaction whose leavings may be pruned, 0 if none is known.
    pub prune_xid: u32,
}

impl PageHeader {
    /// Whether there may be unused line pointers (`PD_HAS_FREE_LINES`, a hint).
    #[must_use]
    pub const fn has_free_lines(&self) -> bool {
        self.flags & 0x0001 != 0
    }

    /// Whether an update found no room, so that pruning is worth while (`PD_PAGE_FULL`, a hint).
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.flags & 0x0002 != 0
    }

    /// Whether all tuples are visible to everybody (`PD_ALL_VISIBLE`).
    #[must_use]
    pub const fn is_all_visible(&self) -> bool {
        self.flags & 0x0004 != 0
    }

    /// Bytes of free space, before alignment.
    #[must_use]
    pub const fn free_bytes(&self) -> u16 {
        self.upper.saturating_sub(self.lower)
    }
}

/// What a line pointer is (`lp_flags`), and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineState {
    /// Free.
    Unused,
    /// Leads to a tuple.
    Normal {
        /// Where that begins on the page.
        at: u16,
        /// Its bytes.
        bytes: u16,
    },
    /// Leads to another line pointer: the root of a HOT chain whose first tuples were pruned.
    Redirect(u16),
    /// Waits for vacuum to remove the index entries that lead to it.
    Dead {
        /// Where its tuple begins, if it still has one.
        at: u16,
        /// Its bytes, 0 if it has none.
        bytes: u16,
    },
}

/// A line pointer with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinePointer {
    /// Its number, from 1.
    pub offset: u16,
    /// What it is.
    pub state: LineState,
}

/// A tuple on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple<'a> {
    /// Its header.
    pub header: TupleHeader,
    bytes: &'a [u8],
}

impl<'a> Tuple<'a> {
    /// A tuple of all its bytes, from its header on.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TupleError> {
        let header = TupleHeader::parse(bytes).ok_or(TupleError::TooFewBytes { bytes: bytes.len() })?;
        let hoff = usize::from(header.hoff);
        let bitmap_bytes = if header.has_nulls() { usize::from(header.natts()).div_ceil(8) } else { 0 };
        if hoff < TupleHeader::BYTES + bitmap_bytes || hoff > bytes.len() {
            return Err(TupleError::Header);
        }
        Ok(Self { header, bytes })
    }

    /// All its bytes, from its header on.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its columns, to be taken apart by their layouts.
    #[must_use]
    pub fn row(&self) -> Row<'a> {
        let header = RowHeader {
            infomask2: self.header.infomask2,
            infomask: self.header.infomask,
            data_offset: self.header.hoff,
        };
        Row::new(header, self.bytes.get(TupleHeader::BYTES..).unwrap_or_default())
    }
}

/// A heap page whose header adds up. Its tuples are checked one by one, when they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapPage<'a> {
    header: PageHeader,
    bytes: &'a [u8],
}

impl<'a> HeapPage<'a> {
    /// A page of its bytes; they must be one whole page, of the size that its header says.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PageError> {
        let size = bytes.len();
        let length = PageError::Length { found: size };
        if !PAGE_SIZES.contains(&size) || !size.is_power_of_two() {
            return Err(length);
        }
        let short = |at| u16_at(bytes, at).ok_or(length);
        let long = |at| u32_at(bytes, at).ok_or(length);
        let header = PageHeader {
            // Two halves, the higher first (`PageXLogRecPtr`).
            lsn: Lsn(u64::from(long(0)?) << 32 | u64::from(long(4)?)),
            checksum: short(8)?,
            flags: short(10)?,
            lower: short(12)?,
            upper: short(14)?,
            special: short(16)?,
            prune_xid: long(20)?,
        };
        if header.upper == 0 {
            return Err(PageError::New);
        }
        let size_and_version = short(18)?;
        let says = usize::from(size_and_version & 0xFF00);
        if says != size {
            return Err(PageError::Size { says, found: size });
        }
        let [version, _] = size_and_version.to_le_bytes();
        if version != LAYOUT_VERSION {
            return Err(PageError::LayoutVersion { found: version });
        }
        let PageHeader { lower, upper, special, .. } = header;
        let is_ordered = usize::from(lower) >= PAGE_HEADER_BYTES && lower <= upper && upper <= special;
        if !is_ordered || usize::from(special) > size || !special.is_multiple_of(MAXIMUM_ALIGNMENT) {
            return Err(PageError::Bounds { lower, upper, special, size });
        }
        if usize::from(special) != size {
            return Err(PageError::NotHeap);
        }
        Ok(Self { header, bytes })
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> PageHeader {
        self.header
    }

    /// The end of the last log record that changed it.
    #[must_use]
    pub const fn lsn(&self) -> Lsn {
        self.header.lsn
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many line pointers it has, which is also the number of the last one.
    #[must_use]
    pub fn line_count(&self) -> u16 {
        let bytes = usize::from(self.header.lower).saturating_sub(PAGE_HEADER_BYTES);
        u16::try_from(bytes / LINE_BYTES).unwrap_or(u16::MAX)
    }

    /// Its line pointers in their order.
    pub fn lines(&self) -> impl Iterator<Item = LinePointer> + use<'a> {
        let page = *self;
        (1..=page.line_count()).filter_map(move |offset| page.line(offset))
    }

    /// The line pointer of a number, counted from 1.
    #[must_use]
    pub fn line(&self, offset: u16) -> Option<LinePointer> {
        if offset == 0 || offset > self.line_count() {
            return None;
        }
        // 15 bits of place, 2 of state, 15 of length, from the lowest (`ItemIdData`).
        let raw = u32_at(self.bytes, PAGE_HEADER_BYTES + LINE_BYTES * usize::from(offset - 1))?;
        let fifteen = |bits: u32| u16::try_from(bits & 0x7FFF).unwrap_or_default();
        let (at, bytes) = (fifteen(raw), fifteen(raw >> 17));
        let state = match raw >> 15 & 0b11 {
            0 => LineState::Unused,
            1 => LineState::Normal { at, bytes },
            2 => LineState::Redirect(at),
            _ => LineState::Dead { at, bytes },
        };
        Some(LinePointer { offset, state })
    }

    /// The tuple of a normal line pointer, or of a dead one that still has its own; `None` for all others.
    #[must_use]
    pub fn tuple(&self, offset: u16) -> Option<Result<Tuple<'a>, TupleError>> {
        match self.line(offset)?.state {
            LineState::Normal { at, bytes } => Some(self.tuple_at(at, bytes)),
            LineState::Dead { at, bytes } if bytes != 0 => Some(self.tuple_at(at, bytes)),
            _ => None,
        }
    }

    /// The tuples that are sound, with their line pointers' numbers.
    pub fn tuples(&self) -> impl Iterator<Item = (u16, Tuple<'a>)> + use<'a> {
        let page = *self;
        page.lines().filter_map(move |line| Some((line.offset, page.tuple(line.offset)?.ok()?)))
    }

    fn tuple_at(&self, at: u16, bytes: u16) -> Result<Tuple<'a>, TupleError> {
        let end = u32::from(at) + u32::from(bytes);
        let outside = TupleError::Outside { at, end };
        if at < self.header.upper || end > u32::from(self.header.special) || !at.is_multiple_of(MAXIMUM_ALIGNMENT) {
            return Err(outside);
        }
        let (from, to) = (usize::from(at), usize::from(at) + usize::from(bytes));
        Tuple::parse(self.bytes.get(from..to).ok_or(outside)?)
    }
}
