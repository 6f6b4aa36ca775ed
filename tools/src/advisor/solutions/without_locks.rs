//! Ways that do not lock before they decide: conditions, versions, shards, and one process that decides.

use pgstrata_units::Text;

use super::{Ask, Need, Role, Solution, SolutionId};
use crate::advisor::grid::Strategy;
use crate::advisor::requirement::Invariant;

/// One conditional statement.
pub(super) const CONDITIONAL_UPDATE: Solution = Solution {
    id: SolutionId::ConditionalUpdate,
    role: Role::Control,
    name: Text { en: "One conditional statement", zh: "单条条件语句" },
    what: Text {
        en: "`update … set stock = stock - 1 where id = $1 and stock > 0`: the check is made on the newest version, under the row's lock.",
        zh: "`update … set stock = stock - 1 where id = $1 and stock > 0`：在行锁之下、对最新版本做检查。",
    },
    when: Text {
        en: "What is decided depends on the row that is written and on nothing else.",
        zh: "决策只取决于被写的那一行。",
    },
    costs: Text {
        en: "The row is locked until commit all the same: put the statement last.",
        zh: "行锁仍持有到提交：把该语句放在最后。",
    },
    pitfall: Text {
        en: "No row changed means \"refused\", not an error: code that does not look at the count goes on.",
        zh: "没有改到行表示“被拒绝”而不是错误：不看行数的代码会继续往下走。",
    },
    keeps: &[
        Need::Holds(Invariant::NoOversell),
        Need::Holds(Invariant::BalanceFloor),
        Need::Holds(Invariant::SumConstant),
        Need::Holds(Invariant::ExactCounter),
        Need::Holds(Invariant::TakenOnce),
    ],
    why_no_more: Text {
        en: "Its condition is checked again for the row that it writes; what other rows say may be old.",
        zh: "条件只对被写的行重新检查；其他行的内容可能已过时。",
    },
    asks: &[Ask::Sql, Ask::OneWriter],
    effort: 0,
    source: "PostgreSQL manual, 13.2.1 (the search condition is evaluated again on the updated version)",
    links: &["/cases/flash-sale/design"],
    measured: &[("flash-sale", "conditional")],
    ..Solution::BLANK
};

/// Optimistic version.
pub(super) const OPTIMISTIC_VERSION: Solution = Solution {
    id: SolutionId::OptimisticVersion,
    role: Role::Control,
    name: Text { en: "Optimistic version", zh: "乐观版本号" },
    what: Text {
        en: "The version that was read is a condition of the write: `where id = $1 and version = $2`. No row changed means again, from the start.",
        zh: "把读到的版本作为写入条件：`where id = $1 and version = $2`。没有改到行就从头再来。",
    },
    when: Text {
        en: "Conflicts are rare, or a person thinks between reading and writing.",
        zh: "冲突少见，或读写之间有人在思考。",
    },
    costs: Text { en: "Under contention most work is thrown away.", zh: "竞争激烈时大部分工作被丢弃。" },
    pitfall: Text {
        en: "Rows that are read and not written are not protected; one writer that does not raise the version breaks it for all.",
        zh: "只读不写的行不受保护；一个不递增版本的写者会破坏所有人。",
    },
    keeps: &[
        Need::Holds(Invariant::NoOversell),
        Need::Holds(Invariant::BalanceFloor),
        Need::Holds(Invariant::SumConstant),
        Need::Holds(Invariant::ExactCounter),
        Need::Holds(Invariant::TakenOnce),
    ],
    why_no_more: Text {
        en: "A version guards the row that is written; a condition over other rows is not checked.",
        zh: "版本只守护被写的行；跨其他行的条件不会被检查。",
    },
    asks: &[Ask::Retry, Ask::Sql, Ask::Schema, Ask::OneWriter],
    effort: 2,
    source: "Kung and Robinson: On Optimistic Methods for Concurrency Control, ACM TODS 6(2), 1981",
    links: &["/cases/flash-sale/design"],
    measured: &[("flash-sale", "optimistic")],
    strategy: Some(Strategy::OptimisticVersions),
};

/// Sharded counter.
pub(super) const SHARDED_COUNTER: Solution = Solution {
    id: SolutionId::ShardedCounter,
    role: Role::Control,
    name: Text { en: "Sharded counter", zh: "分片计数" },
    what: Text {
        en: "One counter is many rows; a writer takes one at random, a reader adds them up. A stock is dealt out the same way.",
        zh: "一个计数拆成多行；写者随机取一行，读者求和。库存也可同样分片。",
    },
    when: Text {
        en: "One counter is hotter than one row carries, and is written more than read.",
        zh: "一个计数比单行能承受的更热，且写多于读。",
    },
    costs: Text {
        en: "Reading costs as many rows as there are shards.", zh: "读取要付出与分片数相同的行数。"
    },
    pitfall: Text {
        en: "The last pieces of a dealt-out stock lie in shards that a buyer does not look at: look into all of them before saying sold out.",
        zh: "分片库存的最后几件可能在买家没看的分片里：说售罄之前要看遍所有分片。",
    },
    keeps: &[Need::Holds(Invariant::ExactCounter), Need::Holds(Invariant::NoOversell)],
    why_no_more: Text { en: "Each shard knows only its own part.", zh: "每个分片只知道自己的部分。" },
    asks: &[Ask::Sql, Ask::Schema, Ask::OneWriter],
    effort: 3,
    source: "O'Neil: The Escrow Transactional Method, ACM TODS 11(4), 1986",
    links: &["/cases/flash-sale/design"],
    measured: &[("flash-sale", "sharded")],
    ..Solution::BLANK
};

/// Sequencer: one process decides in groups.
pub(super) const SEQUENCER: Solution = Solution {
    id: SolutionId::Sequencer,
    role: Role::Control,
    name: Text { en: "Sequencer: one process decides in groups", zh: "定序器：由一个进程成批裁决" },
    what: Text {
        en: "Requests for hot rows go to one process that decides them in memory, in order, and commits a group with one flush.",
        zh: "对热行的请求汇集到一个进程，在内存中按序裁决，并以一次刷盘提交一组。",
    },
    when: Text {
        en: "One row must carry thousands of decisions a second.", zh: "一行每秒要承受数千次裁决。"
    },
    costs: Text {
        en: "Another process, with its takeover; each request waits for its group.",
        zh: "多一个进程及其接管机制；每个请求要等它的那一组。",
    },
    pitfall: Text {
        en: "Whoever writes the rows past the sequencer breaks it. It must learn after a crash what was committed.",
        zh: "绕过定序器写这些行会破坏它。崩溃后它必须弄清哪些已提交。",
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
    ],
    why_no_more: Text {
        en: "It decides what is sent to it; reads elsewhere and other servers are not.",
        zh: "它只裁决发给它的请求；别处的读与其他服务器不归它管。",
    },
    asks: &[Ask::Sql, Ask::Service, Ask::OneWriter],
    effort: 4,
    source: "pgstrata, crates/sequencer; group commit: DeWitt et al., SIGMOD 1984",
    links: &["/library/sequencer", "/cases/flash-sale/design"],
    measured: &[("flash-sale", "coalesced"), ("ledger", "sequencer")],
    ..Solution::BLANK
};
