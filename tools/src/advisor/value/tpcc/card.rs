//! What the study of a workload like TPC-C promises, and its arms: allocations of levels to the five programs.

use pgstrata_lab::study::{Arm, ArmKind, Card, Claim, ClientCount, Holds, Invariant, Measure, StudyError};
use pgstrata_stats::Better;
use pgstrata_units::{Isolation, SystemId, Text};

use super::call::{PROGRAMS, ROWS_READ, ROWS_WRITTEN};
use super::statements::FILES;
use crate::advisor::value::allocation::{Allocation, Form, ratio_rule};
use crate::advisor::value::{ANSWERS_AGREE, SERIALIZABLE};

use Isolation::{ReadCommitted, RepeatableRead, Serializable};

/// How many clients there are: several for each district.
const CLIENTS: ClientCount = ClientCount::Sessions(16);

/// Identity, arms, invariants and claims.
pub(super) static CARD: Card = Card {
    id: SystemId::known("11-01"),
    name: "tpcc",
    title: Text {
        en: "A workload like TPC-C, by allocation of isolation levels", zh: "类 TPC-C 负载：按隔离级别分配"
    },
    summary: Text {
        en: "The five programs of TPC-C on one warehouse, each at the level that an allocation gives it. It is not TPC-C, \
             and its figures are no TPC results.",
        zh: "TPC-C 的五个程序运行在一个仓库上，各自处于分配给它的级别。它不是 TPC-C，数字也不是 TPC 结果。",
    },
    operation: Text { en: "business transaction", zh: "业务事务" },
    arms: &ARMS,
    baseline: "serializable",
    invariants: &INVARIANTS,
    claims: &CLAIMS,
};

