//! PostgreSQL's own compression, the unpacking half: for page images, and for values compressed in place.
//!
//! Format: the comment at the head of `src/common/pg_lzcompress.c`. A control byte announces eight items, lowest bit
//! first: 0 is a byte as it is; 1 is two or three bytes that repeat what was unpacked before.

/// The shortest repetition; shorter ones are stored as they are.
const SHORTEST: usize = 3;
/// A stored length of this much is followed by a byte that lengthens it.
const EXTENDED: usize = 18;

/// Unpacks exactly `length` bytes; `None` if the input does not hold them, or repeats what is not there.
#[must_use]
pub fn unpack_pglz(input: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut output = Vec::with_capacity(length);
    let mut rest = input;
    let mut take = || {
        let (first, behind) = rest.split_first()?;
        rest = behind;
        Some(*first)
    };
    while output.len() < length {
        let control = take()?;
        for item in 0..8 {
            if output.len() == length {
                break;
            }
            if control & 1 << item == 0 {
                output.push(take()?);
                continue;
            }
            let (low, high) = (usize::from(take()?), usize::from(take()?));
            let mut count = (low & 0x0F) + SHORTEST;
            if count == EXTENDED {
                count += usize::from(take()?);
            }
            repeat(&mut output, (low & 0xF0) << 4 | high, count.min(length))?;
        }
    }
    (output.len() == length && rest.is_empty()).then_some(output)
}

/// Appends `count` bytes that stand `distance` before the end; they may overlap with what is appended.
fn repeat(output: &mut Vec<u8>, distance: usize, count: usize) -> Option<()> {
    let from = output.len().checked_sub(distance).filter(|_| distance > 0)?;
    for at in from..from + count {
        output.push(output[at]);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_format_says_is_unpacked() {
        let check = |input: &[u8], expected: &[u8]| {
            assert_eq!(unpack_pglz(input, expected.len()).as_deref(), Some(expected), "{input:?}");
        };
        check(&[0, b'a', b'b'], b"ab");
        // One byte, then nine that repeat it: the repetition overlaps with itself.
        check(&[0b10, b'x', 0x06, 1], b"xxxxxxxxxx");
        // A length of 18 and 2 more.
        check(&[0b100, b'a', b'b', 0x0F, 2, 2], &b"ab".repeat(11));
        check(&[], b"");
    }

    #[test]
    fn input_that_does_not_add_up_is_refused() {
        let check = |input: &[u8], length| assert_eq!(unpack_pglz(input, length), None, "{input:?}");
        check(&[0, b'a'], 2);
        check(&[0, b'a', b'b', b'c'], 2);
        check(&[1, 0, 0], 3);
        check(&[0b10, b'x', 0x00, 2], 4);
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic_or_give_another_length(input: Vec<u8>, length in 0_usize..10_000) {
            if let Some(output) = unpack_pglz(&input, length) {
                prop_assert_eq!(output.len(), length);
            }
        }
    }
}
