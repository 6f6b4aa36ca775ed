//! The four arms on two servers, and what tells one from another: the isolation level of each part, what is locked, and how
//! both servers are read together.

use pgstrata_lab::study::{Arm, ArmKind, ClientCount};
use pgstrata_units::{Isolation, Text};

use crate::ledger::reading::STATEMENT_PAGE;
use crate::ledger::teller::FIND;

pub(super) const READ: &str = include_str!("../arms/read.sql");
pub(super) const READ_FOR_UPDATE: &str = include_str!("../arms/read_for_update.sql");
pub(super) const READ_FOR_SHARE: &str = include_str!("read_for_share.sql");
pub(super) const POST_PART: &str = include_str!("post_part.sql");
pub(super) const AUDIT: &str = include_str!("audit.sql");
pub(super) const AUDIT_FOR_SHARE: &str = include_str!("audit_for_share.sql");

/// How many clients there are.
const SESSIONS: u32 = 32;

/// What tells one arm from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The level of each part.
    pub(super) isolation: Isolation,
    /// Reads the accounts that are going to be written.
    pub(super) read: &'static str,
    /// Reads accounts of another server that what is written depends on.
    pub(super) read_remote: &'static str,
    /// Locks the account of a statement before it is read; none where statements are read as they stand.
    pub(super) lock_statement: Option<&'static str>,
    /// Reads both servers.
    pub(super) audit: Audit,
}

/// How both servers are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audit {
    /// In a transaction on each server at the arm's level, without locks.
    EachByItself,
    /// Every account locked for share.
    ForShare,
    /// In snapshots that are opened behind the commit barrier.
    Barrier,
}

/// What an arm does; none for an arm of one server.
pub(super) fn way(arm: &str) -> Option<Way> {
    let locked = |audit| Way {
        isolation: Isolation::ReadCommitted,
        read: READ_FOR_UPDATE,
        read_remote: READ_FOR_SHARE,
        lock_statement: Some(READ_FOR_SHARE),
        audit,
    };
    let plain =
        |isolation| Way { isolation, read: READ, read_remote: READ, lock_statement: None, audit: Audit::EachByItself };
    match arm {
        "2pc-read-committed" => Some(plain(Isolation::ReadCommitted)),
        "2pc-serializable" => Some(plain(Isolation::Serializable)),
        "2pc-for-share" => Some(locked(Audit::ForShare)),
        "2pc-barrier" => Some(locked(Audit::Barrier)),
        _ => None,
    }
}

pub(crate) const READ_COMMITTED: Arm = Arm {
    name: "2pc-read-committed",
    title: Text { en: "2PC, read committed", zh: "2PC，读已提交" },
    summary: Text {
        en: "Two-phase commit over two servers at the default level: a transfer is whole, and what it was computed from is \
             not. It makes money and shows it torn.",
        zh: "两台服务器上默认级别的两阶段提交：转账本身完整，但计算所依据的读取并不可靠。钱会凭空产生，读到的也是撕裂的。",
    },
    kind: ArmKind::Broken,
    clients: ClientCount::Sessions(SESSIONS),
    statements: &[("read.sql", READ), ("find.sql", FIND), ("post_part.sql", POST_PART), ("audit.sql", AUDIT)],
};

pub(crate) const SERIALIZABLE: Arm = Arm {
    name: "2pc-serializable",
    title: Text { en: "2PC, serializable", zh: "2PC，可串行化" },
    summary: Text {
        en: "Serializable on each server and two-phase commit over both, as is often advised: no money is lost, but reads over \
             both servers are torn, and a limit over both is broken, since each server sees half of a conflict.",
        zh: "每台服务器都用可串行化，再加两阶段提交，这是常见的建议：钱不会丢，但跨服务器的读取是撕裂的，跨服务器的限额会被突破，因为每台服务器只看到冲突的一半。",
    },
    kind: ArmKind::Broken,
    clients: ClientCount::Sessions(SESSIONS),
    statements: &[("read.sql", READ), ("find.sql", FIND), ("post_part.sql", POST_PART), ("audit.sql", AUDIT)],
};

pub(crate) const FOR_SHARE: Arm = Arm {
    name: "2pc-for-share",
    title: Text { en: "2PC, locking reads", zh: "2PC，加锁读取" },
    summary: Text {
        en: "Everything that is read is locked until both servers have committed, in one order over both: strict two-phase \
             locking. Right, and an audit stands in everybody's way.",
        zh: "读取的一切都加锁直到两台服务器都提交，且全局按同一顺序加锁：严格两阶段锁。正确，但审计会挡住所有人。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(SESSIONS),
    statements: &[
        ("read_for_update.sql", READ_FOR_UPDATE),
        ("read_for_share.sql", READ_FOR_SHARE),
        ("find.sql", FIND),
        ("post_part.sql", POST_PART),
        ("statement_page.sql", STATEMENT_PAGE),
        ("audit_for_share.sql", AUDIT_FOR_SHARE),
    ],
};

pub(crate) const BARRIER: Arm = Arm {
    name: "2pc-barrier",
    title: Text { en: "2PC with a commit barrier", zh: "2PC 加提交屏障" },
    summary: Text {
        en: "As locking reads, but audits read snapshots that are opened while nobody is between the commits of two servers: \
             they lock nothing and see every transfer whole.",
        zh: "写入与加锁读取相同，但审计读取的快照是在无人处于两台服务器提交之间时打开的：不加锁，且每笔转账都完整可见。",
    },
    kind: ArmKind::Best,
    clients: ClientCount::Sessions(SESSIONS),
    statements: &[
        ("read_for_update.sql", READ_FOR_UPDATE),
        ("read_for_share.sql", READ_FOR_SHARE),
        ("find.sql", FIND),
        ("post_part.sql", POST_PART),
        ("statement_page.sql", STATEMENT_PAGE),
        ("audit.sql", AUDIT),
    ],
};
