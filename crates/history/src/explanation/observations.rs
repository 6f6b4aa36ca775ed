//! One sentence for each anomaly that is no cycle.

use super::Sentence;
use super::words::list;
use crate::anomaly::Anomaly;
use crate::model::{History, Key, Operation, TransactionId, Value};
use crate::verdict::{Finding, Observation};

/// What was seen, and why it must not be. The transactions of a finding stand in the order that
/// [`Finding::transactions`] says.
pub(super) fn sentence(finding: &Finding, observation: &Observation, history: &History) -> Sentence {
    let key = history.key_name(observation.key);
    let is_register = finding.transactions.first().is_some_and(|id| has_register(history, *id, observation.key));
    let shown = |values: &[Value]| match values {
        // A register has no version or one; which it has is no list.
        [] if is_register => "∅".to_owned(),
        [value] if is_register => value.to_string(),
        values => list(values),
    };
    let (seen, against) = (shown(&observation.seen), shown(&observation.against));
    let value = observation.value.map_or_else(|| "∅".to_owned(), |value| value.to_string());
    let transaction =
        |place: usize| finding.transactions.get(place).map_or_else(|| "?".to_owned(), ToString::to_string);
    let (first, second, third) = (transaction(0), transaction(1), transaction(2));
    let (en, zh) = match finding.anomaly {
        Anomaly::DuplicateWrites => (
            format!("{second} and {first} both wrote {value} to {key}"),
            format!("{second} 与 {first} 都向 {key} 写入了 {value}"),
        ),
        Anomaly::DuplicateElements => (
            format!("{first} read {key} as {seen}, in which {value} stands twice"),
            format!("{first} 读到 {key} 为 {seen}，其中 {value} 出现两次"),
        ),
        Anomaly::GarbageRead => (
            format!("{first} read {key} as {seen}, and nobody wrote {value}"),
            format!("{first} 读到 {key} 为 {seen}，而没有事务写过 {value}"),
        ),
        Anomaly::G1a => (
            format!("{first} read {key} as {seen}, and {value} is of {second}, which was rolled back"),
            format!("{first} 读到 {key} 为 {seen}，其中 {value} 来自已回滚的 {second}"),
        ),
        Anomaly::G1b => (
            format!("{first} read {key} as {seen}, and {second}, whose {value} is the last of it, wrote {key} again"),
            format!("{first} 读到 {key} 为 {seen}，末尾的 {value} 来自 {second}，而 {second} 之后又写了 {key}"),
        ),
        Anomaly::DirtyUpdate => (
            format!(
                "{third} read {key} as {seen}: {first} appended {value} upon what {second} wrote, which was rolled back"
            ),
            format!("{third} 读到 {key} 为 {seen}：{first} 在已回滚的 {second} 写入的内容之后追加了 {value}"),
        ),
        Anomaly::IncompatibleOrder => (
            format!("{first} read {key} as {seen}, but {second} read it as {against}"),
            format!("{first} 读到 {key} 为 {seen}，而 {second} 读到 {against}"),
        ),
        Anomaly::FutureRead => (
            format!("{first} read {key} as {seen}, and wrote {value} only later"),
            format!("{first} 读到 {key} 为 {seen}，但之后才写入 {value}"),
        ),
        Anomaly::Internal => (
            format!("{first} read {key} as {seen}, but after what it had read and written before it must be {against}"),
            format!("{first} 读到 {key} 为 {seen}，但按其先前的读写应为 {against}"),
        ),
        Anomaly::LostUpdate => (
            format!("{first} and {second} both read {key} as {seen} and both went on to write it"),
            format!("{first} 与 {second} 都读到 {key} 为 {seen}，随后都写入了它"),
        ),
        Anomaly::CyclicVersions => (
            format!("of the values {seen} of {key}, each must have been written before the others"),
            format!("{key} 的值 {seen} 中，每一个都必须先于其他的写入"),
        ),
        _ => (format!("{first} saw {seen} in {key}"), format!("{first} 在 {key} 中看到 {seen}")),
    };
    Sentence { en: format!("{en}."), zh: format!("{zh}。") }
}

/// Whether a transaction uses a key as a register.
fn has_register(history: &History, transaction: TransactionId, key: Key) -> bool {
    history.operations(history.transaction(transaction)).any(|operation| {
        matches!(operation, Operation::Write { key: other, .. } | Operation::Read { key: other, .. } if other == key)
    })
}
