//! The shortest way back: breadth first from the end of an arc to its beginning, within a set of labels and under a
//! rule about anti-dependencies.
//!
//! Length counts transactions; passing a relay is free. The arrays are made once for a knot and used for all its
//! searches.

use super::knot::{Inner, Knot, Labels};
use crate::graph::ONWARD;

/// What a cycle must be like, the arc that is closed included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Anything.
    Any,
    /// No two anti-dependencies follow each other.
    Nonadjacent,
    /// At least two anti-dependencies follow each other.
    Adjacent,
}

/// States of a node: whether it was come to by an anti-dependency (1), whether two have followed each other (2).
const STATES: u32 = 4;
const CAME_BY_ANTI: u32 = 1;
const WAS_ADJACENT: u32 = 2;

/// The outcome of one search.
pub(super) enum Way {
    /// The arcs that lead back, none of them the closed one.
    Found(Vec<Inner>),
    /// There is no way of the length that was allowed.
    None,
    /// The steps ran out.
    Stopped,
}

/// The memory of searches in one knot.
pub(super) struct Search<'k> {
    knot: &'k Knot,
    /// By state: in which search it was last seen.
    seen: Vec<u32>,
    /// By state: the state before, and the arc between.
    before: Vec<(u32, Inner)>,
    searches: u32,
    level: Vec<u32>,
    next: Vec<u32>,
}

impl<'k> Search<'k> {
    pub(super) fn new(knot: &'k Knot) -> Self {
        let states = knot.len() as usize * STATES as usize;
        let nothing = (0, Inner { to: 0, label: ONWARD, arc: 0 });
        Self {
            knot,
            seen: vec![0; states],
            before: vec![nothing; states],
            searches: 0,
            level: Vec::new(),
            next: Vec::new(),
        }
    }

    /// The shortest way from the end of `closed` to `from`, where it begins, of fewer than `below` transactions.
    pub(super) fn back(
        &mut self,
        (from, closed): (u32, Inner),
        labels: Labels,
        rule: Rule,
        below: usize,
        steps: &mut u64,
    ) -> Way {
        self.searches += 1;
        self.level.clear();
        self.next.clear();
        let start = closed.to * STATES + if closed.is_anti() { CAME_BY_ANTI } else { 0 };
        self.seen[start as usize] = self.searches;
        self.level.push(start);
        // So many transactions a cycle has that ends in the level at hand.
        for transactions in 1.. {
            if self.level.is_empty() || transactions >= below {
                return Way::None;
            }
            // What relays lead to is as far as the relays are; so they come first.
            let mut place = 0;
            while let Some(state) = self.level.get(place).copied() {
                place += 1;
                if self.knot.is_relay(state / STATES) && !self.expand(state, labels, rule, steps) {
                    return Way::Stopped;
                }
                self.level.append(&mut self.next);
            }
            for place in 0..self.level.len() {
                let state = self.level[place];
                if state / STATES == from {
                    if closes(state, closed, rule) {
                        return Way::Found(self.way_to(state, start));
                    }
                } else if !self.knot.is_relay(state / STATES) && !self.expand(state, labels, rule, steps) {
                    return Way::Stopped;
                }
            }
            std::mem::swap(&mut self.level, &mut self.next);
            self.next.clear();
        }
        Way::None
    }

    /// Adds what can be come to from a state; false if the steps ran out.
    fn expand(&mut self, state: u32, labels: Labels, rule: Rule, steps: &mut u64) -> bool {
        for arc in self.knot.arcs(state / STATES) {
            let Some(left) = steps.checked_sub(1) else { return false };
            *steps = left;
            if let Some(to) = follow(state, *arc, labels, rule)
                && self.seen[to as usize] != self.searches
            {
                self.seen[to as usize] = self.searches;
                self.before[to as usize] = (state, *arc);
                self.next.push(to);
            }
        }
        true
    }

    fn way_to(&self, end: u32, start: u32) -> Vec<Inner> {
        let mut way = Vec::new();
        let mut at = end;
        while at != start {
            let (before, arc) = self.before[at as usize];
            way.push(arc);
            at = before;
        }
        way.reverse();
        way
    }
}

/// The state that an arc leads to, if it may be followed.
fn follow(state: u32, arc: Inner, labels: Labels, rule: Rule) -> Option<u32> {
    if !arc.is_in(labels) {
        return None;
    }
    let (came_by_anti, was_adjacent) = (state & CAME_BY_ANTI, state & WAS_ADJACENT);
    let flags = match rule {
        Rule::Any => 0,
        _ if arc.label == ONWARD => came_by_anti | was_adjacent,
        Rule::Nonadjacent if arc.is_anti() && came_by_anti != 0 => return None,
        Rule::Nonadjacent => u32::from(arc.is_anti()),
        Rule::Adjacent if arc.is_anti() && came_by_anti != 0 => CAME_BY_ANTI | WAS_ADJACENT,
        Rule::Adjacent => u32::from(arc.is_anti()) | was_adjacent,
    };
    Some(arc.to * STATES + flags)
}

/// Whether the rule holds all around, once the closed arc follows.
fn closes(state: u32, closed: Inner, rule: Rule) -> bool {
    let meets = state & CAME_BY_ANTI != 0 && closed.is_anti();
    match rule {
        Rule::Any => true,
        Rule::Nonadjacent => !meets,
        Rule::Adjacent => meets || state & WAS_ADJACENT != 0,
    }
}
