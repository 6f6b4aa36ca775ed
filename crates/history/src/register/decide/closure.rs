//! Which node of a small graph reaches which, kept up to date as edges are added: a square of bits.

/// The reflexive closure is not stored: a node reaches itself only on a cycle.
#[derive(Clone, Debug)]
pub(super) struct Closure {
    nodes: usize,
    words: usize,
    bits: Vec<u64>,
}

impl Closure {
    /// No edges.
    pub fn new(nodes: usize) -> Self {
        let words = nodes.div_ceil(64);
        Self { nodes, words, bits: vec![0; nodes * words] }
    }

    /// Whether there is a way of at least one edge.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.bits[from * self.words + to / 64] >> (to % 64) & 1 == 1
    }

    /// Whether an edge would close a cycle.
    pub fn closes(&self, tail: usize, head: usize) -> bool {
        tail == head || self.reaches(head, tail)
    }

    /// Adds an edge and all ways that it makes; says whether there are new ones.
    pub fn add(&mut self, tail: usize, head: usize) -> bool {
        if self.reaches(tail, head) {
            return false;
        }
        let mut gained = self.row(head).to_vec();
        gained[head / 64] |= 1 << (head % 64);
        for node in 0..self.nodes {
            if node == tail || self.reaches(node, tail) {
                let from = node * self.words;
                self.bits[from..from + self.words].iter_mut().zip(&gained).for_each(|(bits, more)| *bits |= more);
            }
        }
        true
    }

    /// The nodes in an order that every edge follows, of a graph without cycles.
    pub fn order(&self) -> Vec<usize> {
        let mut nodes: Vec<usize> = (0..self.nodes).collect();
        // Whoever reaches another reaches all that it reaches, and it.
        let reached = |node: &usize| self.row(*node).iter().map(|word| word.count_ones()).sum::<u32>();
        nodes.sort_by_cached_key(|node| std::cmp::Reverse(reached(node)));
        nodes
    }

    fn row(&self, node: usize) -> &[u64] {
        &self.bits[node * self.words..(node + 1) * self.words]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_grow_with_edges_and_the_order_follows_them() {
        let mut closure = Closure::new(130);
        assert!(closure.add(129, 3) && closure.add(3, 70) && closure.add(0, 129));
        assert!(!closure.add(0, 70), "it was a way already");
        assert!(closure.reaches(0, 70) && !closure.reaches(70, 0) && !closure.reaches(3, 3));
        assert!(closure.closes(70, 0) && closure.closes(5, 5) && !closure.closes(70, 5));
        let order = closure.order();
        let place = |node| order.iter().position(|other| *other == node);
        assert!(place(0) < place(129) && place(129) < place(3) && place(3) < place(70));
    }
}
