//! Rows as heap pages and log records store them, taken apart into columns by their layouts. What the bytes of a column
//! mean is the business of [`crate::value`].
//!
//! Layout rules: src/include/access/tupmacs.h and src/include/varatt.h (before 16 in src/include/postgres.h). A value
//! that was compressed or moved out of line is shown as such; nothing here fetches it.

use crate::bytes::{align, u32_at};
use crate::error::TupleError;

/// Bytes of a tuple's header before its null bitmap (`SizeofHeapRowHeader`).
const FIXED_HEADER_BYTES: usize = 23;
const HAS_NULLS: u16 = 0x0001;
/// The bits of `infomask2` that count columns.
const COLUMNS_MASK: u16 = 0x07FF;

/// The parts of a tuple's header that its columns are found by; all that the log stores of it (`xl_heap_header`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowHeader {
    /// Number of columns and flags.
    pub infomask2: u16,
    /// Flags.
    pub infomask: u16,
    /// Where the first column begins, counted from the beginning of the full header (`t_hoff`).
    pub data_offset: u8,
}

/// A row: its header and what follows it, from the null bitmap on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    header: RowHeader,
    bytes: &'a [u8],
}

/// On which multiples of bytes a column begins (`pg_attribute.attalign`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// `c`: anywhere.
    Char,
    /// `s`: 2 bytes.
    Short,
    /// `i`: 4 bytes.
    Int,
    /// `d`: 8 bytes.
    Double,
}

impl Alignment {
    /// From the letter in the catalog.
    #[must_use]
    pub const fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'c' => Some(Self::Char),
            b's' => Some(Self::Short),
            b'i' => Some(Self::Int),
            b'd' => Some(Self::Double),
            _ => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Char => 1,
            Self::Short => 2,
            Self::Int => 4,
            Self::Double => 8,
        }
    }
}

/// How a column is stored: `pg_attribute.attlen` and `attalign`. Dropped columns keep theirs, and count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnLayout {
    /// Always as many bytes.
    Fixed {
        /// How many.
        bytes: u16,
        /// Its alignment.
        alignment: Alignment,
    },
    /// A length and that many bytes (`attlen = -1`).
    Varlena {
        /// Its alignment, when its length takes four bytes.
        alignment: Alignment,
    },
    /// Text up to a zero byte (`attlen = -2`).
    CString,
}

impl ColumnLayout {
    /// A column with a length and an alignment as in the catalog; `None` for what no catalog says.
    #[must_use]
    pub fn of_catalog(length: i16, alignment: u8) -> Option<Self> {
        let alignment = Alignment::of_letter(alignment)?;
        match length {
            -1 => Some(Self::Varlena { alignment }),
            -2 => Some(Self::CString),
            _ => u16::try_from(length).ok().filter(|bytes| *bytes > 0).map(|bytes| Self::Fixed { bytes, alignment }),
        }
    }
}

