//! What the ledger promises, as data: shown by the command line and the book, judged by the lab.

use std::time::Duration;

use pgstrata_lab::study::{Card, Claim, DEFAULT_SKEW, Holds, Invariant, Measure};
use pgstrata_stats::Better;
use pgstrata_units::{SystemId, Text};

use super::arms::ARMS;
use super::shards::card as shards;

const ID: SystemId = SystemId::known("09-02");

/// Identity, ways of keeping the books, invariants and claims.
pub(crate) static CARD: Card = Card {
    id: ID,
    name: "ledger",
    title: ID.title(),
    summary: Text {
        en: "Move money between accounts, each transfer whole and once, so that at every moment the books add up to \
             nothing and whoever was told \"posted\" finds it there.",
        zh: "在账户之间转账，每笔完整且仅一次：任何时刻账目合计为零，凡被告知“已入账”的都能查到。",
    },
    operation: Text { en: "ledger request", zh: "账务请求" },
    arms: &ARMS,
    baseline: "for-update",
    invariants: &INVARIANTS,
    claims: &CLAIMS,
};

static INVARIANTS: [Invariant; 12] = [
    Invariant {
        id: "I1",
        statement: Text {
            en: "In every snapshot, and for every client that adds them up, the balances of each currency come to zero.",
            zh: "在任何快照中，对任何求和的客户端，每种货币的余额合计为零。",
        },
        sql: Some(include_str!("invariants/i1_balances_come_to_zero.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I2",
        statement: Text {
            en: "No balance is under its account's floor.", zh: "任何余额都不低于账户的下限。"
        },
        sql: Some(include_str!("invariants/i2_no_balance_under_its_floor.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I3",
        statement: Text {
            en: "A balance is what the account's entries add up to, each continuing the one before without a gap.",
            zh: "余额等于账户各分录之和，分录编号连续，逐条衔接前一条的余额。",
        },
        sql: Some(include_str!("invariants/i3_balance_is_what_entries_add_up_to.sql")),
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I4",
        statement: Text {
            en: "The entries of a transfer come to zero in each currency, on accounts that are kept in it, where it says.",
            zh: "每笔转账的分录在每种货币上合计为零，所在账户以该货币记账，且位置与转账所记相符。",
        },
        sql: Some(include_str!("invariants/i4_entries_of_a_transfer_balance.sql")),
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I5",
        statement: Text {
            en: "A key has at most one effect, and a repeated request gets the answer that it got.",
            zh: "每个键至多产生一次效果，重复的请求得到相同的答复。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I6",
        statement: Text {
            en: "A transfer is taken back at most once, and then exactly.",
            zh: "每笔转账至多被冲正一次，且金额完全相符。",
        },
        sql: Some(include_str!("invariants/i6_reversed_once_and_exactly.sql")),
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I7",
        statement: Text {
            en: "Every acknowledged transfer is in the books, also after a crash of the server.",
            zh: "每一笔已确认的转账都在账上，服务器崩溃之后亦然。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I8",
        statement: Text {
            en: "On no day has more left an account than its limit allows.",
            zh: "账户任何一天的转出都不超过其限额。",
        },
        sql: Some(include_str!("invariants/i8_daily_limits_hold.sql")),
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I9",
        statement: Text {
            en: "What clients did and saw could have happened one after the other, in an order that agrees with their \
                 clocks (strict serializability).",
            zh: "客户端所做所见可以排成一个与真实时间一致的先后次序（严格可串行化）。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
    shards::BOTH_OR_NONE,
    shards::NOTHING_PREPARED,
    shards::JOINT_LIMIT,
];

/// Accepted requests of which 63 in 64 change the books: 50,000 transfers and some reading.
const ACCEPTED: f64 = 51_000.0;

/// Decided requests where one account pays three of five transfers.
const DECIDED: f64 = 100_000.0;

/// An open loop is offered more than the target: a Poisson process that is offered exactly the target cannot exceed it.
const MORE: f64 = 1.05;

/// The exponent at which the most frequent account pays three of five transfers.
const STEEP: f64 = 2.0;

static CLAIMS: [Claim; 4] = [
    Claim {
        name: "transfers-per-second",
        statement: Text {
            en: "50,000 transfers committed each second among 100,000 accounts at Zipf exponent 1, audits among them.",
            zh: "10 万个账户、Zipf 指数 1，每秒提交 5 万笔转账，其间夹有审计。",
        },
        measure: Measure::AcceptedPerSecond {
            arm: "sequencer",
            rate: ACCEPTED * MORE,
            duration: Duration::from_secs(30),
            skew: DEFAULT_SKEW,
        },
        target: ACCEPTED,
        unit: "accepted/s",
        better: Better::Higher,
    },
    Claim {
        name: "requests-per-second-on-hot-accounts",
        statement: Text {
            en: "100,000 requests decided each second at Zipf exponent 2, where one account stands in most transfers.",
            zh: "Zipf 指数 2（多数转账都涉及同一账户）时，每秒裁决 10 万个请求。",
        },
        measure: Measure::DecidedPerSecond {
            arm: "sequencer",
            rate: DECIDED * MORE,
            duration: Duration::from_secs(30),
            skew: STEEP,
        },
        target: DECIDED,
        unit: "req/s",
        better: Better::Higher,
    },
    Claim {
        name: "times-row-locks",
        statement: Text {
            en: "Twenty times what ordered row locks reach, in the same run.",
            zh: "同一次运行中达到按序行锁的二十倍。",
        },
        measure: Measure::ThroughputRatio { arm: "sequencer", over: "for-update" },
        target: 20.0,
        unit: "×",
        better: Better::Higher,
    },
    Claim {
        name: "nothing-wrong-in-100-kills",
        statement: Text {
            en: "A hundred kill -9 of the server: no invariant broken, no transfer lost or doubled, strict \
                 serializability throughout.",
            zh: "服务器被 kill -9 一百次：无不变式被破坏，无转账丢失或重复，始终严格可串行化。",
        },
        measure: Measure::ViolationsUnderKills { arm: "sequencer", kills: 100 },
        target: 0.0,
        unit: "violations",
        better: Better::Lower,
    },
];
