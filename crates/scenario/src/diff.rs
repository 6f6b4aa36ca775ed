//! How two texts differ, line by line, in the unified format of `diff -U3`.
//!
//! Method: Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), on what is left between the common beginning
//! and end. It is bounded: texts that differ in more than [`EDITS_MAX`] lines are shown as one replaced block.

use std::fmt::Write as _;

/// The most lines that may be added and taken away before the search for the shortest difference is given up. The
/// search keeps one array for each, so this bounds it to some megabytes.
const EDITS_MAX: usize = 600;

/// Lines of agreement shown around each difference.
const CONTEXT: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Add,
}

/// The difference from `before` to `after`; empty when they are equal.
#[must_use]
pub fn unified(before_name: &str, before: &str, after_name: &str, after: &str) -> String {
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    let edits = edits(&before, &after);
    if edits.iter().all(|edit| *edit == Edit::Keep) {
        return String::new();
    }
    let mut text = format!("--- {before_name}\n+++ {after_name}\n");
    for hunk in hunks(&edits) {
        write_hunk(&mut text, &edits, hunk, &before, &after);
    }
    text
}

fn edits(before: &[&str], after: &[&str]) -> Vec<Edit> {
    let head = before.iter().zip(after).take_while(|(left, right)| left == right).count();
    let (before, after) = (&before[head..], &after[head..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(left, right)| left == right).count();
    let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);
    let middle = shortest(before, after).unwrap_or_else(|| {
        let removed = std::iter::repeat_n(Edit::Remove, before.len());
        removed.chain(std::iter::repeat_n(Edit::Add, after.len())).collect()
    });
    let keep = |count| std::iter::repeat_n(Edit::Keep, count);
    keep(head).chain(middle).chain(keep(tail)).collect()
}

/// The shortest way from one list of lines to the other. On diagonal `k = x - y`, `reach[k]` is how far one gets in
/// `before` with so many edits.
fn shortest(before: &[&str], after: &[&str]) -> Option<Vec<Edit>> {
    let limit = (before.len() + after.len()).min(EDITS_MAX);
    let zero = limit + 1;
    let mut reach = vec![0_usize; 2 * zero + 1];
    let mut trace = Vec::new();
    for edits in 0..=limit {
        trace.push(reach.clone());
        for diagonal in (zero - edits..=zero + edits).step_by(2) {
            let mut x = step(&reach, diagonal, zero, edits).0;
            // Below the first line when the diagonal lies beyond the lists: nothing to follow there.
            let Some(mut y) = (x + zero).checked_sub(diagonal) else { continue };
            while x < before.len() && y < after.len() && before[x] == after[y] {
                (x, y) = (x + 1, y + 1);
            }
            reach[diagonal] = x;
            if x >= before.len() && y >= after.len() {
                return Some(walk_back(&trace, before.len(), after.len(), zero));
            }
        }
    }
    None
}

/// Where one comes onto a diagonal with one edit more, and whether by adding a line (from the diagonal above).
fn step(reach: &[usize], diagonal: usize, zero: usize, edits: usize) -> (usize, bool) {
    let adds = diagonal == zero - edits || (diagonal != zero + edits && reach[diagonal - 1] < reach[diagonal + 1]);
    if edits == 0 {
        (0, false)
    } else if adds {
        (reach[diagonal + 1], true)
    } else {
        (reach[diagonal - 1] + 1, false)
    }
}

fn walk_back(trace: &[Vec<usize>], mut x: usize, mut y: usize, zero: usize) -> Vec<Edit> {
    let mut way = Vec::new();
    for (edits, reach) in trace.iter().enumerate().rev() {
        let diagonal = x + zero - y;
        let (start, adds) = step(reach, diagonal, zero, edits);
        while x > start {
            way.push(Edit::Keep);
            (x, y) = (x - 1, y - 1);
        }
        if edits > 0 {
            way.push(if adds { Edit::Add } else { Edit::Remove });
            if adds { y -= 1 } else { x -= 1 }
        }
    }
    way.reverse();
    way
}

/// Ranges of edits to show: each difference with its context, those that touch joined.
fn hunks(edits: &[Edit]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in edits.iter().enumerate().filter(|(_, edit)| **edit != Edit::Keep) {
        let range = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(edits.len());
        match hunks.last_mut() {
            Some(last) if last.end >= range.start => last.end = range.end,
            _ => hunks.push(range),
        }
    }
    hunks
}

fn write_hunk(text: &mut String, edits: &[Edit], hunk: std::ops::Range<usize>, before: &[&str], after: &[&str]) {
    let count = |edits: &[Edit], without: Edit| edits.iter().filter(|edit| **edit != without).count();
    let (mut x, mut y) = (count(&edits[..hunk.start], Edit::Add), count(&edits[..hunk.start], Edit::Remove));
    let (width, height) = (count(&edits[hunk.clone()], Edit::Add), count(&edits[hunk.clone()], Edit::Remove));
    let first = |at: usize, lines: usize| if lines == 0 { at } else { at + 1 };
    let _ = writeln!(text, "@@ -{},{width} +{},{height} @@", first(x, width), first(y, height));
    for edit in &edits[hunk] {
        let (sign, line) = match edit {
            Edit::Keep => (' ', before[x]),
            Edit::Remove => ('-', before[x]),
            Edit::Add => ('+', after[y]),
        };
        x += usize::from(*edit != Edit::Add);
        y += usize::from(*edit != Edit::Remove);
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_changed_line_is_shown_with_three_lines_around_it() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let expect = "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n";
        assert_eq!(unified("a", before, "b", &before.replace('5', "five")), expect);
        assert_eq!(unified("a", before, "b", before), "");
    }

    #[test]
    fn a_missing_end_of_line_is_a_difference() {
        let expect = "--- a\n+++ b\n@@ -1,1 +1,1 @@\n-x\n+x\n\\ No newline at end of file\n";
        assert_eq!(unified("a", "x\n", "b", "x"), expect);
    }

    #[test]
    fn texts_that_have_nothing_in_common_are_shown_as_replaced() {
        let many = |word: &str| format!("{word}\n").repeat(EDITS_MAX);
        let shown = unified("a", &many("a"), "b", &many("b"));
        assert_eq!(shown.lines().count(), 3 + 2 * EDITS_MAX);
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_the_other_text(
            before in prop::collection::vec(0_u8..4, 0..20),
            after in prop::collection::vec(0_u8..4, 0..20),
        ) {
            let lines = |numbers: &[u8]| numbers.iter().map(|number| format!("{number}\n")).collect::<Vec<_>>();
            let (before, after) = (lines(&before), lines(&after));
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            let edits = edits(&before, &after);
            let (mut x, mut y, mut made) = (0, 0, Vec::new());
            for edit in &edits {
                match edit {
                    Edit::Keep => {
                        made.push(before[x]);
                        (x, y) = (x + 1, y + 1);
                    }
                    Edit::Remove => x += 1,
                    Edit::Add => {
                        made.push(after[y]);
                        y += 1;
                    }
                }
            }
            prop_assert_eq!((x, y), (before.len(), after.len()));
            prop_assert_eq!(made, after);
        }
    }
}
