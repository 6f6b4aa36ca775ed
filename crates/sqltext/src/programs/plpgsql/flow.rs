//! How control leaves statements of a body, and the paths that come of it.

use crate::programs::assemble::Environment;
use crate::workload::Node;

/// How control leaves a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To the next one.
    Next,
    /// Out of the loop, or to its next round.
    Leaves,
    /// Out of the function.
    Returns,
    /// The transaction fails, unless a block catches it.
    Raises,
}

/// Paths that end before the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Early {
    /// Out of the function.
    pub returned: bool,
    /// Out of the loop, or to its next round.
    pub left: bool,
}

/// A branch that was walked.
pub struct Branch {
    pub nodes: Vec<Node>,
    pub flow: Flow,
    pub end: Environment,
}

/// What became of a statement.
pub enum Step {
    /// The next one is to be walked.
    Done(Flow),
    /// What follows it was walked with it.
    WithRest(Flow),
}

impl Step {
    /// How control leaves it.
    pub const fn flow(self) -> Flow {
        match self {
            Self::Done(flow) | Self::WithRest(flow) => flow,
        }
    }
}

/// One of several paths; of equal ones, one.
pub fn chosen(mut paths: Vec<Vec<Node>>) -> Vec<Node> {
    let mut distinct: Vec<Vec<Node>> = Vec::new();
    for path in paths.drain(..) {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    match distinct.len() {
        0 => Vec::new(),
        1 => distinct.remove(0),
        _ => vec![Node::Choice(distinct)],
    }
}
