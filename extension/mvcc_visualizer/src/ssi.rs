//! Serializable transactions as a graph: `mvcc_ssi_graph()` and `mvcc_ssi_conflicts()`.
//!
//! An edge from a reader to a writer says that the reader did not see what the writer wrote. A transaction with an edge in
//! and an edge out is a pivot, without which there is no anomaly; the server dooms one of those that take part, and tells
//! it at its next statement or commit. Shown here as soon as the server knows it.

use crate::call::{Call, Refusal, sql_function};
use crate::rows::{Cell, Rows};
use crate::shim::{self, Clock, Conflict, Serializable};

sql_function!(mvcc_ssi_graph, pg_finfo_mvcc_ssi_graph, graph);
sql_function!(mvcc_ssi_conflicts, pg_finfo_mvcc_ssi_conflicts, conflicts);

// `SXACT_FLAG_…` in `src/include/storage/predicate_internals.h`, the same from 15 to 18.
const COMMITTED: u32 = 0x001;
const PREPARED: u32 = 0x002;
const ROLLED_BACK: u32 = 0x004;
const DOOMED: u32 = 0x008;
const CONFLICT_OUT: u32 = 0x010;
const READ_ONLY: u32 = 0x020;
const DEFERRABLE_WAITING: u32 = 0x040;
const SAFE: u32 = 0x080;
const UNSAFE: u32 = 0x100;
const SUMMARY_IN: u32 = 0x200;
const SUMMARY_OUT: u32 = 0x400;

/// What the server writes where there is no commit yet (`InvalidSerCommitSeqNo`).
const NOT_YET: u64 = u64::MAX;

fn state(transaction: &Serializable) -> &'static str {
    let is = |flag| transaction.flags & flag != 0;
    if transaction.is_summary {
        "summary"
    } else if is(ROLLED_BACK) {
        "aborted"
    } else if is(COMMITTED) {
        "committed"
    } else if is(PREPARED) {
        "prepared"
    } else {
        "running"
    }
}

fn graph(_call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let (transactions, edges) = shim::serializable();
    let clock = Clock::now();
    let known = |edge: &&Conflict| !edge.is_possible;
    for transaction in transactions {
        let is = |flag| transaction.flags & flag != 0;
        let out = edges.iter().filter(known).filter(|edge| edge.reader == transaction.node);
        let out: Vec<i32> = out.map(|edge| edge.writer).collect();
        let into = edges.iter().filter(known).filter(|edge| edge.writer == transaction.node);
        let into: Vec<i32> = into.map(|edge| edge.reader).collect();
        let is_pivot = (!out.is_empty() || is(SUMMARY_OUT)) && (!into.is_empty() || is(SUMMARY_IN));
        rows.push(vec![
            transaction.node.into(),
            (transaction.pid != 0).then_some(transaction.pid).into(),
            clock.full(transaction.xid).into(),
            format!("{}/{}", transaction.backend, transaction.local_transaction).into(),
            state(transaction).into(),
            is(DOOMED).into(),
            is_pivot.into(),
            is(READ_ONLY).into(),
            is(DEFERRABLE_WAITING).into(),
            if is(SAFE) {
                true.into()
            } else if is(UNSAFE) {
                false.into()
            } else {
                Cell::Null
            },
            clock.full(transaction.xmin).into(),
            clock.full(transaction.finished_before).into(),
            sequence(transaction.committed_at),
            Cell::Ints(out),
            Cell::Ints(into),
            is(SUMMARY_OUT).into(),
            is(SUMMARY_IN).into(),
            is(CONFLICT_OUT).into(),
        ]);
    }
    Ok(())
}

/// A place in the order of commits.
fn sequence(number: u64) -> Cell {
    if number == NOT_YET { Cell::Null } else { i64::try_from(number).unwrap_or(i64::MAX).into() }
}

fn conflicts(_call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let (transactions, edges) = shim::serializable();
    let pid = |node: i32| {
        let transaction = transactions.iter().find(|transaction| transaction.node == node)?;
        (transaction.pid != 0).then_some(transaction.pid)
    };
    for edge in edges {
        rows.push(vec![
            edge.reader.into(),
            edge.writer.into(),
            pid(edge.reader).into(),
            pid(edge.writer).into(),
            edge.is_possible.into(),
        ]);
    }
    Ok(())
}
