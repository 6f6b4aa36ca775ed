//! What is added to an answer: readers, history, tenants, age.

use pgstrata_units::Text;

use super::{Ask, Need, Role, Solution, SolutionId};
use crate::advisor::requirement::Invariant;

/// Readers in one snapshot.
pub(super) const SNAPSHOT_READ: Solution = Solution {
    id: SolutionId::SnapshotRead,
    role: Role::Companion,
    name: Text { en: "Readers in one snapshot", zh: "在一个快照里读取" },
    what: Text {
        en: "Transactions that read several rows run `repeatable read, read only`.",
        zh: "读取多行的事务以 `repeatable read, read only` 运行。",
    },
    when: Text { en: "A page or a report adds up rows that change.", zh: "页面或报表汇总会变化的行。" },
    costs: Text {
        en: "Nothing but an old snapshot: vacuum waits for the oldest one.",
        zh: "代价只是旧快照：清理要等最旧的那个。",
    },
    pitfall: Text {
        en: "Beside serializable writers it may still see a state that no serial order has (the read-only anomaly).",
        zh: "与可串行化写者并存时仍可能看到任何串行顺序都没有的状态（只读异常）。",
    },
    keeps: &[Need::Holds(Invariant::ConsistentRead), Need::LongReports],
    why_no_more: Text { en: "It writes nothing.", zh: "它不写任何东西。" },
    asks: &[Ask::Sql],
    effort: 0,
    source: "PostgreSQL manual, 13.2.2; Fekete, O'Neil and O'Neil: A Read-Only Transaction Anomaly Under Snapshot Isolation, SIGMOD Record 2004",
    ..Solution::BLANK
};

/// Serializable, read only, deferrable.
pub(super) const DEFERRABLE_READ: Solution = Solution {
    id: SolutionId::DeferrableRead,
    role: Role::Companion,
    name: Text { en: "Serializable, read only, deferrable", zh: "可串行化、只读、可延迟" },
    what: Text {
        en: "A report waits once for a safe snapshot, then runs without tracking and without being aborted.",
        zh: "报表先等一个安全快照，之后无跟踪运行，也不会被中止。",
    },
    when: Text { en: "Long reports beside serializable writers.", zh: "与可串行化写者并存的长报表。" },
    costs: Text {
        en: "It may wait at its beginning until running writers have ended.",
        zh: "开始时可能要等正在运行的写者结束。",
    },
    pitfall: Text {
        en: "It is of use only where writers are serializable, and not to be had on a replica.",
        zh: "仅当写者是可串行化时才有意义，且副本上不可用。",
    },
    keeps: &[Need::Holds(Invariant::ConsistentRead), Need::LongReports],
    why_no_more: Text { en: "It writes nothing.", zh: "它不写任何东西。" },
    asks: &[Ask::Sql, Ask::OneWriter],
    effort: 0,
    source: "PostgreSQL manual, SET TRANSACTION (DEFERRABLE); Ports and Grittner, VLDB 2012",
    ..Solution::BLANK
};

/// Append-only ledger.
pub(super) const LEDGER: Solution = Solution {
    id: SolutionId::AppendOnlyLedger,
    role: Role::Companion,
    name: Text { en: "Append-only ledger", zh: "只追加账本" },
    what: Text {
        en: "Every change is a row that is never updated; what is now is their sum, kept beside them.",
        zh: "每次变更都是一条永不更新的行；当前值是它们的和，另行保存。",
    },
    when: Text { en: "Somebody will ask how a balance came about.", zh: "总会有人问余额从何而来。" },
    costs: Text {
        en: "Rows grow for ever; the sum must be kept in the same transaction.",
        zh: "行不断增长；汇总必须在同一事务中维护。",
    },
    pitfall: Text {
        en: "Without revoked privileges and a trigger \"append-only\" is a habit. A superuser is stopped by neither.",
        zh: "不收回权限、不加触发器，“只追加”只是习惯。超级用户两者都拦不住。",
    },
    keeps: &[Need::History],
    why_no_more: Text {
        en: "It tells what happened; it does not decide what may.",
        zh: "它记录发生了什么，不决定什么可以发生。",
    },
    asks: &[Ask::Sql, Ask::Schema],
    effort: 2,
    source: "PostgreSQL manual, 5.7 Privileges; Pat Helland: Immutability Changes Everything, CIDR 2015",
    links: &["/cases/ledger/design"],
    ..Solution::BLANK
};

