//! What the study of `SmallBank` promises, and its arms: allocations of levels and promotions to the five programs.

use pgstrata_lab::study::{Arm, ArmKind, Card, Claim, ClientCount, Holds, Invariant, Measure, StudyError};
use pgstrata_stats::Better;
use pgstrata_units::{Isolation, SystemId, Text};

use super::programs::PROGRAMS;
use crate::advisor::value::allocation::{Allocation, Form, ratio_rule};
use crate::advisor::value::answers::{FIND, KEEP};
use crate::advisor::value::{ANSWERS_AGREE, SERIALIZABLE};

use Isolation::{ReadCommitted, RepeatableRead, Serializable};

/// How many clients there are: more than one for each customer.
const CLIENTS: ClientCount = ClientCount::Sessions(24);

/// Rows that a program writes on the average: each program is called as often as the others.
const ROWS_WRITTEN: f64 = (0.0 + 1.0 + 1.0 + 3.0 + 1.0) / 5.0;

/// Rows that it reads, those that it writes among them; looking customers up by name is not counted.
const ROWS_READ: f64 = (2.0 + 1.0 + 1.0 + 3.0 + 2.0) / 5.0;

macro_rules! statement {
    ($name:literal) => {
        (concat!($name, ".sql"), include_str!(concat!("sql/", $name, ".sql")))
    };
}

/// What every arm runs, and `$more` statements of its own.
macro_rules! statements {
    ($($more:literal),*) => {
        &[
            statement!("find_account"),
            statement!("read_savings"),
            statement!("read_checking"),
            statement!("lock_savings"),
            statement!("lock_checking"),
            statement!("add_savings"),
            statement!("add_checking"),
            statement!("empty_savings"),
            statement!("empty_checking"),
            $(statement!($more),)*
            ("answers/find.sql", FIND),
            ("answers/keep.sql", KEEP),
        ]
    };
}

/// Identity, arms, invariants and claims.
pub(super) static CARD: Card = Card {
    id: SystemId::known("11-01"),
    name: "smallbank",
    title: Text { en: "SmallBank, by allocation of isolation levels", zh: "SmallBank：按隔离级别分配" },
    summary: Text {
        en: "Five short banking programs on few hot accounts, each at the level that an allocation gives it: what the \
             weakest safe levels are worth against serializable for all.",
        zh: "五个简短的银行程序操作少量热点账户，各自运行在分配给它的级别：最弱的安全级别相对全部可串行化值多少。",
    },
    operation: Text { en: "banking transaction", zh: "银行事务" },
    arms: &ARMS,
    baseline: "serializable",
    invariants: &INVARIANTS,
    claims: &CLAIMS,
};

static INVARIANTS: [Invariant; 3] = [
    Invariant {
        id: "I1",
        statement: Text {
            en: "In every snapshot, the accounts hold what they held in the beginning and what the answers say was added.",
            zh: "在任何快照中，账户总额等于初始总额加上各应答所记的变动。",
        },
        sql: Some(include_str!("invariants/i1_money.sql")),
        holds: Holds::Always,
    },
    ANSWERS_AGREE,
    SERIALIZABLE,
];

