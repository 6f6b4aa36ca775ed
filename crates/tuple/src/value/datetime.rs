//! Dates, times and intervals as text: `datestyle = ISO`, `timezone = UTC`, `intervalstyle = postgres`. Forms:
//! src/backend/utils/adt/datetime.c (`EncodeDateOnly`, `EncodeDateTime`, `EncodeInterval`).

use std::fmt::Write;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// From 0000-03-01, where years of this count begin so that leap days end them, to 2000-01-01, where PostgreSQL's begin.
const DAYS_TO_2000: i64 = 730_425;
/// Days of 400 years, after which the calendar repeats.
const DAYS_OF_400_YEARS: i64 = 146_097;

/// A `date`: days since 2000-01-01.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => {
            let (date, is_before_christ) = calendar(days.into());
            if is_before_christ { date + " BC" } else { date }
        }
    }
}

/// A `timestamp`: microseconds since 2000-01-01. `zone` is what stands behind it with a time zone: `+00`.
pub(super) fn timestamp(us: i64, zone: &str) -> String {
    match us {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        us => {
            let (date, is_before_christ) = calendar(us.div_euclid(DAY_US));
            let era = if is_before_christ { " BC" } else { "" };
            format!("{date} {}{zone}{era}", time(us.rem_euclid(DAY_US)))
        }
    }
}

/// A `time`: microseconds since midnight.
pub(super) fn time(us: i64) -> String {
    let seconds = us.div_euclid(SECOND_US);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    fraction(&mut text, us.rem_euclid(SECOND_US));
    text
}

/// A `timetz`: microseconds since midnight, and seconds west of Greenwich.
pub(super) fn time_with_zone(us: i64, west: i32) -> String {
    let east = -i64::from(west);
    let sign = if east < 0 { '-' } else { '+' };
    let (hours, minutes, seconds) = (east.abs() / 3600, east.abs() / 60 % 60, east.abs() % 60);
    let mut text = format!("{}{sign}{hours:02}", time(us));
    for (part, rest) in [(minutes, minutes + seconds), (seconds, seconds)] {
        if rest != 0 {
            let _ = write!(text, ":{part:02}");
        }
    }
    text
}

/// An `interval`: microseconds, days and months, which are kept apart.
pub(super) fn interval(us: i64, days: i32, months: i32) -> String {
    match (us, days, months) {
        // Since 17; before, nothing was as far as this.
        (i64::MAX, i32::MAX, i32::MAX) => return "infinity".to_owned(),
        (i64::MIN, i32::MIN, i32::MIN) => return "-infinity".to_owned(),
        _ => {}
    }
    let mut text = String::new();
    let mut is_after_negative = false;
    for (count, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if count == 0 {
            continue;
        }
        let space = if text.is_empty() { "" } else { " " };
        let sign = if is_after_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(text, "{space}{sign}{count} {unit}{plural}");
        is_after_negative = count < 0;
    }
    if us != 0 || text.is_empty() {
        let space = if text.is_empty() { "" } else { " " };
        let sign = match (us < 0, is_after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let amount = us.unsigned_abs();
        let seconds = amount / SECOND_US.unsigned_abs();
        let _ = write!(text, "{space}{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        fraction(&mut text, i64::try_from(amount % SECOND_US.unsigned_abs()).unwrap_or(0));
    }
    text
}

/// Microseconds behind a point, without the zeros at their end.
fn fraction(text: &mut String, us: i64) {
    if us != 0 {
        let digits = format!("{us:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}

/// Days since 2000-01-01 as a date of the Gregorian calendar, and whether it is before Christ.
fn calendar(days: i64) -> (String, bool) {
    let days = days + DAYS_TO_2000;
    let (cycle, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    // Every fourth year is one day longer, every hundredth is not, every four hundredth is.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, and again: 153 in five of them.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month_of_year = if month < 10 { month + 3 } else { month - 9 };
    let year = cycle * 400 + year + i64::from(month_of_year <= 2);
    // There is no year 0: 1 BC comes before 1 AD.
    let (year, is_before_christ) = if year > 0 { (year, false) } else { (1 - year, true) };
    (format!("{year:04}-{month_of_year:02}-{day_of_month:02}"), is_before_christ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_the_gregorian_calendar_for_ever() {
        let check = |days, expected: &str| assert_eq!(date(days), expected);
        check(0, "2000-01-01");
        check(59, "2000-02-29");
        check(-1, "1999-12-31");
        check(366, "2001-01-01");
        check(-36_524, "1900-01-01");
        check(-730_119, "0001-01-01");
        check(-730_120, "0001-12-31 BC");
        check(2_145_031_948, "5874897-12-31");
        check(i32::MAX, "infinity");
    }

    #[test]
    fn timestamps_show_what_their_fraction_has() {
        assert_eq!(timestamp(0, ""), "2000-01-01 00:00:00");
        assert_eq!(timestamp(-1, "+00"), "1999-12-31 23:59:59.999999+00");
        assert_eq!(timestamp(500_000, ""), "2000-01-01 00:00:00.5");
        assert_eq!(timestamp(-730_120 * DAY_US, "+00"), "0001-12-31 00:00:00+00 BC");
        assert_eq!(time_with_zone(0, -19_800), "00:00:00+05:30");
        assert_eq!(time_with_zone(DAY_US, 3600), "24:00:00-01");
    }

    #[test]
    fn intervals_tell_signs_of_their_parts() {
        let check = |parts: (i64, i32, i32), expected: &str| assert_eq!(interval(parts.0, parts.1, parts.2), expected);
        check((0, 0, 0), "00:00:00");
        check((SECOND_US, 3, 14), "1 year 2 mons 3 days 00:00:01");
        check((-SECOND_US / 2, -1, 0), "-1 days -00:00:00.5");
        check((SECOND_US, 1, -13), "-1 years -1 mons +1 day 00:00:01");
        check((3_600 * SECOND_US, -1, 0), "-1 days +01:00:00");
    }
}
