//! Conditions: which columns they restrict, and which equalities and other comparisons hold in every row that passes.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, Node};

use super::builder::{Builder, Compared, Link, Source};
use crate::access::Term;
use crate::comparison::Order;
use crate::tree;

/// The uses whose rows a condition restricts: of an outer join's condition, only the side that may be missing.
pub type Restricted = BTreeSet<usize>;

impl Builder<'_> {
    /// Walks an optional condition.
    pub fn maybe_condition(&mut self, node: Option<&Node>, restricted: &Restricted) {
        if let Some(node) = tree::inner(node) {
            self.condition(node, restricted);
        }
    }

    /// Walks a condition: each of its conjuncts must hold.
    pub fn condition(&mut self, node: &NodeEnum, restricted: &Restricted) {
        if let NodeEnum::BoolExpr(expression) = node
            && expression.boolop() == BoolExprType::AndExpr
        {
            for conjunct in &expression.args {
                self.maybe_condition(Some(conjunct), restricted);
            }
            return;
        }
        let (touched, links) = (self.touched.len(), self.links.len());
        self.conjunct(node, restricted);
        for (index, column) in &self.touched[touched..] {
            if restricted.contains(index) {
                self.uses[*index].predicate.insert(column.clone());
            }
        }
        self.limit(touched, links, restricted);
    }

    /// Takes note of what a conjunct does to each of the relations that it restricts: it sets columns of one of them equal
    /// to terms, and nothing more, or it decides in some other way which rows are found.
    fn limit(&mut self, touched: usize, links: usize, restricted: &Restricted) {
        let of_restricted = self.touched[touched..].iter().filter(|(index, _)| restricted.contains(index)).count();
        let bound = &self.links[links..];
        let is_term = |link: &Link| matches!(link.from, Source::Term(_));
        let binds = !bound.is_empty() && bound.len() == of_restricted && bound.iter().all(is_term);
        for index in restricted {
            if binds && bound.iter().all(|link| link.to.0 == *index) {
                self.uses[*index].bound.extend(bound.iter().map(|link| link.to.1.clone()));
            } else {
                self.uses[*index].may_miss = true;
            }
        }
    }

    fn conjunct(&mut self, node: &NodeEnum, restricted: &Restricted) {
        match node {
            NodeEnum::AExpr(expression) if is_equality(expression) => {
                let (Some(left), Some(right)) =
                    (tree::inner(expression.lexpr.as_deref()), tree::inner(expression.rexpr.as_deref()))
                else {
                    return self.expression(node);
                };
                self.equality(left, right, restricted);
            }
            NodeEnum::AExpr(expression) if !comparisons(expression).is_empty() => {
                self.operator(&expression.name, expression.location);
                for (left, order, right) in comparisons(expression) {
                    self.comparison(left, order, right, restricted);
                }
            }
            // A boolean column by itself, or with `not`.
            NodeEnum::ColumnRef(reference) => {
                let meaning = self.column(reference).source();
                self.equal(meaning, Some(Source::Term(Term::Constant("true".to_owned()))), restricted);
            }
            NodeEnum::BoolExpr(expression) if expression.boolop() == BoolExprType::NotExpr => {
                self.negation(node, &expression.args, restricted);
            }
            _ => self.expression(node),
        }
    }

    /// `not flag`, `not a = b`; null is neither.
    fn negation(&mut self, node: &NodeEnum, arguments: &[Node], restricted: &Restricted) {
        let [argument] = arguments else { return self.expression(node) };
        match &argument.node {
            Some(NodeEnum::ColumnRef(reference)) => {
                let meaning = self.column(reference).source();
                self.equal(meaning, Some(Source::Term(Term::Constant("false".to_owned()))), restricted);
            }
            Some(NodeEnum::AExpr(inside)) if is_equality(inside) && inside.kind() == AExprKind::AexprOp => {
                let sides = (tree::inner(inside.lexpr.as_deref()), tree::inner(inside.rexpr.as_deref()));
                let (Some(left), Some(right)) = sides else { return self.expression(node) };
                self.comparison(left, Order::Differs, right, restricted);
            }
            _ => self.expression(node),
        }
    }

    /// `left < right` and its like.
    fn comparison(&mut self, left: &NodeEnum, order: Order, right: &NodeEnum, restricted: &Restricted) {
        let (left, right) = (self.operand(left), self.operand(right));
        let (Some(left), Some(right)) = (left, right) else { return };
        for (from, order, to) in [(&left, order, &right), (&right, order.mirrored(), &left)] {
            if let Source::Column(column) = from
                && restricted.contains(&column.0)
            {
                self.compared.push(Compared { column: column.clone(), order, with: to.clone() });
            }
        }
    }

    /// `left = right`, also of rows, column by column.
    fn equality(&mut self, left: &NodeEnum, right: &NodeEnum, restricted: &Restricted) {
        if let (NodeEnum::RowExpr(left), NodeEnum::RowExpr(right)) = (left, right)
            && left.args.len() == right.args.len()
        {
            for (left, right) in left.args.iter().zip(&right.args) {
                if let (Some(left), Some(right)) = (&left.node, &right.node) {
                    self.equality(left, right, restricted);
                }
            }
            return;
        }
        // `x in (5)`.
        if let NodeEnum::List(list) = right
            && let [only] = list.items.as_slice()
            && let Some(only) = &only.node
        {
            return self.equality(left, only, restricted);
        }
        let left = self.operand(left);
        let right = self.operand(right);
        self.equal(left, right, restricted);
    }

    /// Two sides are equal wherever the condition holds.
    pub fn equal(&mut self, left: Option<Source>, right: Option<Source>, restricted: &Restricted) {
        let (Some(left), Some(right)) = (left, right) else { return };
        for (from, to) in [(&left, &right), (&right, &left)] {
            if let Source::Column(to) = to
                && restricted.contains(&to.0)
            {
                self.link(from.clone(), to.clone());
            }
        }
    }
}

