//! Rules: what the answers require beyond the invariants.

use pgstrata_units::Text;

use super::super::Effect::{Require, Weigh};
use super::super::Rule;
use super::super::condition::Condition::{All, AtLeast, Audit, Distribution, Found, Tenancy, Yes};
use super::super::condition::Finding;
use crate::advisor::requirement::questions::{Flag, Quantity};
use crate::advisor::requirement::{Invariant, choices};
use crate::advisor::solutions::{Need, SolutionId};

/// What the answers require beyond the invariants.
pub(super) const NEEDS: [Rule; 9] = [
    Rule {
        id: "outside-effects",
        when: Yes(Flag::OutsideEffects),
        then: &[Require(Need::OutsideEffects), Require(Need::Holds(Invariant::AtMostOnce))],
        because: Text {
            en: "What happens outside is not rolled back, and a retry would do it again.",
            zh: "外部效果不会回滚，重试会再做一次。",
        },
        source: "Helland: Life beyond Distributed Transactions, CIDR 2007",
    },
    Rule {
        id: "long-reports",
        when: Yes(Flag::LongReports),
        then: &[Require(Need::LongReports), Weigh(SolutionId::DeferrableRead, 5)],
        because: Text {
            en: "A long reader must see one moment, and neither wait nor make others wait.",
            zh: "长时间的读者须看到同一时刻，且既不等待也不让别人等待。",
        },
        source: "PostgreSQL manual, 13.2",
    },
    Rule {
        id: "reads-on-replicas",
        when: Distribution(choices::Distribution::ReadReplicas),
        then: &[Require(Need::ReplicaReads)],
        because: Text {
            en: "A replica replays the log later than the primary writes it.",
            zh: "副本回放日志晚于主库写入。",
        },
        source: "PostgreSQL manual, 27.2.5 Streaming Replication; 27.4 Hot Standby",
    },
    Rule {
        id: "several-servers",
        when: All(&[Distribution(choices::Distribution::Sharded), AtLeast(Quantity::Statements, 2.0)]),
        then: &[Require(Need::AtomicAcrossServers)],
        because: Text {
            en: "Each server commits for itself; a crash between two commits leaves half of a transaction.",
            zh: "每台服务器各自提交；两次提交之间崩溃会留下半个事务。",
        },
        source: "Gray: Notes on Data Base Operating Systems, 1978",
    },
    Rule {
        id: "history-is-kept",
        when: Audit(choices::Audit::History),
        then: &[Require(Need::History)],
        because: Text { en: "An updated row forgets what it was.", zh: "被更新的行会忘记过去。" },
        source: "PostgreSQL manual, 25.1 Routine Vacuuming",
    },
    Rule {
        id: "past-is-sealed",
        when: Audit(choices::Audit::TamperEvident),
        then: &[Require(Need::TamperEvidence)],
        because: Text {
            en: "Whoever administers a database can change any row of it.",
            zh: "数据库管理员可以修改任何一行。",
        },
        source: "Haber and Stornetta, J. Cryptology 1991; pgstrata, 09-02",
    },
    Rule {
        id: "tenants-share",
        when: Tenancy(choices::Tenancy::SharedTables),
        then: &[Require(Need::TenantIsolation)],
        because: Text {
            en: "A forgotten condition in one statement shows one tenant the rows of another.",
            zh: "一条语句漏掉条件就会让一个租户看到另一个租户的行。",
        },
        source: "PostgreSQL manual, 5.8 Row Security Policies",
    },
    Rule {
        id: "rows-age",
        when: AtLeast(Quantity::AgeingRows, 100_000.0),
        then: &[Require(Need::Ageing)],
        because: Text {
            en: "Deleting many rows leaves as many dead ones; dropping a partition leaves none.",
            zh: "大量删除会留下同样多的死元组；删除分区则没有。",
        },
        source: "PostgreSQL manual, 5.11 Table Partitioning",
    },
    Rule {
        id: "sql-decides",
        when: Found(Finding::Given),
        then: &[Require(Need::Serializability)],
        because: Text {
            en: "The statements themselves were analysed: what they can do to each other is known, and need not be guessed from kinds of invariants.",
            zh: "已分析语句本身：它们之间会发生什么是已知的，无需从不变式类型猜测。",
        },
        source: "Vandevoort et al., PVLDB 2021 to 2025",
    },
];
