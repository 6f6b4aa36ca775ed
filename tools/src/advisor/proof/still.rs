//! What no order of transactions decides, made the same in every order: clocks stand still, and numbers out of sequences
//! are each session's own.
//!
//! A verdict is about every execution, so about those in which the clock has not moved and in which sequences, which
//! promise nothing but new numbers, have given these. Without this two serial runs of the same programs differ in the time
//! of day, and nothing could be said of programs that look at it.
//!
//! Limits. The words are looked for in statements and definitions, and not inside the text of functions. Chance
//! (`random`, `gen_random_uuid`) is left alone: outcomes that hang on it come out as undecided.

use super::scan::{Word, words};

/// The moment at which all clocks stand.
const MOMENT: &str = "2026-01-01 00:00:00";

/// The text with constants in the place of clocks.
pub(super) fn still(text: &str) -> String {
    let found = words(text);
    let mut result = String::with_capacity(text.len());
    let mut place = 0;
    while place < found.len() {
        if let Some((constant, length)) = clock(&found, place) {
            result.push_str(&constant);
            place += length;
        } else {
            result.push_str(found[place].text());
            place += 1;
        }
    }
    result
}

/// The constant for a clock that stands at this place, and how many words it takes.
fn clock(found: &[Word<'_>], place: usize) -> Option<(String, usize)> {
    let Word::Plain(name) = found[place] else { return None };
    let before = found[..place].iter().rev().find(|word| !matches!(word, Word::Space(_)));
    if before.is_some_and(|word| word.text() == "." || word.text().eq_ignore_ascii_case("as")) {
        return None;
    }
    let next = |from: usize| (from..found.len()).find(|at| !matches!(found[*at], Word::Space(_)));
    let sign = |at: Option<usize>, sign: &str| at.is_some_and(|at| found[at].text() == sign);
    let open = next(place + 1);
    let inside = open.and_then(|open| next(open + 1));
    match name.to_ascii_lowercase().as_str() {
        "now" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" => {
            let close = inside.filter(|close| sign(open, "(") && sign(Some(*close), ")"))?;
            Some((constant("timestamptz", "+00"), close + 1 - place))
        }
        name => {
            let (type_name, zone) = match name {
                "current_timestamp" => ("timestamptz", "+00"),
                "localtimestamp" => ("timestamp", ""),
                "current_date" => ("date", ""),
                "current_time" => ("timetz", "+00"),
                "localtime" => ("time", ""),
                _ => return None,
            };
            // How exact it is, in parentheses.
            let exact = inside.and_then(|inside| next(inside + 1)).filter(|close| {
                sign(open, "(") && sign(Some(*close), ")") && matches!(found[close - 1], Word::Constant(_))
            });
            Some((constant(type_name, zone), exact.map_or(1, |close| close + 1 - place)))
        }
    }
}

fn constant(type_name: &str, zone: &str) -> String {
    let moment = match type_name {
        "date" => &MOMENT[..10],
        "time" | "timetz" => &MOMENT[11..],
        _ => MOMENT,
    };
    format!("{type_name} '{moment}{zone}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_stand_still_and_names_that_look_like_them_stay() {
        let check = [
            ("select now()", "select timestamptz '2026-01-01 00:00:00+00'"),
            ("set a = NOW ( ) + interval '1 day'", "set a = timestamptz '2026-01-01 00:00:00+00' + interval '1 day'"),
            ("values (current_timestamp(3), 1)", "values (timestamptz '2026-01-01 00:00:00+00', 1)"),
            ("values (current_date, localtime)", "values (date '2026-01-01', time '00:00:00')"),
            ("select t.now, 'now()', now from t", "select t.now, 'now()', now from t"),
            ("select a as now from t", "select a as now from t"),
            ("select now(1), \"now\"()", "select now(1), \"now\"()"),
        ];
        for (text, expect) in check {
            assert_eq!(still(text), expect);
        }
    }
}
