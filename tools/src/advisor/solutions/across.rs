//! Several servers, and the world outside: what isolation does not reach.

use pgstrata_units::Text;

use super::{Ask, Need, Role, Solution, SolutionId};
use crate::advisor::requirement::Invariant;

/// CRDT: data that merges.
pub(super) const CRDT: Solution = Solution {
    id: SolutionId::Crdt,
    role: Role::Control,
    name: Text { en: "CRDT: data that merges", zh: "CRDT：可合并的数据" },
    what: Text {
        en: "Each server takes writes; states merge to the same result in whatever order they meet.",
        zh: "每台服务器都可写；状态以任意顺序合并都得到相同结果。",
    },
    when: Text {
        en: "Writes must go on while servers cannot reach each other, and what is kept is a counter or a set.",
        zh: "服务器互不可达时仍须可写，且数据是计数或集合。",
    },
    costs: Text {
        en: "No floor, no uniqueness; what is deleted leaves traces.",
        zh: "守不住下限与唯一性；删除会留下痕迹。",
    },
    pitfall: Text {
        en: "A stock as a CRDT is sold twice, once on each side of a broken network.",
        zh: "把库存做成 CRDT，网络断开时两侧会各卖一次。",
    },
    keeps: &[Need::Holds(Invariant::ExactCounter)],
    why_no_more: Text {
        en: "Two sides that cannot talk both say yes: a floor, a limit or a unique value needs agreement.",
        zh: "无法通信的两侧都会说“可以”：下限、上限与唯一值都需要达成一致。",
    },
    asks: &[Ask::Sql, Ask::Schema],
    effort: 4,
    source: "Shapiro et al.: Conflict-free Replicated Data Types, SSS 2011; Gilbert and Lynch, 2002; Bailis et al.: Coordination Avoidance in Database Systems, VLDB 2015",
    ..Solution::BLANK
};

/// Two-phase commit.
pub(super) const TWO_PHASE_COMMIT: Solution = Solution {
    id: SolutionId::TwoPhaseCommit,
    role: Role::Companion,
    name: Text { en: "Two-phase commit", zh: "两阶段提交" },
    what: Text {
        en: "`prepare transaction` on every server, a decision that is kept, `commit prepared` on every server.",
        zh: "在每台服务器上 `prepare transaction`，保存决定，再在每台上 `commit prepared`。",
    },
    when: Text {
        en: "A transaction writes rows of several servers, and halves of it must never be seen to last.",
        zh: "一个事务写多台服务器的行，且绝不能只留下一半。",
    },
    costs: Text {
        en: "Two more flushes, and locks that are held until the decision; a lost coordinator leaves them held.",
        zh: "多两次刷盘，锁一直持有到作出决定；协调者失联则一直不放。",
    },
    pitfall: Text {
        en: "Isolation stays a matter of each server: a reader of two servers may see one half committed. Prepared transactions that nobody decides stop vacuum.",
        zh: "隔离仍是各服务器自己的事：跨两台读取可能只看到一半已提交。无人裁决的预备事务会阻塞清理。",
    },
    keeps: &[Need::AtomicAcrossServers],
    why_no_more: Text {
        en: "It makes servers agree to commit; it does not isolate.",
        zh: "它让各服务器一致提交，但不提供隔离。",
    },
    asks: &[Ask::Sql, Ask::Service, Ask::HeldLocks, Ask::OneWriter],
    effort: 4,
    source: "PostgreSQL manual, PREPARE TRANSACTION; Gray, Notes on Data Base Operating Systems, 1978",
    links: &["/cases/ledger/design"],
    measured: &[("ledger", "2pc-barrier")],
    ..Solution::BLANK
};