static INVARIANTS: [Invariant; 6] = [
    Invariant {
        id: "I1",
        statement: Text {
            en: "In every snapshot, a warehouse took what its districts took, and that is what was paid.",
            zh: "在任何快照中，仓库的收款等于各地区收款之和，也等于付款总额。",
        },
        sql: Some(include_str!("invariants/i1_ytd.sql")),
        holds: Holds::Always,
    },
    ANSWERS_AGREE,
    Invariant {
        id: "I3",
        statement: Text {
            en: "A district's orders are numbered without a gap, and have as many lines as they say.",
            zh: "每个地区的订单编号连续无缺，行数与订单所记一致。",
        },
        sql: Some(include_str!("invariants/i3_orders.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I4",
        statement: Text {
            en: "An order is waiting or delivered, with all its lines, and never both.",
            zh: "订单连同其所有行要么待配送、要么已配送，不会两者兼有。",
        },
        sql: Some(include_str!("invariants/i4_delivered.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I5",
        statement: Text {
            en: "A customer owes what was delivered and not paid.",
            zh: "客户所欠等于已配送而未支付的金额。",
        },
        sql: Some(include_str!("invariants/i5_balances.sql")),
        holds: Holds::AtRest,
    },
    SERIALIZABLE,
];

static CLAIMS: [Claim; 1] = [Claim {
    name: "allocation-over-serializable",
    statement: Text {
        en: "The optimal mixed allocation with promotion reaches 1.3 times what serializable for all reaches, in the same run, and no \
             anomaly is found.",
        zh: "同一次运行中，带读提升的最优混合分配达到全部可串行化的 1.3 倍，且未发现异常。",
    },
    measure: Measure::ThroughputRatio { arm: "mixed-promoted", over: "serializable" },
    target: 1.3,
    unit: "×",
    better: Better::Higher,
}];

static ARMS: [Arm; 7] = [
    Arm {
        name: "serializable",
        title: Text { en: "serializable for all", zh: "全部可串行化" },
        summary: Text {
            en: "Every program at serializable: safe without any thought, and tried again whenever two write the same row.",
            zh: "所有程序运行在可串行化：无须思考即安全，但凡两者写同一行就要重试。",
        },
        kind: ArmKind::Textbook,
        clients: CLIENTS,
        statements: FILES,
    },
    Arm {
        name: "repeatable-read-promoted",
        title: Text { en: "repeatable read for all + promotion", zh: "全部可重复读 + 读提升" },
        summary: Text {
            en: "Every program at repeatable read; Delivery first writes the district as it is, because an order that comes \
                 while it looks for the oldest is nothing that repeatable read notices. A lock would not do: it makes no version.",
            zh: "所有程序运行在可重复读；Delivery 先把地区行原样写一遍，因为寻找最早订单时新来的订单不会被可重复读察觉。加锁不够：锁不产生新版本。",
        },
        kind: ArmKind::Textbook,
        clients: CLIENTS,
        statements: FILES,
    },
    Arm {
        name: "read-committed-promoted",
        title: Text { en: "read committed for all + locks", zh: "全部读已提交 + 加锁" },
        summary: Text {
            en: "Every program at read committed; Delivery, OrderStatus and StockLevel lock the district first, the latter two \
                 for share.",
            zh: "所有程序运行在读已提交；Delivery、OrderStatus、StockLevel 先锁住地区，后两者用 for share。",
        },
        kind: ArmKind::Textbook,
        clients: CLIENTS,
        statements: FILES,
    },
    Arm {
        name: "mixed",
        title: Text { en: "optimal mixed allocation", zh: "最优混合分配" },
        summary: Text {
            en: "The weakest safe level of each program as it was written: only StockLevel can leave serializable, because \
                 whoever looks for the oldest order meets whoever adds one.",
            zh: "各程序原样的最弱安全级别：只有 StockLevel 能离开可串行化，因为寻找最早订单者会遇上新增订单者。",
        },
        kind: ArmKind::Best,
        clients: CLIENTS,
        statements: FILES,
    },
    Arm {
        name: "mixed-promoted",
        title: Text { en: "optimal mixed allocation + lock", zh: "最优混合分配 + 加锁" },
        summary: Text {
            en: "Delivery locks the district first: then it, NewOrder and Payment are safe at read committed, where writers wait \
                 for each other and do not fail, and the two that only read at repeatable read.",
            zh: "Delivery 先锁住地区：它与 NewOrder、Payment 在读已提交即安全，写者相互等待而不失败；两个只读程序在可重复读。",
        },
        kind: ArmKind::Best,
        clients: CLIENTS,
        statements: FILES,
    },
    Arm {
        name: "write-read-ratio",
        title: Text { en: "level by the write/read ratio", zh: "按写读比选级别" },
        summary: Text {
            en: "One level for all by a simple rule over the load (below 0.2 snapshot isolation, to 0.4 serializable, above \
                 read committed). The rule asks for speed, not for safety.",
            zh: "按负载的简单规则统一选级别（低于 0.2 快照隔离，至 0.4 可串行化，以上读已提交）。该规则只问速度，不问安全。",
        },
        kind: ArmKind::Broken,
        clients: CLIENTS,
        statements: FILES,
    },
    Arm {
        name: "read-committed",
        title: Text { en: "read committed for all", zh: "全部读已提交" },
        summary: Text {
            en: "The default level for every program: two deliveries deliver the same order, and the customer owes it twice.",
            zh: "所有程序运行在默认级别：两个配送会送同一张订单，客户为它欠两次款。",
        },
        kind: ArmKind::Broken,
        clients: CLIENTS,
        statements: FILES,
    },
];

/// How an arm runs the programs: `NewOrder`, Payment, `OrderStatus`, Delivery, `StockLevel`.
pub(in crate::advisor::value) fn allocation_of(arm: &'static Arm) -> Result<Allocation<PROGRAMS>, StudyError> {
    const DELIVERY_WRITES: [Form; PROGRAMS] = [Form::Plain, Form::Plain, Form::Plain, Form::Updating, Form::Plain];
    const DELIVERY_LOCKS: [Form; PROGRAMS] = [Form::Plain, Form::Plain, Form::Plain, Form::Locking, Form::Plain];
    Ok(match arm.name {
        "serializable" => Allocation::uniform(Serializable),
        "repeatable-read-promoted" => Allocation { levels: [RepeatableRead; PROGRAMS], forms: DELIVERY_WRITES },
        "read-committed-promoted" => Allocation {
            levels: [ReadCommitted; PROGRAMS],
            forms: [Form::Plain, Form::Plain, Form::Locking, Form::Locking, Form::Locking],
        },
        "mixed" => Allocation {
            levels: [Serializable, Serializable, Serializable, Serializable, RepeatableRead],
            forms: [Form::Plain; PROGRAMS],
        },
        "mixed-promoted" => Allocation {
            levels: [ReadCommitted, ReadCommitted, RepeatableRead, ReadCommitted, RepeatableRead],
            forms: DELIVERY_LOCKS,
        },
        "write-read-ratio" => Allocation::uniform(ratio_rule(ROWS_WRITTEN, ROWS_READ)),
        "read-committed" => Allocation::uniform(ReadCommitted),
        unknown => return Err(StudyError::new("open the arm", format!("TPC-C has no arm `{unknown}`"))),
    })
}
