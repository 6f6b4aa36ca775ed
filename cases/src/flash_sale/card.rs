//! What the flash sale promises, as data: shown by the command line and the book, judged by the lab.

use std::time::Duration;

use pgstrata_lab::study::{Card, Claim, DEFAULT_SKEW, Holds, Invariant, Measure};
use pgstrata_stats::Better;
use pgstrata_units::{SystemId, Text};

use super::arms::ARMS;

const ID: SystemId = SystemId::known("09-01");

/// Identity, ways of selling, invariants and claims.
pub(crate) static CARD: Card = Card {
    id: ID,
    name: "flash-sale",
    title: ID.title(),
    summary: Text {
        en: "Everybody wants the same product in the same second: sell all of it, none of it twice, and let nobody who \
             was told \"yours\" go without.",
        zh: "所有人在同一秒抢同一件商品：全部卖出，绝不超卖，凡被告知“抢到”的人都必有订单。",
    },
    operation: Text { en: "purchase request", zh: "购买请求" },
    arms: &ARMS,
    baseline: "optimistic",
    invariants: &INVARIANTS,
    claims: &CLAIMS,
};

static INVARIANTS: [Invariant; 8] = [
    Invariant {
        id: "I1",
        statement: Text {
            en: "In every snapshot, live orders and what is left make up the stock that there was.",
            zh: "在任何快照中，有效订单数加剩余库存等于初始库存。",
        },
        sql: Some(include_str!("invariants/i1_stock_is_conserved.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I2",
        statement: Text { en: "What is left is never less than nothing.", zh: "剩余库存永不为负。" },
        sql: Some(include_str!("invariants/i2_stock_is_never_negative.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I3",
        statement: Text {
            en: "Whoever was told \"yours\" has exactly the order he was told about.",
            zh: "凡被告知“抢到”的人，恰有所告知的那一张订单。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I4",
        statement: Text {
            en: "A key has at most one order, and a user at most one live order of a product.",
            zh: "每个键至多一张订单，每位用户对每件商品至多一张有效订单。",
        },
        sql: Some(include_str!("invariants/i4_one_order_per_key_and_user.sql")),
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I5",
        statement: Text {
            en: "A repeated request gets the answer that it got, once it was told \"yours\".",
            zh: "请求一旦被告知“抢到”，重复提交得到相同的答复。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I6",
        statement: Text {
            en: "Each expired reservation returns to stock exactly once.",
            zh: "每个过期的预订恰好归还库存一次。",
        },
        sql: Some(include_str!("invariants/i6_expired_is_returned_once.sql")),
        holds: Holds::Always,
    },
    Invariant {
        id: "I7",
        statement: Text {
            en: "Nobody is told \"sold out\" while there is stock: what is asked for is sold as long as it lasts.",
            zh: "有库存时不会有人被告知“售罄”：只要还有，就会卖给想要的人。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
    Invariant {
        id: "I8",
        statement: Text {
            en: "Every acknowledged sale survives a crash of the server.",
            zh: "每一笔已确认的销售都能经受服务器崩溃。",
        },
        sql: None,
        holds: Holds::AtRest,
    },
];

/// What a quiet machine of two cores must reach.
const RATE: f64 = 100_000.0;

static CLAIMS: [Claim; 6] = [
    Claim {
        name: "decided-per-second",
        statement: Text {
            en: "100,000 purchase requests of one hot product decided each second, every accepted one durable.",
            zh: "单个热点商品每秒裁决 10 万个购买请求，且每个被接受的都已持久化。",
        },
        // Offered above the target: a Poisson process that is offered exactly the target cannot exceed it.
        measure: Measure::DecidedPerSecond {
            arm: "coalesced",
            rate: RATE * 1.05,
            duration: Duration::from_secs(30),
            skew: DEFAULT_SKEW,
        },
        target: RATE,
        unit: "req/s",
        better: Better::Higher,
    },
    Claim {
        name: "server-cpu-per-sale",
        statement: Text {
            en: "At saturation a sale costs the server at most 5 µs of CPU.",
            zh: "饱和时每笔成交至多消耗服务器 5 µs CPU。",
        },
        measure: Measure::ServerCpuPerAccepted { arm: "coalesced" },
        target: 5.0,
        unit: "µs",
        better: Better::Lower,
    },
    Claim {
        name: "times-the-plan",
        statement: Text {
            en: "A hundred times the plan's optimistic SQL, in the same run.",
            zh: "同一次运行中达到计划乐观锁 SQL 的一百倍。",
        },
        measure: Measure::ThroughputRatio { arm: "coalesced", over: "optimistic" },
        target: 100.0,
        unit: "×",
        better: Better::Higher,
    },
    Claim {
        name: "latency-p99-at-20k",
        statement: Text {
            en: "At 20,000 requests a second, 99 of 100 are answered within 25 ms.",
            zh: "每秒 2 万请求时，99% 在 25 毫秒内得到答复。",
        },
        measure: Measure::LatencyP99 { arm: "coalesced", rate: 20_000.0, duration: Duration::from_secs(10) },
        target: 25.0,
        unit: "ms",
        better: Better::Lower,
    },
    Claim {
        name: "nothing-lost-in-100-kills",
        statement: Text {
            en: "A hundred kill -9 of the server: nothing oversold, nothing acknowledged and lost.",
            zh: "服务器被 kill -9 一百次：无超卖，无已确认而丢失。",
        },
        measure: Measure::ViolationsUnderKills { arm: "coalesced", kills: 100 },
        target: 0.0,
        unit: "violations",
        better: Better::Lower,
    },
    Claim {
        name: "nothing-lost-in-100-kills-early-lock-release",
        statement: Text {
            en: "The same of early lock release, whose commits are asynchronous.",
            zh: "提前释放锁（异步提交）同样如此。",
        },
        measure: Measure::ViolationsUnderKills { arm: "early-lock-release", kills: 100 },
        target: 0.0,
        unit: "violations",
        better: Better::Lower,
    },
];
