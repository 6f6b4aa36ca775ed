//! Arrays as text. Layout: `src/include/utils/array.h`; text form: `array_out` in src/backend/utils/adt/arrayfuncs.c.

use std::fmt::Write;

use super::{Printed, builtin, print};
use crate::bytes::{align, i32_at, u32_at};
use crate::row::value;

/// Dimensions that an array can have (`MAXDIM`).
const MAXIMUM_DIMENSIONS: usize = 6;
/// Bytes of the length before an array, from which its offsets count; the value given here comes without.
const LENGTH_BYTES: usize = 4;
/// Bytes of text that are printed.
const MAXIMUM_TEXT_BYTES: usize = 16 << 20;

/// The parts of an array that are of interest.
struct Array<'a> {
    element: u32,
    /// Length and lowest index of each dimension.
    dimensions: Vec<(usize, i32)>,
    nulls: Option<&'a [u8]>,
    data: &'a [u8],
}

/// An array of its bytes, as `array_out` prints it; `None` also if its elements are of a type that is not known here.
pub(super) fn array(bytes: &[u8]) -> Option<String> {
    let array = parse(bytes)?;
    let elements = elements(&array)?;
    if array.dimensions.is_empty() {
        return Some("{}".to_owned());
    }
    let mut text = String::new();
    if array.dimensions.iter().any(|(_, lowest)| *lowest != 1) {
        for (length, lowest) in &array.dimensions {
            let highest = i64::from(*lowest) + i64::try_from(*length).ok()? - 1;
            write!(text, "[{lowest}:{highest}]").ok()?;
        }
        text.push('=');
    }
    let mut rest = elements.as_slice();
    let lengths: Vec<usize> = array.dimensions.iter().map(|(length, _)| *length).collect();
    nest(&mut text, &lengths, &mut rest)?;
    Some(text)
}

/// `int2vector` and `oidvector`: arrays that print as numbers with spaces between.
pub(super) fn vector(bytes: &[u8]) -> Option<String> {
    let elements = elements(&parse(bytes)?)?;
    Some(elements.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn parse(bytes: &[u8]) -> Option<Array<'_>> {
    let count = usize::try_from(i32_at(bytes, 0)?).ok().filter(|count| *count <= MAXIMUM_DIMENSIONS)?;
    let data_offset = usize::try_from(i32_at(bytes, 4)?).ok()?;
    let element = u32_at(bytes, 8)?;
    let mut dimensions = Vec::with_capacity(count);
    for index in 0..count {
        let length = usize::try_from(i32_at(bytes, 12 + 4 * index)?).ok()?;
        dimensions.push((length, i32_at(bytes, 12 + 4 * (count + index))?));
    }
    let head = 12 + 8 * count;
    let (nulls, data) = if data_offset == 0 {
        (None, bytes.get(align(head + LENGTH_BYTES, 8) - LENGTH_BYTES..).unwrap_or_default())
    } else {
        let data_offset = data_offset.checked_sub(LENGTH_BYTES)?;
        (Some(bytes.get(head..data_offset)?), bytes.get(data_offset..)?)
    };
    Some(Array { element, dimensions, nulls, data })
}

/// The elements' texts in their order, `None` for null.
fn elements(array: &Array<'_>) -> Option<Vec<Option<String>>> {
    let count = array.dimensions.iter().try_fold(1_usize, |product, (length, _)| product.checked_mul(*length))?;
    let count = if array.dimensions.is_empty() { 0 } else { count };
    let layout = builtin::layout(array.element)?;
    // An element takes at least a byte, a null a bit.
    if count > array.data.len() + 8 * array.nulls.map_or(0, <[u8]>::len) {
        return None;
    }
    let mut at = 0;
    let mut printed_bytes = 0;
    let mut elements = Vec::with_capacity(count);
    for index in 0..count {
        let is_null = match array.nulls {
            Some(nulls) => nulls.get(index / 8)? & 1 << (index % 8) == 0,
            None => false,
        };
        if is_null {
            elements.push(None);
            continue;
        }
        let (element, end) = value(array.data, at, layout)?;
        at = end;
        let Printed::Text(text) = print(array.element, element) else { return None };
        printed_bytes += text.len();
        if printed_bytes > MAXIMUM_TEXT_BYTES {
            return None;
        }
        elements.push(Some(text));
    }
    Some(elements)
}

fn nest(text: &mut String, lengths: &[usize], elements: &mut &[Option<String>]) -> Option<()> {
    let Some((length, deeper)) = lengths.split_first() else {
        let (element, rest) = elements.split_first()?;
        *elements = rest;
        match element {
            Some(element) => quote(text, element),
            None => text.push_str("NULL"),
        }
        return Some(());
    };
    text.push('{');
    for index in 0..*length {
        if index > 0 {
            text.push(',');
        }
        nest(text, deeper, elements)?;
    }
    text.push('}');
    Some(())
}

fn quote(text: &mut String, element: &str) {
    let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',' | b' ' | b'\t'..=b'\r');
    if !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.bytes().any(is_special) {
        text.push_str(element);
        return;
    }
    text.push('"');
    for character in element.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}
