//! A graph without cycles that keeps its nodes in an order, so that most edges are known to close no cycle at a glance.
//!
//! Source: D. Pearce and P. Kelly, "A dynamic topological sort algorithm for directed acyclic graphs", ACM JEA 11, 2006.
//! Edges are taken away in the reverse of the order in which they came; the order of nodes stays right without them.

use batsat::Lit;

/// See the file's header.
pub(super) struct OrderedGraph {
    /// Where each node stands.
    places: Vec<usize>,
    out: Vec<Vec<(usize, Option<Lit>)>>,
    into: Vec<Vec<usize>>,
    /// Nodes that a search has met, and how it came to them.
    met: Vec<Option<(usize, Option<Lit>)>>,
}

impl OrderedGraph {
    /// The nodes in an order, without edges.
    pub fn new(order: &[usize]) -> Self {
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, node)| places[*node] = place);
        Self {
            places,
            out: vec![Vec::new(); order.len()],
            into: vec![Vec::new(); order.len()],
            met: vec![None; order.len()],
        }
    }

    /// Adds an edge that a literal brings. If it would close a cycle it is not added, and the literals of the rest of the cycle are
    /// the error.
    pub fn add(&mut self, tail: usize, head: usize, literal: Option<Lit>) -> Result<(), Vec<Lit>> {
        if self.places[head] <= self.places[tail] {
            self.make_way(tail, head)?;
        }
        self.out[tail].push((head, literal));
        self.into[head].push(tail);
        Ok(())
    }

    /// Takes away the edge that was added last.
    pub fn remove_last(&mut self, tail: usize, head: usize) {
        self.out[tail].pop();
        self.into[head].pop();
    }

    /// Moves the nodes so that `tail` stands before `head`.
    fn make_way(&mut self, tail: usize, head: usize) -> Result<(), Vec<Lit>> {
        let (first, last) = (self.places[head], self.places[tail]);
        let mut after = vec![head];
        self.met[head] = Some((head, None));
        let mut next = 0;
        while let Some(&node) = after.get(next) {
            next += 1;
            if node == tail {
                let way = self.way(head, tail);
                self.forget(&after);
                return Err(way);
            }
            for place in 0..self.out[node].len() {
                let (to, literal) = self.out[node][place];
                if self.met[to].is_none() && self.places[to] <= last {
                    self.met[to] = Some((node, literal));
                    after.push(to);
                }
            }
        }
        self.forget(&after);
        let before = self.before(tail, first);
        self.reorder(before, after);
        Ok(())
    }

    /// The nodes at or behind a place from which `tail` can be reached.
    fn before(&mut self, tail: usize, first: usize) -> Vec<usize> {
        let mut before = vec![tail];
        self.met[tail] = Some((tail, None));
        let mut next = 0;
        while let Some(&node) = before.get(next) {
            next += 1;
            for place in 0..self.into[node].len() {
                let from = self.into[node][place];
                if self.met[from].is_none() && self.places[from] >= first {
                    self.met[from] = Some((node, None));
                    before.push(from);
                }
            }
        }
        self.forget(&before);
        before
    }

    /// Puts what must be before in front of what must be after, in the places that both had.
    fn reorder(&mut self, mut before: Vec<usize>, mut after: Vec<usize>) {
        before.sort_unstable_by_key(|node| self.places[*node]);
        after.sort_unstable_by_key(|node| self.places[*node]);
        before.append(&mut after);
        let mut places: Vec<usize> = before.iter().map(|node| self.places[*node]).collect();
        places.sort_unstable();
        before.into_iter().zip(places).for_each(|(node, place)| self.places[node] = place);
    }

    /// The literals of the way that the search took.
    fn way(&self, from: usize, to: usize) -> Vec<Lit> {
        let mut literals = Vec::new();
        let mut node = to;
        while node != from {
            let Some((came_from, literal)) = self.met[node] else { break };
            literals.extend(literal);
            node = came_from;
        }
        literals
    }

    fn forget(&mut self, nodes: &[usize]) {
        for node in nodes {
            self.met[*node] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use batsat::Var;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_edge_is_refused_exactly_if_it_closes_a_cycle(edges in prop::collection::vec((0_usize..8, 0_usize..8), 0..40)) {
            let mut graph = OrderedGraph::new(&[3, 1, 4, 0, 5, 7, 2, 6]);
            let mut kept: Vec<(usize, usize)> = Vec::new();
            for (number, (tail, head)) in (0_u32..).zip(edges) {
                let mut reached = [false; 8];
                reached[head] = true;
                for _ in 0..8 {
                    for &(from, to) in &kept {
                        reached[to] |= reached[from];
                    }
                }
                let literal = Lit::new(Var::unsafe_from_idx(number), true);
                match graph.add(tail, head, Some(literal)) {
                    Ok(()) => {
                        prop_assert!(!reached[tail]);
                        kept.push((tail, head));
                    }
                    Err(way) => {
                        prop_assert!(reached[tail]);
                        prop_assert_eq!(way.is_empty(), tail == head);
                    }
                }
                // Taking edges back leaves the rest right.
                if number % 5 == 4 && let Some((tail, head)) = kept.pop() {
                    graph.remove_last(tail, head);
                }
            }
        }
    }
}
