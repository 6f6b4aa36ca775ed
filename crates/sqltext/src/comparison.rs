//! Comparisons other than equality: what a condition rules out without saying what it wants.

use serde::{Deserialize, Serialize};

use crate::access::Term;

/// A comparison that holds of a column in every one of some rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Comparison {
    /// The column, on the left.
    pub column: String,
    /// How it compares.
    pub order: Order,
    /// What it is compared with, on the right.
    pub term: Term,
}

/// How one value compares with another. None of them holds where one is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// `<>`.
    Differs,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    More,
    /// `>=`.
    AtLeast,
}

impl Order {
    /// The comparison of an operator's name.
    #[must_use]
    pub fn of_operator(name: &str) -> Option<Self> {
        Some(match name {
            "<>" | "!=" => Self::Differs,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::More,
            ">=" => Self::AtLeast,
            _ => return None,
        })
    }

    /// The operator.
    #[must_use]
    pub const fn operator(self) -> &'static str {
        match self {
            Self::Differs => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// The same comparison seen from the other side.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Differs => Self::Differs,
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// Whether it never holds of a value and itself.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Differs | Self::Less | Self::More)
    }

    /// Whether it holds of two numbers.
    #[must_use]
    pub const fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Differs => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }

    /// If some value compares so with one value, and as `other` says with a second one: how the first of these compares with
    /// the second. Nothing where they say nothing of each other.
    #[must_use]
    pub const fn across(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::AtMost, Self::AtLeast) => Some(Self::AtLeast),
            (Self::Less | Self::AtMost, Self::More | Self::AtLeast) => Some(Self::More),
            (Self::AtLeast, Self::AtMost) => Some(Self::AtMost),
            (Self::More | Self::AtLeast, Self::Less | Self::AtMost) => Some(Self::Less),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_comparisons_of_a_number_say_of_their_other_sides_holds_of_all_numbers() {
        let all = [Order::Differs, Order::Less, Order::AtMost, Order::More, Order::AtLeast];
        let numbers = || -3..=3_i64;
        for (one, two) in all.into_iter().flat_map(|one| all.map(|two| (one, two))) {
            let Some(across) = one.across(two) else { continue };
            let meets = |left, right| numbers().any(|number| one.holds(number, left) && two.holds(number, right));
            for (left, right) in numbers().flat_map(|left| numbers().map(move |right| (left, right))) {
                assert!(
                    !meets(left, right) || across.holds(left, right),
                    "{one:?} {left}, {two:?} {right}: {across:?}"
                );
            }
        }
    }

    #[test]
    fn the_mirrored_comparison_is_the_same_from_the_other_side() {
        for operator in ["<>", "<", "<=", ">", ">="] {
            let order = Order::of_operator(operator).expect("it is a comparison");
            assert_eq!(order.operator(), operator);
            for (left, right) in [(1, 2), (2, 1), (2, 2)] {
                assert_eq!(order.holds(left, right), order.mirrored().holds(right, left), "{left} {operator} {right}");
            }
            assert_eq!(order.is_strict(), !order.holds(2, 2));
        }
    }
}
