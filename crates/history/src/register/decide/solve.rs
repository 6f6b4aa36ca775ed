//! Finds an order for every pair so that no cycle remains, or says that there is none.
//!
//! First what the certain edges force: an order of a pair that would close a cycle is out, so the other is in, and its
//! edges may force more. What is left goes to a conflict-driven SAT solver with one variable for each pair; a theory
//! beside it watches for cycles among the edges of the orders chosen so far, and teaches the solver each cycle that it finds.

use batsat::{Callbacks, ClauseKind, Lit, Solver, SolverInterface, SolverOpts, Theory, TheoryArg, lbool};

use super::closure::Closure;
use super::ordered::OrderedGraph;
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
    let mut certain = Edges::new();
    for (tail, head) in known {
        if closure.closes(tail, head) {
            return Answer::None;
        }
        if closure.add(tail, head) {
            certain.push((tail, head));
        }
    }
    let mut open: Vec<Pair> = polygraph
        .choices
        .iter()
        .map(|choice| Pair {
            if_first: ends(polygraph, &choice.if_first),
            if_second: ends(polygraph, &choice.if_second),
        })
        .collect();
    if !force(&mut closure, &mut certain, &mut open) {
        return Answer::None;
    }
    if open.is_empty() {
        return Answer::Order(closure.order());
    }
    let mut graph = OrderedGraph::new(&closure.order());
    for (tail, head) in certain {
        // Without cycles, as the closure shows.
        let _ = graph.add(tail, head, None);
    }
    search(closure, graph, &open, conflicts)
}

/// Edges as nodes.
pub(super) type Edges = Vec<(usize, usize)>;

/// A pair that may stand in either order.
struct Pair {
    if_first: Edges,
    if_second: Edges,
}

fn ends(polygraph: &Polygraph, reasons: &[Reason]) -> Edges {
    reasons.iter().map(|reason| polygraph.ends(reason)).collect()
}

/// Decides the pairs that the closure forces, until nothing changes; false if one can stand in neither order.
fn force(closure: &mut Closure, certain: &mut Edges, open: &mut Vec<Pair>) -> bool {
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
                if closure.add(tail, head) {
                    certain.push((tail, head));
                }
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

fn search(mut closure: Closure, graph: OrderedGraph, open: &[Pair], conflicts: &mut u64) -> Answer {
    let mut solver = Solver::new(SolverOpts::default(), Learning { learnt: 0, most: *conflicts });
    let mut theory = Acyclic::new(graph);
    for pair in open {
        // The solver tries negative literals first, and transactions are numbered as they were begun, which is close to the
        // order in which they took effect.
        let first = Lit::new(solver.new_var_default(), false);
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
    let model = solver.get_model().to_vec();
    for (pair, value) in open.iter().zip(model) {
        let chosen = if value == lbool::TRUE { &pair.if_second } else { &pair.if_first };
        for &(tail, head) in chosen {
            closure.add(tail, head);
        }
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

/// The theory that the certain edges and the chosen ones have no cycle.
struct Acyclic {
    graph: OrderedGraph,
    /// Edges by the literal that brings them.
    guarded: Vec<Edges>,
    /// Chosen edges that are there now, in the order in which they came.
    active: Vec<(usize, usize)>,
    /// Literals of the solver's trail that were taken in.
    seen: usize,
    /// What both were at the beginning of each level of the solver.
    levels: Vec<(usize, usize)>,
}

impl Acyclic {
    fn new(graph: OrderedGraph) -> Self {
        Self { graph, guarded: Vec::new(), active: Vec::new(), seen: 0, levels: Vec::new() }
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
            let edges = self.guarded.get(literal.idx() as usize).map_or(0, Vec::len);
            for place in 0..edges {
                let (tail, head) = self.guarded[literal.idx() as usize][place];
                if let Err(way) = self.graph.add(tail, head, Some(literal)) {
                    let mut lemma: Vec<Lit> = way.into_iter().chain([literal]).map(|chosen| !chosen).collect();
                    lemma.sort_unstable();
                    lemma.dedup();
                    solver.raise_conflict(&lemma, true);
                    return;
                }
                self.active.push((tail, head));
            }
            self.seen += 1;
        }
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
            for (tail, head) in self.active.drain(active..).rev() {
                self.graph.remove_last(tail, head);
            }
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
