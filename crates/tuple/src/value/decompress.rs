//! Values that are compressed in place, made whole: `pglz` (`src/common/pg_lzcompress.c`) and LZ4 blocks
//! (the `lz4_Block_format.md` of the LZ4 project). The result has exactly the length that was said, or there is none.

/// How a value is compressed (`ToastCompressionId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Pglz,
    Lz4,
}

/// Most bytes that a value in place is made into: some 90 times what a page can hold, the best that `pglz` does.
const MAXIMUM_BYTES: usize = 1 << 20;

/// The bytes of a compressed value, which begin with its length and method (`va_tcinfo`): its length and, if it can be
/// had, the value.
pub(crate) fn decompress(bytes: &[u8]) -> Option<(u32, Option<Method>, Option<Vec<u8>>)> {
    let (info, data) = bytes.split_first_chunk::<4>()?;
    let info = u32::from_le_bytes(*info);
    let raw_bytes = info & 0x3FFF_FFFF;
    let method = match info >> 30 {
        0 => Some(Method::Pglz),
        1 => Some(Method::Lz4),
        _ => None,
    };
    let length = usize::try_from(raw_bytes).ok().filter(|length| *length <= MAXIMUM_BYTES);
    let value = length.and_then(|length| match method? {
        Method::Pglz => pglz(data, length),
        Method::Lz4 => lz4(data, length),
    });
    Some((raw_bytes, method, value))
}

/// Unpacks exactly `length` bytes of PostgreSQL's own compression (`src/common/pg_lzcompress.c`); `None` if they are not there.
///
/// Every control byte says of up to eight things that follow whether they are a byte or a reference back.
#[must_use]
pub fn pglz(mut data: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(length);
    while value.len() < length {
        let control = take(&mut data)?;
        for bit in 0..8 {
            if value.len() >= length || data.is_empty() {
                break;
            }
            let first = take(&mut data)?;
            if control & 1 << bit == 0 {
                value.push(first);
                continue;
            }
            let distance = usize::from(first & 0xF0) << 4 | usize::from(take(&mut data)?);
            let mut count = usize::from(first & 0x0F) + 3;
            if count == 18 {
                count += usize::from(take(&mut data)?);
            }
            let count = count.min(length - value.len());
            repeat(&mut value, distance, count)?;
        }
    }
    data.is_empty().then_some(value)
}

/// Unpacks exactly `length` bytes of one LZ4 block; `None` if they are not there.
///
/// Sequences of literal bytes and a reference back; the last one has only literals.
#[must_use]
pub fn lz4(mut data: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(length);
    while !data.is_empty() {
        let token = take(&mut data)?;
        let literals = lz4_count(&mut data, token >> 4)?;
        let (bytes, rest) = data.split_at_checked(literals)?;
        data = rest;
        if value.len() + bytes.len() > length {
            return None;
        }
        value.extend_from_slice(bytes);
        if data.is_empty() {
            break;
        }
        let distance = usize::from(u16::from_le_bytes([take(&mut data)?, take(&mut data)?]));
        let count = lz4_count(&mut data, token & 0x0F)? + 4;
        if value.len() + count > length {
            return None;
        }
        repeat(&mut value, distance, count)?;
    }
    (value.len() == length).then_some(value)
}

/// A count of four bits; 15 goes on in further bytes, until one is not 255.
fn lz4_count(data: &mut &[u8], nibble: u8) -> Option<usize> {
    let mut count = usize::from(nibble);
    if nibble == 15 {
        loop {
            let more = take(data)?;
            count += usize::from(more);
            if more != 255 {
                break;
            }
        }
    }
    Some(count)
}

fn take(data: &mut &[u8]) -> Option<u8> {
    let (first, rest) = data.split_first()?;
    *data = rest;
    Some(*first)
}

/// Appends `count` bytes that began `distance` bytes before the end; they may overlap what they append.
fn repeat(value: &mut Vec<u8>, distance: usize, count: usize) -> Option<()> {
    let from = value.len().checked_sub(distance).filter(|_| distance > 0)?;
    for index in 0..count {
        let byte = *value.get(from + index)?;
        value.push(byte);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_back_may_overlap_what_they_make() {
        // One literal, then 3 + 6 bytes from one byte back.
        assert_eq!(pglz(&[0b10, b'a', 0x06, 1], 10), Some(b"aaaaaaaaaa".to_vec()));
        assert_eq!(lz4(&[0x12, b'a', 1, 0, 0x30, b'x', b'y', b'z'], 10), Some(b"aaaaaaaxyz".to_vec()));
    }

    #[test]
    fn what_does_not_have_its_length_is_no_value() {
        assert_eq!(pglz(&[0, b'a'], 2), None);
        assert_eq!(pglz(&[0, b'a', b'b'], 1), None);
        assert_eq!(pglz(&[1, 0x00, 0], 3), None, "a reference to itself");
        assert_eq!(lz4(&[0x10, b'a'], 2), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_grow_past_its_length(bytes: Vec<u8>, length in 0..5000_usize) {
            for value in [pglz(&bytes, length), lz4(&bytes, length)].into_iter().flatten() {
                prop_assert_eq!(value.len(), length);
            }
            let _ = decompress(&bytes);
        }
    }
}
