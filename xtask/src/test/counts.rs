//! The numbers in what test runners print. Their machine-readable formats are unstable; these lines are not.

use crate::report::Counts;

/// Adds up cargo test's lines: `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`.
/// `None` where there is none: nothing was built, or nothing ran.
pub fn of_cargo_test(output: &str) -> Option<Counts> {
    let mut sum = None;
    for line in output.lines() {
        let Some((_, numbers)) = line.split_once("test result: ") else { continue };
        let numbers = numbers.split_once(". ").map_or(numbers, |(_, rest)| rest);
        let counts: &mut Counts = sum.get_or_insert_default();
        add_words(counts, numbers.split(';'));
    }
    sum
}

/// Reads nextest's summary: `Summary [ 1.2s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
/// Tests that were listed but not run (`5/9 tests run`) count as failed.
pub fn of_nextest(output: &str) -> Option<Counts> {
    let line = output.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (head, tail) = line.split_once(" run: ")?;
    let mut counts = Counts::default();
    add_words(&mut counts, without_parentheses(tail).split(','));
    let ran = head.split(']').nth(1)?.split_whitespace().next()?;
    if let Some((finished, listed)) = ran.split_once('/') {
        counts.failed += listed.parse::<u64>().ok()?.saturating_sub(finished.parse().ok()?);
    }
    Some(counts)
}

/// `7 passed`, `1 timed out`, …: whatever is neither passed nor skipped has failed. `0 measured` and
/// `3 filtered out` are cargo test's words for tests that were never asked for; `finished in …` is no number.
fn add_words<'a>(counts: &mut Counts, parts: impl Iterator<Item = &'a str>) {
    for part in parts {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match word.trim() {
            "passed" => counts.passed += number,
            "skipped" | "ignored" => counts.skipped += number,
            "measured" | "filtered out" => {}
            _ => counts.failed += number,
        }
    }
}

/// Remarks such as `(1 slow, 2 leaky)` qualify tests that are already counted.
fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(character),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn nextest_summaries_are_read_in_all_their_shapes() {
        let check = |line: &str, expect| assert_eq!(of_nextest(line), expect, "{line}");
        check("     Summary [   0.005s] 3 tests run: 3 passed, 0 skipped", Some(counts(3, 0, 0)));
        check("     Summary [   0.005s] 1 test run: 1 passed, 0 skipped", Some(counts(1, 0, 0)));
        check(
            "Summary [  61.2s] 9 tests run: 6 passed (2 slow, 1 leaky), 1 failed, 1 timed out, 1 exec failed, 4 skipped",
            Some(counts(6, 3, 4)),
        );
        check("Summary [   1.0s] 5/9 tests run: 4 passed, 1 failed, 0 skipped", Some(counts(4, 5, 0)));
        check("error: could not compile `pgstrata`", None);
    }

    #[test]
    fn the_last_summary_is_the_one_that_counts() {
        let output =
            "a test printed: Summary [ 1s] 1 test run: 1 failed\nSummary [ 2s] 2 tests run: 2 passed, 0 skipped\n";
        assert_eq!(of_nextest(output), Some(counts(2, 0, 0)));
    }

    #[test]
    fn cargo_test_results_are_added_up_over_binaries() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
            noise\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 5 filtered out; finished in 1.00s\n";
        assert_eq!(of_cargo_test(output), Some(counts(5, 1, 1)));
        assert_eq!(of_cargo_test("error: no such command"), None);
    }
}
