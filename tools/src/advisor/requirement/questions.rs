//! The questions behind a [`Requirement`], as data: the page's wizard, the command line's help and the book are made of this
//! one table. A test compares it with the fields of the requirement.

use pgstrata_units::Text;
use serde::Serialize;

use super::{Audit, Availability, Distribution, Invariant, Ordering, Pooling, Requirement, Tenancy};

/// A question of the wizard.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Question {
    /// The requirement's field.
    pub field: &'static str,
    /// Which part of the wizard asks it.
    pub group: Group,
    /// The question.
    pub ask: Text,
    /// What is meant, with an example.
    pub help: Text,
    /// What the answer changes.
    pub changes: Text,
    /// What can be answered.
    pub answer: Answer,
}

/// A part of the wizard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// What must hold.
    Truth,
    /// How much, how fast.
    Load,
    /// What may be changed.
    Freedom,
    /// Where it runs.
    Place,
}

impl Group {
    /// All parts, in their order.
    pub const ALL: [Self; 4] = [Self::Truth, Self::Load, Self::Freedom, Self::Place];

    /// The part's heading.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Truth => Text { en: "What must hold", zh: "必须成立的事实" },
            Self::Load => Text { en: "How much and how fast", zh: "负载与速度" },
            Self::Freedom => Text { en: "What may be changed", zh: "可以改动什么" },
            Self::Place => Text { en: "Where it runs", zh: "在哪里运行" },
        }
    }
}

/// What can be answered to a question. Defaults are those of [`Requirement::default`].
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Answer {
    /// Yes or no.
    Flag {
        /// Which.
        flag: Flag,
    },
    /// A number with bounds.
    Number {
        /// Which.
        quantity: Quantity,
        /// The least that can be meant.
        least: f64,
        /// The most that can be meant.
        most: f64,
        /// Its unit, empty for shares and counts.
        unit: &'static str,
        /// Whether it counts things, and has no fraction.
        whole: bool,
    },
    /// One of a list.
    One {
        /// Names in JSON and texts.
        options: &'static [(&'static str, Text)],
    },
    /// Any of a list.
    Many {
        /// Names in JSON and texts.
        options: &'static [(&'static str, Text)],
    },
}

/// A field that is a number, for conditions of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of `Requirement` of that name, where it is explained")]
pub enum Quantity {
    ConflictRate,
    HotRowShare,
    ReadShare,
    Statements,
    TransactionMs,
    Clients,
    Throughput,
    LatencyP99Ms,
    AgeingRows,
    StalenessMs,
}

impl Quantity {
    /// Its value in a requirement.
    #[must_use]
    pub fn of(self, requirement: &Requirement) -> f64 {
        match self {
            Self::ConflictRate => requirement.conflict_rate,
            Self::HotRowShare => requirement.hot_row_share,
            Self::ReadShare => requirement.read_share,
            Self::Statements => f64::from(requirement.statements),
            Self::TransactionMs => requirement.transaction_ms,
            Self::Clients => f64::from(requirement.clients),
            Self::Throughput => requirement.throughput_per_second,
            Self::LatencyP99Ms => requirement.latency_p99_ms,
            Self::AgeingRows => requirement.ageing_rows_per_day,
            Self::StalenessMs => requirement.staleness_ms,
        }
    }

    /// The requirement's field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::ConflictRate => "conflict_rate",
            Self::HotRowShare => "hot_row_share",
            Self::ReadShare => "read_share",
            Self::Statements => "statements",
            Self::TransactionMs => "transaction_ms",
            Self::Clients => "clients",
            Self::Throughput => "throughput_per_second",
            Self::LatencyP99Ms => "latency_p99_ms",
            Self::AgeingRows => "ageing_rows_per_day",
            Self::StalenessMs => "staleness_ms",
        }
    }
}

/// A field that is yes or no, for conditions of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of `Requirement` of that name, where it is explained")]
pub enum Flag {
    BrokenInside,
    OutsideEffects,
    WaitsInside,
    LongReports,
    MayRetry,
    MayChangeSql,
    MayChangeSchema,
    MayAddService,
}

