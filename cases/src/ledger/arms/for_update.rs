//! `for-update`: lock the accounts in the order of their ids, look, write. Right, and who shares an account waits.

use pgstrata_lab::study::{Arm, ArmKind, ClientCount};
use pgstrata_units::Text;

use crate::ledger::reading::{AUDIT, STATEMENT_PAGE};
use crate::ledger::teller::{FIND, LEGS_OF, POST, Way};

const READ: &str = include_str!("read_for_update.sql");
const ISOLATION: &str = include_str!("read_committed.sql");

pub(super) const WAY: Way = Way { isolation: ISOLATION, read: READ };

pub(crate) const ARM: Arm = Arm {
    name: "for-update",
    title: Text { en: "ordered row locks", zh: "按序行锁" },
    summary: Text {
        en: "Locks a transfer's accounts in the order of their ids for the whole transaction: nothing is done in vain, \
             and whoever shares an account stands in line behind a flush of the log.",
        zh: "整个事务期间按账号顺序锁住相关账户：没有白做的工作，共用账户者须依次等待日志刷盘。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("read_committed.sql", ISOLATION),
        ("read_for_update.sql", READ),
        ("find.sql", FIND),
        ("legs_of.sql", LEGS_OF),
        ("post.sql", POST),
        ("statement_page.sql", STATEMENT_PAGE),
        ("audit.sql", AUDIT),
    ],
};
