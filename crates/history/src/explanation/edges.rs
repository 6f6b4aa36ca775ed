//! One sentence for each kind of edge.

use super::Sentence;
use super::words::{is_list, list_with, seen};
use crate::graph::{Dependency, Edge};
use crate::model::{History, Key, Transaction, Value};

/// Why the first transaction of an edge comes before the second.
pub(super) fn sentence(edge: &Edge, history: &History) -> Sentence {
    let Edge { from, to, dependency, .. } = edge;
    let (first, second) = (history.transaction(*from), history.transaction(*to));
    let because = match (dependency, edge.key) {
        (Dependency::Process, _) => Sentence {
            en: format!("client {} did {from} before {to}", first.process),
            zh: format!("客户端 {} 先执行 {from}，后执行 {to}", first.process),
        },
        (Dependency::RealTime, _) => real_time(edge, first, second),
        (_, None) => Sentence {
            en: format!("of a dependency of kind {}", dependency.short()),
            zh: format!("存在 {} 依赖", dependency.short()),
        },
        (Dependency::WriteWrite, Some(key)) => writes(edge, key, history, second),
        (Dependency::WriteRead, Some(key)) => reads(edge, key, history, second),
        (Dependency::ReadWrite, Some(key)) => overwrites(edge, key, history, first, second),
        (Dependency::PredicateReadWrite, Some(key)) => {
            let (name, value) = (history.key_name(key), known(edge.to_value));
            Sentence {
                en: format!(
                    "a predicate of {from} did not see {value} in {name}, which {to} wrote and which changes what matches"
                ),
                zh: format!("{from} 的谓词没有看到 {to} 写入 {name} 的 {value}，而它改变了谓词的匹配结果"),
            }
        }
    };
    let space = if because.zh.starts_with(|first: char| first.is_ascii()) { " " } else { "" };
    Sentence {
        en: format!("{from} < {to}, because {}.", because.en),
        zh: format!("{from} < {to}，因为{space}{}。", because.zh),
    }
}

fn real_time(edge: &Edge, first: &Transaction, second: &Transaction) -> Sentence {
    let Edge { from, to, .. } = edge;
    let between = time(second.invoked_ns.saturating_sub(first.completed_ns));
    Sentence {
        en: format!("{from} had been acknowledged {between} before {to} began"),
        zh: format!("{from} 得到确认 {between} 之后 {to} 才开始"),
    }
}

fn writes(edge: &Edge, key: Key, history: &History, second: &Transaction) -> Sentence {
    let Edge { from, to, .. } = edge;
    let (name, earlier, later) = (history.key_name(key), known(edge.from_value), known(edge.to_value));
    if is_list(history, second, key) {
        return Sentence {
            en: format!("{to} appended {later} to {name} after {from} had appended {earlier}"),
            zh: format!("{from} 先向 {name} 追加了 {earlier}，{to} 后追加了 {later}"),
        };
    }
    Sentence {
        en: format!("{to} wrote {later} to {name}, a version after {earlier}, which {from} wrote"),
        zh: format!("{to} 向 {name} 写入 {later}，它晚于 {from} 写入的 {earlier}"),
    }
}

fn reads(edge: &Edge, key: Key, history: &History, second: &Transaction) -> Sentence {
    let Edge { from, to, .. } = edge;
    let (name, value) = (history.key_name(key), known(edge.from_value));
    if let Some(list) = edge.from_value.and_then(|value| list_with(history, second, key, value)) {
        return Sentence {
            en: format!("{to} read {name} as {list}, and so saw {value}, which {from} appended"),
            zh: format!("{to} 读到 {name} 为 {list}，其中的 {value} 由 {from} 追加"),
        };
    }
    Sentence {
        en: format!("{to} read {name} as {value}, which {from} wrote"),
        zh: format!("{to} 读到 {name} 为 {value}，该值由 {from} 写入"),
    }
}

fn overwrites(edge: &Edge, key: Key, history: &History, first: &Transaction, second: &Transaction) -> Sentence {
    let Edge { from, to, .. } = edge;
    let (name, later) = (history.key_name(key), known(edge.to_value));
    let seen = match edge.from_value {
        None if is_list(history, second, key) => "[]".to_owned(),
        value => seen(history, first, key, value),
    };
    if is_list(history, second, key) {
        return Sentence {
            en: format!("{from} read {name} as {seen} and did not see {later}, which {to} appended next"),
            zh: format!("{from} 读到 {name} 为 {seen}，没有看到 {to} 随后追加的 {later}"),
        };
    }
    Sentence {
        en: format!("{from} read {name} as {seen} and {to} wrote {later}, a later version"),
        zh: format!("{from} 读到 {name} 为 {seen}，而 {to} 写入了更晚的版本 {later}"),
    }
}

fn known(value: Option<Value>) -> String {
    value.map_or_else(|| "∅".to_owned(), |value| value.to_string())
}

/// A time in the largest unit that leaves a whole number before the point.
fn time(nanoseconds: u64) -> String {
    let number = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} µs", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", number / 1e6),
        _ => format!("{:.1} s", number / 1e9),
    }
}
