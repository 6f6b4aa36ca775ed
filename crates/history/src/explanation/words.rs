//! Values, lists and operations as a reader sees them.

use crate::model::{History, Key, Operation, Read, Transaction, Value};

/// Elements of a list that are written out; of a longer one the first and the last are.
const ELEMENTS_MOST: usize = 12;

/// A list: `[1 2 3]`.
pub(super) fn list(values: &[Value]) -> String {
    let written = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
    if values.len() <= ELEMENTS_MOST {
        return format!("[{}]", written(values));
    }
    let (first, last) = (&values[..ELEMENTS_MOST / 2], &values[values.len() - ELEMENTS_MOST / 2..]);
    format!("[{} … {}]", written(first), written(last))
}

/// What a transaction saw when it read a key so that this was the last it saw; what the edge says if no such read is
/// in the history.
pub(super) fn seen(history: &History, reader: &Transaction, key: Key, last: Option<Value>) -> String {
    let read = history.operations(reader).find_map(|operation| match operation {
        Operation::ReadList { key: other, list: Some(values) } if other == key && values.last().copied() == last => {
            Some(list(values))
        }
        Operation::Read { key: other, seen: Read::Value(value) } if other == key && Some(value) == last => {
            Some(value.to_string())
        }
        _ => None,
    });
    read.unwrap_or_else(|| last.map_or_else(|| "∅".to_owned(), |value| value.to_string()))
}

/// The list of which an element was the last that another transaction appended.
pub(super) fn list_with(history: &History, reader: &Transaction, key: Key, value: Value) -> Option<String> {
    history.operations(reader).find_map(|operation| match operation {
        Operation::ReadList { key: other, list: Some(values) } if other == key && values.contains(&value) => {
            Some(list(values))
        }
        _ => None,
    })
}

/// Whether the values of a key are appended, and not written over.
pub(super) fn is_list(history: &History, writer: &Transaction, key: Key) -> bool {
    history
        .operations(writer)
        .any(|operation| matches!(operation, Operation::Append { key: other, .. } if other == key))
}

/// An operation in the notation of the literature: `append x 1`, `read x [1 2]`.
pub(crate) fn operation(history: &History, operation: Operation<'_>) -> String {
    let name = history.key_name(operation.key());
    match operation {
        Operation::Append { value, .. } => format!("append {name} {value}"),
        Operation::Write { value, .. } => format!("write {name} {value}"),
        Operation::ReadList { list: Some(values), .. } => format!("read {name} {}", list(values)),
        Operation::Read { seen: Read::Value(value), .. } => format!("read {name} {value}"),
        Operation::Read { seen: Read::Initial, .. } => format!("read {name} ∅"),
        Operation::ReadList { list: None, .. } | Operation::Read { seen: Read::Unknown, .. } => {
            format!("read {name} ?")
        }
    }
}
