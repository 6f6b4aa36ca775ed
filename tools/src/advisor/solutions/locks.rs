//! Ways that wait: rows, groups, names and tables are locked before anything is decided.

use pgstrata_units::Text;

use super::{Ask, Need, Role, Solution, SolutionId};
use crate::advisor::grid::Strategy;
use crate::advisor::requirement::Invariant;

/// Lock the rows first (`for update`).
pub(super) const FOR_UPDATE: Solution = Solution {
    id: SolutionId::ForUpdate,
    role: Role::Control,
    name: Text { en: "Lock the rows first (`for update`)", zh: "先锁行（`for update`）" },
    what: Text {
        en: "The rows that decide are locked when they are read, in one order for everybody, at read committed.",
        zh: "在读已提交级别下，读取时按统一顺序锁住据以决策的行。",
    },
    when: Text {
        en: "Conflicts are frequent and transactions short; the deciding rows exist and are known by key.",
        zh: "冲突频繁、事务很短；据以决策的行存在且可按键找到。",
    },
    costs: Text {
        en: "A hot row carries one transaction at a time, from the lock to the end of commit.",
        zh: "热行一次只能承受一个事务，从加锁到提交结束。",
    },
    pitfall: Text {
        en: "Rows that are not there yet cannot be locked: counting and then inserting is not protected. Two orders of locking deadlock (40P01).",
        zh: "尚不存在的行无法加锁：先计数再插入不受保护。加锁顺序不一致会死锁（40P01）。",
    },
    keeps: &[
        Need::Holds(Invariant::NoOversell),
        Need::Holds(Invariant::BalanceFloor),
        Need::Holds(Invariant::SumConstant),
        Need::Holds(Invariant::ExactCounter),
        Need::Holds(Invariant::TakenOnce),
        Need::Holds(Invariant::SumFloor),
        Need::Holds(Invariant::AtLeast),
    ],
    why_no_more: Text {
        en: "It protects rows that exist. What may be inserted meanwhile has no row to lock.",
        zh: "它只保护已存在的行。期间可能插入的行无从加锁。",
    },
    asks: &[Ask::Sql, Ask::HeldLocks, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, 13.3.2 Row-Level Locks",
    links: &["/cases/flash-sale/design", "/cases/ledger/design"],
    measured: &[("flash-sale", "for-update"), ("ledger", "for-update")],
    strategy: Some(Strategy::RowLocks),
};

/// Lock the rows, or answer at once (`nowait`).
pub(super) const NOWAIT: Solution = Solution {
    id: SolutionId::ForUpdateNowait,
    role: Role::Control,
    name: Text { en: "Lock the rows, or answer at once (`nowait`)", zh: "锁行，否则立刻应答（`nowait`）" },
    what: Text {
        en: "As `for update`, but a row that is locked gives 55P03 at once instead of a wait.",
        zh: "同 `for update`，但行已被锁时立即得到 55P03 而不等待。",
    },
    when: Text {
        en: "A user can be told \"busy, try again\", and waiting would break the latency.",
        zh: "可以告诉用户“繁忙，请稍后”，而等待会破坏延迟目标。",
    },
    costs: Text {
        en: "Under contention most answers are refusals; who retries at once makes it worse.",
        zh: "竞争激烈时多数应答是拒绝；立即重试只会更糟。",
    },
    pitfall: Text {
        en: "It refuses waits for row locks only: `update` and `commit` still wait. Set lock_timeout too.",
        zh: "它只拒绝等待行锁：`update` 与 `commit` 仍会等待。请同时设置 lock_timeout。",
    },
    keeps: &[
        Need::Holds(Invariant::NoOversell),
        Need::Holds(Invariant::BalanceFloor),
        Need::Holds(Invariant::SumConstant),
        Need::Holds(Invariant::ExactCounter),
        Need::Holds(Invariant::TakenOnce),
        Need::Holds(Invariant::SumFloor),
        Need::Holds(Invariant::AtLeast),
    ],
    why_no_more: Text {
        en: "It protects rows that exist. What may be inserted meanwhile has no row to lock.",
        zh: "它只保护已存在的行。期间可能插入的行无从加锁。",
    },
    asks: &[Ask::Sql, Ask::HeldLocks, Ask::OneWriter, Ask::Retry],
    effort: 2,
    source: "PostgreSQL manual, SELECT, The Locking Clause",
    ..Solution::BLANK
};

/// Take the next free row (`skip locked`).
pub(super) const SKIP_LOCKED: Solution = Solution {
    id: SolutionId::SkipLocked,
    role: Role::Control,
    name: Text { en: "Take the next free row (`skip locked`)", zh: "取下一个空闲行（`skip locked`）" },
    what: Text {
        en: "A worker locks the first row that nobody holds; crashed workers give theirs back by themselves.",
        zh: "工作者锁住第一个没人持有的行；崩溃的工作者自动归还。",
    },
    when: Text { en: "A queue of jobs in a table.", zh: "用表做任务队列。" },
    costs: Text {
        en: "No order is kept, and dead rows must be vacuumed away quickly.",
        zh: "不保证顺序，死元组需要及时清理。",
    },
    pitfall: Text {
        en: "The job is done when the transaction commits: an effect outside may happen twice. A long job holds back vacuum for everybody.",
        zh: "提交之后任务才算完成：外部效果可能发生两次。长任务会拖住所有人的清理。",
    },
    keeps: &[Need::Holds(Invariant::TakenOnce)],
    why_no_more: Text {
        en: "It picks what is free and ignores the rest: a sum or a count over it is meaningless.",
        zh: "它只取空闲的行而忽略其余：在其上求和或计数没有意义。",
    },
    asks: &[Ask::Sql, Ask::HeldLocks, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, SELECT, The Locking Clause",
    ..Solution::BLANK
};

/// A guard row for each group.
pub(super) const GUARD_ROW: Solution = Solution {
    id: SolutionId::GuardRow,
    role: Role::Control,
    name: Text { en: "A guard row for each group", zh: "每组一个守卫行" },
    what: Text {
        en: "Every transaction of a group first updates one row that stands for the group: the conflict is materialised.",
        zh: "组内每个事务先更新代表该组的一行：把冲突实体化。",
    },
    when: Text {
        en: "A rule spans rows that may not exist yet, and groups are small and many.",
        zh: "规则跨越可能尚不存在的行，且组小而多。",
    },
    costs: Text { en: "One transaction at a time in each group.", zh: "每组一次只有一个事务。" },
    pitfall: Text {
        en: "A writer that forgets the guard is not stopped by anybody. At repeatable read the guard must be updated, locking it is not enough.",
        zh: "忘记守卫行的写者不会被阻止。在可重复读下必须更新守卫行，仅加锁不够。",
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
    ],
    why_no_more: Text {
        en: "It orders those who take the guard, on one server.",
        zh: "它只约束取守卫行的人，且限于一台服务器。",
    },
    asks: &[Ask::Sql, Ask::Schema, Ask::HeldLocks, Ask::OneWriter],
    effort: 2,
    source: "Fekete et al.: Making Snapshot Isolation Serializable, ACM TODS 30(2), 2005 (materialised conflicts)",
    ..Solution::BLANK
};

/// Advisory lock, by transaction.
pub(super) const ADVISORY_TRANSACTION: Solution = Solution {
    id: SolutionId::AdvisoryTransactionLock,
    role: Role::Control,
    name: Text { en: "Advisory lock, by transaction", zh: "事务级咨询锁" },
    what: Text {
        en: "`pg_advisory_xact_lock` on a number that stands for the resource, as the first statement at read committed.",
        zh: "在读已提交下，首条语句对代表资源的编号调用 `pg_advisory_xact_lock`。",
    },
    when: Text {
        en: "A rule spans rows, tables may not be changed, and all writers are in one code base.",
        zh: "规则跨多行、不能改表，且所有写者在同一代码库。",
    },
    costs: Text {
        en: "One transaction at a time for each number; the numbers are a convention.",
        zh: "每个编号一次只有一个事务；编号只是约定。",
    },
    pitfall: Text {
        en: "Taken in a later statement at repeatable read it comes too late: the snapshot is older than the lock. Hashes of two names may collide.",
        zh: "在可重复读下后取则太迟：快照早于锁。两个名字的哈希可能相撞。",
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
    ],
    why_no_more: Text {
        en: "It orders those who ask for it, on one server.",
        zh: "它只约束主动请求它的人，且限于一台服务器。",
    },
    asks: &[Ask::Sql, Ask::HeldLocks, Ask::OneWriter],
    effort: 3,
    source: "PostgreSQL manual, 13.3.5 Advisory Locks",
    strategy: Some(Strategy::AdvisoryLocks),
    ..Solution::BLANK
};

/// Advisory lock, by session.
pub(super) const ADVISORY_SESSION: Solution = Solution {
    id: SolutionId::AdvisorySessionLock,
    role: Role::Control,
    name: Text { en: "Advisory lock, by session", zh: "会话级咨询锁" },
    what: Text {
        en: "`pg_advisory_lock`: held over several transactions until it is given back or the session ends.",
        zh: "`pg_advisory_lock`：跨多个事务持有，直到释放或会话结束。",
    },
    when: Text {
        en: "One leader among workers, or work that is longer than a transaction.",
        zh: "在工作者中选一个领导者，或比事务更长的工作。",
    },
    costs: Text {
        en: "Nothing gives it back when code forgets; a pool hands the session on with the lock.",
        zh: "代码忘记释放就一直持有；连接池会把带锁的会话交给别人。",
    },
    pitfall: Text {
        en: "A pool by transaction gives the next statement to another session, which does not have the lock.",
        zh: "事务级连接池会把下一条语句交给没有这把锁的另一个会话。",
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
        en: "It orders those who ask for it, on one server.",
        zh: "它只约束主动请求它的人，且限于一台服务器。",
    },
    asks: &[Ask::Sql, Ask::HeldLocks, Ask::Session, Ask::OneWriter],
    effort: 4,
    source: "PostgreSQL manual, 13.3.5 Advisory Locks; pgbouncer, Features (SQL feature map for pooling modes)",
    ..Solution::BLANK
};

/// Lock the table.
pub(super) const TABLE_LOCK: Solution = Solution {
    id: SolutionId::TableLock,
    role: Role::Control,
    name: Text { en: "Lock the table", zh: "锁整张表" },
    what: Text {
        en: "`lock table … in share row exclusive mode`: one writer of the table at a time, readers go on.",
        zh: "`lock table … in share row exclusive mode`：整表一次只有一个写者，读者不受影响。",
    },
    when: Text {
        en: "Rare maintenance, or so few writers that nobody waits.",
        zh: "偶尔的维护，或写者少到没人会等待。",
    },
    costs: Text {
        en: "All writers of the table wait for each other; autovacuum gives way to it.",
        zh: "表的所有写者互相等待；autovacuum 也要让路。",
    },
    pitfall: Text {
        en: "Taking it after a first statement upgrades a lock: two that do so deadlock.",
        zh: "在首条语句之后再取等于锁升级：两个事务都这样做就会死锁。",
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
    ],
    why_no_more: Text {
        en: "It orders writers of one table on one server.",
        zh: "它只为一台服务器上一张表的写者排序。",
    },
    asks: &[Ask::Sql, Ask::HeldLocks, Ask::OneWriter],
    effort: 2,
    source: "PostgreSQL manual, 13.3.1 Table-Level Locks",
    strategy: Some(Strategy::OneLock),
    ..Solution::BLANK
};

/// A number from a counter row.
pub(super) const COUNTER_ROW: Solution = Solution {
    id: SolutionId::CounterRow,
    role: Role::Control,
    name: Text { en: "A number from a counter row", zh: "从计数行取号" },
    what: Text {
        en: "`update … set last = last + 1 returning last` in the transaction that uses the number: who rolls back gives it back.",
        zh: "在使用编号的事务里执行 `update … set last = last + 1 returning last`：回滚即归还。",
    },
    when: Text { en: "The law wants invoices without gaps.", zh: "法规要求发票号无空号。" },
    costs: Text {
        en: "All who draw a number of one series commit one after the other.",
        zh: "同一序列的取号者只能逐个提交。",
    },
    pitfall: Text {
        en: "A `sequence` leaves gaps by design: it is never rolled back, and jumps after a crash. Draw the number last, so that the lock is short.",
        zh: "`sequence` 天生有空号：它不回滚，崩溃后还会跳号。请最后取号，缩短持锁时间。",
    },
    keeps: &[Need::Holds(Invariant::GaplessSequence), Need::Holds(Invariant::ExactCounter)],
    why_no_more: Text {
        en: "It orders drawing numbers and nothing else.", zh: "它只给取号排序，别的一概不管。"
    },
    asks: &[Ask::Sql, Ask::Schema, Ask::HeldLocks, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, 9.17 Sequence Manipulation Functions (nextval is never rolled back)",
    ..Solution::BLANK
};
