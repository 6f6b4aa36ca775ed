//! `read-committed`: read the balances, look at them, write what was computed. Two who read the same balance both write
//! theirs, and money is made or lost.

use pgstrata_lab::study::{Arm, ArmKind, ClientCount};
use pgstrata_units::Text;

use crate::ledger::reading::{AUDIT, STATEMENT_PAGE};
use crate::ledger::teller::{FIND, LEGS_OF, POST, Way};

const READ: &str = include_str!("read.sql");
const ISOLATION: &str = include_str!("read_committed.sql");

pub(super) const WAY: Way = Way { isolation: ISOLATION, read: READ };

pub(crate) const ARM: Arm = Arm {
    name: "read-committed",
    title: Text { en: "read, check, write", zh: "先读后写" },
    summary: Text {
        en: "Reads the balances, checks them in the program and writes what it computed, at the default isolation level. It \
             makes and loses money.",
        zh: "在默认隔离级别下读取余额，在程序里判断，再写回算出的数。钱会凭空产生或消失。",
    },
    kind: ArmKind::Broken,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("read_committed.sql", ISOLATION),
        ("read.sql", READ),
        ("find.sql", FIND),
        ("legs_of.sql", LEGS_OF),
        ("post.sql", POST),
        ("statement_page.sql", STATEMENT_PAGE),
        ("audit.sql", AUDIT),
    ],
};
