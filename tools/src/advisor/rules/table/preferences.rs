//! Rules: what is better where several ways would do. Points are small whole numbers: 8 outweighs most differences in effort.

use pgstrata_units::Text;

use super::super::Effect::{Suggest, Warn, Weigh};
use super::super::Rule;
use super::super::condition::Condition::{All, Any, AtLeast, Found, Needs, Not, Yes};
use super::super::condition::Finding;
use crate::advisor::requirement::Invariant;
use crate::advisor::requirement::questions::{Flag, Quantity};
use crate::advisor::solutions::SolutionId;

/// What is better where several ways would do. Points are small whole numbers: 8 outweighs most differences in effort.
pub(super) const PREFERENCES: [Rule; 27] = [
    Rule {
        id: "rare-conflicts",
        when: Not(&AtLeast(Quantity::ConflictRate, 0.05)),
        then: &[
            Weigh(SolutionId::OptimisticVersion, 8),
            Weigh(SolutionId::RepeatableRead, 6),
            Weigh(SolutionId::Serializable, 8),
        ],
        because: Text {
            en: "Where transactions rarely meet, trying again costs less than locking every time.",
            zh: "事务很少相遇时，重试比每次加锁便宜。",
        },
        source: "Kung and Robinson, ACM TODS 6(2), 1981",
    },
    Rule {
        id: "frequent-conflicts",
        when: AtLeast(Quantity::ConflictRate, 0.2),
        then: &[
            Weigh(SolutionId::OptimisticVersion, -14),
            Weigh(SolutionId::RepeatableRead, -10),
            Weigh(SolutionId::Serializable, -10),
            Weigh(SolutionId::MixedLevels, -4),
            Weigh(SolutionId::ForUpdateNowait, -4),
            Weigh(SolutionId::ForUpdate, 6),
            Weigh(SolutionId::ConditionalUpdate, 4),
            Weigh(SolutionId::GuardRow, 4),
        ],
        because: Text {
            en: "Work that is thrown away costs as much as work that is kept; waiting costs nothing but time.",
            zh: "被丢弃的工作与保留的同样昂贵；等待只花时间。",
        },
        source: "Agrawal, Carey and Livny, ACM TODS 12(4), 1987",
    },
    Rule {
        id: "nearly-all-conflict",
        when: AtLeast(Quantity::ConflictRate, 0.5),
        then: &[
            Weigh(SolutionId::OptimisticVersion, -14),
            Weigh(SolutionId::RepeatableRead, -10),
            Weigh(SolutionId::Serializable, -10),
            Weigh(SolutionId::Sequencer, 8),
        ],
        because: Text {
            en: "More than half of the attempts would be thrown away.", zh: "超过一半的尝试会被丢弃。"
        },
        source: "Agrawal, Carey and Livny, ACM TODS 12(4), 1987; pgstrata, 09-01",
    },
    Rule {
        id: "hot-row",
        when: AtLeast(Quantity::HotRowShare, 0.2),
        then: &[
            Weigh(SolutionId::OptimisticVersion, -10),
            Weigh(SolutionId::RepeatableRead, -8),
            Weigh(SolutionId::Serializable, -8),
            Weigh(SolutionId::ForUpdate, -4),
            Weigh(SolutionId::GuardRow, -4),
            Weigh(SolutionId::ShardedCounter, 6),
            Weigh(SolutionId::Sequencer, 6),
        ],
        because: Text {
            en: "One row is a queue: what is done while it is locked bounds everything.",
            zh: "一条热行就是一个队列：持锁期间做的事决定了上限。",
        },
        source: "pgstrata, 09-01 and 09-02",
    },
    Rule {
        id: "more-than-a-row-carries",
        when: All(&[AtLeast(Quantity::HotRowShare, 0.2), AtLeast(Quantity::Throughput, 1000.0)]),
        then: &[
            Weigh(SolutionId::Sequencer, 30),
            Weigh(SolutionId::ShardedCounter, 25),
            Weigh(SolutionId::ForUpdate, -15),
            Weigh(SolutionId::ConditionalUpdate, -12),
        ],
        because: Text {
            en: "A row that is committed for each request carries about as many requests a second as the log is flushed, whatever the statement.",
            zh: "逐请求提交的一行，每秒能承受的请求数约等于日志刷盘次数，与语句无关。",
        },
        source: "pgstrata, 09-01 and 09-02 (records)",
    },
    Rule {
        id: "no-hot-row",
        when: Not(&AtLeast(Quantity::HotRowShare, 0.05)),
        then: &[Weigh(SolutionId::ShardedCounter, -20), Weigh(SolutionId::Sequencer, -15)],
        because: Text {
            en: "No row is wanted by so many that sharing or grouping it would pay.",
            zh: "没有哪一行热到值得分片或成组。",
        },
        source: "pgstrata, 09-01",
    },
    Rule {
        id: "mostly-reads",
        when: AtLeast(Quantity::ReadShare, 0.9),
        then: &[
            Weigh(SolutionId::ShardedCounter, -10),
            Weigh(SolutionId::RepeatableRead, 2),
            Weigh(SolutionId::OptimisticVersion, 2),
            Weigh(SolutionId::Serializable, -2),
        ],
        because: Text { en: "Readers pay for what spares writers.", zh: "为写者节省的由读者买单。" },
        source: "PostgreSQL manual, 13.2.3 (SIReadLock)",
    },
    Rule {
        id: "long-transactions",
        when: AtLeast(Quantity::TransactionMs, 100.0),
        then: &[
            Weigh(SolutionId::ForUpdate, -8),
            Weigh(SolutionId::GuardRow, -8),
            Weigh(SolutionId::AdvisoryTransactionLock, -8),
            Weigh(SolutionId::TableLock, -15),
            Weigh(SolutionId::Serializable, -6),
            Weigh(SolutionId::Saga, 5),
        ],
        because: Text {
            en: "Locks, and the tracking of reads, last as long as the transaction.",
            zh: "锁与读跟踪都会持续到事务结束。",
        },
        source: "PostgreSQL manual, 13.2.3; 13.3",
    },
    Rule {
        id: "many-statements",
        when: AtLeast(Quantity::Statements, 8.0),
        then: &[
            Weigh(SolutionId::ConditionalUpdate, -10),
            Weigh(SolutionId::CounterRow, -4),
            Weigh(SolutionId::Serializable, 2),
        ],
        because: Text {
            en: "So much is decided that one condition hardly says it all.",
            zh: "决策太多，一个条件很难说全。",
        },
        source: "pgstrata",
    },
    Rule {
        id: "tight-latency",
        when: Not(&AtLeast(Quantity::LatencyP99Ms, 20.0)),
        then: &[
            Weigh(SolutionId::ForUpdateNowait, 4),
            Weigh(SolutionId::Serializable, -3),
            Weigh(SolutionId::TwoPhaseCommit, -8),
            Weigh(SolutionId::TableLock, -8),
            Weigh(SolutionId::Sequencer, -2),
        ],
        because: Text {
            en: "Each further flush, retry or wait is a large part of the time that there is.",
            zh: "每多一次刷盘、重试或等待都会占去可用时间的一大块。",
        },
        source: "PostgreSQL manual, 30.3 Write-Ahead Logging",
    },
    Rule {
        id: "many-clients",
        when: AtLeast(Quantity::Clients, 100.0),
        then: &[
            Weigh(SolutionId::TableLock, -15),
            Weigh(SolutionId::Serializable, -4),
            Weigh(SolutionId::AdvisoryTransactionLock, -2),
            Warn,
        ],
        because: Text {
            en: "Far more sessions than processors wait for each other inside the server: use a pool, and queue outside.",
            zh: "会话远多于处理器时，会在服务器内部互相等待：请用连接池，在外面排队。",
        },
        source: "PostgreSQL wiki, Number Of Database Connections",
    },
    Rule {
        id: "a-row-decides-alone",
        when: All(&[
            Any(&[
                Needs(Invariant::NoOversell),
                Needs(Invariant::BalanceFloor),
                Needs(Invariant::ExactCounter),
                Needs(Invariant::SumConstant),
            ]),
            Not(&Any(&[
                Needs(Invariant::SumFloor),
                Needs(Invariant::AtLeast),
                Needs(Invariant::LimitPerGroup),
                Needs(Invariant::NoOverlap),
            ])),
        ]),
        then: &[Weigh(SolutionId::ConditionalUpdate, 14), Weigh(SolutionId::ForUpdate, 4)],
        because: Text {
            en: "What is decided depends on the row that is written: the statement can carry the condition.",
            zh: "决策取决于被写的行：条件可以放进语句。",
        },
        source: "PostgreSQL manual, 13.2.1",
    },
    Rule {
        id: "rules-over-rows",
        when: Any(&[Needs(Invariant::SumFloor), Needs(Invariant::AtLeast), Needs(Invariant::LimitPerGroup)]),
        then: &[Weigh(SolutionId::Serializable, 12), Weigh(SolutionId::GuardRow, 6)],
        because: Text {
            en: "The rule reads rows that the transaction does not write: below serializable that is write skew, unless somebody takes a common lock.",
            zh: "规则读取了事务并不写的行：低于可串行化时会写偏斜，除非取一把公共的锁。",
        },
        source: "Berenson et al., SIGMOD 1995 (A5B)",
    },
    Rule {
        id: "a-value-once",
        when: Needs(Invariant::UniqueValue),
        then: &[Weigh(SolutionId::UniqueConstraint, 25)],
        because: Text {
            en: "The server enforces it for every writer, at every level.",
            zh: "服务器在任何级别对任何写者强制执行。",
        },
        source: "PostgreSQL manual, 5.4.3 Unique Constraints",
    },
    Rule {
        id: "intervals-apart",
        when: Needs(Invariant::NoOverlap),
        then: &[Weigh(SolutionId::ExclusionConstraint, 25)],
        because: Text {
            en: "The server enforces it for every writer, at every level.",
            zh: "服务器在任何级别对任何写者强制执行。",
        },
        source: "PostgreSQL manual, 5.4.6 Exclusion Constraints",
    },
    Rule {
        id: "numbers-without-gaps",
        when: Needs(Invariant::GaplessSequence),
        then: &[Weigh(SolutionId::CounterRow, 25)],
        because: Text {
            en: "Only a number that is drawn in the transaction that uses it is given back with it.",
            zh: "只有在使用编号的事务内取号，回滚时才会归还。",
        },
        source: "PostgreSQL manual, 9.17 Sequence Manipulation Functions",
    },
    Rule {
        id: "jobs",
        when: Needs(Invariant::TakenOnce),
        then: &[Weigh(SolutionId::SkipLocked, 25)],
        because: Text {
            en: "Workers need a free job, not the first one: nobody has to wait.",
            zh: "工作者需要的是空闲任务，而不是第一个：谁都不必等。",
        },
        source: "PostgreSQL manual, SELECT, The Locking Clause",
    },
    Rule {
        id: "requests-once",
        when: Needs(Invariant::AtMostOnce),
        then: &[Weigh(SolutionId::IdempotencyKey, 8)],
        because: Text {
            en: "Whoever lost the answer asks again; only the name of the request tells the second time from the first.",
            zh: "丢失应答的人会再问；只有请求的名字能区分第二次与第一次。",
        },
        source: "Helland: Idempotence Is Not a Medical Condition, ACM Queue 2012",
    },
    Rule {
        id: "pointers",
        when: Needs(Invariant::ReferenceExists),
        then: &[Weigh(SolutionId::ForeignKey, 20)],
        because: Text {
            en: "The server checks it with a lock that readers of the parent do not notice.",
            zh: "服务器用父行读者察觉不到的锁来检查。",
        },
        source: "PostgreSQL manual, 13.3.2 (for key share)",
    },
    Rule {
        id: "floors-have-checks",
        when: Any(&[Needs(Invariant::BalanceFloor), Needs(Invariant::NoOversell)]),
        then: &[Suggest(SolutionId::CheckConstraint), Weigh(SolutionId::CheckConstraint, -8)],
        because: Text {
            en: "A check is the last line of defence and never the first: it does not see lost updates.",
            zh: "检查约束是最后一道防线，绝不是第一道：它看不到丢失更新。",
        },
        source: "PostgreSQL manual, 5.4.1 Check Constraints",
    },
    Rule {
        id: "retries-need-names",
        when: Yes(Flag::MayRetry),
        then: &[Suggest(SolutionId::IdempotencyKey)],
        because: Text {
            en: "A connection that breaks during commit leaves the outcome unknown; only a key tells whether to run again.",
            zh: "连接在提交时断开会使结果未知；只有键能判断是否要重来。",
        },
        source: "PostgreSQL manual, 13.5; 54.2 Message Flow",
    },
    Rule {
        id: "broken-for-a-moment",
        when: Yes(Flag::BrokenInside),
        then: &[Weigh(SolutionId::DeferredConstraint, 30), Weigh(SolutionId::UniqueConstraint, -10)],
        because: Text {
            en: "A constraint that is checked with each statement refuses what would be right at commit.",
            zh: "逐语句检查的约束会拒绝到提交时本来正确的状态。",
        },
        source: "PostgreSQL manual, SET CONSTRAINTS",
    },
    Rule {
        id: "checked-at-once",
        when: Not(&Yes(Flag::BrokenInside)),
        then: &[Weigh(SolutionId::DeferredConstraint, -15)],
        because: Text {
            en: "Nothing is broken in between: an error with the statement is easier to act upon than one with commit.",
            zh: "中途不违反规则：语句报错比提交报错更易处理。",
        },
        source: "PostgreSQL manual, SET CONSTRAINTS",
    },
    Rule {
        id: "read-committed-is-enough",
        when: Found(Finding::ReadCommittedIsSafe),
        then: &[Weigh(SolutionId::ReadCommitted, 45)],
        because: Text {
            en: "The analysis shows that every execution at read committed is serializable: nothing has to change.",
            zh: "分析表明读已提交下的任何执行都可串行化：什么都不用改。",
        },
        source: "the analysis",
    },
    Rule {
        id: "repeatable-read-is-enough",
        when: Found(Finding::RepeatableReadIsSafe),
        then: &[Weigh(SolutionId::RepeatableRead, 22)],
        because: Text {
            en: "The analysis shows that every execution at repeatable read is serializable.",
            zh: "分析表明可重复读下的任何执行都可串行化。",
        },
        source: "the analysis",
    },
    Rule {
        id: "few-need-serializable",
        when: Found(Finding::MixedIsWeaker),
        then: &[Weigh(SolutionId::MixedLevels, 24)],
        because: Text {
            en: "Only the programs that need it pay for the stronger level.",
            zh: "只有需要的程序为更强级别付费。",
        },
        source: "the analysis; Vandevoort et al., PODS 2023",
    },
    Rule {
        id: "promotion-is-possible",
        when: Found(Finding::Promotable),
        then: &[Weigh(SolutionId::Promotion, 12)],
        because: Text {
            en: "A few promoted reads let the others run at a weaker level.",
            zh: "提升少数几个读，其他程序就能用更弱的级别。",
        },
        source: "the analysis; PVLDB 2025",
    },
];
