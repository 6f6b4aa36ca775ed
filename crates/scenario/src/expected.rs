//! Compares what a run printed with the outputs that PostgreSQL's authors expect.
//!
//! A test may have several: `name.out`, and `name_1.out` to `name_9.out` for other settings. Like `pg_regress` (`results_differ`
//! in `src/test/regress/pg_regress.c`), any of them will do, and of several that do not the nearest one is shown.

use crate::diff;

/// An output that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its file name.
    pub name: String,
    /// What should be printed.
    pub text: String,
}

/// How an output compares with those that are expected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "comparison", rename_all = "snake_case")]
pub enum Comparison {
    /// It is one of them.
    Matched {
        /// The file name of that one.
        with: String,
    },
    /// It is none of them.
    Differing {
        /// The file name of the nearest one.
        from: String,
        /// How that one differs from what was printed, in the unified format.
        diff: String,
    },
    /// None is known.
    Unknown,
}

/// Compares.
#[must_use]
pub fn compare(printed: &str, expected: &[Expected]) -> Comparison {
    if let Some(matching) = expected.iter().find(|expected| expected.text == printed) {
        return Comparison::Matched { with: matching.name.clone() };
    }
    let differing = expected.iter().map(|expected| {
        let diff = diff::unified(&expected.name, &expected.text, "printed", printed);
        Comparison::Differing { from: expected.name.clone(), diff }
    });
    differing.min_by_key(lines_changed).unwrap_or(Comparison::Unknown)
}

fn lines_changed(comparison: &Comparison) -> usize {
    match comparison {
        Comparison::Differing { diff, .. } => diff.lines().filter(|line| line.starts_with(['+', '-'])).count(),
        Comparison::Matched { .. } | Comparison::Unknown => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_expected_output_will_do_and_the_nearest_one_is_shown() {
        let expected = |name: &str, text: &str| Expected { name: name.to_owned(), text: text.to_owned() };
        let known = [expected("a.out", "1\n2\n3\n"), expected("a_1.out", "1\n2\n4\n5\n")];
        assert_eq!(compare("1\n2\n4\n5\n", &known), Comparison::Matched { with: "a_1.out".to_owned() });
        let Comparison::Differing { from, diff } = compare("1\n2\n4\n", &known) else { panic!("it differs") };
        assert_eq!((from.as_str(), diff.ends_with("-5\n")), ("a_1.out", true));
        assert_eq!(compare("1\n", &[]), Comparison::Unknown);
    }
}
