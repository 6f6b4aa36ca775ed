//! Numbers for values of which nothing is known but how they compare: all different, and in the order that predicates want.

use std::collections::BTreeSet;

use pgstrata_sqltext::Order;

/// Values by place, and what must hold between them.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    /// Those that are what they are.
    fixed: Vec<Option<i64>>,
    wanted: Vec<(usize, Order, usize)>,
}

impl Values {
    /// One more value; returns its place.
    pub fn add(&mut self, fixed: Option<i64>) -> usize {
        self.fixed.push(fixed);
        self.fixed.len() - 1
    }

    /// Something that must hold.
    pub fn want(&mut self, one: usize, order: Order, two: usize) {
        self.wanted.push((one, order, two));
    }

    /// Numbers from `first` on, or below it where something must be smaller; nothing if there are none.
    pub fn numbers(&self, first: i64) -> Option<Vec<i64>> {
        let count = i64::try_from(self.fixed.len()).ok()?;
        let most = self.most();
        let mut numbers: Vec<Option<i64>> = self.fixed.clone();
        let mut used: BTreeSet<i64> = self.fixed.iter().flatten().copied().collect();
        let mut next = first;
        for place in self.smallest_first()? {
            let least = self.above(place, &numbers);
            let from = match most[place] {
                Some(most) => (most - count).max(least.unwrap_or(i64::MIN)),
                None => next.max(least.unwrap_or(i64::MIN)),
            };
            // One more than there are others is enough.
            let number = (from..=from.checked_add(count)?).find(|number| !used.contains(number))?;
            used.insert(number);
            numbers[place] = Some(number);
            if most[place].is_none() {
                next = next.max(number + 1);
            }
        }
        let numbers: Vec<i64> = numbers.into_iter().collect::<Option<_>>()?;
        self.wanted.iter().all(|(one, order, two)| order.holds(numbers[*one], numbers[*two])).then_some(numbers)
    }

    /// The largest that each may be because of fixed ones.
    fn most(&self) -> Vec<Option<i64>> {
        let mut most = self.fixed.clone();
        for _ in 0..self.fixed.len() {
            for (one, order, two) in self.both_ways() {
                let less = match order {
                    Order::Less => 1,
                    Order::AtMost => 0,
                    Order::Differs | Order::More | Order::AtLeast => continue,
                };
                if let (Some(bound), None) = (most[two], self.fixed[one]) {
                    let bound = bound.saturating_sub(less);
                    most[one] = Some(most[one].map_or(bound, |known| known.min(bound)));
                }
            }
        }
        most
    }

    fn both_ways(&self) -> impl Iterator<Item = (usize, Order, usize)> {
        self.wanted.iter().flat_map(|(one, order, two)| [(*one, *order, *two), (*two, order.mirrored(), *one)])
    }

    /// The least that a value may be because of those that have a number.
    fn above(&self, place: usize, numbers: &[Option<i64>]) -> Option<i64> {
        let least = self.both_ways().filter(|(one, ..)| *one == place).filter_map(|(_, order, two)| match order {
            Order::More => numbers[two].map(|number| number.saturating_add(1)),
            Order::AtLeast => numbers[two],
            Order::Differs | Order::Less | Order::AtMost => None,
        });
        least.max()
    }

    /// Those that are not fixed, each after all that must be smaller; nothing if they go in a circle.
    fn smallest_first(&self) -> Option<Vec<usize>> {
        let mut left: Vec<usize> = (0..self.fixed.len()).filter(|place| self.fixed[*place].is_none()).collect();
        let mut all = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let waits = |place: usize| {
                let mut smaller = self
                    .both_ways()
                    .filter(|(one, order, _)| *one == place && matches!(order, Order::More | Order::AtLeast));
                smaller.any(|(_, _, two)| two != place && left.contains(&two))
            };
            let at = left.iter().position(|place| !waits(*place))?;
            all.push(left.remove(at));
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fixed: &[Option<i64>], wanted: &[(usize, Order, usize)], expect: Option<&[i64]>) {
        let values = Values { fixed: fixed.to_vec(), wanted: wanted.to_vec() };
        assert_eq!(values.numbers(1).as_deref(), expect, "{fixed:?} {wanted:?}");
    }

    #[test]
    fn values_that_nothing_is_wanted_of_are_counted() {
        check(&[None, Some(2), None, None], &[], Some(&[1, 2, 3, 4]));
    }

    #[test]
    fn values_stand_in_the_order_that_is_wanted() {
        use Order::{AtMost, Less, More};
        check(&[None, None], &[(0, More, 1)], Some(&[2, 1]));
        check(&[None, None, None], &[(0, AtMost, 1), (2, Less, 0)], Some(&[2, 3, 1]));
        check(&[None, Some(100)], &[(0, More, 1)], Some(&[101, 100]));
        check(&[None, Some(1)], &[(0, Less, 1)], Some(&[-2, 1]));
    }

    #[test]
    fn what_cannot_be_has_no_numbers() {
        use Order::{Less, More};
        check(&[None, None], &[(0, More, 1), (0, Less, 1)], None);
        check(&[None, Some(3), Some(4)], &[(0, More, 1), (0, Less, 2)], None);
    }
}
