//! What can be wrong with bytes that should be a heap page or a tuple.

/// Why bytes are no heap page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// A page that was added to the file and not filled yet, or lost in a crash; the server reads it as empty
    /// (`PageIsNew`).
    #[error("the page was never filled")]
    New,
    /// Not the bytes of one page.
    #[error("{found} bytes are no page; pages have 1 to 32 kilobytes")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// The header says another size than that of the bytes.
    #[error("the page says that it has {says} bytes, there are {found}")]
    Size {
        /// In its header.
        says: usize,
        /// How many there are.
        found: usize,
    },
    /// A layout before PostgreSQL 8.3, another byte order, or no page.
    #[error("page layout version {found} is not read here, only 4 is")]
    LayoutVersion {
        /// What is there.
        found: u8,
    },
    /// Offsets of free and special space that cannot be.
    #[error("free space from {lower} to {upper} and special space at {special} cannot be in a page of {size} bytes")]
    Bounds {
        /// Where free space begins.
        lower: u16,
        /// Where it ends.
        upper: u16,
        /// Where special space begins.
        special: u16,
        /// The page's size.
        size: usize,
    },
    /// A page of an index or a sequence: heap pages have no special space.
    #[error("the page has special space, so it is of an index or a sequence, not of a table")]
    NotHeap,
}

/// A tuple, or a row in one, that does not fit its bytes or its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TupleError {
    /// The line pointer leads into the header, the line pointers, free space or out of the page.
    #[error("the line pointer leads to bytes {at} to {end}, where no tuple can be")]
    Outside {
        /// Where it leads.
        at: u16,
        /// Where its bytes end.
        end: u32,
    },
    /// Fewer bytes than a tuple's header has.
    #[error("{bytes} bytes are too few for a tuple's header")]
    TooFewBytes {
        /// How many there are.
        bytes: usize,
    },
    /// The data ends within a column.
    #[error("the tuple ends within column {column} (counted from 0)")]
    TooShort {
        /// Index of the column.
        column: usize,
    },
    /// More columns are stored than are described.
    #[error("the tuple stores {stored} columns, {described} are described")]
    MoreColumns {
        /// In the tuple.
        stored: usize,
        /// In the list.
        described: usize,
    },
    /// A header that no tuple has.
    #[error("the tuple's header is not one of a tuple")]
    Header,
}
