//! A sequence of statements with its loops folded: `a b c b c b c d` is `a (b c)+ d`.
//!
//! Loops inside loops are folded from the inside, so a line of an order that itself has a loop comes out as one loop.

use std::ops::Range;

/// The longest body that is looked for, statements.
const BODY_MOST: usize = 32;

/// A sequence without its repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded<Item> {
    /// The items, each body once.
    pub items: Vec<Item>,
    /// The bodies, as ranges of the items; none overlaps another.
    pub loops: Vec<Range<usize>>,
    /// For each item of the sequence, its place among the items and the number of the round it was in, from 0.
    pub places: Vec<(usize, usize)>,
}

/// Folds a sequence: the shortest body first, and of these the first.
pub fn fold<Item: PartialEq + Clone>(sequence: &[Item]) -> Folded<Item> {
    let mut items = Vec::new();
    let mut loops = Vec::new();
    let mut places = Vec::with_capacity(sequence.len());
    let mut at = 0;
    while at < sequence.len() {
        let Some((length, rounds)) = repetition(&sequence[at..]) else {
            places.push((items.len(), 0));
            items.push(sequence[at].clone());
            at += 1;
            continue;
        };
        let begin = items.len();
        for round in 0..rounds {
            places.extend((0..length).map(|offset| (begin + offset, round)));
        }
        items.extend_from_slice(&sequence[at..at + length]);
        loops.push(begin..begin + length);
        at += length * rounds;
    }
    Folded { items, loops, places }
}

/// The body that is repeated at the beginning, and how many times it stands there.
fn repetition<Item: PartialEq>(sequence: &[Item]) -> Option<(usize, usize)> {
    (1..=BODY_MOST.min(sequence.len() / 2)).find_map(|length| {
        let body = &sequence[..length];
        let rounds = sequence.chunks_exact(length).take_while(|chunk| *chunk == body).count();
        (rounds > 1).then_some((length, rounds))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(sequence: &str) -> (String, Vec<Range<usize>>) {
        let folded = fold(&sequence.chars().collect::<Vec<_>>());
        (folded.items.into_iter().collect(), folded.loops)
    }

    #[test]
    fn repetitions_are_folded_into_their_bodies() {
        assert_eq!(folded("abcbcbcd"), ("abcd".to_owned(), std::iter::once(1..3).collect()));
        assert_eq!(folded("aab"), ("ab".to_owned(), std::iter::once(0..1).collect()));
        assert_eq!(folded("abc"), ("abc".to_owned(), vec![]));
        assert_eq!(folded("aabcbc"), ("abc".to_owned(), vec![0..1, 1..3]));
        assert_eq!(folded(""), (String::new(), vec![]));
    }

    #[test]
    fn each_statement_keeps_its_place_and_round() {
        let folded = fold(&"abcbcd".chars().collect::<Vec<_>>());
        assert_eq!(folded.places, [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (3, 0)]);
    }
}
