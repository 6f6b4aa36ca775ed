//! What can be wrong with a log: damage with its place, and the end of the log told apart from it.

use pgstrata_units::Lsn;

use crate::segment::Timeline;

/// Why the bytes at some position are no page or record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A page header of less than its length.
    #[error("only {bytes} bytes of a page are there")]
    PageTooShort {
        /// How many.
        bytes: usize,
    },
    /// A page of no version that is read here, of another byte order, or no page.
    #[error("page magic {found:04X} is of no PostgreSQL from 14 to 18 on a little-endian machine")]
    Magic {
        /// What is there.
        found: u16,
    },
    /// Flags that no version sets.
    #[error("page flags {found:04X} are not known")]
    PageFlags {
        /// What is there.
        found: u16,
    },
    /// A page of another place: in a recycled file, what was there before.
    #[error("the page says that it belongs at {found}")]
    PageAddress {
        /// What it says.
        found: Lsn,
    },
    /// A segment or page size that this reader cannot have.
    #[error("segments of {segment} bytes in pages of {page} bytes are not read here")]
    Sizes {
        /// Segment size in bytes.
        segment: u32,
        /// Page size in bytes.
        page: u32,
    },
    /// The first page of a segment lacks its long header.
    #[error("the segment does not begin with a long page header")]
    NoLongHeader,
    /// A segment of another cluster.
    #[error("the segment is of system {found}, not of {expected}")]
    OtherSystem {
        /// The cluster read so far.
        expected: u64,
        /// What the segment says.
        found: u64,
    },
    /// A segment of another version or size than the ones before it.
    #[error("the segment is of another version or segment size than the log before it")]
    OtherFormat,
    /// A page of an earlier timeline than the page before it.
    #[error("the page is of timeline {found}, before it came {previous}")]
    TimelineWentBack {
        /// The timeline so far.
        previous: Timeline,
        /// What the page says.
        found: Timeline,
    },
    /// A segment that does not have its length.
    #[error("the segment has {found} bytes, not {expected}")]
    SegmentLength {
        /// The size that its header says.
        expected: u64,
        /// Its length.
        found: u64,
    },
    /// A record's length of zero where a record should be: nothing was written here.
    #[error("no record was written here")]
    Nothing,
    /// A length that no record has.
    #[error("a record of {found} bytes cannot be")]
    RecordLength {
        /// What is there.
        found: u32,
    },
    /// Another checksum than the record carries.
    #[error("the record's CRC is {stored:08X}, its bytes give {computed:08X}")]
    Crc {
        /// In the record.
        stored: u32,
        /// Of its bytes.
        computed: u32,
    },
    /// The record points back to another record than the one before it.
    #[error("the record says that the one before it is at {found}, it is at {expected}")]
    PreviousRecord {
        /// The record read before.
        expected: Lsn,
        /// What this one says.
        found: Lsn,
    },
    /// A resource manager that is not known.
    #[error("resource manager {found} does not exist")]
    Manager {
        /// Its number.
        found: u8,
    },
    /// The page that should continue the record does not.
    #[error("the next page does not continue the record: {remaining} bytes are left, it says {found}")]
    Continuation {
        /// What is left of the record.
        remaining: u32,
        /// What the page says; zero if it continues no record.
        found: u32,
    },
    /// Block references that do not add up, although the checksum is right.
    #[error("the record's block references do not add up: {what}")]
    Blocks {
        /// Where they go wrong.
        what: &'static str,
    },
}

/// Where reading stopped, and why.
///
/// The log has no end mark: what was never written looks like damage. The two are told apart by what follows: after
/// a torn end there is nothing of this log; after damage in the middle there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", match followed_by { Some(next) => format!("damaged at {lsn}, the log goes on at {next}"), None => format!("the log ends at {lsn}") })]
pub struct ReadError {
    /// The position of the record (or page) that cannot be read.
    pub lsn: Lsn,
    /// Why.
    #[source]
    pub fault: Fault,
    /// A position after it, in the same segment, where sound log of the same run was found.
    pub followed_by: Option<Lsn>,
}

impl ReadError {
    /// Whether nothing of this log follows in the segment: an end, clean or torn. A segment that was archived as
    /// complete, or that others follow, cannot end so; its reader must take this for damage too.
    #[must_use]
    pub const fn may_be_the_end(&self) -> bool {
        self.followed_by.is_none()
    }

    /// Whether the log simply stops here, between two records.
    #[must_use]
    pub fn is_clean_end(&self) -> bool {
        self.may_be_the_end() && self.fault == Fault::Nothing
    }
}

/// A record whose checksum is right, but whose body is not what this crate knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {manager} record at {lsn} has an unknown body: {what}")]
pub struct DecodeError {
    /// The record.
    pub lsn: Lsn,
    /// The name of its resource manager.
    pub manager: String,
    /// What was being read.
    pub what: &'static str,
}
