//! Whether the bytes of a value hold together, so that the server's own functions for its type may be given them. A type's
//! output function trusts the lengths inside a value; bytes of a damaged page must be looked at before.
//!
//! Only lengths and counts are checked, as far as following them could leave the value. Whether a value makes sense is
//! left to its type, which refuses nonsense with an error.

use crate::bytes::{align, u16_at, u32_at};
use crate::row::{Alignment, ColumnLayout, Value, Varlena};

/// How the inside of a value is built, as far as its type is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Structure {
    /// No lengths inside: text, bytes, numbers of fixed length.
    Flat,
    /// `name`: fixed length, with a zero byte in it.
    Name,
    /// `numeric`.
    Numeric,
    /// `jsonb`.
    Jsonb,
    /// `bit`, `bit varying`.
    Bits,
    /// `inet`, `cidr`.
    Address,
    /// `path`: a count of points of 16 bytes.
    Path,
    /// `polygon`: a count of points of 16 bytes, and a box.
    Polygon,
    /// `tsvector`.
    Lexemes,
    /// An array of elements of this type.
    Array {
        /// OID of the element type.
        of: u32,
        /// How an element is stored.
        layout: ColumnLayout,
        /// How it is built inside.
        structure: Box<Self>,
    },
    /// Something else with an inside that is not known here: ranges, rows, types of extensions.
    Unknown,
}

/// How deep values may be nested; `jsonb` itself has no limit, but what reads it recurses.
const DEEPEST: u32 = 512;

impl Structure {
    /// The structure of a type that PostgreSQL comes with and that has a varying length, by its OID; arrays are found by
    /// their element type. Types of fixed length are `Flat`, but for `name`.
    #[must_use]
    pub fn of_varlena(type_oid: u32) -> Self {
        match type_oid {
            // bytea, text, json, xml, bpchar, varchar, jsonpath is not among them.
            17 | 25 | 114 | 142 | 1042 | 1043 | 2275 => Self::Flat,
            1700 => Self::Numeric,
            3802 => Self::Jsonb,
            1560 | 1562 => Self::Bits,
            650 | 869 => Self::Address,
            602 => Self::Path,
            604 => Self::Polygon,
            3614 => Self::Lexemes,
            // int2vector and oidvector are laid out as arrays.
            22 => Self::array_of(21, ColumnLayout::Fixed { bytes: 2, alignment: Alignment::Short }),
            30 => Self::array_of(26, ColumnLayout::Fixed { bytes: 4, alignment: Alignment::Int }),
            _ => Self::Unknown,
        }
    }

    fn array_of(of: u32, layout: ColumnLayout) -> Self {
        Self::Array { of, layout, structure: Box::new(Self::Flat) }
    }

    /// Whether `content`, a value without its length word, holds together. `None`: the type's inside is not known here.
    #[must_use]
    pub fn holds(&self, content: &[u8]) -> Option<bool> {
        Some(match self {
            Self::Flat => true,
            Self::Unknown => return None,
            Self::Name => content.contains(&0),
            Self::Numeric => numeric(content).is_some(),
            Self::Jsonb => container(content, DEEPEST).is_some_and(|end| end <= content.len()),
            Self::Bits => bits(content).is_some(),
            Self::Address => address(content).is_some(),
            Self::Path => points(content, 12),
            Self::Polygon => points(content, 36),
            Self::Lexemes => lexemes(content).is_some(),
            Self::Array { of, layout, structure } => return array(content, *of, *layout, structure),
        })
    }
}

fn check(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// A count as the server keeps it, a signed word.
fn count_at(content: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(content, at)?.cast_signed()).ok()
}

/// A header of 2 or 4 bytes, then digits of 2 bytes each (`src/backend/utils/adt/numeric.c`).
fn numeric(content: &[u8]) -> Option<()> {
    let header_bytes = match u16_at(content, 0)? & 0xC000 {
        0x8000 | 0xC000 => 2,
        _ => 4,
    };
    check(content.len().checked_sub(header_bytes)?.is_multiple_of(2))
}

/// A count of bits, then as many bytes as they need.
fn bits(content: &[u8]) -> Option<()> {
    let count = count_at(content, 0)?;
    check(content.len() - 4 == count.div_ceil(8))
}

/// Family (2 or 3), bits of the mask, and 4 or 16 bytes (`inet_struct`).
fn address(content: &[u8]) -> Option<()> {
    let (family, mask) = (*content.first()?, *content.get(1)?);
    match family {
        2 => check(content.len() == 6 && mask <= 32),
        3 => check(content.len() == 18 && mask <= 128),
        _ => None,
    }
}

/// A count of points, then `before` bytes in all until the first of them.
fn points(content: &[u8], before: usize) -> bool {
    count_at(content, 0).and_then(|count| count.checked_mul(16)).is_some_and(|bytes| content.len() == bytes + before)
}

