//! Isolation levels: one for all, one for each program, and reads that are promoted.

use pgstrata_units::Text;

use super::{Ask, Need, Role, Solution, SolutionId};
use crate::advisor::grid::Strategy;
use crate::advisor::requirement::Invariant;

/// Read committed.
pub(super) const READ_COMMITTED: Solution = Solution {
    id: SolutionId::ReadCommitted,
    role: Role::Level,
    name: Text { en: "Read committed", zh: "读已提交" },
    what: Text {
        en: "Each statement sees what was committed before it began. PostgreSQL's default.",
        zh: "每条语句看到它开始之前已提交的内容。PostgreSQL 的默认级别。",
    },
    when: Text {
        en: "Each transaction is one statement, or nothing that it read decides what it writes.",
        zh: "事务只有一条语句，或读到的内容不决定写什么。",
    },
    costs: Text {
        en: "Nothing: no retries but for deadlocks, no tracking.",
        zh: "没有代价：除死锁外无需重试，也没有跟踪开销。",
    },
    pitfall: Text {
        en: "A value that was read may be old when it is written back: the lost update.",
        zh: "读出的值写回时可能已经过时：丢失更新。",
    },
    keeps: &[],
    why_no_more: Text {
        en: "Between two statements of a transaction others commit; what was read need not be true any more.",
        zh: "同一事务的两条语句之间别人会提交；读到的可能不再成立。",
    },
    asks: &[Ask::OneWriter],
    effort: 0,
    source: "PostgreSQL manual, 13.2.1 Read Committed Isolation Level",
    links: &["/concepts/layers"],
    ..Solution::BLANK
};

/// A level for each program.
pub(super) const MIXED: Solution = Solution {
    id: SolutionId::MixedLevels,
    role: Role::Level,
    name: Text { en: "A level for each program", zh: "按程序分配级别" },
    what: Text {
        en: "Each transaction program runs at the weakest level that is safe beside the others, as the analysis of their SQL found.",
        zh: "每个事务程序运行在与其他程序并存时仍安全的最弱级别，由 SQL 分析得出。",
    },
    when: Text {
        en: "Few programs take part in dangerous patterns, and the others are the frequent ones.",
        zh: "只有少数程序参与危险模式，而其余程序才是高频的。",
    },
    costs: Text {
        en: "The allocation holds for these programs only; a new one has to be analysed with them.",
        zh: "该分配只对这些程序成立；新程序必须一起重新分析。",
    },
    pitfall: Text {
        en: "One forgotten script at read committed breaks the promise for all. Gate the repository with the check.",
        zh: "一个被遗忘的读已提交脚本会破坏对所有程序的承诺。请在仓库里设置检查关卡。",
    },
    keeps: &[Need::Serializability],
    why_no_more: Text {
        en: "Needs the programs' SQL: without it nothing is known of their reads.",
        zh: "需要程序的 SQL：否则无法知道它们读了什么。",
    },
    asks: &[Ask::OneWriter, Ask::Report],
    effort: 1,
    source: "Vandevoort, Ketsman, Neven: Allocating Isolation Levels to Transactions in a Multiversion Setting, PODS 2023",
    ..Solution::BLANK
};

/// Promoted reads.
pub(super) const PROMOTION: Solution = Solution {
    id: SolutionId::Promotion,
    role: Role::Level,
    name: Text { en: "Promoted reads", zh: "读提升" },
    what: Text {
        en: "Some reads become updates or locks, so that PostgreSQL itself sees the conflict at a weaker level.",
        zh: "把个别读改成更新或加锁，使 PostgreSQL 在较弱级别下就能看到冲突。",
    },
    when: Text {
        en: "The dangerous read is rare and its row is not hot.", zh: "危险的读很少，且对应的行不热。"
    },
    costs: Text {
        en: "Each promoted read writes a version or waits for a lock.",
        zh: "每次被提升的读都会写一个版本或等待一把锁。",
    },
    pitfall: Text {
        en: "`for update` makes no version: at repeatable read it does not refuse a later writer with an older snapshot. Where that matters only an identity update helps.",
        zh: "`for update` 不产生新版本：在可重复读下不会拒绝快照较旧的后来写者。此时只有恒等更新有效。",
    },
    keeps: &[Need::Serializability],
    why_no_more: Text {
        en: "Needs the programs' SQL, and what the analysis found to promote.",
        zh: "需要程序的 SQL，以及分析找到的可提升之处。",
    },
    asks: &[Ask::Sql, Ask::OneWriter, Ask::Report],
    effort: 2,
    source: "Vandevoort, Fekete, Ketsman, Neven, Vansummeren: Using Read Promotion and Mixed Isolation Levels, PVLDB 2025",
    strategy: Some(Strategy::PromotedRepeatableRead),
    ..Solution::BLANK
};

