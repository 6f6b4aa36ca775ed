//! `repeatable-read`: the same statements as the broken way, in one snapshot: whoever writes over a change that he has
//! not seen fails, and does it all again.

use pgstrata_lab::study::{Arm, ArmKind, ClientCount};
use pgstrata_units::Text;

use crate::ledger::reading::{AUDIT, STATEMENT_PAGE};
use crate::ledger::teller::{FIND, LEGS_OF, POST, Way};

const READ: &str = include_str!("read.sql");
const ISOLATION: &str = include_str!("repeatable_read.sql");

pub(super) const WAY: Way = Way { isolation: ISOLATION, read: READ };

pub(crate) const ARM: Arm = Arm {
    name: "repeatable-read",
    title: Text { en: "repeatable read + retry", zh: "可重复读 + 重试" },
    summary: Text {
        en: "The broken way in one snapshot: who would write over a change that he has not seen fails and tries again. Sound \
             here, because a transfer writes every account that it reads.",
        zh: "同样的语句放进一个快照：若要覆盖自己没看到的修改则失败并重试。此处成立，因为转账会写它读过的每个账户。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("repeatable_read.sql", ISOLATION),
        ("read.sql", READ),
        ("find.sql", FIND),
        ("legs_of.sql", LEGS_OF),
        ("post.sql", POST),
        ("statement_page.sql", STATEMENT_PAGE),
        ("audit.sql", AUDIT),
    ],
};
