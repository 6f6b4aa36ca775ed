//! Numbers as people read them: thin separators, three significant digits, a unit after a no-break space.
//!
//! Nothing here knows a language: digits, SI prefixes and the × sign are the same in both.

/// Between groups of three digits (U+202F, as ISO 80000-1 asks for).
pub const THIN_SPACE: char = '\u{202f}';
/// Between a number and its unit.
pub const UNIT_SPACE: char = '\u{a0}';

/// `114 016`, `23.4`, `1.05`, `0.0123`: whole above 100, three significant digits below.
#[must_use]
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    // The limits are where rounding would carry into a fourth digit.
    let decimals = match size {
        0.0 => 0,
        s if s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        s => decimals_of_small(s),
    };
    grouped(&format!("{value:.decimals$}"))
}

/// Decimals that leave three significant digits of a number below one, eight at most.
fn decimals_of_small(size: f64) -> usize {
    let mut decimals = 2;
    let mut scaled = size * 100.0;
    while scaled < 99.95 && decimals < 8 {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

/// `1 234 567`.
#[must_use]
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// `980`, `12.3k`, `4.56M`, `7.89G`: for columns that have no room for more.
#[must_use]
pub fn short_count(value: u64) -> String {
    const STEPS: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let size = value as f64;
    for (unit, letter) in STEPS {
        if size >= unit * 0.9995 {
            return format!("{}{letter}", significant(size / unit));
        }
    }
    value.to_string()
}

/// Microseconds as `41.2 ns`, `850 µs`, `12.3 ms` or `2.30 s`.
#[must_use]
pub fn duration_us(us: f64) -> String {
    match us.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.9995 => with_unit(us * 1e3, "ns"),
        size if size >= 999_500.0 => with_unit(us / 1e6, "s"),
        size if size >= 999.5 => with_unit(us / 1e3, "ms"),
        _ => with_unit(us, "µs"),
    }
}

/// Bytes as `412 B`, `1.21 KiB`, `3.90 GiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    const STEPS: [(f64, &str); 3] = [(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB")];
    for (unit, name) in STEPS {
        if value.abs() >= unit {
            return with_unit(value / unit, name);
        }
    }
    with_unit(value, "B")
}

/// A share of one as `3.1 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    with_unit_text(&format!("{:.1}", share * 100.0), "%")
}

/// A ratio as `×473` or `×0.981`.
#[must_use]
pub fn ratio(value: f64) -> String {
    format!("×{}", significant(value))
}

/// A ratio with its interval, `×473 [451, 495]`.
#[must_use]
pub fn ratio_with_interval(value: f64, low: f64, high: f64) -> String {
    format!("{} [{}, {}]", ratio(value), significant(low), significant(high))
}

/// A number and its unit; that of ratios stands before it.
#[must_use]
pub fn with_unit(value: f64, unit: &str) -> String {
    if unit == "×" {
        return ratio(value);
    }
    with_unit_text(&significant(value), unit)
}

fn with_unit_text(number: &str, unit: &str) -> String {
    format!("{number}{UNIT_SPACE}{unit}")
}

/// Groups the digits before the decimal point and writes a true minus sign.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("−", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, ""), |(whole, fraction)| (whole, fraction));
    let mut out = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(THIN_SPACE);
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_significant_digits() {
        let check = |value, expected| assert_eq!(significant(value), expected);
        check(114_016.3, "114\u{202f}016");
        check(1_000_000.0, "1\u{202f}000\u{202f}000");
        check(999.96, "1\u{202f}000");
        check(99.96, "100");
        check(99.94, "99.9");
        check(9.996, "10.0");
        check(1.046, "1.05");
        check(0.9996, "1.00");
        check(0.012_34, "0.0123");
        check(0.0, "0");
        check(-122.0, "−122");
        check(f64::NAN, "–");
    }

    #[test]
    fn durations_and_bytes_choose_their_unit() {
        assert_eq!(duration_us(0.041_2), "41.2\u{a0}ns");
        assert_eq!(duration_us(0.0), "0");
        assert_eq!(with_unit(466.2, "×"), "×466");
        assert_eq!(duration_us(850.0), "850\u{a0}µs");
        assert_eq!(duration_us(999.7), "1.00\u{a0}ms");
        assert_eq!(duration_us(12_340.0), "12.3\u{a0}ms");
        assert_eq!(duration_us(2_300_000.0), "2.30\u{a0}s");
        assert_eq!(bytes(412.0), "412\u{a0}B");
        assert_eq!(bytes(1_240.0), "1.21\u{a0}KiB");
    }

    #[test]
    fn short_counts_fit_a_narrow_column() {
        assert_eq!(short_count(980), "980");
        assert_eq!(short_count(12_345), "12.3k");
        assert_eq!(short_count(999_999), "1.00M");
        assert_eq!(short_count(4_560_000), "4.56M");
    }
}
