//! What the server enforces for everybody.

use pgstrata_units::Text;

use super::{Ask, Need, Role, Solution, SolutionId};
use crate::advisor::requirement::Invariant;

/// Unique constraint.
pub(super) const UNIQUE: Solution = Solution {
    id: SolutionId::UniqueConstraint,
    role: Role::Constraint,
    name: Text { en: "Unique constraint", zh: "唯一约束" },
    what: Text {
        en: "The server refuses the second row, whoever writes it and at whatever level; `on conflict` makes it an answer.",
        zh: "无论谁、在哪个级别写，服务器都拒绝第二行；`on conflict` 把它变成应答。",
    },
    when: Text { en: "A value may exist once.", zh: "某个值只能存在一次。" },
    costs: Text { en: "An index that every insert maintains.", zh: "每次插入都要维护一个索引。" },
    pitfall: Text {
        en: "Looking first and inserting then is still a race: insert, and read the answer.",
        zh: "先查后插仍是竞争：应直接插入并读取结果。",
    },
    keeps: &[Need::Holds(Invariant::UniqueValue), Need::Holds(Invariant::TakenOnce)],
    why_no_more: Text { en: "It knows single values of one table.", zh: "它只认识一张表里的单个值。" },
    asks: &[Ask::Schema, Ask::OneWriter],
    effort: 0,
    source: "PostgreSQL manual, 5.4.3 Unique Constraints; INSERT, ON CONFLICT Clause",
    ..Solution::BLANK
};