impl Flag {
    /// Its value in a requirement.
    #[must_use]
    pub const fn of(self, requirement: &Requirement) -> bool {
        match self {
            Self::BrokenInside => requirement.broken_inside,
            Self::OutsideEffects => requirement.outside_effects,
            Self::WaitsInside => requirement.waits_inside,
            Self::LongReports => requirement.long_reports,
            Self::MayRetry => requirement.may_retry,
            Self::MayChangeSql => requirement.may_change_sql,
            Self::MayChangeSchema => requirement.may_change_schema,
            Self::MayAddService => requirement.may_add_service,
        }
    }

    /// The requirement's field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::BrokenInside => "broken_inside",
            Self::OutsideEffects => "outside_effects",
            Self::WaitsInside => "waits_inside",
            Self::LongReports => "long_reports",
            Self::MayRetry => "may_retry",
            Self::MayChangeSql => "may_change_sql",
            Self::MayChangeSchema => "may_change_schema",
            Self::MayAddService => "may_add_service",
        }
    }
}

/// A question whose answer is yes or no.
const fn flag(field: &'static str, group: Group, flag: Flag, [ask, help, changes]: [Text; 3]) -> Question {
    Question { field, group, ask, help, changes, answer: Answer::Flag { flag } }
}

/// A question whose answer is a number.
const fn number(
    quantity: Quantity,
    group: Group,
    bounds: (f64, f64),
    unit: &'static str,
    texts: [Text; 3],
) -> Question {
    let [ask, help, changes] = texts;
    let whole = matches!(quantity, Quantity::Statements | Quantity::Clients);
    let answer = Answer::Number { quantity, least: bounds.0, most: bounds.1, unit, whole };
    Question { field: quantity.field(), group, ask, help, changes, answer }
}

/// A question whose answer is chosen from a list.
const fn choice(field: &'static str, group: Group, answer: Answer, [ask, help, changes]: [Text; 3]) -> Question {
    Question { field, group, ask, help, changes, answer }
}

