//! Puts a batch in an order in which one statement can decide many requests at once. Pure.
//!
//! [`super::flush`] calls `buy_batch` for one product at a time, with each key and each user once. Requests that share
//! one with an earlier request of the batch go into a later call, so that they are decided as if they had come later;
//! exact repetitions are not asked at all, they get the answer of the first.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::flash_sale::purchase::Purchase;

/// How many calls one after the other a batch may need. Who sends more different requests at once, under one key or as
/// one user, is asked to come back: otherwise one buyer could make everybody's flush long.
const ROUND_LIMIT: usize = 4;

/// A batch in the order in which it is decided.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lineup {
    /// The calls, in order.
    pub(crate) calls: Vec<Call>,
    /// Repetitions: a place in the batch, and the earlier place whose answer it gets.
    pub(crate) repetitions: Vec<(usize, usize)>,
    /// Places that are not decided this time.
    pub(crate) turned_away: Vec<usize>,
}

/// The requests of one call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Their product.
    pub(crate) product_id: i64,
    /// Their places in the batch, growing.
    pub(crate) places: Vec<usize>,
}

/// Puts a batch in order.
pub(crate) fn line_up(batch: &[Purchase]) -> Lineup {
    let mut lineup = Lineup::default();
    // For each key: its first place, and the last round it is in; for each buyer: the last round.
    let mut keys: HashMap<Uuid, (usize, usize)> = HashMap::with_capacity(batch.len());
    let mut buyers: HashMap<(i64, i64), usize> = HashMap::with_capacity(batch.len());
    let mut calls: BTreeMap<(usize, i64), Vec<usize>> = BTreeMap::new();
    for (place, purchase) in batch.iter().enumerate() {
        let of_key = keys.get(&purchase.key).copied();
        if let Some((first, _)) = of_key
            && batch[first] == *purchase
        {
            lineup.repetitions.push((place, first));
            continue;
        }
        let buyer = (purchase.product_id, purchase.user_id);
        let of_buyer = buyers.get(&buyer).copied();
        let round = of_key.map(|(_, round)| round).max(of_buyer).map_or(0, |round| round + 1);
        if round >= ROUND_LIMIT {
            lineup.turned_away.push(place);
            continue;
        }
        keys.insert(purchase.key, (of_key.map_or(place, |(first, _)| first), round));
        buyers.insert(buyer, round);
        calls.entry((round, purchase.product_id)).or_default().push(place);
    }
    lineup.calls = calls.into_iter().map(|((_, product_id), places)| Call { product_id, places }).collect();
    lineup
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn purchase(key: u128, product_id: i64, user_id: i64) -> Purchase {
        Purchase { key: Uuid::from_u128(key), product_id, user_id }
    }

    #[test]
    fn different_buyers_are_decided_in_one_call() {
        let lineup = line_up(&[purchase(1, 7, 1), purchase(2, 7, 2), purchase(3, 7, 3)]);
        assert_eq!(lineup.calls, [Call { product_id: 7, places: vec![0, 1, 2] }]);
        assert!(lineup.repetitions.is_empty() && lineup.turned_away.is_empty());
    }

    #[test]
    fn a_repetition_gets_the_answer_of_the_first_and_another_body_is_decided_after_it() {
        let lineup = line_up(&[purchase(1, 7, 1), purchase(1, 7, 1), purchase(1, 7, 2)]);
        assert_eq!(lineup.repetitions, [(1, 0)]);
        assert_eq!(lineup.calls.iter().map(|call| call.places.clone()).collect::<Vec<_>>(), [vec![0], vec![2]]);
    }

    #[test]
    fn one_buyer_with_many_keys_does_not_make_the_flush_long() {
        let batch: Vec<_> = (0..100).map(|key| purchase(key, 7, 1)).collect();
        let lineup = line_up(&batch);
        assert_eq!(lineup.calls.len(), ROUND_LIMIT);
        assert_eq!(lineup.turned_away.len(), 100 - ROUND_LIMIT);
    }

    proptest! {
        /// Every place is dealt with once; a call has each key and buyer once; what shares one stays in order.
        #[test]
        fn a_lineup_is_the_batch_in_an_order_that_decides_it_the_same(
            wishes in prop::collection::vec((0_u128..12, 1_i64..3, 0_i64..6), 1..60)
        ) {
            let batch: Vec<_> = wishes.iter().map(|(key, product, user)| purchase(*key, *product, *user)).collect();
            let lineup = line_up(&batch);
            let decided: Vec<usize> = lineup.calls.iter().flat_map(|call| call.places.clone()).collect();
            let mut all = decided.clone();
            all.extend(lineup.repetitions.iter().map(|(place, _)| *place));
            all.extend(&lineup.turned_away);
            all.sort_unstable();
            prop_assert_eq!(all, (0..batch.len()).collect::<Vec<_>>());

            for call in &lineup.calls {
                let of_call = || call.places.iter().map(|place| batch[*place]);
                prop_assert!(of_call().all(|purchase| purchase.product_id == call.product_id));
                prop_assert_eq!(of_call().map(|purchase| purchase.key).collect::<HashSet<_>>().len(), call.places.len());
                prop_assert_eq!(of_call().map(|purchase| purchase.user_id).collect::<HashSet<_>>().len(), call.places.len());
            }
            for (at, earlier) in decided.iter().enumerate() {
                for later in &decided[at + 1..] {
                    let (a, b) = (batch[*earlier], batch[*later]);
                    let related = a.key == b.key || (a.product_id, a.user_id) == (b.product_id, b.user_id);
                    prop_assert!(!related || earlier < later);
                }
            }
            for (place, first) in &lineup.repetitions {
                prop_assert!(first < place && batch[*first] == batch[*place]);
            }
        }
    }
}
