//! Little-endian numbers at fixed places of a slice; what lies past its end is a value, not a panic.

fn array<const COUNT: usize>(bytes: &[u8], at: usize) -> Option<[u8; COUNT]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    array(bytes, at).map(i32::from_le_bytes)
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    array(bytes, at).map(i64::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// The next multiple of `alignment`, a power of two.
pub(crate) const fn align(position: usize, alignment: usize) -> usize {
    (position + alignment - 1) & !(alignment - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_end_there_is_nothing() {
        let bytes = [1, 0, 0, 0, 2];
        assert_eq!(u32_at(&bytes, 0), Some(1));
        assert_eq!(u16_at(&bytes, 3), Some(0x0200));
        assert_eq!(u16_at(&bytes, 4), None);
        assert_eq!(u32_at(&bytes, usize::MAX), None);
    }

    #[test]
    fn positions_are_rounded_up() {
        assert_eq!([0, 1, 8, 9].map(|position| align(position, 8)), [0, 8, 8, 16]);
    }
}
