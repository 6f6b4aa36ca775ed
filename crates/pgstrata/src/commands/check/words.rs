//! What a check found, in sentences. Pure: text in two languages, no printing.

use pgstrata_history::register::decide::{Argument, Point, Undecided};
use pgstrata_history::workload::bank::BankViolation;
use pgstrata_history::workload::counter::CounterViolation;
use pgstrata_history::workload::set::SetViolation;
use pgstrata_history::{
    Anomaly, Edge, Finding, History, Key, Operation, Read, Scope, Status, Transaction, TransactionId, Value,
};
use pgstrata_units::Language;

/// Picks one of two texts that were put together from values.
macro_rules! say {
    ($language:expr, $en:literal, $zh:literal) => {
        match $language {
            Language::English => format!($en),
            Language::Chinese => format!($zh),
        }
    };
}

/// Operations of a transaction that are shown; the rest is counted.
const OPERATIONS_SHOWN: usize = 12;

/// Elements of a list that are shown, from its end: what is new stands there.
const ELEMENTS_SHOWN: usize = 8;

/// A transaction on one line: `T3 (process 1): r(x)=1  w(y)=2`.
pub fn transaction(history: &History, transaction: &Transaction, language: Language) -> String {
    let mut operations: Vec<String> =
        history.operations(transaction).take(OPERATIONS_SHOWN).map(|one| operation(history, one)).collect();
    let count = history.operations(transaction).len();
    if count > OPERATIONS_SHOWN {
        let more = count - OPERATIONS_SHOWN;
        operations.push(say!(language, "… {more} more", "……另有 {more} 个"));
    }
    let process = transaction.process;
    let status = match transaction.status {
        Status::Committed => String::new(),
        Status::Aborted => say!(language, ", aborted", "，已中止"),
        Status::Unknown => say!(language, ", outcome unknown", "，结果未知"),
    };
    let who = say!(language, "process {process}{status}", "进程 {process}{status}");
    format!("{} ({who}): {}", transaction.id, operations.join("  "))
}

fn operation(history: &History, operation: Operation<'_>) -> String {
    let name = |key: Key| history.key_name(key);
    match operation {
        Operation::Append { key, value } => format!("append({}, {value})", name(key)),
        Operation::Write { key, value } => format!("w({})={value}", name(key)),
        Operation::ReadList { key, list: None } | Operation::Read { key, seen: Read::Unknown } => {
            format!("r({})=?", name(key))
        }
        Operation::ReadList { key, list: Some(list) } => format!("r({})={}", name(key), elements(list)),
        Operation::Read { key, seen: Read::Initial } => format!("r({})=nil", name(key)),
        Operation::Read { key, seen: Read::Value(value) } => format!("r({})={value}", name(key)),
    }
}

fn elements(list: &[Value]) -> String {
    let from = list.len().saturating_sub(ELEMENTS_SHOWN);
    let shown: Vec<String> = list[from..].iter().map(Value::to_string).collect();
    format!("[{}{}]", if from > 0 { "… " } else { "" }, shown.join(" "))
}

/// Why each transaction of a cycle comes before the next.
pub fn steps(edges: &[Edge], history: &History, language: Language) -> Vec<String> {
    let transactions = edges.iter().map(|edge| edge.from).collect();
    // Which anomaly it is does not matter for the steps.
    let anomaly = Anomaly::G0(Scope::Plain);
    let finding = Finding { anomaly, transactions, cycle: edges.to_vec(), observation: None };
    finding.explain(history).steps.iter().map(|step| step.get(language).to_owned()).collect()
}

/// `T1, T4`.
pub fn names(transactions: &[TransactionId]) -> String {
    let names: Vec<String> = transactions.iter().map(TransactionId::to_string).collect();
    names.join(", ")
}

/// Why no order of versions explains a history: cases, each ending in a cycle.
pub fn argument(argument: &Argument, history: &History, language: Language, indent: usize, lines: &mut Vec<String>) {
    let margin = "  ".repeat(indent);
    match argument {
        Argument::Cycle(edges) => {
            lines.extend(steps(edges, history, language).into_iter().map(|step| format!("{margin}{step}")));
        }
        Argument::Cases { key, first, second, if_first, if_second } => {
            let key = history.key_name(*key);
            for (earlier, later, case) in [(first, second, if_first), (second, first, if_second)] {
                let head = say!(
                    language,
                    "If {earlier} wrote key {key} before {later} did:",
                    "假如 {earlier} 先于 {later} 写键 {key}："
                );
                lines.push(format!("{margin}{head}"));
                self::argument(case, history, language, indent + 1, lines);
            }
        }
    }
}