/// All questions, in the order in which they are asked.
pub static QUESTIONS: [Question; 25] = [
    choice(
        "invariants",
        Group::Truth,
        Answer::Many { options: Invariant::OPTIONS },
        [
            Text {
                en: "What must stay true, whatever runs at the same time?",
                zh: "无论同时运行什么，哪些事实必须成立？",
            },
            Text {
                en: "Name every fact that would be a bug, or a loss, if it broke. None is allowed: then only statements are protected.",
                zh: "列出一旦被破坏就是缺陷或损失的事实。可以一个都不选：那就只保护单条语句。",
            },
            Text {
                en: "Which solutions are possible at all. Without the transactions' SQL this decides safety.",
                zh: "哪些方案可行。没有事务 SQL 时，由它决定安全性。",
            },
        ],
    ),
    flag(
        "broken_inside",
        Group::Truth,
        Flag::BrokenInside,
        [
            Text {
                en: "May a rule be broken for a moment inside one transaction?",
                zh: "单个事务内部可否暂时违反规则？",
            },
            Text {
                en: "Swapping two unique positions, or rows that point to each other.",
                zh: "例如交换两个唯一的位置，或互相引用的行。",
            },
            Text { en: "Whether constraints are checked at commit.", zh: "约束是否推迟到提交时检查。" },
        ],
    ),
    choice(
        "ordering",
        Group::Truth,
        Answer::One { options: Ordering::OPTIONS },
        [
            Text {
                en: "Must work be done in the order in which it arrives?", zh: "是否必须按到达顺序处理？"
            },
            Text {
                en: "Two workers that skip each other's locked rows do not keep an order.",
                zh: "互相跳过已锁行的工作者不保证顺序。",
            },
            Text { en: "Rules out queues that skip locked rows.", zh: "排除跳过已锁行的队列。" },
        ],
    ),
    flag(
        "outside_effects",
        Group::Truth,
        Flag::OutsideEffects,
        [
            Text {
                en: "Does a transaction have effects outside of the database?",
                zh: "事务是否在数据库之外产生效果？",
            },
            Text {
                en: "A mail, a payment, a message: none of them is rolled back.",
                zh: "邮件、支付、消息：它们都不会随事务回滚。",
            },
            Text {
                en: "Whether an outbox is needed, and how retries are written.",
                zh: "是否需要发件箱，以及重试的写法。",
            },
        ],
    ),
    choice(
        "audit",
        Group::Truth,
        Answer::One { options: Audit::OPTIONS },
        [
            Text { en: "What of the past must be provable?", zh: "过去的什么必须可以证明？" },
            Text {
                en: "History lists changes; tamper-evident means that changing it is noticed.",
                zh: "“历史”可列出变更；“防篡改”指改动会被发现。",
            },
            Text {
                en: "Adds an append-only ledger, or a chain of hashes.", zh: "增加只追加的账本，或哈希链。"
            },
        ],
    ),
    choice(
        "tenancy",
        Group::Truth,
        Answer::One { options: Tenancy::OPTIONS },
        [
            Text { en: "Whose data lies together?", zh: "哪些人的数据放在一起？" },
            Text {
                en: "Where tenants share tables, each statement must be kept to one tenant.",
                zh: "租户共用表时，每条语句都必须限定在一个租户内。",
            },
            Text {
                en: "Adds row security and keys that begin with the tenant.",
                zh: "增加行级安全，以及以租户开头的键。",
            },
        ],
    ),
    number(
        Quantity::ConflictRate,
        Group::Load,
        (0.0, 1.0),
        "",
        [
            Text {
                en: "How many writing transactions meet another one at the same rows?",
                zh: "多少写事务会在相同的行上遇到另一个？",
            },
            Text {
                en: "0.02: two of a hundred. Count serialization failures, deadlocks and lock waits of a busy hour if you have them.",
                zh: "0.02 表示每百个中有两个。若有数据，可数一下繁忙时段的串行化失败、死锁和锁等待。",
            },
            Text {
                en: "Whether conflicts should be waited for or tried again.", zh: "遇到冲突时应等待还是重试。"
            },
        ],
    ),
    number(
        Quantity::HotRowShare,
        Group::Load,
        (0.0, 1.0),
        "",
        [
            Text {
                en: "What share of writing transactions writes the most wanted row?",
                zh: "多大比例的写事务写同一条最热的行？",
            },
            Text {
                en: "1 in a flash sale of one product, 0.01 in most applications.",
                zh: "单品秒杀时为 1，多数应用约 0.01。",
            },
            Text {
                en: "How far any row lock carries: such transactions run one after the other.",
                zh: "行锁能支撑到哪里：这些事务只能一个接一个。",
            },
        ],
    ),
    number(
        Quantity::ReadShare,
        Group::Load,
        (0.0, 1.0),
        "",
        [
            Text { en: "What share of transactions only reads?", zh: "多大比例的事务只读？" },
            Text {
                en: "Readers never wait for writers in PostgreSQL; under serializable they are watched all the same.",
                zh: "PostgreSQL 中读不等写；但在可串行化级别下读也会被跟踪。",
            },
            Text { en: "What sharded counters and tracked reads cost.", zh: "分片计数与读跟踪的代价。" },
        ],
    ),
    number(
        Quantity::Statements,
        Group::Load,
        (1.0, 1000.0),
        "",
        [
            Text { en: "How many statements has one transaction?", zh: "一个事务有多少条语句？" },
            Text {
                en: "Each is a round trip while locks are held, unless they are sent together.",
                zh: "除非一起发送，否则每条都是持锁期间的一次往返。",
            },
            Text {
                en: "Whether one statement can do all of it, and how long locks last.",
                zh: "能否用一条语句完成，以及锁持有多久。",
            },
        ],
    ),
    number(
        Quantity::TransactionMs,
        Group::Load,
        (0.01, 3_600_000.0),
        "ms",
        [
            Text {
                en: "How long does one transaction take when it is alone?", zh: "单独运行时一个事务要多久？"
            },
            Text {
                en: "From begin to the answer of commit, with the network.",
                zh: "从 begin 到 commit 的应答，含网络。",
            },
            Text {
                en: "How long locks are held, and how likely two transactions meet.",
                zh: "锁持有多久，以及两个事务相遇的可能性。",
            },
        ],
    ),
    flag(
        "waits_inside",
        Group::Load,
        Flag::WaitsInside,
        [
            Text {
                en: "Is a person or another service waited for inside the transaction?",
                zh: "事务内部是否等待人或其他服务？",
            },
            Text {
                en: "A form that is open, a call over HTTP. Then a lock lasts as long as that does.",
                zh: "例如打开着的表单、一次 HTTP 调用。锁会一直持有到那时。",
            },
            Text {
                en: "Rules out everything that holds locks meanwhile.", zh: "排除在此期间持锁的一切做法。"
            },
        ],
    ),
    number(
        Quantity::Clients,
        Group::Load,
        (1.0, 100_000.0),
        "",
        [
            Text {
                en: "How many transactions are under way at the same time?", zh: "同时有多少事务在进行？"
            },
            Text {
                en: "Sessions that are busy, not users who are logged in.", zh: "指忙碌的会话数，不是登录用户数。"
            },
            Text {
                en: "How likely conflicts are, and whether a pool is needed.",
                zh: "冲突的可能性，以及是否需要连接池。",
            },
        ],
    ),
    number(
        Quantity::Throughput,
        Group::Load,
        (0.0, 10_000_000.0),
        "1/s",
        [
            Text { en: "How many transactions per second must be carried?", zh: "每秒要承受多少事务？" },
            Text { en: "At the peak, not on average.", zh: "按峰值，不按平均值。" },
            Text {
                en: "Whether one hot row can carry it, and what is proposed beyond.",
                zh: "一条热行能否承受，超出时推荐什么。",
            },
        ],
    ),
    number(
        Quantity::LatencyP99Ms,
        Group::Load,
        (0.1, 3_600_000.0),
        "ms",
        [
            Text {
                en: "Within how many milliseconds must 99 of 100 be answered?",
                zh: "百分之九十九的请求须在多少毫秒内得到应答？",
            },
            Text { en: "With retries and waiting.", zh: "含重试与等待。" },
            Text {
                en: "Whether waiting for locks, or for a second server, is affordable.",
                zh: "是否承受得起等锁或等另一台服务器。",
            },
        ],
    ),
    flag(
        "long_reports",
        Group::Load,
        Flag::LongReports,
        [
            Text { en: "Do long reports run beside the writers?", zh: "写入的同时是否运行长报表？" },
            Text { en: "Minutes of reading in one transaction.", zh: "一个事务里读上几分钟。" },
            Text {
                en: "Adds serializable read-only deferrable, or replicas.",
                zh: "增加可串行化只读可延迟事务，或副本。",
            },
        ],
    ),
    number(
        Quantity::AgeingRows,
        Group::Load,
        (0.0, 1_000_000_000_000.0),
        "1/day",
        [
            Text {
                en: "How many rows a day are added and removed when they are old?",
                zh: "每天新增、过期后删除的行有多少？",
            },
            Text { en: "0 where nothing is removed by age.", zh: "不按时间删除则为 0。" },
            Text { en: "Adds partitions by time.", zh: "增加按时间分区。" },
        ],
    ),
    flag(
        "may_retry",
        Group::Freedom,
        Flag::MayRetry,
        [
            Text {
                en: "May the application run a whole transaction again?", zh: "应用能否把整个事务重新执行一遍？"
            },
            Text {
                en: "Repeatable read, serializable and optimistic versions answer some transactions with \"again\". A statement alone is never repeated.",
                zh: "可重复读、可串行化和乐观版本会让部分事务“重来”。绝不只重试单条语句。",
            },
            Text {
                en: "Rules out everything that needs retries.", zh: "若不能，排除一切需要重试的做法。"
            },
        ],
    ),
    flag(
        "may_change_sql",
        Group::Freedom,
        Flag::MayChangeSql,
        [
            Text { en: "May statements be changed?", zh: "能否修改语句？" },
            Text {
                en: "No, where an ORM or somebody else owns them.", zh: "若语句归 ORM 或他人所有则为否。"
            },
            Text {
                en: "Leaves isolation levels and constraints, if no.", zh: "若否，只剩隔离级别与约束。"
            },
        ],
    ),
    flag(
        "may_change_schema",
        Group::Freedom,
        Flag::MayChangeSchema,
        [
            Text {
                en: "May tables get columns, constraints, companions?", zh: "能否给表增加列、约束或伴随表？"
            },
            Text {
                en: "A version column, a check, a table of request keys.", zh: "例如版本列、检查约束、请求键表。"
            },
            Text { en: "Rules out constraints and versions, if no.", zh: "若否，排除约束与版本列。" },
        ],
    ),
    flag(
        "may_add_service",
        Group::Freedom,
        Flag::MayAddService,
        [
            Text {
                en: "May another process run beside the application?", zh: "应用旁能否再运行一个进程？"
            },
            Text { en: "A sequencer, a coordinator, a relay.", zh: "例如定序器、协调者、转发器。" },
            Text {
                en: "Allows sequencers, two-phase commit and sagas.", zh: "若能，允许定序器、两阶段提交与 Saga。"
            },
        ],
    ),
    choice(
        "distribution",
        Group::Place,
        Answer::One { options: Distribution::OPTIONS },
        [
            Text { en: "Over how many servers is the data spread?", zh: "数据分布在几台服务器上？" },
            Text {
                en: "Isolation is a promise of one server. Across servers something else must keep it.",
                zh: "隔离是单台服务器的承诺；跨服务器需要别的机制。",
            },
            Text {
                en: "Adds two-phase commit, sagas, replica reads, or CRDTs.",
                zh: "增加两阶段提交、Saga、副本读或 CRDT。",
            },
        ],
    ),
    choice(
        "availability",
        Group::Place,
        Answer::One { options: Availability::OPTIONS },
        [
            Text { en: "What must go on when a server fails?", zh: "服务器故障时什么必须继续？" },
            Text {
                en: "Writes on both sides of a broken network cannot keep a floor: no algorithm can.",
                zh: "网络断开时两侧都能写，就无法守住下限：没有算法能做到。",
            },
            Text {
                en: "Rules out everything with one writer, if always writable.",
                zh: "若要求始终可写，排除一切单一写入者的做法。",
            },
        ],
    ),
    number(
        Quantity::StalenessMs,
        Group::Place,
        (0.0, 86_400_000.0),
        "ms",
        [
            Text {
                en: "How old may what a reader sees be?", zh: "读者看到的数据最多可以旧到多少毫秒？"
            },
            Text {
                en: "0: a reader sees what was committed before it asked.",
                zh: "0 表示能看到提问之前已提交的一切。",
            },
            Text { en: "Whether replicas may answer, and how.", zh: "副本能否应答、如何应答。" },
        ],
    ),
    choice(
        "pooling",
        Group::Place,
        Answer::One { options: Pooling::OPTIONS },
        [
            Text {
                en: "What stands between the application and the server?", zh: "应用与服务器之间是什么？"
            },
            Text {
                en: "A pool by transaction gives each transaction any session: what a session remembers is lost.",
                zh: "事务级连接池让每个事务落到任意会话：会话记住的东西都会丢失。",
            },
            Text { en: "Rules out advisory locks of sessions.", zh: "若为事务级，排除会话级咨询锁。" },
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_field_has_one_question_and_each_question_a_field() {
        let default = serde_json::to_value(Requirement::default()).expect("written");
        let fields: BTreeSet<&str> = default.as_object().expect("an object").keys().map(String::as_str).collect();
        let asked: BTreeSet<&str> = QUESTIONS.iter().map(|question| question.field).collect();
        assert_eq!(fields, asked);
        assert_eq!(asked.len(), QUESTIONS.len(), "a field is asked twice");
    }

    #[test]
    fn each_question_says_in_both_languages_what_it_means_and_changes() {
        for question in &QUESTIONS {
            for text in [question.ask, question.help, question.changes] {
                assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}", question.field);
            }
            assert!(question.ask.en.ends_with('?') && question.ask.zh.ends_with('？'), "{}", question.field);
        }
    }

    #[test]
    fn flags_and_quantities_are_those_of_their_fields() {
        for question in &QUESTIONS {
            let default = serde_json::to_value(Requirement::default()).expect("written");
            match question.answer {
                Answer::Flag { flag } => {
                    assert_eq!(flag.field(), question.field);
                    assert_eq!(default[question.field], flag.of(&Requirement::default()));
                }
                Answer::Number { quantity, least, most, whole, .. } => {
                    let value = default[question.field].as_f64().expect("a number");
                    assert!(least <= value && value <= most, "{}", question.field);
                    assert!((value - quantity.of(&Requirement::default())).abs() < f64::EPSILON);
                    assert_eq!(whole, default[question.field].is_u64(), "{}", question.field);
                }
                Answer::One { options } => {
                    let value = default[question.field].as_str().expect("a choice");
                    assert!(options.iter().any(|(key, _)| *key == value), "{}", question.field);
                }
                Answer::Many { .. } => assert_eq!(default[question.field], serde_json::json!([])),
            }
        }
    }
}