/// A count of entries of 4 bytes (has positions, length, place), then lexemes, each followed by its positions
/// (`src/include/tsearch/ts_type.h`).
fn lexemes(content: &[u8]) -> Option<()> {
    let count = count_at(content, 0)?;
    let begin = count.checked_mul(4)?.checked_add(4)?;
    check(begin <= content.len())?;
    for index in 0..count {
        let entry = u32_at(content, 4 + 4 * index)?;
        let (has_positions, bytes, place) = (entry & 1 != 0, entry >> 1 & 0x7FF, entry >> 12);
        let end = begin + usize::try_from(place).ok()? + usize::try_from(bytes).ok()?;
        check(end <= content.len())?;
        if has_positions {
            // The value's length word is 4 bytes, so that even places stay even without it.
            let at = align(end, 2);
            let positions = usize::from(u16_at(content, at)?);
            check(at + 2 + 2 * positions <= content.len())?;
        }
    }
    Some(())
}

/// Header word (count and kind), one word an entry, then the entries' bytes (`src/include/utils/jsonb.h`). Where the
/// bytes end.
fn container(content: &[u8], deeper: u32) -> Option<usize> {
    const COUNT: u32 = 0x0FFF_FFFF;
    const IS_OBJECT: u32 = 0x2000_0000;
    const IS_ARRAY: u32 = 0x4000_0000;
    check(deeper > 0)?;
    let header = u32_at(content, 0)?;
    check((header & IS_OBJECT != 0) != (header & IS_ARRAY != 0))?;
    let children = usize::try_from(header & COUNT).ok()?;
    let children = if header & IS_OBJECT != 0 { children.checked_mul(2)? } else { children };
    let begin = children.checked_mul(4)?.checked_add(4)?;
    check(begin <= content.len())?;
    let mut end = 0_usize;
    for index in 0..children {
        let entry = u32_at(content, 4 + 4 * index)?;
        // An entry says either its length or where it ends, counted from the first.
        let number = usize::try_from(entry & COUNT).ok()?;
        let next = if entry & 0x8000_0000 != 0 { number } else { end.checked_add(number)? };
        check(next >= end && begin.checked_add(next)? <= content.len())?;
        let is_key = header & IS_OBJECT != 0 && index < children / 2;
        child(&content[..begin + next], begin + end, entry, is_key, deeper)?;
        end = next;
    }
    Some(begin + end)
}

/// One entry whose bytes go from `from` to the end of `content`, with padding before them if they are aligned.
fn child(content: &[u8], from: usize, entry: u32, is_key: bool, deeper: u32) -> Option<()> {
    let aligned = || content.get(align(from, 4)..);
    match entry & 0x7000_0000 {
        0 => Some(()),
        _ if is_key => None,
        0x1000_0000 => {
            // A whole numeric with its length word.
            let value = aligned()?;
            let length = u32_at(value, 0)?;
            check(length.trailing_zeros() >= 2 && usize::try_from(length >> 2).ok()? == value.len())?;
            numeric(value.get(4..)?)
        }
        0x2000_0000..=0x4000_0000 => check(content.len() == from),
        0x5000_0000 => {
            let value = aligned()?;
            check(container(value, deeper - 1)? <= value.len())
        }
        _ => None,
    }
}

/// Dimensions, offset of the data or 0 (no nulls), element type, sizes and lower bounds, null bitmap, elements
/// (`src/include/utils/array.h`). Offsets count from the length word, which `content` does not have.
fn array(content: &[u8], of: u32, layout: ColumnLayout, structure: &Structure) -> Option<bool> {
    const MOST_DIMENSIONS: usize = 6;
    let parts = || {
        let dimensions = count_at(content, 0)?;
        let data_offset = count_at(content, 4)?;
        check(dimensions <= MOST_DIMENSIONS && u32_at(content, 8)? == of)?;
        let mut count = usize::from(dimensions > 0);
        for dimension in 0..dimensions {
            let size = count_at(content, 12 + 4 * dimension)?;
            count = count.checked_mul(size).filter(|count| *count <= content.len().saturating_mul(8))?;
        }
        let bitmap = 12 + 8 * dimensions;
        check(bitmap <= content.len())?;
        let bitmap = (data_offset != 0).then_some(bitmap);
        let data = match bitmap {
            None => align(16 + 8 * dimensions, 8),
            Some(bitmap) => {
                let least = align(4 + bitmap + count.div_ceil(8), 8);
                check(data_offset >= least)?;
                data_offset
            }
        };
        Some((count, bitmap, data))
    };
    let Some((count, bitmap, data)) = parts() else { return Some(false) };
    if count == 0 {
        return Some(true);
    }
    elements(content, count, bitmap, data, layout, structure)
}

