//! All orders of the sessions' steps in which each session keeps its own order.
//!
//! They come one after the other and are never all in memory: eight sessions of six steps have 10^38 of them.

use super::{Permutation, PlannedStep, Spec, StepId};
use crate::session::Seat;

/// The interleavings of a specification, in the order in which PostgreSQL's tester runs them: sorted by the sessions that
/// act, first by who acts first.
#[derive(Clone, Debug)]
pub struct Interleavings {
    /// How many steps each session has.
    lengths: Vec<usize>,
    /// Who acts, in order, in the interleaving that comes next.
    next: Option<Vec<usize>>,
}

impl Interleavings {
    /// Those of a specification.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        Self::of_lengths(spec.sessions.iter().map(|session| session.steps.len()).collect())
    }

    /// Those of sessions with so many steps.
    #[must_use]
    pub fn of_lengths(lengths: Vec<usize>) -> Self {
        let first = lengths.iter().enumerate().flat_map(|(session, length)| std::iter::repeat_n(session, *length));
        Self { next: Some(first.collect()), lengths }
    }
}

impl Iterator for Interleavings {
    type Item = Permutation;

    fn next(&mut self) -> Option<Permutation> {
        let actors = self.next.take()?;
        let mut taken = vec![0; self.lengths.len()];
        let steps = actors.iter().map(|session| {
            let place = taken[*session];
            taken[*session] += 1;
            PlannedStep { step: StepId { session: Seat(*session), place }, markers: Vec::new() }
        });
        let permutation = Permutation { steps: steps.collect() };
        self.next = successor(actors);
        Some(permutation)
    }
}

/// The next arrangement of the same numbers in lexicographic order: at the last place that can grow, take the smallest
/// larger number behind it, and sort the rest (Narayana Pandita; Knuth, TAOCP 7.2.1.2, algorithm L).
fn successor(mut actors: Vec<usize>) -> Option<Vec<usize>> {
    let grows = actors.windows(2).rposition(|pair| pair[0] < pair[1])?;
    let swap = actors.iter().rposition(|actor| *actor > actors[grows])?;
    actors.swap(grows, swap);
    actors[grows + 1..].reverse();
    Some(actors)
}

/// How many interleavings sessions of so many steps have: the multinomial coefficient, `u128::MAX` when it is beyond that.
#[must_use]
pub fn count(lengths: &[usize]) -> u128 {
    let (mut count, mut placed) = (1_u128, 0_u128);
    for length in lengths {
        for step in 1..=*length as u128 {
            placed += 1;
            // A product of consecutive binomial coefficients: each division is exact.
            match count.checked_mul(placed) {
                Some(product) => count = product / step,
                None => return u128::MAX,
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn actors(permutation: &Permutation) -> Vec<usize> {
        permutation.steps.iter().map(|planned| planned.step.session.0).collect()
    }

    #[test]
    fn two_sessions_of_two_steps_come_in_the_order_of_postgresqls_tester() {
        let orders: Vec<_> = Interleavings::of_lengths(vec![2, 2]).map(|order| actors(&order)).collect();
        let expect = [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]];
        assert_eq!(orders, expect);
    }

    #[test]
    fn a_number_of_interleavings_beyond_counting_does_not_overflow() {
        assert!(count(&[6; 8]) > 1_u128 << 100);
        assert_eq!(count(&[100; 8]), u128::MAX);
    }

    proptest! {
        #[test]
        fn each_interleaving_comes_once_in_order_and_keeps_the_order_of_each_session(
            lengths in prop::collection::vec(1_usize..4, 1..4),
        ) {
            let orders: Vec<_> = Interleavings::of_lengths(lengths.clone()).collect();
            prop_assert_eq!(orders.len() as u128, count(&lengths));
            let distinct: BTreeSet<_> = orders.iter().map(actors).collect();
            prop_assert_eq!(distinct.len(), orders.len());
            prop_assert!(orders.iter().map(actors).is_sorted());
            for order in &orders {
                for (session, length) in lengths.iter().enumerate() {
                    let places = order.steps.iter().map(|planned| planned.step);
                    let places: Vec<_> = places.filter(|step| step.session.0 == session).map(|step| step.place).collect();
                    prop_assert_eq!(places, (0..*length).collect::<Vec<_>>());
                }
            }
        }
    }
}
