//! Histories written down in tests, one line a transaction.
//!
//! `ax1` appends 1 to x, `rx[1 2]` reads x as a list, `rx?` never got its answer. A line may begin with `!` (aborted)
//! or `?` (nobody knows), and with `process@begun-ended`; without, every transaction has its own process, and all are
//! concurrent.

use crate::model::{History, HistoryBuilder, Operation, Status, Value};

pub(crate) fn history(lines: &[&str]) -> History {
    let mut builder = HistoryBuilder::new();
    for (number, line) in (0..).zip(lines) {
        let mut rest = line.trim();
        let status = match rest.chars().next() {
            Some('!') => Status::Aborted,
            Some('?') => Status::Unknown,
            _ => Status::Committed,
        };
        rest = rest.trim_start_matches(['!', '?']).trim_start();
        let (mut process, mut times) = (1_000 + number, (0, 1_000));
        if let Some((head, operations)) = rest.split_once(':') {
            let (who, when) = head.split_once('@').expect("process@begun-ended");
            let (begun, ended) = when.split_once('-').expect("begun-ended");
            process = who.parse().expect("a process");
            times = (begun.parse().expect("a time"), ended.parse().expect("a time"));
            rest = operations;
        }
        let lists: Vec<(char, char, Option<Vec<Value>>)> = split(rest).iter().map(|text| operation(text)).collect();
        let operations: Vec<Operation<'_>> = lists
            .iter()
            .map(|(what, key, values)| {
                let key = builder.key(&key.to_string());
                match what {
                    'a' => Operation::Append { key, value: values.as_ref().expect("a value")[0] },
                    _ => Operation::ReadList { key, list: values.as_deref() },
                }
            })
            .collect();
        builder.push(process, status, times, &operations);
    }
    builder.finish()
}

/// Splits at spaces outside of brackets.
fn split(line: &str) -> Vec<String> {
    let mut depth = 0;
    let spaced: String = line
        .chars()
        .map(|character| {
            depth += i32::from(character == '[') - i32::from(character == ']');
            if character == ' ' && depth > 0 { ',' } else { character }
        })
        .collect();
    spaced.split_whitespace().map(str::to_owned).collect()
}

fn operation(text: &str) -> (char, char, Option<Vec<Value>>) {
    let mut characters = text.chars();
    let (what, key) = (characters.next().expect("what is done"), characters.next().expect("a key"));
    let rest = characters.as_str();
    let numbers = rest.trim_matches(['[', ']']).split(',').filter(|number| !number.is_empty());
    let values = (rest != "?").then(|| numbers.map(|number| number.parse().expect("a number")).collect());
    (what, key, values)
}
