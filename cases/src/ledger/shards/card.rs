//! What is promised of the books beyond one server, as data.

use pgstrata_lab::study::{Holds, Invariant};
use pgstrata_units::Text;

/// Both servers have a transfer, or none.
pub(crate) const BOTH_OR_NONE: Invariant = Invariant {
    id: "I10",
    statement: Text {
        en: "Of a transfer over two servers both have their part or none, once everything in doubt is resolved.",
        zh: "跨两台服务器的转账，在未决事务全部解决之后，要么两边都有，要么两边都没有。",
    },
    sql: None,
    holds: Holds::AtRest,
};

/// Recovery leaves nothing behind.
pub(crate) const NOTHING_PREPARED: Invariant = Invariant {
    id: "I11",
    statement: Text {
        en: "After recovery nothing stays prepared.", zh: "恢复之后没有遗留的已准备事务。"
    },
    sql: Some(include_str!("../invariants/i11_nothing_stays_prepared.sql")),
    holds: Holds::AtRest,
};

/// A rule over both servers.
pub(crate) const JOINT_LIMIT: Invariant = Invariant {
    id: "I12",
    statement: Text {
        en: "Two accounts of one customer, one on each server, never hold less than nothing together.",
        zh: "同一客户在两台服务器上的两个账户，余额之和永不为负。",
    },
    sql: None,
    holds: Holds::AtRest,
};
