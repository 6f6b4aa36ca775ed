//! Rules: what cannot be used, and what the user must know.

use pgstrata_units::Text;

use super::super::Effect::{Exclude, ExcludeAsking, OnlyBeside, Warn, Weigh};
use super::super::Rule;
use super::super::condition::Condition::{
    All, Any, Availability, Distribution, Found, Needs, Not, Ordering, Pooling, Yes,
};
use super::super::condition::Finding;
use crate::advisor::requirement::questions::Flag;
use crate::advisor::requirement::{Invariant, choices};
use crate::advisor::solutions::{Ask, SolutionId};

/// What cannot be used, and what the user must know.
pub(super) const LIMITS: [Rule; 20] = [
    Rule {
        id: "may-not-retry",
        when: Not(&Yes(Flag::MayRetry)),
        then: &[ExcludeAsking(Ask::Retry)],
        because: Text {
            en: "A serialization failure (40001) must be answered by running the whole transaction again.",
            zh: "串行化失败（40001）必须以重新执行整个事务来应对。",
        },
        source: "PostgreSQL manual, 13.5 Serialization Failure Handling",
    },
    Rule {
        id: "mixed-levels-retry",
        when: All(&[Not(&Yes(Flag::MayRetry)), Found(Finding::MixedRetries)]),
        then: &[Exclude(&[SolutionId::MixedLevels])],
        because: Text {
            en: "Some program of the allocation runs above read committed and must be retried.",
            zh: "分配中有程序高于读已提交，必须重试。",
        },
        source: "PostgreSQL manual, 13.5 Serialization Failure Handling",
    },
    Rule {
        id: "promoted-levels-retry",
        when: All(&[Not(&Yes(Flag::MayRetry)), Found(Finding::PromotedRetries)]),
        then: &[Exclude(&[SolutionId::Promotion])],
        because: Text {
            en: "After promotion some program still runs above read committed and must be retried.",
            zh: "提升之后仍有程序高于读已提交，必须重试。",
        },
        source: "PostgreSQL manual, 13.5 Serialization Failure Handling",
    },
    Rule {
        id: "may-not-change-sql",
        when: Not(&Yes(Flag::MayChangeSql)),
        then: &[ExcludeAsking(Ask::Sql)],
        because: Text {
            en: "It needs other statements, and statements may not be changed.",
            zh: "它需要改动语句，而语句不能改。",
        },
        source: "the requirement",
    },
    Rule {
        id: "may-not-change-schema",
        when: Not(&Yes(Flag::MayChangeSchema)),
        then: &[ExcludeAsking(Ask::Schema)],
        because: Text {
            en: "It needs a column, a constraint or a table, and tables may not be changed.",
            zh: "它需要列、约束或表，而表不能改。",
        },
        source: "the requirement",
    },
    Rule {
        id: "may-not-add-service",
        when: Not(&Yes(Flag::MayAddService)),
        then: &[ExcludeAsking(Ask::Service)],
        because: Text { en: "It needs a process beside the application.", zh: "它需要应用之外的进程。" },
        source: "the requirement",
    },
    Rule {
        id: "somebody-waits-inside",
        when: Yes(Flag::WaitsInside),
        then: &[ExcludeAsking(Ask::HeldLocks), Weigh(SolutionId::OptimisticVersion, 20), Weigh(SolutionId::Saga, 10)],
        because: Text {
            en: "A lock would last as long as the person thinks, and everybody else would wait for that.",
            zh: "锁会持续到那个人想完为止，其他人都得等。",
        },
        source: "PostgreSQL manual, 13.3.2 Row-Level Locks; idle_in_transaction_session_timeout",
    },
    Rule {
        id: "pool-by-transaction",
        when: Pooling(choices::Pooling::Transaction),
        then: &[ExcludeAsking(Ask::Session)],
        because: Text {
            en: "The next transaction may run in another session, which does not hold the lock; this one keeps it.",
            zh: "下一个事务可能落到没有锁的另一个会话，而原会话一直持有锁。",
        },
        source: "pgbouncer, Features (SQL feature map for pooling modes)",
    },
    Rule {
        id: "always-writable",
        when: Availability(choices::Availability::AlwaysWritable),
        then: &[ExcludeAsking(Ask::OneWriter)],
        because: Text {
            en: "While servers cannot reach each other, each must decide without the others.",
            zh: "服务器互不可达时，各自必须独自裁决。",
        },
        source: "Gilbert and Lynch: Brewer's Conjecture, SIGACT News 2002",
    },
    Rule {
        id: "many-writers",
        when: Distribution(choices::Distribution::MultiWriter),
        then: &[ExcludeAsking(Ask::OneWriter)],
        because: Text {
            en: "A lock, a version or a constraint on one server says nothing to the others.",
            zh: "一台服务器上的锁、版本或约束对其他服务器毫无意义。",
        },
        source: "Bailis et al.: Coordination Avoidance in Database Systems, VLDB 2015",
    },
    Rule {
        id: "one-writer-can-add",
        when: Not(&Any(&[
            Distribution(choices::Distribution::MultiWriter),
            Availability(choices::Availability::AlwaysWritable),
        ])),
        then: &[Exclude(&[SolutionId::Crdt])],
        because: Text {
            en: "One server takes all writes of a row: it can simply add, and nothing has to be merged.",
            zh: "一行的所有写都由一台服务器处理：直接累加即可，无需合并。",
        },
        source: "Shapiro et al., SSS 2011",
    },
    Rule {
        id: "no-sql-no-analysis",
        when: Not(&Found(Finding::Given)),
        then: &[ExcludeAsking(Ask::Report)],
        because: Text {
            en: "It rests on the analysis of the transactions' SQL, and none was given.",
            zh: "它依赖对事务 SQL 的分析，而没有提供 SQL。",
        },
        source: "Vandevoort et al., PVLDB 2021 to 2025",
    },
    Rule {
        id: "nothing-below-serializable",
        when: All(&[Found(Finding::Given), Not(&Found(Finding::MixedIsWeaker))]),
        then: &[Exclude(&[SolutionId::MixedLevels])],
        because: Text {
            en: "The analysis gives every program serializable: that is the uniform level, not a mixture.",
            zh: "分析给出的每个程序都是可串行化：那就是统一级别，而非混合。",
        },
        source: "the analysis",
    },
    Rule {
        id: "nothing-to-promote",
        when: All(&[Found(Finding::Given), Not(&Found(Finding::Promotable))]),
        then: &[Exclude(&[SolutionId::Promotion])],
        because: Text {
            en: "The analysis found no read whose promotion makes a weaker level safe.",
            zh: "分析没有找到提升后能让较弱级别安全的读。",
        },
        source: "the analysis",
    },
    Rule {
        id: "order-forbids-skipping",
        when: Not(&Ordering(choices::Ordering::None)),
        then: &[Exclude(&[SolutionId::SkipLocked])],
        because: Text {
            en: "Skipping a locked row takes a later one before it.",
            zh: "跳过已锁的行会先取到更晚的行。",
        },
        source: "PostgreSQL manual, SELECT, The Locking Clause",
    },
    Rule {
        id: "safe-snapshots-need-serializable-writers",
        when: Any(&[Yes(Flag::LongReports), Needs(Invariant::ConsistentRead)]),
        then: &[OnlyBeside(SolutionId::DeferrableRead, &[SolutionId::Serializable])],
        because: Text {
            en: "A safe snapshot is one that no serializable writer can make wrong; other writers are not asked.",
            zh: "安全快照是任何可串行化写者都无法使其出错的快照；其他写者不受约束。",
        },
        source: "PostgreSQL manual, SET TRANSACTION (DEFERRABLE)",
    },
    Rule {
        id: "no-serializable-on-replicas",
        when: All(&[
            Distribution(choices::Distribution::ReadReplicas),
            Any(&[Yes(Flag::LongReports), Needs(Invariant::ConsistentRead)]),
        ]),
        then: &[Exclude(&[SolutionId::DeferrableRead])],
        because: Text {
            en: "Reports go to the replicas, where serializable does not exist.",
            zh: "报表在副本上运行，而副本没有可串行化级别。",
        },
        source: "PostgreSQL manual, 27.4.6 Caveats (hot standby)",
    },
    Rule {
        id: "sagas-show-what-lies-between",
        when: Any(&[
            Needs(Invariant::SumConstant),
            Needs(Invariant::SumFloor),
            Needs(Invariant::AtLeast),
            Needs(Invariant::LimitPerGroup),
            Needs(Invariant::ConsistentRead),
        ]),
        then: &[Exclude(&[SolutionId::Saga])],
        because: Text {
            en: "Between two steps of a saga everybody sees the rule broken.",
            zh: "Saga 两步之间所有人都会看到规则被破坏。",
        },
        source: "Garcia-Molina and Salem: Sagas, SIGMOD 1987",
    },
    Rule {
        id: "split-programs",
        when: Found(Finding::SplitProgram),
        then: &[Warn],
        because: Text {
            en: "A program's statements run in transactions of their own, though one relies on another. No level helps: put them into one transaction first.",
            zh: "某程序的语句各自成为事务，却互相依赖。任何级别都无济于事：请先放进同一个事务。",
        },
        source: "Warszawski and Bailis: ACIDRain, SIGMOD 2017",
    },
    Rule {
        id: "not-understood",
        when: Found(Finding::NotUnderstood),
        then: &[Warn],
        because: Text {
            en: "Some SQL was not understood and is treated as unsafe: the answer may ask for more than is needed.",
            zh: "有 SQL 未能理解并按不安全处理：结论可能比实际需要更严格。",
        },
        source: "the analysis",
    },
];
