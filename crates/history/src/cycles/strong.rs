//! Strongly connected components, by Tarjan's algorithm without recursion.
//!
//! Generic over how a node's successors are had, so that it runs on whole graphs, on parts, and on graphs that are
//! never built. Time and memory are linear; a node that is done costs four bytes.

/// A node on the way from the root to where the search is.
struct Step {
    node: u32,
    /// Where the next of its successors is.
    cursor: u32,
    /// The earliest node that can be reached and is not assigned to a component yet.
    low: u32,
}

const UNSEEN: u32 = 0;
const ASSIGNED: u32 = u32::MAX;

/// The components of more than one node, smaller ones first, nodes ascending in each.
///
/// `successor(node, cursor)` is the node's next successor, none after the last; it moves the cursor, which begins at 0.
pub(crate) fn components(nodes: u32, successor: impl Fn(u32, &mut u32) -> Option<u32>) -> Vec<Vec<u32>> {
    let mut seen = vec![UNSEEN; nodes as usize];
    let mut count = UNSEEN;
    let mut open: Vec<u32> = Vec::new();
    let mut way: Vec<Step> = Vec::new();
    let mut found: Vec<Vec<u32>> = Vec::new();
    // What happened later is mostly reached from what happened earlier; beginning at the end, ways stay short.
    for root in (0..nodes).rev() {
        if seen[root as usize] != UNSEEN {
            continue;
        }
        enter(root, &mut seen, &mut count, &mut open, &mut way);
        while let Some(step) = way.last_mut() {
            if let Some(next) = successor(step.node, &mut step.cursor) {
                match seen[next as usize] {
                    UNSEEN => enter(next, &mut seen, &mut count, &mut open, &mut way),
                    ASSIGNED => {}
                    earlier => step.low = step.low.min(earlier),
                }
                continue;
            }
            let Some(Step { node, low, .. }) = way.pop() else { break };
            if let Some(parent) = way.last_mut() {
                parent.low = parent.low.min(low);
            }
            if low == seen[node as usize] {
                leave(node, &mut seen, &mut open, &mut found);
            }
        }
    }
    found.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    found
}

fn enter(node: u32, seen: &mut [u32], count: &mut u32, open: &mut Vec<u32>, way: &mut Vec<Step>) {
    *count += 1;
    seen[node as usize] = *count;
    open.push(node);
    way.push(Step { node, cursor: 0, low: *count });
}

/// Takes the component whose first node this is off the open nodes.
fn leave(node: u32, seen: &mut [u32], open: &mut Vec<u32>, found: &mut Vec<Vec<u32>>) {
    let from = open.iter().rposition(|other| *other == node).expect("a node stays open until its component is left");
    for member in &open[from..] {
        seen[*member as usize] = ASSIGNED;
    }
    if open.len() - from > 1 {
        let mut component = open[from..].to_vec();
        component.sort_unstable();
        found.push(component);
    }
    open.truncate(from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of_edges(nodes: u32, edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
        components(nodes, |node, cursor| {
            let rest = (*cursor..).zip(&edges[*cursor as usize..]);
            let (place, (_, to)) = rest.into_iter().find(|(_, (from, _))| *from == node)?;
            *cursor = place + 1;
            Some(*to)
        })
    }

    #[test]
    fn a_graph_without_cycles_has_no_components() {
        assert!(of_edges(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]).is_empty());
    }

    #[test]
    fn a_way_of_a_million_nodes_does_not_overflow_the_stack() {
        let nodes = 1_000_000;
        let ring =
            components(nodes, |node, cursor| (std::mem::replace(cursor, 1) == 0).then_some((node + nodes - 1) % nodes));
        assert_eq!(ring.iter().map(Vec::len).collect::<Vec<_>>(), [1_000_000]);
    }

    proptest! {
        #[test]
        fn components_are_the_sets_that_reach_each_other(edges in prop::collection::vec((0_u32..9, 0_u32..9), 0..24)) {
            let mut reaches = [[false; 9]; 9];
            for (from, to) in &edges {
                reaches[*from as usize][*to as usize] = true;
            }
            for (via, from, to) in (0..9).flat_map(|v| (0..9).flat_map(move |f| (0..9).map(move |t| (v, f, t)))) {
                reaches[from][to] |= reaches[from][via] && reaches[via][to];
            }
            let found = of_edges(9, &edges);
            for a in 0..9_u32 {
                for b in (0..9).filter(|b| *b != a) {
                    let together = found.iter().any(|nodes| nodes.contains(&a) && nodes.contains(&b));
                    let mutual = reaches[a as usize][b as usize] && reaches[b as usize][a as usize];
                    prop_assert_eq!(together, mutual);
                }
            }
        }
    }
}