static CLAIMS: [Claim; 1] = [Claim {
    name: "allocation-over-serializable",
    statement: Text {
        en: "The optimal mixed allocation with promotion reaches 1.3 times what serializable for all reaches, in the same \
             run, and no anomaly is found.",
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
            en: "Every program at serializable, as it was written: safe without any thought, and tried again when the server \
                 cannot rule an anomaly out.",
            zh: "所有程序原样运行在可串行化：无须思考即安全，服务器无法排除异常时重试。",
        },
        kind: ArmKind::Textbook,
        clients: CLIENTS,
        statements: statements!(),
    },
    Arm {
        name: "repeatable-read-promoted",
        title: Text { en: "repeatable read for all + promotion", zh: "全部可重复读 + 读提升" },
        summary: Text {
            en: "Every program at repeatable read; WriteCheck reads savings by an update that changes nothing, which takes \
                 the only dangerous structure away.",
            zh: "所有程序运行在可重复读；WriteCheck 以不改变值的更新读取储蓄，消除唯一的危险结构。",
        },
        kind: ArmKind::Textbook,
        clients: CLIENTS,
        statements: statements!("promote_savings"),
    },
    Arm {
        name: "read-committed-promoted",
        title: Text { en: "read committed for all + locks", zh: "全部读已提交 + 加锁读" },
        summary: Text {
            en: "Every program at read committed; Balance reads for share and WriteCheck for update, so that what was read \
                 stands until the commit.",
            zh: "所有程序运行在读已提交；Balance 以 for share 读、WriteCheck 以 for update 读，读到的值保持到提交。",
        },
        kind: ArmKind::Textbook,
        clients: CLIENTS,
        statements: statements!("share_savings", "share_checking"),
    },
    Arm {
        name: "mixed",
        title: Text { en: "optimal mixed allocation", zh: "最优混合分配" },
        summary: Text {
            en: "The weakest safe level of each program as it was written: DepositChecking and Amalgamate at read committed, \
                 the other three at serializable.",
            zh: "各程序原样的最弱安全级别：DepositChecking 与 Amalgamate 读已提交，其余三个可串行化。",
        },
        kind: ArmKind::Best,
        clients: CLIENTS,
        statements: statements!(),
    },
    Arm {
        name: "mixed-promoted",
        title: Text { en: "optimal mixed allocation + promotion", zh: "最优混合分配 + 读提升" },
        summary: Text {
            en: "WriteCheck's read of savings promoted: then Balance and WriteCheck are safe at repeatable read, the other \
                 three at read committed.",
            zh: "提升 WriteCheck 对储蓄的读取后，Balance 与 WriteCheck 在可重复读、其余三个在读已提交即安全。",
        },
        kind: ArmKind::Best,
        clients: CLIENTS,
        statements: statements!("promote_savings"),
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
        statements: statements!(),
    },
    Arm {
        name: "read-committed",
        title: Text { en: "read committed for all", zh: "全部读已提交" },
        summary: Text {
            en: "The default level for every program as it was written. Balances are told that never were, and checks are \
                 covered by money that is gone.",
            zh: "所有程序原样运行在默认级别：会报出从未存在过的余额，支票以已不存在的钱兑付。",
        },
        kind: ArmKind::Broken,
        clients: CLIENTS,
        statements: statements!(),
    },
];

/// How an arm runs the programs: Balance, `DepositChecking`, `TransactSavings`, Amalgamate, `WriteCheck`.
pub(in crate::advisor::value) fn allocation_of(arm: &'static Arm) -> Result<Allocation<PROGRAMS>, StudyError> {
    const CHECK_PROMOTED: [Form; PROGRAMS] = [Form::Plain, Form::Plain, Form::Plain, Form::Plain, Form::Updating];
    Ok(match arm.name {
        "serializable" => Allocation::uniform(Serializable),
        "repeatable-read-promoted" => Allocation { levels: [RepeatableRead; PROGRAMS], forms: CHECK_PROMOTED },
        "read-committed-promoted" => Allocation {
            levels: [ReadCommitted; PROGRAMS],
            forms: [Form::Locking, Form::Plain, Form::Plain, Form::Plain, Form::Locking],
        },
        "mixed" => Allocation {
            levels: [Serializable, ReadCommitted, Serializable, ReadCommitted, Serializable],
            forms: [Form::Plain; PROGRAMS],
        },
        "mixed-promoted" => Allocation {
            levels: [RepeatableRead, ReadCommitted, ReadCommitted, ReadCommitted, RepeatableRead],
            forms: CHECK_PROMOTED,
        },
        "write-read-ratio" => Allocation::uniform(ratio_rule(ROWS_WRITTEN, ROWS_READ)),
        "read-committed" => Allocation::uniform(ReadCommitted),
        unknown => return Err(StudyError::new("open the arm", format!("SmallBank has no arm `{unknown}`"))),
    })
}