/// `=`, and `in` with one element. Of `in`, the grammar gives the name `=` as well; `not in` is `<>`.
fn is_equality(expression: &AExpr) -> bool {
    let is_named = matches!(tree::strings(&expression.name).as_slice(), [.., name] if name == "=");
    let one_element = || match tree::inner(expression.rexpr.as_deref()) {
        Some(NodeEnum::List(list)) => list.items.len() == 1,
        _ => false,
    };
    is_named
        && match expression.kind() {
            AExprKind::AexprOp => true,
            AExprKind::AexprIn => one_element(),
            _ => false,
        }
}

/// What an expression compares, all of which must hold: `<>` and its like, `not in`, `between`, `is distinct from`. Of rows
/// nothing, as they are compared one column after the other.
fn comparisons(expression: &AExpr) -> Vec<(&NodeEnum, Order, &NodeEnum)> {
    let sides = (tree::inner(expression.lexpr.as_deref()), tree::inner(expression.rexpr.as_deref()));
    let names = tree::strings(&expression.name);
    let ((Some(left), Some(right)), [name]) = (sides, names.as_slice()) else { return Vec::new() };
    let listed = || match right {
        NodeEnum::List(list) => list.items.iter().filter_map(|item| item.node.as_ref()).collect(),
        _ => Vec::new(),
    };
    if [left, right].into_iter().chain(listed()).any(|side| matches!(side, NodeEnum::RowExpr(_))) {
        return Vec::new();
    }
    match expression.kind() {
        AExprKind::AexprOp => Order::of_operator(name).map(|order| (left, order, right)).into_iter().collect(),
        AExprKind::AexprDistinct => vec![(left, Order::Differs, right)],
        AExprKind::AexprIn if name == "<>" => listed().into_iter().map(|item| (left, Order::Differs, item)).collect(),
        AExprKind::AexprBetween => match listed().as_slice() {
            [from, to] => vec![(left, Order::AtLeast, *from), (left, Order::AtMost, *to)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
