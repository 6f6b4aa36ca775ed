//! A tuple's header, field by field, and what its bits say together. Layout and rules:
//! `src/include/access/htup_details.h`.
//!
//! Bits alone decide here; whether transactions were committed is asked in [`crate::visibility`].

use crate::bytes::{u16_at, u32_at};
use crate::infomask as mask;

/// Where a row version is: page and line pointer. `ctid` in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemPointer {
    /// The page's number.
    pub block: u32,
    /// The line pointer's number, from 1.
    pub offset: u16,
}

impl std::fmt::Display for ItemPointer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "({},{})", self.block, self.offset)
    }
}

/// The offset in a `ctid` that says that its block is a token of a speculative insert (`SpecTokenOffsetNumber`).
const SPECULATIVE_OFFSET: u16 = 0xFFFE;
/// The offset that says that the row moved to another partition (`MovedPartitionsOffsetNumber`).
const MOVED_PARTITIONS_OFFSET: u16 = 0xFFFD;
const INVALID_BLOCK: u32 = u32::MAX;

/// How a row is locked, from weakest to strongest (`src/backend/access/heap/README.tuplock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// `for key share`.
    KeyShare,
    /// `for share`.
    Share,
    /// `for no key update`, and updates that keep the key.
    NoKeyUpdate,
    /// `for update`, deletes, updates of the key.
    Update,
}

/// What `xmax` stands for, by the header alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum XmaxKind {
    /// Nothing: there is none, or it is known to be void (`HEAP_XMAX_INVALID`).
    None,
    /// One transaction that only locked, and how. `None` for the mode: a lock of before PostgreSQL 9.3.
    Lock(Option<LockMode>),
    /// One transaction that replaced the version.
    Update,
    /// One transaction that deleted the row, or moved it to another partition.
    Delete,
    /// A multixact of lockers alone.
    MultiLock,
    /// A multixact with one member that replaced or deleted.
    MultiChange,
}

/// Where `ctid` leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// To the version itself: it is the last one of its chain.
    Itself,
    /// To the version that took its place. Trust it only if that one's `xmin` is what ended this one.
    Version(ItemPointer),
    /// To another partition, nobody knows where in it.
    OtherPartition,
    /// The insert is speculative (`on conflict`) and not confirmed; this is its token.
    Speculative(u32),
}

/// What the command field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandField {
    /// The command that made the version, or that ended it if `xmax` is a change: its own transaction knows.
    Id(u32),
    /// Index into a table of both, private to a session (`src/backend/utils/time/combocid.c`).
    Combo(u32),
    /// The transaction of an old `vacuum full` (before 9.0) that moved the tuple (`t_xvac`).
    MovedBy(u32),
}

/// The fixed part of a tuple's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TupleHeader {
    /// The lower 32 bits of the transaction that made it, as they are on the page, frozen or not.
    pub xmin: u32,
    /// The lower 32 bits of a transaction, or a multixact, or 0.
    pub xmax: u32,
    /// Command id, combo id, or the transaction of an old `vacuum full`.
    pub command: u32,
    /// Where the next version is; itself if there is none.
    pub ctid: ItemPointer,
    /// Number of columns and flags.
    pub infomask2: u16,
    /// Flags.
    pub infomask: u16,
    /// Where the columns begin, counted from the header's beginning.
    pub hoff: u8,
}

impl TupleHeader {
    /// Bytes of it (`SizeofHeapTupleHeader`).
    pub const BYTES: usize = 23;

