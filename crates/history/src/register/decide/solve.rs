//! Finds an order for every pair so that no cycle remains, or says that there is none.
//!
//! First what the certain edges force: an order of a pair that would close a cycle is out, so the other is in, and its
//! edges may force more. What is left goes to a conflict-driven SAT solver with one variable for each pair; a theory
//! beside it watches for cycles among the edges of the orders chosen so far, and teaches the solver each cycle that it finds.

use batsat::{Callbacks, ClauseKind, Lit, Solver, SolverInterface, SolverOpts, Theory, TheoryArg, lbool};

use super::closure::Closure;
use super::polygraph::{Polygraph, Reason};

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The nodes in an order without contradiction.
    Order(Vec<usize>),
    /// There is none.
    None,
    /// The conflicts were used up.
    Undecided,
}

/// Looks for an order; takes what it uses from `conflicts`.
pub(super) fn solve(polygraph: &Polygraph, conflicts: &mut u64) -> Answer {
    let mut closure = Closure::new(polygraph.nodes());
    let known = polygraph.known.iter().map(|reason| polygraph.ends(reason)).chain(polygraph.spans());
    for (tail, head) in known {
        if closure.closes(tail, head) {
            return Answer::None;
        }
        closure.add(tail, head);
    }
    let mut open: Vec<Pair> = polygraph
        .choices
        .iter()
        .map(|choice| Pair {
            if_first: ends(polygraph, &choice.if_first),
            if_second: ends(polygraph, &choice.if_second),
        })
        .collect();
    if !force(&mut closure, &mut open) {
        return Answer::None;
    }
    if open.is_empty() {
        return Answer::Order(closure.order());
    }
    search(closure, &open, conflicts)
}

/// Edges as nodes.
type Edges = Vec<(usize, usize)>;

/// A pair that may stand in either order.
struct Pair {
    if_first: Edges,
    if_second: Edges,
}

fn ends(polygraph: &Polygraph, reasons: &[Reason]) -> Edges {
    reasons.iter().map(|reason| polygraph.ends(reason)).collect()
}

/// Decides the pairs that the closure forces, until nothing changes; false if one can stand in neither order.
fn force(closure: &mut Closure, open: &mut Vec<Pair>) -> bool {
    loop {
        let before = open.len();
        let mut is_possible = true;
        open.retain(|pair| {
            let closes = |edges: &Edges| edges.iter().any(|&(tail, head)| closure.closes(tail, head));
            let forced = match (closes(&pair.if_first), closes(&pair.if_second)) {
                (false, false) => return true,
                (true, true) => {
                    is_possible = false;
                    return false;
                }
                (false, true) => &pair.if_first,
                (true, false) => &pair.if_second,
            };
            for &(tail, head) in forced {
                // The edges of one order may contradict each other through the rest.
                is_possible &= !closure.closes(tail, head);
                closure.add(tail, head);
            }
            false
        });
        if !is_possible {
            return false;
        }
        if open.len() == before {
            return true;
        }
    }
}

fn search(closure: Closure, open: &[Pair], conflicts: &mut u64) -> Answer {
    let mut solver = Solver::new(SolverOpts::default(), Learning { learnt: 0, most: *conflicts });
    let mut theory = Acyclic::new(closure);
    for pair in open {
        let first = Lit::new(solver.new_var_default(), true);
        theory.guard(first, &pair.if_first);
        theory.guard(!first, &pair.if_second);
    }
    let result = solver.solve_limited_th(&mut theory, &[]);
    *conflicts = conflicts.saturating_sub(solver.cb().learnt);
    if result == lbool::FALSE {
        return Answer::None;
    }
    if result != lbool::TRUE {
        return Answer::Undecided;
    }
    let mut closure = theory.closure;
    let model = solver.get_model().to_vec();
    for (pair, value) in open.iter().zip(model) {
        let chosen = if value == lbool::FALSE { &pair.if_second } else { &pair.if_first };
        chosen.iter().for_each(|&(tail, head)| {
            closure.add(tail, head);
        });
    }
    Answer::Order(closure.order())
}

