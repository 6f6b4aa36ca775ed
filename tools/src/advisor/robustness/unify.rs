//! Which rows of some transactions are the same, when some are said to be: the most general assignment of values.
//!
//! All that is not forced to be equal is different, so conflicts that stand in the way appear only where no choice of
//! arguments avoids them.

use super::model::{Action, Model, Op, Path, RowSet, Value};

/// A value of one of the transactions.
type Node = usize;

/// Transactions whose rows are compared.
#[derive(Debug, Clone)]
pub(super) struct Unifier<'m> {
    model: &'m Model,
    pub paths: Vec<&'m Path>,
    base: Vec<usize>,
    parent: Vec<Node>,
    constant: Vec<Option<usize>>,
    /// Rows that are the same although different keys name them.
    linked: Vec<((usize, usize), (usize, usize))>,
    /// What merges have changed, in order: the value that lost its place, and the constant that the other one had.
    trail: Vec<(Node, Option<usize>)>,
}

/// A moment to which a [`Unifier`] can be taken back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    paths: usize,
    linked: usize,
    trail: usize,
}

impl<'m> Unifier<'m> {
    pub fn new(model: &'m Model, paths: &[&'m Path]) -> Self {
        let empty = Self {
            model,
            paths: Vec::new(),
            base: Vec::new(),
            parent: Vec::new(),
            constant: Vec::new(),
            linked: Vec::new(),
            trail: Vec::new(),
        };
        paths.iter().fold(empty, |mut all, path| {
            all.add(path);
            all
        })
    }

    /// One more transaction; returns its number.
    pub fn add(&mut self, path: &'m Path) -> usize {
        self.base.push(self.parent.len());
        for value in &path.values {
            self.parent.push(self.parent.len());
            self.constant.push(if let Value::Constant(number) = value { Some(*number) } else { None });
        }
        self.paths.push(path);
        self.paths.len() - 1
    }

    /// The present moment.
    pub fn mark(&self) -> Mark {
        Mark { paths: self.paths.len(), linked: self.linked.len(), trail: self.trail.len() }
    }

    /// Forgets what was merged and added since a moment. Cheaper than a copy, as most attempts fail.
    pub fn back(&mut self, mark: Mark) {
        for (lost, constant) in self.trail.drain(mark.trail..).rev() {
            let kept = self.parent[lost];
            self.constant[kept] = constant;
            self.parent[lost] = lost;
        }
        self.linked.truncate(mark.linked);
        if let Some(base) = self.base.get(mark.paths).copied() {
            self.base.truncate(mark.paths);
            self.parent.truncate(base);
            self.constant.truncate(base);
            self.paths.truncate(mark.paths);
        }
    }

    /// The representative of a transaction's value.
    pub fn root(&self, instance: usize, value: usize) -> Node {
        let mut node = self.base[instance] + value;
        while self.parent[node] != node {
            node = self.parent[node];
        }
        node
    }

    /// The constant that a representative must be.
    pub fn constant(&self, root: Node) -> Option<usize> {
        self.constant[root]
    }

    fn same_value(&self, one: Node, two: Node) -> bool {
        one == two || (self.constant[one].is_some() && self.constant[one] == self.constant[two])
    }

    fn merge(&mut self, one: Node, two: Node) -> bool {
        if self.same_value(one, two) {
            return true;
        }
        if let (Some(one), Some(two)) = (self.constant[one], self.constant[two])
            && self.model.differ(one, two)
        {
            return false;
        }
        self.trail.push((two, self.constant[one]));
        self.constant[one] = self.constant[one].or(self.constant[two]);
        self.parent[two] = one;
        true
    }

    /// Makes the rows of two operations meet; false when they cannot.
    pub fn meet(&mut self, one: (usize, &Op), two: (usize, &Op)) -> bool {
        let (path, other) = (self.paths[one.0], self.paths[two.0]);
        if one.1.relation != two.1.relation {
            return self.model.relations[one.1.relation].is_anything
                || self.model.relations[two.1.relation].is_anything;
        }
        match (&path.vars[one.1.var].rows, &other.vars[two.1.var].rows) {
            (RowSet::One { key, values }, RowSet::One { key: theirs, values: others }) => {
                if key != theirs {
                    self.linked.push(((one.0, one.1.var), (two.0, two.1.var)));
                    return true;
                }
                values.iter().zip(others).all(|(mine, their)| {
                    let (mine, their) = (self.root(one.0, *mine), self.root(two.0, *their));
                    self.merge(mine, their)
                })
            }
            (RowSet::Some { equal }, RowSet::One { .. }) => self.select((one.0, equal, one.1), two),
            (RowSet::One { .. }, RowSet::Some { equal }) => self.select((two.0, equal, two.1), one),
            (RowSet::Some { equal }, RowSet::Some { equal: theirs }) => {
                // A row that goes is the row that it was.
                let written = |op: &Op| if op.action == Action::Delete { 0 } else { op.writes };
                let changed = written(one.1) | written(two.1);
                equal.iter().all(|(column, mine)| {
                    let same = theirs.iter().find(|(other, _)| other == column && changed & (1 << column) == 0);
                    same.is_none_or(|(_, their)| {
                        let (mine, their) = (self.root(one.0, *mine), self.root(two.0, *their));
                        self.merge(mine, their)
                    })
                })
            }
        }
    }

    /// Makes a row satisfy a predicate's equalities as far as the row's values are known: of its key, and of what an
    /// insert sets.
    fn select(&mut self, predicate: (usize, &[(u8, usize)], &Op), row: (usize, &Op)) -> bool {
        let RowSet::One { key, values } = &self.paths[row.0].vars[row.1.var].rows else { return true };
        let known: Vec<(u8, usize)> =
            key.iter().copied().zip(values.iter().copied()).chain(row.1.values.iter().copied()).collect();
        predicate.1.iter().all(|(column, wanted)| {
            let value = known.iter().find(|(other, _)| other == column);
            value.is_none_or(|(_, value)| {
                let (wanted, value) = (self.root(predicate.0, *wanted), self.root(row.0, *value));
                self.merge(wanted, value)
            })
        })
    }

    /// Whether two variables are certainly the same row.
    pub fn same_row(&self, one: (usize, usize), two: (usize, usize)) -> bool {
        if one == two {
            return matches!(self.paths[one.0].vars[one.1].rows, RowSet::One { .. });
        }
        let (mine, theirs) = (&self.paths[one.0].vars[one.1], &self.paths[two.0].vars[two.1]);
        if mine.relation != theirs.relation {
            return false;
        }
        let (RowSet::One { key, values }, RowSet::One { key: other, values: others }) = (&mine.rows, &theirs.rows)
        else {
            return false;
        };
        if key == other {
            let mut pairs = values.iter().zip(others);
            return pairs.all(|(mine, their)| self.same_value(self.root(one.0, *mine), self.root(two.0, *their)));
        }
        self.linked.iter().any(|pair| *pair == (one, two) || *pair == (two, one))
    }
}
