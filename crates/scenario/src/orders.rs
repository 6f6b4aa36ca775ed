//! The orders in which the steps of a scenario are played.
//!
//! A session's own steps keep their order. `begin` takes no snapshot and meets nobody, so orders that differ only in when a
//! session begins are one: `begin` is played right before the session's next step.

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::language::{Action, Permutations, Scenario, Step};

/// The most orders that are played of a scenario that asks for all.
pub const ORDERS_MAX: usize = 5_000;

/// The orders to be played, by the steps' places; the written one first.
#[must_use]
pub fn of(scenario: &Scenario) -> Vec<Vec<usize>> {
    let steps: Vec<&Step> = scenario.steps().collect();
    let written: Vec<usize> = (0..steps.len()).collect();
    let queues = queues(scenario, &steps);
    let mut orders = vec![written];
    match scenario.permutations() {
        Permutations::Written => {}
        Permutations::All => all(&queues, &mut vec![0; queues.len()], &mut Vec::new(), &mut orders),
        Permutations::Sampled { count, seed } => {
            let mut chance = ChaCha8Rng::seed_from_u64(seed);
            orders.extend((1..count).map(|_| drawn(&queues, &mut chance)));
        }
    }
    orders
}

/// Each session's steps, those that are played together in one piece.
fn queues(scenario: &Scenario, steps: &[&Step]) -> Vec<Vec<Vec<usize>>> {
    let of_session = |session: &str| {
        let mut pieces: Vec<Vec<usize>> = Vec::new();
        let mut open = false;
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.session == session) {
            match pieces.last_mut() {
                Some(last) if open => last.push(index),
                _ => pieces.push(vec![index]),
            }
            open = matches!(step.action, Action::Begin(_));
        }
        pieces
    };
    scenario.sessions().into_iter().map(of_session).collect()
}

fn all(queues: &[Vec<Vec<usize>>], done: &mut Vec<usize>, so_far: &mut Vec<usize>, orders: &mut Vec<Vec<usize>>) {
    if orders.len() >= ORDERS_MAX {
        return;
    }
    let mut is_complete = true;
    for session in 0..queues.len() {
        let Some(piece) = queues[session].get(done[session]) else { continue };
        is_complete = false;
        done[session] += 1;
        so_far.extend(piece);
        all(queues, done, so_far, orders);
        so_far.truncate(so_far.len() - piece.len());
        done[session] -= 1;
    }
    if is_complete && !so_far.is_sorted() {
        orders.push(so_far.clone());
    }
}

/// One order; each is as likely as any other.
fn drawn(queues: &[Vec<Vec<usize>>], chance: &mut ChaCha8Rng) -> Vec<usize> {
    let mut done = vec![0; queues.len()];
    let mut order = Vec::new();
    loop {
        let left: Vec<usize> = queues.iter().zip(&done).map(|(queue, done)| queue.len() - done).collect();
        let total: usize = left.iter().sum();
        if total == 0 {
            return order;
        }
        let mut lot = chance.random_range(0..total);
        let mut session = 0;
        while lot >= left[session] {
            lot -= left[session];
            session += 1;
        }
        order.extend(&queues[session][done[session]]);
        done[session] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(permutations: &str) -> Scenario {
        let text = format!(
            "scenario \"x\"\nT1: begin\nT1: select 1\nT1: commit\nT2: begin\nT2: select 2\nT2: commit\npermutations {permutations}\n"
        );
        Scenario::parse_file(&text).expect("readable").remove(0)
    }

    #[test]
    fn all_orders_that_differ_are_played_once_and_the_written_one_first() {
        let orders = of(&scenario("all"));
        // Two pieces of each session, as `begin` goes with what follows it: 4 over 2.
        assert_eq!(orders.len(), 6);
        assert_eq!(orders[0], [0, 1, 2, 3, 4, 5]);
        assert!(orders.contains(&vec![0, 1, 3, 4, 2, 5]), "{orders:?}");
        let mut different = orders.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), orders.len());
    }

    #[test]
    fn a_seed_gives_the_same_orders_again() {
        let orders = of(&scenario("5 seed 42"));
        assert_eq!(orders.len(), 5);
        assert_eq!(orders, of(&scenario("5 seed 42")));
        assert_ne!(orders, of(&scenario("5 seed 43")));
    }
}