/// Counts what the solver learns, and stops it.
struct Learning {
    learnt: u64,
    most: u64,
}

impl Callbacks for Learning {
    fn on_new_clause(&mut self, _: &[Lit], kind: ClauseKind) {
        self.learnt += u64::from(kind == ClauseKind::Learnt);
    }

    fn stop(&self) -> bool {
        self.learnt >= self.most
    }
}

/// The theory that the chosen edges and the certain ones have no cycle.
struct Acyclic {
    /// Ways along certain edges.
    closure: Closure,
    /// Edges by the literal that brings them.
    guarded: Vec<Edges>,
    /// Edges that are there now, each with its literal, in the order in which they came.
    active: Vec<(usize, usize, Lit)>,
    /// Literals of the solver's trail that were taken in.
    seen: usize,
    /// What both were at the beginning of each level of the solver.
    levels: Vec<(usize, usize)>,
}

impl Acyclic {
    fn new(closure: Closure) -> Self {
        Self { closure, guarded: Vec::new(), active: Vec::new(), seen: 0, levels: Vec::new() }
    }

    fn guard(&mut self, literal: Lit, edges: &Edges) {
        let place = literal.idx() as usize;
        if self.guarded.len() <= place {
            self.guarded.resize(place + 1, Edges::new());
        }
        self.guarded[place].clone_from(edges);
    }

    fn take_in(&mut self, solver: &mut TheoryArg<'_>) {
        while self.seen < solver.model().len() {
            let literal = solver.model()[self.seen];
            let edges = self.guarded.get(literal.idx() as usize).cloned().unwrap_or_default();
            for (tail, head) in edges {
                if let Some(mut lemma) = self.way(head, tail) {
                    lemma.push(!literal);
                    lemma.sort_unstable();
                    lemma.dedup();
                    solver.raise_conflict(&lemma, true);
                    return;
                }
                self.active.push((tail, head, literal));
            }
            self.seen += 1;
        }
    }

    /// The negated literals of a way of fewest chosen edges; nothing if there is no way.
    fn way(&self, from: usize, to: usize) -> Option<Vec<Lit>> {
        let arrives = |node: usize, at: usize| node == at || self.closure.reaches(node, at);
        if arrives(from, to) {
            return Some(Vec::new());
        }
        let mut cameby: Vec<Option<usize>> = vec![None; self.active.len()];
        let mut reached = vec![false; self.active.len()];
        let mut queue = std::collections::VecDeque::from([(from, None)]);
        while let Some((node, by)) = queue.pop_front() {
            for (place, &(tail, head, _)) in self.active.iter().enumerate() {
                if reached[place] || !arrives(node, tail) {
                    continue;
                }
                reached[place] = true;
                cameby[place] = by;
                if arrives(head, to) {
                    let steps = std::iter::successors(Some(place), |place| cameby[*place]);
                    return Some(steps.map(|step| !self.active[step].2).collect());
                }
                queue.push_back((head, Some(place)));
            }
        }
        None
    }
}

impl Theory for Acyclic {
    fn final_check(&mut self, solver: &mut TheoryArg<'_>) {
        self.take_in(solver);
    }

    fn partial_check(&mut self, solver: &mut TheoryArg<'_>) {
        self.take_in(solver);
    }

    fn create_level(&mut self) {
        self.levels.push((self.seen, self.active.len()));
    }

    fn pop_levels(&mut self, count: usize) {
        let remaining = self.levels.len() - count;
        if let Some(&(seen, active)) = self.levels.get(remaining) {
            self.seen = seen;
            self.active.truncate(active);
        }
        self.levels.truncate(remaining);
    }

    fn n_levels(&self) -> usize {
        self.levels.len()
    }

    fn explain_propagation(&mut self, _: Lit) -> &[Lit] {
        unreachable!("this theory propagates nothing")
    }
}