    /// The header at the beginning of a tuple's bytes; `None` if they are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        // The block number is stored as two halves, the higher first (`BlockIdData`).
        let block = u32::from(u16_at(bytes, 12)?) << 16 | u32::from(u16_at(bytes, 14)?);
        Some(Self {
            xmin: u32_at(bytes, 0)?,
            xmax: u32_at(bytes, 4)?,
            command: u32_at(bytes, 8)?,
            ctid: ItemPointer { block, offset: u16_at(bytes, 16)? },
            infomask2: u16_at(bytes, 18)?,
            infomask: u16_at(bytes, 20)?,
            hoff: *bytes.get(22)?,
        })
    }

    /// The bytes of it, as they are on a page.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let [low, high] = [self.ctid.block & 0xFFFF, self.ctid.block >> 16].map(u32::to_le_bytes);
        bytes[0..4].copy_from_slice(&self.xmin.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.xmax.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.command.to_le_bytes());
        bytes[12..14].copy_from_slice(&high[..2]);
        bytes[14..16].copy_from_slice(&low[..2]);
        bytes[16..18].copy_from_slice(&self.ctid.offset.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.infomask2.to_le_bytes());
        bytes[20..22].copy_from_slice(&self.infomask.to_le_bytes());
        bytes[22] = self.hoff;
        bytes
    }

    /// How many columns are stored.
    #[must_use]
    pub const fn natts(&self) -> u16 {
        self.infomask2 & mask::COLUMNS_MASK
    }

    /// Whether some column is null, so that there is a bitmap behind the header.
    #[must_use]
    pub const fn has_nulls(&self) -> bool {
        self.has(mask::HAS_NULL)
    }

    /// Whether some value is stored out of line.
    #[must_use]
    pub const fn has_external(&self) -> bool {
        self.has(mask::HAS_EXTERNAL)
    }

    /// Whether the version came by an update.
    #[must_use]
    pub const fn is_updated_version(&self) -> bool {
        self.has(mask::UPDATED)
    }

    /// Whether the next version needed no new index entries, by the bit alone.
    #[must_use]
    pub const fn has_hot_updated_bit(&self) -> bool {
        self.infomask2 & mask::HOT_UPDATED != 0
    }

    /// Whether the next version needed no new index entries, and may count (`HeapTupleHeaderIsHotUpdated`): not so if
    /// either transaction is known to have been rolled back.
    #[must_use]
    pub const fn is_hot_updated(&self) -> bool {
        self.has_hot_updated_bit() && !self.has(mask::XMAX_INVALID) && !self.is_xmin_invalid()
    }

    /// Whether no index entry leads to it.
    #[must_use]
    pub const fn is_heap_only(&self) -> bool {
        self.infomask2 & mask::HEAP_ONLY != 0
    }

    /// Whether the change that ended it touched the key or was a delete.
    #[must_use]
    pub const fn is_key_changed(&self) -> bool {
        self.infomask2 & mask::KEYS_UPDATED != 0
    }

    /// Whether the maker is known to be committed: by its own bit or frozen.
    #[must_use]
    pub const fn is_xmin_committed(&self) -> bool {
        self.has(mask::XMIN_COMMITTED)
    }

    /// Whether the maker is known to have been rolled back.
    #[must_use]
    pub const fn is_xmin_invalid(&self) -> bool {
        self.infomask & mask::XMIN_FROZEN == mask::XMIN_INVALID
    }

    /// Whether everybody counts the maker as committed: both bits at once, or the id that froze before 9.4.
    #[must_use]
    pub const fn is_frozen(&self) -> bool {
        self.infomask & mask::XMIN_FROZEN == mask::XMIN_FROZEN || self.xmin == 2
    }

    /// Whether `xmax` is a multixact.
    #[must_use]
    pub const fn is_xmax_multi(&self) -> bool {
        self.has(mask::XMAX_IS_MULTI)
    }

    /// Whether `xmax` is void: there is none, or it is known not to count.
    #[must_use]
    pub const fn is_xmax_invalid(&self) -> bool {
        self.has(mask::XMAX_INVALID)
    }

    /// Whether `xmax` only locks (`HEAP_XMAX_IS_LOCKED_ONLY`), also by the bits of before 9.3.
    #[must_use]
    pub const fn is_xmax_locked_only(&self) -> bool {
        self.has(mask::XMAX_LOCK_ONLY)
            || self.infomask & (mask::XMAX_IS_MULTI | mask::LOCK_MASK) == mask::XMAX_EXCL_LOCK
    }

    /// Whether `xmax` is a multixact of before 9.3 that `pg_upgrade` brought (`HEAP_LOCKED_UPGRADED`): it must not be
    /// looked up, and locks nothing any more.
    #[must_use]
    pub const fn is_locked_upgraded(&self) -> bool {
        self.has(mask::XMAX_IS_MULTI) && self.has(mask::XMAX_LOCK_ONLY) && self.infomask & mask::LOCK_MASK == 0
    }

    /// What `xmax` of a version at `place` stands for. A delete leaves `ctid` at the version itself, an update does not.
    #[must_use]
    pub fn xmax_kind(&self, place: ItemPointer) -> XmaxKind {
        let is_void = self.is_xmax_invalid() || self.is_locked_upgraded() || self.xmax == 0;
        match (is_void, self.is_xmax_multi(), self.is_xmax_locked_only()) {
            (true, ..) => XmaxKind::None,
            (_, true, true) => XmaxKind::MultiLock,
            (_, true, false) => XmaxKind::MultiChange,
            (_, false, true) => XmaxKind::Lock(self.lock_mode()),
            (_, false, false) if matches!(self.next(place), Next::Version(_)) => XmaxKind::Update,
            (_, false, false) => XmaxKind::Delete,
        }
    }

    /// Where `ctid` of a version at `place` leads. An offset of 0 is said to lead to itself, as an older `ctid` may.
    #[must_use]
    pub fn next(&self, place: ItemPointer) -> Next {
        match self.ctid {
            ItemPointer { block, offset: SPECULATIVE_OFFSET } => Next::Speculative(block),
            ItemPointer { block: INVALID_BLOCK, offset: MOVED_PARTITIONS_OFFSET } => Next::OtherPartition,
            ctid if ctid == place || ctid.offset == 0 => Next::Itself,
            ctid => Next::Version(ctid),
        }
    }

    /// What the command field holds.
    #[must_use]
    pub const fn command_field(&self) -> CommandField {
        if self.infomask & mask::MOVED != 0 {
            CommandField::MovedBy(self.command)
        } else if self.has(mask::COMBO_COMMAND) {
            CommandField::Combo(self.command)
        } else {
            CommandField::Id(self.command)
        }
    }

    /// Names of the bits as `heap_tuple_infomask_flags` of `pageinspect` has them: first each bit, then combinations.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.raw_flags().chain(self.combined_flags())
    }

    /// The first array of that function: one name for each bit.
    pub fn raw_flags(&self) -> impl Iterator<Item = &'static str> {
        mask::raw(self.infomask, self.infomask2)
    }

    /// The second array: names for bits that together say something else.
    pub fn combined_flags(&self) -> impl Iterator<Item = &'static str> {
        mask::combined(self.infomask)
    }

    const fn has(&self, bit: u16) -> bool {
        self.infomask & bit != 0
    }

    const fn lock_mode(&self) -> Option<LockMode> {
        match self.infomask & mask::LOCK_MASK {
            mask::XMAX_KEY_SHARE_LOCK => Some(LockMode::KeyShare),
            mask::XMAX_SHARE_LOCK => Some(LockMode::Share),
            mask::XMAX_EXCL_LOCK if !self.has(mask::XMAX_LOCK_ONLY) => None,
            mask::XMAX_EXCL_LOCK if self.is_key_changed() => Some(LockMode::Update),
            mask::XMAX_EXCL_LOCK => Some(LockMode::NoKeyUpdate),
            _ => None,
        }
    }
}