/// A chain of hashes.
pub(super) const HASH_CHAIN: Solution = Solution {
    id: SolutionId::HashChain,
    role: Role::Companion,
    name: Text { en: "A chain of hashes", zh: "哈希链" },
    what: Text {
        en: "Each row carries a hash of itself and of the one before; a seal of the newest is kept elsewhere.",
        zh: "每行带有自身与前一行的哈希；最新的封印存于别处。",
    },
    when: Text {
        en: "Nobody may change the past unnoticed, an administrator included.",
        zh: "任何人，包括管理员，都不得不留痕迹地改动历史。",
    },
    costs: Text {
        en: "Rows are sealed in one order, by one process.", zh: "行由一个进程按一个顺序封印。"
    },
    pitfall: Text {
        en: "A chain without a seal outside can be made anew from the start by whoever owns the database.",
        zh: "没有外部封印的链，数据库所有者可以从头重做。",
    },
    keeps: &[Need::TamperEvidence, Need::History],
    why_no_more: Text {
        en: "It shows changes of the past and prevents none.",
        zh: "它能显示历史被改动，但不阻止改动。",
    },
    asks: &[Ask::Sql, Ask::Schema, Ask::Service],
    effort: 4,
    source: "Haber and Stornetta: How to Time-Stamp a Digital Document, J. Cryptology 1991; pgstrata, 09-02",
    links: &["/concepts/audit-trail", "/cases/ledger/design"],
    ..Solution::BLANK
};

/// Row security, keys that begin with the tenant.
pub(super) const ROW_SECURITY: Solution = Solution {
    id: SolutionId::RowSecurity,
    role: Role::Companion,
    name: Text { en: "Row security, keys that begin with the tenant", zh: "行级安全，键以租户开头" },
    what: Text {
        en: "A policy keeps each statement to the tenant that the transaction names; keys and indexes begin with the tenant.",
        zh: "策略把每条语句限定在事务所声明的租户内；键与索引以租户开头。",
    },
    when: Text { en: "Tenants share tables.", zh: "租户共用表。" },
    costs: Text {
        en: "A condition in every plan; superusers and owners pass it by.",
        zh: "每个计划都多一个条件；超级用户与表所有者不受限制。",
    },
    pitfall: Text {
        en: "`set` without `local` stays in a pooled session for the next tenant. A unique key without the tenant tells one what another has.",
        zh: "不带 `local` 的 `set` 会留在池化会话里给下一个租户。不含租户的唯一键会泄露别人有什么。",
    },
    keeps: &[Need::TenantIsolation],
    why_no_more: Text { en: "It filters rows.", zh: "它只过滤行。" },
    asks: &[Ask::Schema],
    effort: 2,
    source: "PostgreSQL manual, 5.8 Row Security Policies",
    ..Solution::BLANK
};

/// Partitions by time.
pub(super) const PARTITIONING: Solution = Solution {
    id: SolutionId::Partitioning,
    role: Role::Companion,
    name: Text { en: "Partitions by time", zh: "按时间分区" },
    what: Text {
        en: "The table is in parts by day or month; an old part is detached and dropped.",
        zh: "表按日或月分成若干部分；旧的部分被分离并删除。",
    },
    when: Text { en: "Rows are removed by age.", zh: "按时间删除行。" },
    costs: Text {
        en: "Unique keys must contain the time; plans must know it.",
        zh: "唯一键必须包含时间；计划也要能用到它。",
    },
    pitfall: Text {
        en: "A missing partition for tomorrow refuses tomorrow's inserts. Unique across parts does not exist.",
        zh: "缺少明天的分区会拒绝明天的插入。跨分区唯一不存在。",
    },
    keeps: &[Need::Ageing],
    why_no_more: Text { en: "It arranges rows.", zh: "它只安排行的存放。" },
    asks: &[Ask::Schema],
    effort: 2,
    source: "PostgreSQL manual, 5.11 Table Partitioning",
    ..Solution::BLANK
};
