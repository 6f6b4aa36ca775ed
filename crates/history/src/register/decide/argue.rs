//! Puts into words' reach why a few transactions contradict each other: a cycle, or a cycle for either order of a pair.
//!
//! Pairs of which one order closes a cycle at once come first, as a reader would have it. A case that a later cycle does
//! not use is left out again.

use std::collections::VecDeque;

use super::Argument;
use super::closure::Closure;
use super::polygraph::{Polygraph, Reason};

/// The argument; nothing if it takes more cases than `most`.
pub(super) fn argue(polygraph: &Polygraph, most: usize) -> Option<Argument> {
    let known = polygraph.known.iter().map(|reason| Step { reason: Some(*reason), assumed: None });
    let mut edges: Vec<(usize, usize, Step)> = known
        .map(|step| {
            let (tail, head) = step.reason.map(|reason| polygraph.ends(&reason)).unwrap_or_default();
            (tail, head, step)
        })
        .collect();
    edges.extend(polygraph.spans().map(|(tail, head)| (tail, head, Step { reason: None, assumed: None })));
    let mut closure = Closure::new(polygraph.nodes());
    for &(tail, head, _) in &edges {
        closure.add(tail, head);
    }
    let open = (0..polygraph.choices.len()).collect();
    let mut cases = most;
    Case { polygraph, edges, closure, open }.argue(&mut cases).map(|(argument, _)| argument)
}

/// An edge of a case: why it is there, and which choice had to be made for it.
#[derive(Clone, Copy)]
struct Step {
    /// Nothing for the edge from a transaction's beginning to its commit.
    reason: Option<Reason>,
    assumed: Option<usize>,
}

/// What is assumed at one place of the argument.
#[derive(Clone)]
struct Case<'p> {
    polygraph: &'p Polygraph,
    edges: Vec<(usize, usize, Step)>,
    closure: Closure,
    open: Vec<usize>,
}

impl Case<'_> {
    /// The argument, and the choices that it uses.
    fn argue(mut self, cases: &mut usize) -> Option<(Argument, Vec<usize>)> {
        if let Some(found) = self.cycle() {
            *cases = cases.checked_sub(1)?;
            return Some(found);
        }
        let place = self.next()?;
        let number = self.open.swap_remove(place);
        let choice = &self.polygraph.choices[number];
        let (if_first, used_first) = self.with(number, &choice.if_first).argue(cases)?;
        if !used_first.contains(&number) {
            return Some((if_first, used_first));
        }
        let (if_second, used_second) = self.with(number, &choice.if_second).argue(cases)?;
        if !used_second.contains(&number) {
            return Some((if_second, used_second));
        }
        let mut used = used_first;
        used.extend(used_second);
        used.retain(|other| *other != number);
        let members = self.polygraph.members();
        let argument = Argument::Cases {
            key: choice.key,
            first: members[choice.first],
            second: members[choice.second],
            if_first: Box::new(if_first),
            if_second: Box::new(if_second),
        };
        Some((argument, used))
    }

    /// The open choice that is closest to being decided.
    fn next(&self) -> Option<usize> {
        let closed = |edges: &[Reason]| {
            edges.iter().any(|reason| {
                let (tail, head) = self.polygraph.ends(reason);
                self.closure.closes(tail, head)
            })
        };
        let impossible = |number: &usize| {
            let choice = &self.polygraph.choices[*number];
            usize::from(closed(&choice.if_first)) + usize::from(closed(&choice.if_second))
        };
        let places = self.open.iter().enumerate();
        places.max_by_key(|(place, number)| (impossible(number), std::cmp::Reverse(*place))).map(|(place, _)| place)
    }

    fn with(&self, number: usize, reasons: &[Reason]) -> Self {
        let mut case = self.clone();
        for reason in reasons {
            let (tail, head) = self.polygraph.ends(reason);
            case.edges.push((tail, head, Step { reason: Some(*reason), assumed: Some(number) }));
            case.closure.add(tail, head);
        }
        case
    }

    /// A shortest cycle of the case, and the choices that it uses.
    fn cycle(&self) -> Option<(Argument, Vec<usize>)> {
        let nodes = self.polygraph.nodes();
        let start = (0..nodes).filter(|node| self.closure.reaches(*node, *node));
        let shortest = start
            .filter_map(|node| self.way_back(node))
            .min_by_key(|steps| steps.iter().filter(|step| step.reason.is_some()).count())?;
        let edges = shortest.iter().filter_map(|step| step.reason.as_ref()).map(|reason| self.polygraph.edge(reason));
        let used = shortest.iter().filter_map(|step| step.assumed).collect();
        Some((Argument::Cycle(edges.collect()), used))
    }

    /// A shortest way from a node back to it.
    fn way_back(&self, node: usize) -> Option<Vec<Step>> {
        let mut came_by: Vec<Option<usize>> = vec![None; self.polygraph.nodes()];
        let mut queue = VecDeque::from([node]);
        while let Some(here) = queue.pop_front() {
            for (place, &(tail, head, _)) in self.edges.iter().enumerate() {
                if tail != here || came_by[head].is_some() {
                    continue;
                }
                came_by[head] = Some(place);
                if head == node {
                    return Some(self.walked(node, &came_by));
                }
                queue.push_back(head);
            }
        }
        None
    }

    fn walked(&self, node: usize, came_by: &[Option<usize>]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut here = node;
        while let Some(place) = came_by[here] {
            let (tail, _, step) = self.edges[place];
            steps.push(step);
            here = tail;
            if here == node {
                break;
            }
        }
        steps.reverse();
        steps
    }
}
