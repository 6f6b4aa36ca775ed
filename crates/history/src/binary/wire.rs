//! Numbers as bytes, and the checksum of a block.

/// Bytes of the longest number: 64 bits, seven a byte.
const NUMBER_BYTES_MOST: u32 = 10;

/// Writes a number.
#[inline]
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Folds a number that may be negative: small ones of either sign stay small.
#[inline]
pub(super) const fn folded(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// Undoes [`folded`].
#[inline]
pub(super) const fn unfolded(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Takes a number off the front; none if the bytes end before it does or it has more than 64 bits.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    if *first < 0x80 {
        return Some(u64::from(*first));
    }
    let mut number = u64::from(*first & 0x7f);
    for place in 1..NUMBER_BYTES_MOST {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(*byte & 0x7f);
        let shifted = bits << (7 * place);
        if shifted >> (7 * place) != bits {
            return None;
        }
        number |= shifted;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// FNV-1a over 64-bit words instead of bytes, the last one filled with zeros, and the length. It finds what a torn or
/// rotten file shows; it is no defence against forgery.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    // Multiplication carries only upwards; the turn brings high bits back down.
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(PRIME).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = words.iter().fold(OFFSET_BASIS, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    sum = mix(sum, u64::from_le_bytes(last));
    mix(sum, bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_reads_back(number: u64, negative: i64) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put(&mut bytes, folded(negative));
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take(&mut rest), Some(number));
            prop_assert_eq!(take(&mut rest).map(unfolded), Some(negative));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn a_changed_bit_changes_the_checksum(mut bytes in prop::collection::vec(any::<u8>(), 1..99), bit: usize) {
            let before = checksum(&bytes);
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(before, checksum(&bytes));
        }
    }

    #[test]
    fn a_number_that_has_no_end_or_too_many_bits_is_refused() {
        assert_eq!(take(&mut [0x80].as_slice()), None);
        assert_eq!(take(&mut [0xff; 11].as_slice()), None);
        assert_eq!(take(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02].as_slice()), None);
    }
}