/// Saga: steps with their undoing.
pub(super) const SAGA: Solution = Solution {
    id: SolutionId::Saga,
    role: Role::Companion,
    name: Text { en: "Saga: steps with their undoing", zh: "Saga：带补偿的步骤" },
    what: Text {
        en: "Each server commits its step; if a later one fails, the earlier ones are compensated.",
        zh: "每台服务器提交自己的步骤；后续失败时对先前步骤做补偿。",
    },
    when: Text {
        en: "Steps take long or belong to others, and a state in between may be seen.",
        zh: "步骤耗时长或属于他人，且允许看到中间状态。",
    },
    costs: Text {
        en: "Everybody sees the states in between; each step needs an undoing that cannot fail.",
        zh: "所有人都会看到中间状态；每一步都需要不会失败的补偿。",
    },
    pitfall: Text {
        en: "A sum over the accounts is wrong while a saga is under way. A refund is not an undone payment.",
        zh: "Saga 进行中账户总和是错的。退款不等于没有付款。",
    },
    keeps: &[Need::AtomicAcrossServers],
    why_no_more: Text {
        en: "It ends well, and shows what lies between.", zh: "它最终一致，但会暴露中间状态。"
    },
    asks: &[Ask::Sql, Ask::Schema, Ask::Service],
    effort: 4,
    source: "Garcia-Molina and Salem: Sagas, SIGMOD 1987",
    ..Solution::BLANK
};

/// Transactional outbox.
pub(super) const OUTBOX: Solution = Solution {
    id: SolutionId::Outbox,
    role: Role::Companion,
    name: Text { en: "Transactional outbox", zh: "事务性发件箱" },
    what: Text {
        en: "The message is a row of the same transaction; a relay sends it afterwards until it is acknowledged.",
        zh: "消息是同一事务中的一行；转发器随后发送直至确认。",
    },
    when: Text {
        en: "A transaction has effects outside: mail, payments, other systems.",
        zh: "事务有外部效果：邮件、支付、其他系统。",
    },
    costs: Text {
        en: "Messages come a moment later, and some of them twice: the receiver needs their key.",
        zh: "消息会晚一点到，且有些会重复：接收方需要它们的键。",
    },
    pitfall: Text {
        en: "Reading it in the order of a sequence skips rows that commit late. Take them with `skip locked`, or by transaction id below the snapshot's xmin.",
        zh: "按序列号顺序读取会漏掉较晚提交的行。请用 `skip locked`，或按小于快照 xmin 的事务号读取。",
    },
    keeps: &[Need::OutsideEffects],
    why_no_more: Text { en: "It moves messages.", zh: "它只搬运消息。" },
    asks: &[Ask::Sql, Ask::Schema],
    effort: 2,
    source: "PostgreSQL manual, 9.27.8 Transaction ID and Snapshot Information Functions; Helland, CIDR 2007",
    ..Solution::BLANK
};

/// Read from a replica that has come far enough.
pub(super) const REPLICA_READ: Solution = Solution {
    id: SolutionId::ReplicaRead,
    role: Role::Companion,
    name: Text { en: "Read from a replica that has come far enough", zh: "从足够新的副本读取" },
    what: Text {
        en: "The writer remembers the log position of its commit; a reader waits until the replica has replayed it, or asks the primary.",
        zh: "写者记住提交的日志位置；读者等副本回放到该位置，否则询问主库。",
    },
    when: Text {
        en: "Readers are many and may see what is a moment old.", zh: "读者很多，且允许看到稍旧的数据。"
    },
    costs: Text {
        en: "A position travels with each session of a user.", zh: "每个用户会话都要带着一个位置。"
    },
    pitfall: Text {
        en: "There is no serializable on a replica. A long query there is cancelled, or holds back vacuum on the primary.",
        zh: "副本上没有可串行化级别。副本上的长查询会被取消，或拖住主库清理。",
    },
    keeps: &[Need::ReplicaReads],
    why_no_more: Text { en: "It answers reads.", zh: "它只应答读取。" },
    asks: &[Ask::Sql],
    effort: 2,
    source: "PostgreSQL manual, 27.4 Hot Standby; 9.27.4 Recovery Control Functions",
    links: &["/guide/your-server"],
    ..Solution::BLANK
};
