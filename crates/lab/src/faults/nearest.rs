//! The nearest of some names to a misspelt one, for the hint of an error. Nothing else.

/// The candidate that `name` was most likely meant to be, if any is close: about a third of its letters differ
/// at most (two of five: swapped neighbours), or one is the beginning of the other.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            let begins =
                name.len() >= SHORTEST_BEGINNING && (candidate.starts_with(name) || name.starts_with(candidate));
            begins || *distance * 3 <= candidate.chars().count() + 1
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Fewer letters are the beginning of too much.
const SHORTEST_BEGINNING: usize = 3;

/// How many letters must be inserted, removed or replaced (Levenshtein 1966), one row of the matrix at a time.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_neighbour_and_a_strange_one_does_not() {
        let names = ["kill-postmaster", "kill-backend", "pause", "slow-fsync"];
        for (written, meant) in [
            ("kill-postmater", Some("kill-postmaster")),
            ("killbackend", Some("kill-backend")),
            ("slow_fsync", Some("slow-fsync")),
            ("kill-post", Some("kill-postmaster")),
            ("puase", Some("pause")),
            ("pauze", Some("pause")),
            ("earthquake", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written:?}");
        }
    }

    #[test]
    fn the_distance_counts_insertions_removals_and_replacements() {
        for (from, to, expected) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("same", "same", 0)] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
