//! What a better allocation of isolation levels is worth: `SmallBank` and a workload like TPC-C as studies of the lab, whose
//! arms are allocations of levels to the same programs.
//!
//! Every arm's transactions are watched while it proves itself: what they did must be serializable by the exact
//! dependency graph, whatever levels they ran at, and the arms that are not safe must be convicted by it.

mod allocation;
mod answers;
mod smallbank;
mod teller;
#[cfg(test)]
mod tests;
mod tpcc;

use std::sync::Arc;

use pgstrata_lab::study::{Holds, Invariant, Study};
use pgstrata_units::Text;

pub use allocation::{Form, ratio_rule};
pub use smallbank::SmallBank;
pub use tpcc::TpcC;

/// The studies of the assistant.
#[must_use]
pub fn studies() -> Vec<Arc<dyn Study>> {
    vec![Arc::new(SmallBank), Arc::new(TpcC)]
}

/// What clients were told of their requests is what the server has.
const ANSWERS_AGREE: Invariant = Invariant {
    id: "I2",
    statement: Text {
        en: "Every acknowledged request is kept with the answer that was told, also after a crash; none that was refused is.",
        zh: "每个已确认的请求都按所告知的应答保存，崩溃之后亦然；被拒绝的请求一个也没有。",
    },
    sql: None,
    holds: Holds::AtRest,
};

/// What the lab finds when it watches a trial's transactions, under the name that it gives to it.
const SERIALIZABLE: Invariant = Invariant {
    id: "isolation",
    statement: Text {
        en: "What the transactions read and wrote could have happened one after the other, whatever levels they ran at.",
        zh: "无论各事务运行在什么级别，它们的读写都可以排成一个先后次序。",
    },
    sql: None,
    holds: Holds::AtRest,
};

/// The texts of a statement beside this file: as it is measured, and as it is watched.
macro_rules! texts {
    ($name:literal) => {
        (include_str!(concat!("sql/", $name, ".sql")), include_str!(concat!("sql/watched/", $name, ".sql")))
    };
    ($name:ident) => {
        (
            include_str!(concat!("sql/", stringify!($name), ".sql")),
            include_str!(concat!("sql/watched/", stringify!($name), ".sql")),
        )
    };
}
use texts;
