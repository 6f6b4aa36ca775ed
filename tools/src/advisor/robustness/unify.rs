//! Which rows of some transactions are the same, when some are said to be: the most general assignment of values.
//!
//! All that is not forced to be equal is different, so conflicts that stand in the way appear only where no choice of
//! arguments avoids them.

use pgstrata_sqltext::Order;

use super::model::{Action, Model, Op, Path, RowSet, Value};

/// A value of one of the transactions.
type Node = usize;

/// What holds of a column of a row: that it equals a value, or how it compares with one.
type Condition = (u8, Option<Order>, Node);
type Conditions = Vec<Condition>;

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
    /// Comparisons that must hold between values.
    compared: Vec<(Node, Order, Node)>,
    /// What merges have changed, in order: the value that lost its place, and the constant that the other one had.
    trail: Vec<(Node, Option<usize>)>,
}

/// A moment to which a [`Unifier`] can be taken back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    paths: usize,
    linked: usize,
    compared: usize,
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
            compared: Vec::new(),
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
        let (linked, compared) = (self.linked.len(), self.compared.len());
        Mark { paths: self.paths.len(), linked, compared, trail: self.trail.len() }
    }

    /// Forgets what was merged and added since a moment. Cheaper than a copy, as most attempts fail.
    pub fn back(&mut self, mark: Mark) {
        for (lost, constant) in self.trail.drain(mark.trail..).rev() {
            let kept = self.parent[lost];
            self.constant[kept] = constant;
            self.parent[lost] = lost;
        }
        self.linked.truncate(mark.linked);
        self.compared.truncate(mark.compared);
        if let Some(base) = self.base.get(mark.paths).copied() {
            self.base.truncate(mark.paths);
            self.parent.truncate(base);
            self.constant.truncate(base);
            self.paths.truncate(mark.paths);
        }
    }

    /// The representative of a transaction's value.
    pub fn root(&self, instance: usize, value: usize) -> Node {
        self.top(self.base[instance] + value)
    }

    fn top(&self, mut node: Node) -> Node {
        while self.parent[node] != node {
            node = self.parent[node];
        }
        node
    }

    /// The constant that a representative must be.
    pub fn constant(&self, root: Node) -> Option<usize> {
        self.constant[root]
    }

    /// Whether two representatives are one value.
    pub fn same_value(&self, one: Node, two: Node) -> bool {
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
        self.compared.iter().all(|(one, order, two)| self.can_compare(*one, *order, *two))
    }

    /// Whether a comparison of two values, each of a transaction, is not ruled out by what is known of them.
    pub fn can_hold(&self, one: (usize, usize), order: Order, two: (usize, usize)) -> bool {
        self.can_compare(self.base[one.0] + one.1, order, self.base[two.0] + two.1)
    }

    fn can_compare(&self, one: Node, order: Order, two: Node) -> bool {
        let (one, two) = (self.top(one), self.top(two));
        if self.same_value(one, two) {
            return !order.is_strict();
        }
        match (self.constant[one], self.constant[two]) {
            (Some(one), Some(two)) => !self.model.never(one, order, two),
            _ => true,
        }
    }

    /// Makes a comparison hold; false when it cannot.
    fn compare(&mut self, one: Node, order: Order, two: Node) -> bool {
        self.compared.push((one, order, two));
        self.can_compare(one, order, two)
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
            (RowSet::Some { .. }, RowSet::One { .. }) => self.select(one, two),
            (RowSet::One { .. }, RowSet::Some { .. }) => self.select(two, one),
            (RowSet::Some { .. }, RowSet::Some { .. }) => {
                // A row that goes is the row that it was.
                let written = |op: &Op| if op.action == Action::Delete { 0 } else { op.writes };
                let changed = written(one.1) | written(two.1);
                let steady = |set: (usize, &Op)| -> Conditions {
                    let all = self.conditions(set).into_iter();
                    all.filter(|(column, ..)| changed & (1 << column) == 0).collect()
                };
                let (mine, theirs) = (steady(one), steady(two));
                self.agree(&mine, &theirs)
            }
        }
    }

    /// What a predicate says of columns: `None` is equality.
    fn conditions(&self, (instance, op): (usize, &Op)) -> Conditions {
        let RowSet::Some { equal, compared } = &self.paths[instance].vars[op.var].rows else { return Vec::new() };
        let node = |value: usize| self.base[instance] + value;
        let equal = equal.iter().map(|(column, value)| (*column, None, node(*value)));
        equal.chain(compared.iter().map(|(column, order, value)| (*column, Some(*order), node(*value)))).collect()
    }

    /// Makes two lists of conditions hold of one row.
    fn agree(&mut self, mine: &[Condition], theirs: &[Condition]) -> bool {
        mine.iter().all(|(column, order, value)| {
            theirs.iter().filter(|(other, ..)| other == column).all(|(_, other, with)| match (order, other) {
                (None, None) => {
                    let (value, with) = (self.top(*value), self.top(*with));
                    self.merge(value, with)
                }
                (None, Some(other)) => self.compare(*value, *other, *with),
                (Some(order), None) => self.compare(*with, *order, *value),
                (Some(order), Some(other)) => {
                    order.across(*other).is_none_or(|across| self.compare(*value, across, *with))
                }
            })
        })
    }

    /// Makes a row satisfy a predicate as far as the row's values are known: of its key, and of what an insert sets. What
    /// the predicate's operation ends was there before the insert, and had other values.
    fn select(&mut self, predicate: (usize, &Op), row: (usize, &Op)) -> bool {
        let RowSet::One { key, values } = &self.paths[row.0].vars[row.1.var].rows else { return true };
        let ends = predicate.1.ends_row();
        let inserted = row.1.values.iter().copied().filter(|_| !ends);
        let known = key.iter().copied().zip(values.iter().copied()).chain(inserted);
        let known: Conditions = known.map(|(column, value)| (column, None, self.base[row.0] + value)).collect();
        let conditions = self.conditions(predicate);
        self.agree(&conditions, &known)
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