/// Repeatable read.
pub(super) const REPEATABLE_READ: Solution = Solution {
    id: SolutionId::RepeatableRead,
    role: Role::Level,
    name: Text { en: "Repeatable read", zh: "可重复读" },
    what: Text {
        en: "One snapshot for the whole transaction; who writes a row that changed since gets 40001.",
        zh: "整个事务一个快照；若要写的行在快照之后被改过，得到 40001。",
    },
    when: Text {
        en: "Every transaction writes the rows that its decision rests on.",
        zh: "每个事务都会写它据以决策的行。",
    },
    costs: Text {
        en: "Whole transactions are retried; conflicts show late, at the write.",
        zh: "需要重试整个事务；冲突到写入时才显现。",
    },
    pitfall: Text {
        en: "Write skew: two transactions read the same rows and write different ones, and both commit.",
        zh: "写偏斜：两个事务读相同的行、写不同的行，并且都提交。",
    },
    keeps: &[
        Need::Holds(Invariant::NoOversell),
        Need::Holds(Invariant::BalanceFloor),
        Need::Holds(Invariant::SumConstant),
        Need::Holds(Invariant::ExactCounter),
        Need::Holds(Invariant::TakenOnce),
        Need::Holds(Invariant::ConsistentRead),
    ],
    why_no_more: Text {
        en: "It is snapshot isolation: what a transaction only read may be changed by another that commits too.",
        zh: "它是快照隔离：只读过的行可能被另一个同样提交的事务改掉。",
    },
    asks: &[Ask::Retry, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, 13.2.2 Repeatable Read Isolation Level; Berenson et al., SIGMOD 1995",
    links: &["/concepts/layers"],
    ..Solution::BLANK
};

/// Serializable.
pub(super) const SERIALIZABLE: Solution = Solution {
    id: SolutionId::Serializable,
    role: Role::Level,
    name: Text { en: "Serializable", zh: "可串行化" },
    what: Text {
        en: "Transactions that commit are as if they had run one after the other; those that would not be get 40001.",
        zh: "提交的事务如同逐个执行；否则得到 40001。",
    },
    when: Text {
        en: "Invariants span rows, programs change often, and nobody wants to prove each of them.",
        zh: "不变式跨越多行、程序经常变化，而没人愿意逐个证明。",
    },
    costs: Text {
        en: "Reads are tracked; whole transactions are retried, some of them for nothing (false positives).",
        zh: "读会被跟踪；整个事务要重试，其中一部分是误判。",
    },
    pitfall: Text {
        en: "All writers must be serializable, and the minor release recent: two bugs were repaired in 2026. It does not exist on replicas.",
        zh: "所有写者都必须可串行化，且小版本要新：2026 年修复了两个缺陷。副本上没有此级别。",
    },
    keeps: &[
        Need::Holds(Invariant::NoOversell),
        Need::Holds(Invariant::BalanceFloor),
        Need::Holds(Invariant::SumConstant),
        Need::Holds(Invariant::ExactCounter),
        Need::Holds(Invariant::TakenOnce),
        Need::Holds(Invariant::SumFloor),
        Need::Holds(Invariant::AtLeast),
        Need::Holds(Invariant::LimitPerGroup),
        Need::Holds(Invariant::NoOverlap),
        Need::Holds(Invariant::GaplessSequence),
        Need::Holds(Invariant::UniqueValue),
        Need::Holds(Invariant::ConsistentRead),
        Need::Holds(Invariant::ReferenceExists),
        Need::Serializability,
    ],
    why_no_more: Text {
        en: "It orders transactions of one server. A repeated request, an administrator or another server is none of its business.",
        zh: "它只给一台服务器内的事务排序。重复请求、管理员或另一台服务器都不归它管。",
    },
    asks: &[Ask::Retry, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, 13.2.3 Serializable Isolation Level; Ports and Grittner, VLDB 2012",
    links: &["/concepts/serializable-bugs"],
    strategy: Some(Strategy::Serializable),
    ..Solution::BLANK
};