fn elements(
    content: &[u8],
    count: usize,
    bitmap: Option<usize>,
    data: usize,
    layout: ColumnLayout,
    structure: &Structure,
) -> Option<bool> {
    // The data begins at a multiple of eight, so that places in it keep their alignment.
    let Some(data) = data.checked_sub(4).and_then(|data| content.get(data..)) else { return Some(false) };
    let mut at = 0;
    let mut are_known = true;
    for index in 0..count {
        let is_null = bitmap
            .is_some_and(|bitmap| content.get(bitmap + index / 8).is_none_or(|byte| byte & 1 << (index % 8) == 0));
        if is_null {
            continue;
        }
        let Some((value, end)) = crate::row::value(data, at, layout) else { return Some(false) };
        let holds = match value {
            Value::Fixed(bytes) | Value::Varlena(Varlena::Plain(bytes)) => structure.holds(bytes),
            // Elements are neither compressed nor moved out of line alone.
            Value::Varlena(_) | Value::Null | Value::NotStored => Some(false),
        };
        match holds {
            Some(false) => return Some(false),
            Some(true) => {}
            None => are_known = false,
        }
        at = end;
    }
    are_known.then_some(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INT: ColumnLayout = ColumnLayout::Fixed { bytes: 4, alignment: Alignment::Int };
    const TEXT: ColumnLayout = ColumnLayout::Varlena { alignment: Alignment::Int };

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn texts() -> Structure {
        Structure::array_of(25, TEXT)
    }

    #[test]
    fn an_array_holds_if_its_elements_fit() {
        let ints = Structure::array_of(23, INT);
        let sound = words(&[1, 0, 23, 2, 1, 7, 8]);
        assert_eq!(ints.holds(&sound), Some(true));
        assert_eq!(ints.holds(&words(&[0, 0, 23])), Some(true), "an empty one has no dimensions");
        for (at, word) in [(0, 7), (0, u32::MAX), (4, 4), (8, 25), (12, 3), (12, u32::MAX), (12, 0x4000_0000)] {
            let mut damaged = sound.clone();
            damaged[at..at + 4].copy_from_slice(&word.to_le_bytes());
            assert_eq!(ints.holds(&damaged), Some(false), "{word} at {at}");
        }
        let texts_of_two = [words(&[1, 0, 25, 2, 1]), vec![0x05, b'a', 0x07, b'b', b'c']].concat();
        assert_eq!(texts().holds(&texts_of_two), Some(true));
        assert_eq!(texts().holds(&texts_of_two[..texts_of_two.len() - 1]), Some(false));
    }

    #[test]
    fn jsonb_holds_if_its_parts_fit() {
        // {"a": "bc"} and [1] as the server writes them.
        let object = [words(&[0x2000_0001, 0x8000_0001, 2]), b"abc".to_vec()].concat();
        assert_eq!(Structure::Jsonb.holds(&object), Some(true));
        let number = words(&[0x4000_0001, 0x9000_0008, 8 << 2, 0x0001_8000]);
        assert_eq!(Structure::Jsonb.holds(&number), Some(true));
        for damaged in [
            [words(&[0x2000_0001, 0x8000_0001, 3]), b"abc".to_vec()].concat(),
            [words(&[0x2FFF_FFFF, 0x8000_0001, 2]), b"abc".to_vec()].concat(),
            words(&[0x4000_0001, 0x9000_0008, 9 << 2, 0x0001_8000]),
            words(&[0x4000_0001, 0xD000_0004, 0x4FFF_FFFF]),
            words(&[0x6000_0001, 0x8000_0001]),
        ] {
            assert_eq!(Structure::Jsonb.holds(&damaged), Some(false), "{damaged:x?}");
        }
    }

    #[test]
    fn counts_inside_values_must_fit_their_bytes() {
        let check = |structure: Structure, content: &[u8], expected| assert_eq!(structure.holds(content), expected);
        check(Structure::Numeric, &[0x01, 0x80, 1, 0], Some(true));
        check(Structure::Numeric, &[0x01, 0x80, 1], Some(false));
        check(Structure::Numeric, &[0x01], Some(false));
        check(Structure::Numeric, &[0x01, 0x00], Some(false));
        check(Structure::Bits, &[9, 0, 0, 0, 1, 1], Some(true));
        check(Structure::Bits, &[17, 0, 0, 0, 1, 1], Some(false));
        check(Structure::Address, &[2, 32, 1, 2, 3, 4], Some(true));
        check(Structure::Address, &[3, 32, 1, 2, 3, 4], Some(false));
        check(Structure::Path, &[words(&[1, 1, 0]), vec![0; 16]].concat(), Some(true));
        check(Structure::Path, &[words(&[2, 1, 0]), vec![0; 16]].concat(), Some(false));
        check(Structure::Lexemes, &[words(&[1, 1 << 1]), b"a".to_vec()].concat(), Some(true));
        check(Structure::Lexemes, &[words(&[1, 2 << 1]), b"a".to_vec()].concat(), Some(false));
        check(Structure::Name, &[b'a'; 64], Some(false));
        check(Structure::Unknown, &[], None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_checks_panic(content in prop::collection::vec(any::<u8>(), 0..96), low in 0..3_u8) {
            // Small numbers where counts are, or nothing would get past the first check.
            let mut content = content;
            for (index, byte) in content.iter_mut().enumerate().take(24) {
                if index % 4 != 0 || *byte > 8 {
                    *byte &= low;
                }
            }
            for structure in [
                Structure::Numeric, Structure::Jsonb, Structure::Bits, Structure::Address, Structure::Path,
                Structure::Polygon, Structure::Lexemes, texts(), Structure::array_of(23, INT),
            ] {
                let _ = structure.holds(&content);
            }
        }
    }
}
