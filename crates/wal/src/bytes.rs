//! Little-endian numbers out of a slice, one after the other; the end of the slice is a value, not a panic.

/// A position in a slice of bytes. Every `take` fails with `None` at the end and then leaves the position alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been taken.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.take(COUNT)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A count that is stored as a signed number and followed by items of `size` bytes, which must all be there.
    pub(crate) fn count_of(&mut self, size: usize) -> Option<usize> {
        let mut ahead = *self;
        let count = usize::try_from(ahead.i32()?).ok()?;
        if count.checked_mul(size)? > ahead.rest.len() {
            return None;
        }
        *self = ahead;
        Some(count)
    }

    /// Text up to a zero byte, which is taken too.
    pub(crate) fn text(&mut self) -> Option<String> {
        let length = self.rest.iter().position(|byte| *byte == 0)?;
        let text = self.take(length)?;
        self.take(1)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// The next multiple of `alignment`, a power of two.
pub(crate) const fn align(position: usize, alignment: usize) -> usize {
    (position + alignment - 1) & !(alignment - 1)
}

/// The same for positions in the log; records begin at multiples of 8 (`MAXALIGN`).
pub(crate) const fn align_lsn(position: u64) -> u64 {
    (position + 7) & !7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_bytes_is_no_panic_and_takes_nothing() {
        let mut bytes = Bytes::new(&[1, 0, 2]);
        assert_eq!(bytes.u32(), None);
        assert_eq!(bytes.u16(), Some(1));
        assert_eq!(bytes.u16(), None);
        assert_eq!(bytes.u8(), Some(2));
        assert_eq!(bytes.u8(), None);
    }

    #[test]
    fn a_count_of_more_items_than_there_are_is_refused() {
        let mut bytes = Bytes::new(&[2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes.count_of(8), None);
        assert_eq!(bytes.count_of(4), Some(2));
        assert_eq!(Bytes::new(&[0xFF; 8]).count_of(1), None, "a negative count");
    }

    #[test]
    fn positions_are_rounded_up() {
        let check = |position, expected| assert_eq!(align(position, 8), expected, "{position}");
        check(0, 0);
        check(1, 8);
        check(8, 8);
        assert_eq!(align_lsn(0x29), 0x30);
    }
}