/// Exclusion constraint.
pub(super) const EXCLUSION: Solution = Solution {
    id: SolutionId::ExclusionConstraint,
    role: Role::Constraint,
    name: Text { en: "Exclusion constraint", zh: "排除约束" },
    what: Text {
        en: "`exclude using gist (room with =, during with &&)`: of two overlapping rows the second is refused with 23P01.",
        zh: "`exclude using gist (room with =, during with &&)`：两个重叠的行，第二个被拒绝（23P01）。",
    },
    when: Text { en: "Intervals of a resource must not overlap.", zh: "同一资源的时间段不得重叠。" },
    costs: Text {
        en: "A GiST index; inserts are slower than into a b-tree. `btree_gist` for the equality.",
        zh: "需要 GiST 索引；插入慢于 b-tree。等值部分需 `btree_gist`。",
    },
    pitfall: Text {
        en: "`[start, end]` overlaps its neighbour: use half-open ranges. Two inserts may deadlock (40P01) and are then retried.",
        zh: "`[start, end]` 会与相邻区间重叠：请用左闭右开区间。两个插入可能死锁（40P01），需重试。",
    },
    keeps: &[Need::Holds(Invariant::NoOverlap), Need::Holds(Invariant::UniqueValue)],
    why_no_more: Text {
        en: "It compares two rows at a time: counts and sums are beyond it.",
        zh: "它一次只比较两行：计数与求和做不到。",
    },
    asks: &[Ask::Schema, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, 5.4.6 Exclusion Constraints; 8.17.10 Constraints on Ranges",
    ..Solution::BLANK
};

/// Check constraint.
pub(super) const CHECK: Solution = Solution {
    id: SolutionId::CheckConstraint,
    role: Role::Constraint,
    name: Text { en: "Check constraint", zh: "检查约束" },
    what: Text {
        en: "`check (balance >= 0)`: no statement can leave the row below its floor.",
        zh: "`check (balance >= 0)`：任何语句都不能让该行低于下限。",
    },
    when: Text {
        en: "As the last line of defence, beside whatever else is chosen.",
        zh: "作为最后一道防线，与其他任何做法并用。",
    },
    costs: Text {
        en: "A transaction that meets it is rolled back (23514).", zh: "碰到它的事务会回滚（23514）。"
    },
    pitfall: Text {
        en: "It does not see a lost update: two that read 10 and write 9 both pass it.",
        zh: "它看不到丢失更新：两个读到 10 并写 9 的事务都能通过。",
    },
    keeps: &[Need::Holds(Invariant::BalanceFloor)],
    why_no_more: Text {
        en: "It sees one row as it is written, no other row and no earlier value.",
        zh: "它只看写入时的那一行，看不到别的行和之前的值。",
    },
    asks: &[Ask::Schema, Ask::OneWriter],
    effort: 0,
    source: "PostgreSQL manual, 5.4.1 Check Constraints",
    ..Solution::BLANK
};

/// Foreign key.
pub(super) const FOREIGN_KEY: Solution = Solution {
    id: SolutionId::ForeignKey,
    role: Role::Constraint,
    name: Text { en: "Foreign key", zh: "外键" },
    what: Text {
        en: "The server locks the row that is pointed to (`for key share`) and refuses what would leave a pointer to nothing.",
        zh: "服务器锁住被引用的行（`for key share`），拒绝会留下悬空引用的操作。",
    },
    when: Text { en: "A row belongs to another.", zh: "一行从属于另一行。" },
    costs: Text {
        en: "A lookup and a shared lock for each insert; an index on the referring side is needed for deletes.",
        zh: "每次插入一次查找和一把共享锁；为删除需在引用侧建索引。",
    },
    pitfall: Text {
        en: "Many inserts below one parent share its lock: an update of the parent's key waits for all of them.",
        zh: "同一父行下的许多插入共享它的锁：更新父行的键要等所有人。",
    },
    keeps: &[Need::Holds(Invariant::ReferenceExists)],
    why_no_more: Text {
        en: "It knows that a row is there, not what it says.", zh: "它只知道行存在，不知道内容。"
    },
    asks: &[Ask::Schema, Ask::OneWriter],
    effort: 0,
    source: "PostgreSQL manual, 5.4.5 Foreign Keys",
    ..Solution::BLANK
};

/// Deferred constraint.
pub(super) const DEFERRED: Solution = Solution {
    id: SolutionId::DeferredConstraint,
    role: Role::Constraint,
    name: Text { en: "Deferred constraint", zh: "延迟约束" },
    what: Text {
        en: "A unique or foreign key that is checked at commit: inside the transaction it may be broken.",
        zh: "在提交时检查的唯一键或外键：事务内部可以暂时违反。",
    },
    when: Text {
        en: "Two values are swapped, or rows point to each other.", zh: "交换两个值，或行之间互相引用。"
    },
    costs: Text {
        en: "The error comes with commit, when the application believes that all is done.",
        zh: "错误随提交而来，此时应用以为一切已完成。",
    },
    pitfall: Text {
        en: "A constraint trigger that reads other rows is no constraint: two transactions do not see each other's rows, at any level below serializable.",
        zh: "读取其他行的约束触发器不是约束：在可串行化以下，两个事务互相看不见对方的行。",
    },
    keeps: &[Need::Holds(Invariant::UniqueValue), Need::Holds(Invariant::ReferenceExists)],
    why_no_more: Text {
        en: "Only unique, exclusion and foreign keys are checked against others' uncommitted rows.",
        zh: "只有唯一、排除与外键会对照他人未提交的行检查。",
    },
    asks: &[Ask::Schema, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, SET CONSTRAINTS",
    ..Solution::BLANK
};

/// Idempotency key.
pub(super) const IDEMPOTENCY_KEY: Solution = Solution {
    id: SolutionId::IdempotencyKey,
    role: Role::Constraint,
    name: Text { en: "Idempotency key", zh: "幂等键" },
    what: Text {
        en: "The caller names the request; the name and the answer are stored with the effect, in the same transaction, under a unique key.",
        zh: "由调用方给请求命名；名字与答复同效果在同一事务中以唯一键保存。",
    },
    when: Text {
        en: "A request may be sent twice, or the outcome of a commit may be unknown: always, over a network.",
        zh: "请求可能被发送两次，或提交结果未知：只要经过网络就总会如此。",
    },
    costs: Text {
        en: "One more row for each request, to be cleared by age.", zh: "每个请求多一行，需按时间清理。"
    },
    pitfall: Text {
        en: "A key that the server makes is new for each attempt and protects nothing. Keys must outlive the longest retry.",
        zh: "由服务器生成的键每次都不同，什么也保护不了。键的保留期须长于最长的重试。",
    },
    keeps: &[Need::Holds(Invariant::AtMostOnce), Need::Holds(Invariant::TakenOnce)],
    why_no_more: Text {
        en: "It tells repeated requests from new ones and knows nothing of what they do.",
        zh: "它只区分重复与新请求，不管请求做什么。",
    },
    asks: &[Ask::Sql, Ask::Schema, Ask::OneWriter],
    effort: 1,
    source: "PostgreSQL manual, INSERT, ON CONFLICT Clause; Helland: Idempotence Is Not a Medical Condition, ACM Queue 2012",
    links: &["/cases/flash-sale/design"],
    ..Solution::BLANK
};
