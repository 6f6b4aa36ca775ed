//! The paths through a program: one branch of each choice, loops up to twice.
//!
//! Two iterations of a loop suffice: a dangerous cycle enters and leaves a transaction by one operation each, so at
//! most two iterations take part (Vandevoort, Ketsman, Koch & Neven, EDBT 2023).

use pgstrata_sqltext::{Node, Program, Scope};

use crate::advisor::witness::Choice;

/// Most paths of one program; programs with more are one path of which nothing is certain.
const MOST_PATHS: usize = 24;
/// Most iterations of a loop that are looked at.
const ITERATIONS: usize = 2;

/// A path: its statements, each with the iteration of the innermost loop around it, from 1, or 0 outside of loops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unfolded {
    pub statements: Vec<(usize, usize)>,
    pub choices: Vec<Choice>,
    pub only: Option<usize>,
    pub is_merged: bool,
}

/// All transactions that a program can be.
pub(super) fn unfold(program: &Program) -> Vec<Unfolded> {
    if program.scope == Scope::SeparateStatements {
        let all = 0..program.statements.len();
        let alone = |number| Unfolded { statements: vec![(number, 0)], only: Some(number), ..Unfolded::default() };
        return all.map(alone).collect();
    }
    whole(program)
}

/// The paths of a program, as if it were one transaction.
pub(super) fn whole(program: &Program) -> Vec<Unfolded> {
    let mut paths = vec![Unfolded::default()];
    let mut iterations = 0;
    for node in &program.body {
        paths = extend(&paths, node, 0, &mut iterations);
        if paths.len() > MOST_PATHS {
            return vec![merged(program)];
        }
    }
    paths.retain(|path| !path.statements.is_empty());
    if paths.is_empty() { vec![Unfolded::default()] } else { paths }
}

/// Every path continued through a node. Stops adding a little above the limit, which the caller sees.
fn extend(paths: &[Unfolded], node: &Node, iteration: usize, iterations: &mut usize) -> Vec<Unfolded> {
    match node {
        Node::Statement(number) => {
            let mut paths = paths.to_vec();
            paths.iter_mut().for_each(|path| path.statements.push((*number, iteration)));
            paths
        }
        Node::Choice(branches) => {
            let mut all = Vec::new();
            for (number, branch) in branches.iter().enumerate() {
                let mut chosen = paths.to_vec();
                chosen.iter_mut().for_each(|path| path.choices.push(Choice::Branch(number)));
                all.extend(through(chosen, branch, iteration, iterations));
            }
            all.truncate(MOST_PATHS + 1);
            all
        }
        Node::Repeat(body) => {
            let mut all = Vec::new();
            for times in (0..=ITERATIONS).rev() {
                let mut repeated = paths.to_vec();
                repeated.iter_mut().for_each(|path| path.choices.push(Choice::Iterations(times)));
                for _ in 0..times {
                    *iterations += 1;
                    repeated = through(repeated, body, *iterations, iterations);
                }
                all.extend(repeated);
            }
            all.truncate(MOST_PATHS + 1);
            all
        }
    }
}

fn through(mut paths: Vec<Unfolded>, nodes: &[Node], iteration: usize, iterations: &mut usize) -> Vec<Unfolded> {
    for node in nodes {
        paths = extend(&paths, node, iteration, iterations);
    }
    paths
}

/// All statements twice, none of them certain: any path's operations are among them, in an order that is theirs or
/// that the search for witnesses will refuse.
fn merged(program: &Program) -> Unfolded {
    let all = 0..program.statements.len();
    let statements = all.clone().map(|number| (number, 1)).chain(all.map(|number| (number, 2))).collect();
    Unfolded { statements, is_merged: true, ..Unfolded::default() }
}