/// The value of one column, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL's null.
    Null,
    /// The tuple is older than the column: `pg_attribute.attmissingval` or null.
    NotStored,
    /// The bytes of a fixed-length column, little-endian.
    Fixed(&'a [u8]),
    /// A value of variable length.
    Varlena(Varlena<'a>),
}

/// A value of variable length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varlena<'a> {
    /// Its bytes.
    Plain(&'a [u8]),
    /// Compressed in place.
    Compressed(&'a [u8]),
    /// Stored elsewhere; this is the pointer to it.
    External(&'a [u8]),
}

impl<'a> Row<'a> {
    /// A row of its header and the bytes behind it, which begin with the null bitmap.
    #[must_use]
    pub const fn new(header: RowHeader, bytes: &'a [u8]) -> Self {
        Self { header, bytes }
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> RowHeader {
        self.header
    }

    /// Its bytes, from the null bitmap on.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many columns are stored.
    #[must_use]
    pub fn columns(&self) -> usize {
        usize::from(self.header.infomask2 & COLUMNS_MASK)
    }

    /// The values, one for each column described.
    pub fn values(&self, columns: &[ColumnLayout]) -> Result<Vec<Value<'a>>, TupleError> {
        let stored = self.columns();
        if stored > columns.len() {
            return Err(TupleError::MoreColumns { stored, described: columns.len() });
        }
        let begin = usize::from(self.header.data_offset).checked_sub(FIXED_HEADER_BYTES).ok_or(TupleError::Header)?;
        let data = self.bytes.get(begin..).ok_or(TupleError::Header)?;
        let has_nulls = self.header.infomask & HAS_NULLS != 0;
        if has_nulls && begin < stored.div_ceil(8) {
            return Err(TupleError::Header);
        }
        let is_null = |column: usize| has_nulls && self.bytes[column / 8] & 1 << (column % 8) == 0;
        let mut at = 0;
        let mut values = Vec::with_capacity(columns.len());
        for (column, layout) in columns.iter().enumerate() {
            values.push(if column >= stored {
                Value::NotStored
            } else if is_null(column) {
                Value::Null
            } else {
                let (value, end) = value(data, at, *layout).ok_or(TupleError::TooShort { column })?;
                at = end;
                value
            });
        }
        Ok(values)
    }
}

/// The value that begins at or after `at`, and where it ends.
pub(crate) fn value(data: &[u8], at: usize, layout: ColumnLayout) -> Option<(Value<'_>, usize)> {
    match layout {
        ColumnLayout::Fixed { bytes, alignment } => {
            let at = align(at, alignment.bytes());
            let end = at + usize::from(bytes);
            Some((Value::Fixed(data.get(at..end)?), end))
        }
        ColumnLayout::CString => {
            let length = data.get(at..)?.iter().position(|byte| *byte == 0)?;
            Some((Value::Varlena(Varlena::Plain(&data[at..at + length])), at + length + 1))
        }
        ColumnLayout::Varlena { alignment } => {
            // A short value is not aligned, and its first byte is never zero, as padding is (`att_align_pointer`).
            let at = if *data.get(at)? == 0 { align(at, alignment.bytes()) } else { at };
            let (value, length) = varlena(data.get(at..)?)?;
            Some((Value::Varlena(value), at + length))
        }
    }
}

/// A value of variable length, and how many bytes it takes. The first byte says which of four forms it has.
pub(crate) fn varlena(data: &[u8]) -> Option<(Varlena<'_>, usize)> {
    /// One byte of header, one of tag, and `varatt_external`.
    const EXTERNAL_BYTES: usize = 18;
    let first = *data.first()?;
    if first == 0x01 {
        return Some((Varlena::External(data.get(2..EXTERNAL_BYTES)?), EXTERNAL_BYTES));
    }
    if first & 0x01 != 0 {
        let length = usize::from(first >> 1);
        return Some((Varlena::Plain(data.get(1..length)?), length));
    }
    let length = usize::try_from(u32_at(data, 0)? >> 2).ok()?;
    let value = data.get(4..length)?;
    Some((if first & 0x02 == 0 { Varlena::Plain(value) } else { Varlena::Compressed(value) }, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BIGINT: ColumnLayout = ColumnLayout::Fixed { bytes: 8, alignment: Alignment::Double };
    const INT: ColumnLayout = ColumnLayout::Fixed { bytes: 4, alignment: Alignment::Int };
    const UUID: ColumnLayout = ColumnLayout::Fixed { bytes: 16, alignment: Alignment::Char };
    const TEXT: ColumnLayout = ColumnLayout::Varlena { alignment: Alignment::Int };

    fn tuple(columns: u16, nulls: Option<u8>, data: &[u8]) -> (RowHeader, Vec<u8>) {
        let infomask = if nulls.is_some() { HAS_NULLS } else { 0 };
        let mut bytes = vec![nulls.unwrap_or(0)];
        bytes.extend(data);
        (RowHeader { infomask2: columns, infomask, data_offset: 24 }, bytes)
    }

    fn check(columns: u16, nulls: Option<u8>, data: &[u8], layouts: &[ColumnLayout], expected: &[Value<'_>]) {
        let (header, bytes) = tuple(columns, nulls, data);
        assert_eq!(Row::new(header, &bytes).values(layouts).expect("a tuple"), expected);
    }

    #[test]
    fn columns_are_found_by_their_alignment() {
        let mut data = vec![1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        check(2, None, &data, &[INT, BIGINT], &[Value::Fixed(&[1, 0, 0, 0]), Value::Fixed(&[2, 0, 0, 0, 0, 0, 0, 0])]);
        data = [1_u8, 0, 0, 0].into_iter().chain(0..16).collect();
        let uuid: Vec<u8> = (0..16).collect();
        check(2, None, &data, &[INT, UUID], &[Value::Fixed(&[1, 0, 0, 0]), Value::Fixed(&uuid)]);
    }

    #[test]
    fn short_values_are_not_aligned_and_long_ones_are() {
        let plain = |bytes| Value::Varlena(Varlena::Plain(bytes));
        check(2, None, &[0x07, b'a', b'b', 0x05, b'c'], &[TEXT, TEXT], &[plain(b"ab"), plain(b"c")]);
        check(2, None, &[0x05, b'a', 0, 0, 0x14, 0, 0, 0, b'b'], &[TEXT, TEXT], &[plain(b"a"), plain(b"b")]);
        check(1, None, &[0x16, 0, 0, 0, 9], &[TEXT], &[Value::Varlena(Varlena::Compressed(&[9]))]);
    }

    #[test]
    fn nulls_take_no_room_and_columns_added_later_are_not_stored() {
        let value = Value::Fixed(&[7, 0, 0, 0]);
        check(2, Some(0b10), &[7, 0, 0, 0], &[INT, INT, INT], &[Value::Null, value, Value::NotStored]);
    }

    #[test]
    fn a_tuple_that_does_not_fit_is_an_error() {
        let check = |columns, data: &[u8], expected| {
            let (header, bytes) = tuple(columns, None, data);
            assert_eq!(Row::new(header, &bytes).values(&[INT]), Err(expected));
        };
        check(2, &[0; 8], TupleError::MoreColumns { stored: 2, described: 1 });
        check(1, &[0; 3], TupleError::TooShort { column: 0 });
        let header = RowHeader { infomask2: 1, infomask: 0, data_offset: 3 };
        assert_eq!(Row::new(header, &[]).values(&[INT]), Err(TupleError::Header));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(infomask2: u16, infomask: u16, data_offset: u8, bytes: Vec<u8>) {
            let header = RowHeader { infomask2, infomask, data_offset };
            let layouts = [INT, TEXT, UUID, ColumnLayout::CString, BIGINT];
            let _ = Row::new(header, &bytes).values(&layouts);
        }
    }
}
