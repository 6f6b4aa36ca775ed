//! `numeric` and the floating-point types as text. Layout of `numeric`: src/backend/utils/adt/numeric.c.

use std::fmt::{LowerExp, Write};
use std::str::FromStr;

use crate::bytes::u16_at;

/// A `numeric` of its bytes, as `numeric_out` prints it.
pub(super) fn numeric(bytes: &[u8]) -> Option<String> {
    let header = u16_at(bytes, 0)?;
    let (is_negative, scale, weight, digits) = match header & 0xC000 {
        0xC000 => {
            let special = match header & 0xF000 {
                0xC000 => "NaN",
                0xD000 => "Infinity",
                0xF000 => "-Infinity",
                _ => return None,
            };
            return Some(special.to_owned());
        }
        // The short form: sign, scale of 6 bits, weight of 7 with its sign.
        0x8000 => {
            let weight = i32::from(header & 0x3F) - if header & 0x40 == 0 { 0 } else { 0x40 };
            (header & 0x2000 != 0, usize::from(header >> 7 & 0x3F), weight, bytes.get(2..)?)
        }
        sign => {
            let weight = i32::from(u16_at(bytes, 2)?.cast_signed());
            (sign == 0x4000, usize::from(header & 0x3FFF), weight, bytes.get(4..)?)
        }
    };
    // Digits to the base of ten thousand; those that are left out are zero.
    let group = |index: i32| {
        let at = usize::try_from(index).ok().and_then(|index| index.checked_mul(2));
        at.and_then(|at| u16_at(digits, at)).map_or(0, |group| group.min(9999))
    };
    let mut text = String::new();
    if is_negative {
        text.push('-');
    }
    if weight < 0 {
        text.push('0');
    }
    for index in 0..=weight {
        let written = if index == 0 { write!(text, "{}", group(0)) } else { write!(text, "{:04}", group(index)) };
        written.ok()?;
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut index = weight + 1;
        while text.len() < end {
            write!(text, "{:04}", group(index)).ok()?;
            index += 1;
        }
        text.truncate(end);
    }
    Some(text)
}

/// A `real`, with the fewest digits that read back as it (src/common/f2s.c).
pub(super) fn real(value: f32) -> String {
    /// From this power of ten on an exponent is written.
    const EXPONENT_FROM: i32 = 6;
    special(value.into()).unwrap_or_else(|| arrange(&shortest(value), EXPONENT_FROM))
}

/// A `double precision`, likewise (src/common/d2s.c).
pub(super) fn double(value: f64) -> String {
    const EXPONENT_FROM: i32 = 15;
    special(value).unwrap_or_else(|| arrange(&shortest(value), EXPONENT_FROM))
}

fn special(value: f64) -> Option<String> {
    let text = match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        0.0 if value.is_sign_negative() => "-0",
        0.0 => "0",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The fewest digits, as in `1.5e-7`. Unlike Rust, the server rounds to even where two are as near, and does not accept
/// digits exactly half-way to a neighbour, for not all that reads them rounds to even (`STRICTLY_SHORTEST` is 0).
fn shortest<F: LowerExp + FromStr + PartialEq + Copy>(value: F) -> String {
    /// As many digits as any number of 64 bits needs.
    const MAXIMUM_PRECISION: usize = 17;
    let shortest = format!("{value:e}");
    let digits = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let rounded = |precision| format!("{value:.precision$e}");
    let nearest = std::iter::once(rounded(digits - 1)).chain([shortest.clone()]);
    let mut candidates = nearest.chain((digits..=MAXIMUM_PRECISION).map(rounded));
    candidates.find(|text| is_inside(text, value)).unwrap_or(shortest)
}

/// Whether a little more and a little less than the text read as the value too.
fn is_inside<F: FromStr + PartialEq + Copy>(text: &str, value: F) -> bool {
    const FURTHER_DIGITS: i32 = 20;
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| i32::try_from(fraction.len()).unwrap_or(0));
    let digits: u128 = mantissa.replace('.', "").parse().unwrap_or(0);
    let exponent = exponent.parse::<i32>().unwrap_or(0) - fraction - FURTHER_DIGITS;
    let further = digits * 10_u128.pow(FURTHER_DIGITS.unsigned_abs());
    [further + 1, further.saturating_sub(1)]
        .iter()
        .all(|digits| format!("{sign}{digits}e{exponent}").parse::<F>().is_ok_and(|read| read == value))
}

/// `1.5e-7` as C programs write it: plain where the exponent is small, else with a sign and two digits of exponent.
fn arrange(text: &str, exponent_from: i32) -> String {
    const EXPONENT_TO: i32 = -4;
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(EXPONENT_TO..exponent_from).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.unsigned_abs());
    }
    let digits = mantissa.replace('.', "");
    let Ok(whole) = usize::try_from(exponent) else {
        let zeros = "0".repeat(usize::try_from(-1 - exponent).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    };
    if digits.len() <= whole + 1 {
        return format!("{sign}{digits:0<width$}", width = whole + 1);
    }
    let (before, after) = digits.split_at(whole + 1);
    format!("{sign}{before}.{after}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numerics_of_both_forms_print_as_the_server_does() {
        let check = |words: &[u16], expected: &str| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!(numeric(&bytes).as_deref(), Some(expected));
        };
        check(&[0x8000], "0");
        check(&[0x8100], "0.00");
        check(&[0x8101, 1, 2345, 6700], "12345.67");
        check(&[0xA100 | 0x7F, 100], "-0.01");
        check(&[0x8200 | 0x7F, 5, 0], "0.0005");
        check(&[0x4002, 1, 1], "-10000.00");
        check(&[0xC000], "NaN");
        check(&[0xF000], "-Infinity");
        assert_eq!(numeric(&[]), None);
    }

    #[test]
    fn floating_point_numbers_print_as_the_server_does() {
        let check = |value: f64, expected: &str| assert_eq!(double(value), expected);
        check(0.1, "0.1");
        check(-1234.5, "-1234.5");
        check(1e14, "100000000000000");
        check(1e15, "1e+15");
        check(0.0001, "0.0001");
        check(0.000_012_5, "1.25e-05");
        check(-0.0, "-0");
        check(f64::MIN_POSITIVE, "2.2250738585072014e-308");
        check(f64::NEG_INFINITY, "-Infinity");
        assert_eq!(real(1e6), "1e+06");
        assert_eq!(real(123_456.0), "123456");
        assert_eq!(real(0.1), "0.1");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(double(value).parse::<f64>().expect("a number").to_bits(), bits);
        }

        #[test]
        fn no_bytes_make_a_numeric_panic(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = numeric(&bytes);
        }
    }
}