/// An order that explains a history, shortened.
pub fn order(order: &[Point], shown: usize) -> String {
    let point = |point: &Point| match point {
        Point::Whole(id) => id.to_string(),
        Point::Begin(id) => format!("{id}(begin)"),
        Point::Commit(id) => format!("{id}(commit)"),
    };
    let names: Vec<String> = order.iter().take(shown).map(point).collect();
    format!("{}{}", names.join(" "), if order.len() > shown { " …" } else { "" })
}

/// Why it was not decided.
pub fn undecided(why: Undecided, language: Language) -> String {
    match why {
        Undecided::Transactions(count) => {
            say!(language, "{count} transactions are more than are decided", "{count} 个事务，超出判定上限")
        }
        Undecided::Edges(count) => say!(
            language,
            "{count} possible dependencies are more than are looked at",
            "{count} 条可能的依赖，超出检查上限"
        ),
        Undecided::Conflicts(count) => {
            say!(language, "the search ended after {count} contradictions", "搜索在 {count} 次矛盾之后停止")
        }
    }
}

/// What is wrong with a read of a bank.
pub fn bank(violation: &BankViolation, language: Language) -> String {
    match violation {
        BankViolation::WrongTotal { index, expected, found } => {
            say!(
                language,
                "operation {index} saw a total of {found} instead of {expected}",
                "操作 {index} 看到的总额是 {found}，应为 {expected}"
            )
        }
        BankViolation::WrongAccounts { index, unexpected, missing } => {
            let (unexpected, missing) = (unexpected.join(" "), missing.join(" "));
            say!(
                language,
                "operation {index} saw other accounts: too many [{unexpected}], missing [{missing}]",
                "操作 {index} 看到的账户不对：多出 [{unexpected}]，缺少 [{missing}]"
            )
        }
        BankViolation::NullBalance { index, accounts } => {
            let accounts = accounts.join(" ");
            say!(
                language,
                "operation {index} saw no balance for [{accounts}]",
                "操作 {index} 看到账户 [{accounts}] 没有余额"
            )
        }
        BankViolation::Negative { index, balances } => {
            let balances: Vec<String> =
                balances.iter().map(|(account, balance)| format!("{account}={balance}")).collect();
            let balances = balances.join(" ");
            say!(
                language,
                "operation {index} saw overdrawn accounts: {balances}",
                "操作 {index} 看到账户透支：{balances}"
            )
        }
    }
}

/// What is wrong with an element of a set.
pub fn set(violation: &SetViolation, language: Language) -> String {
    match *violation {
        SetViolation::Lost { element, added, missing_from } => {
            say!(
                language,
                "element {element} (added by operation {added}) is lost: operation {missing_from} and all later reads miss it",
                "元素 {element}（操作 {added} 添加）丢失：操作 {missing_from} 及之后的读都没有它"
            )
        }
        SetViolation::Stale { element, added, missing_from } => {
            say!(
                language,
                "element {element} (added by operation {added}) was missing from operation {missing_from} and seen again later",
                "元素 {element}（操作 {added} 添加）在操作 {missing_from} 中缺失，之后又出现"
            )
        }
        SetViolation::Unexpected { element, read } => {
            say!(
                language,
                "operation {read} saw element {element}, which nobody added",
                "操作 {read} 看到了没有人添加的元素 {element}"
            )
        }
        SetViolation::Duplicated { element, read, times } => {
            say!(
                language,
                "operation {read} saw element {element} {times} times",
                "操作 {read} 看到元素 {element} 出现 {times} 次"
            )
        }
    }
}

/// What is wrong with a read of a counter.
pub fn counter(violation: &CounterViolation, language: Language) -> String {
    let CounterViolation { index, lowest, highest, found } = *violation;
    say!(
        language,
        "operation {index} saw {found}, which must be between {lowest} and {highest}",
        "操作 {index} 看到 {found}，应在 {lowest} 与 {highest} 之间"
    )
}
