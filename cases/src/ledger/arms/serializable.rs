//! `serializable`: the same statements again, and the server sees to it that what commits could have run one after the
//! other.

use pgstrata_lab::study::{Arm, ArmKind, ClientCount};
use pgstrata_units::Text;

use crate::ledger::reading::{AUDIT, STATEMENT_PAGE};
use crate::ledger::teller::{FIND, LEGS_OF, POST, Way};

const READ: &str = include_str!("read.sql");
const ISOLATION: &str = include_str!("serializable.sql");

pub(super) const WAY: Way = Way { isolation: ISOLATION, read: READ };

pub(crate) const ARM: Arm = Arm {
    name: "serializable",
    title: Text { en: "serializable + retry", zh: "可串行化 + 重试" },
    summary: Text {
        en: "The same statements at the level that needs no argument about what is read and what is written. Conflicts are \
             found after the work, and it is done again.",
        zh: "同样的语句，使用无须论证读写关系的级别。冲突在工作完成之后才被发现，然后重做。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("serializable.sql", ISOLATION),
        ("read.sql", READ),
        ("find.sql", FIND),
        ("legs_of.sql", LEGS_OF),
        ("post.sql", POST),
        ("statement_page.sql", STATEMENT_PAGE),
        ("audit.sql", AUDIT),
    ],
};
