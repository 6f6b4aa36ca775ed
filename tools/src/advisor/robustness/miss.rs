//! Why no schedule was found for a cycle whose conditions hold: what a verdict "unknown" says of itself.
//!
//! None of these is a proof of safety. A schedule is looked for with few rows and transactions, and within limits.

use pgstrata_units::Text;

use super::search::MOST_STATEMENTS;
use super::verdict::MOST_CANDIDATES;
use crate::advisor::Words;

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
    pub fn words(self) -> Words {
        let text = match self {
            Self::Rows => {
                Text { en: "its transactions cannot meet in these rows", zh: "其事务无法在这些行上相遇" }
            }
            Self::Arguments => Text {
                en: "no arguments were found under which its transactions meet",
                zh: "未找到使其事务相遇的参数",
            },
            Self::Orders => Text {
                en: "every order of its statements is refused, or gives what a serial order gives",
                zh: "其语句的每种顺序要么被拒绝，要么与某个串行顺序结果相同",
            },
            Self::Conditions => Text {
                en: "a condition of its statements does not hold in the orders that were found",
                zh: "在找到的顺序中，其语句的某个条件不成立",
            },
            Self::Limit => {
                return Words::new(
                    format!("no schedule was found in {MOST_STATEMENTS} statements, and not all orders were tried"),
                    format!("在 {MOST_STATEMENTS} 条语句内未找到调度，且未试完所有顺序"),
                );
            }
            Self::Cycles => {
                return Words::new(
                    format!("none of the first {MOST_CANDIDATES} such cycles was found to happen, and there are more"),
                    format!("前 {MOST_CANDIDATES} 个此类环均未发现会发生，而且还有更多"),
                );
            }
        };
        text.into()
    }

    /// What a verdict says.
    #[must_use]
    pub fn why(self) -> String {
        format!("the conditions of a dangerous cycle hold, but {}", self.words().en)
    }
}
