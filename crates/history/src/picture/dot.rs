//! A finding in the language of Graphviz.

use std::fmt::Write as _;

use crate::explanation::operation_in_words;
use crate::model::{History, TransactionId};
use crate::verdict::Finding;

/// The transactions of a finding with what they did, and the edges of its cycle.
#[must_use]
pub fn dot(finding: &Finding, history: &History) -> String {
    let mut out = String::from("digraph finding {\n");
    line(&mut out, format_args!("  label = {};", quoted(&finding.anomaly.to_string())));
    line(&mut out, format_args!("  node [shape = box, fontname = monospace];"));
    let mut transactions: Vec<TransactionId> = finding.transactions.clone();
    transactions.sort_unstable();
    transactions.dedup();
    for id in transactions {
        let did = history.operations(history.transaction(id)).map(|operation| operation_in_words(history, operation));
        let label = std::iter::once(id.to_string()).chain(did).collect::<Vec<_>>().join("\n");
        line(&mut out, format_args!("  {id} [label = {}];", quoted(&label)));
    }
    for edge in &finding.cycle {
        let key = edge.key.map_or_else(String::new, |key| format!(" {}", history.key_name(key)));
        let label = quoted(&format!("{}{key}", edge.dependency.short()));
        let style = if edge.key.is_none() { ", style = dashed" } else { "" };
        line(&mut out, format_args!("  {} -> {} [label = {label}{style}];", edge.from, edge.to));
    }
    out.push_str("}\n");
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

/// A string of DOT. Names come from outside, so nothing in them may end it.
fn quoted(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|character| match character {
            '\n' => "\\n".to_owned(),
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            other if other.is_control() => "\u{fffd}".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("\"{safe}\"")
}
