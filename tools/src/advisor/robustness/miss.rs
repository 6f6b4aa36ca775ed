//! Why no schedule was found for a cycle whose conditions hold: what a verdict "unknown" says of itself.
//!
//! None of these is a proof of safety. A schedule is looked for with few rows and transactions, and within limits.

use std::borrow::Cow;

use super::search::MOST_STATEMENTS;
use super::verdict::MOST_CANDIDATES;

/// How far the search for a schedule came: later ones came further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// The rows of its dependencies are not the same.
    Rows,
    /// There are no arguments under which they are, whatever the schedule.
    Arguments,
    /// The model of the server refuses all orders, or explains them by a serial order.
    Orders,
    /// An order shows it, but with conditions that do not hold of its rows.
    Conditions,
    /// Not all orders were tried.
    Limit,
    /// Not all cycles were tried.
    Cycles,
}

impl Miss {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Rows, Self::Arguments, Self::Orders, Self::Conditions, Self::Limit, Self::Cycles];

    /// In words, behind "the conditions of a dangerous cycle hold, but".
    #[must_use]
    pub fn words(self) -> Cow<'static, str> {
        match self {
            Self::Rows => "its transactions cannot meet in these rows".into(),
            Self::Arguments => "no arguments were found under which its transactions meet".into(),
            Self::Orders => "every order of its statements is refused, or gives what a serial order gives".into(),
            Self::Conditions => "a condition of its statements does not hold in the orders that were found".into(),
            Self::Limit => {
                format!("no schedule was found in {MOST_STATEMENTS} statements, and not all orders were tried").into()
            }
            Self::Cycles => {
                format!("none of the first {MOST_CANDIDATES} such cycles was found to happen, and there are more")
                    .into()
            }
        }
    }

    /// What a verdict says.
    #[must_use]
    pub fn why(self) -> String {
        format!("the conditions of a dangerous cycle hold, but {}", self.words())
    }
}
