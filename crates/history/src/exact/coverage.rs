//! What a judgement rests on, and what it does not cover.
//!
//! Nothing that is known to be left out is left out silently. What cannot be known here at all: reads inside functions
//! and triggers, sequences, and whatever a client did without being watched.

use std::collections::BTreeMap;

use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

/// The figures of a judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Watched transactions that took effect.
    pub committed: u64,
    /// Reads of single rows by them.
    pub reads: u64,
    /// Of these, reads of what was there before the run.
    pub reads_of_initial: u64,
    /// Reads by a condition.
    pub predicate_reads: u64,
    /// Rows whose changes could be followed.
    pub rows: u64,
    /// Versions that they were given.
    pub versions: u64,
    /// Savepoints whose transaction was found out from the versions of the row that was read.
    pub savepoints_inferred: u64,
    /// What is not covered; empty where everything that was recorded is.
    pub gaps: Vec<Gap>,
}

/// Something that is not covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What.
    pub kind: GapKind,
    /// How often.
    pub count: u64,
    /// One of them: a table, a row, a condition.
    pub example: String,
}

/// What can be left out of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Reads of tables without a primary key.
    TableWithoutKey,
    /// Reads of tables that are not in the log: unlogged, temporary, or not published.
    TableNotLogged,
    /// Reads and versions of tables that were emptied by `truncate`.
    Truncated,
    /// Writers whose client was not watched: their versions count, their reads are unknown.
    WriterNotWatched,
    /// Reads of a version whose writer is in no record.
    WriterUnknown,
    /// Reads that found no row where it was absent more than once, and no snapshot tells which time.
    AbsenceAmbiguous,
    /// Reads that saw what cannot have been there, by the log: a change went past it.
    NotInLog,
    /// Reads by a condition of a statement whose snapshot is unknown.
    PredicateWithoutSnapshot,
    /// Changes of which the log does not hold enough to decide a condition; `replica identity full` helps.
    PredicateUndecided,
    /// Reads by a condition beyond the bound of what is evaluated.
    PredicateNotEvaluated,
}

impl GapKind {
    /// What it is, for people.
    #[must_use]
    pub const fn meaning(self) -> Text {
        match self {
            Self::TableWithoutKey => {
                Text { en: "reads of tables without a primary key", zh: "对无主键表的读取" }
            }
            Self::TableNotLogged => {
                Text { en: "reads of tables that are not in the log", zh: "对不在日志中的表的读取" }
            }
            Self::Truncated => {
                Text { en: "reads of tables that were truncated", zh: "对被 truncate 的表的读取" }
            }
            Self::WriterNotWatched => Text {
                en: "writers whose client was not watched; their reads are unknown",
                zh: "客户端未被观察的写入者；其读取未知",
            },
            Self::WriterUnknown => Text {
                en: "reads of versions whose writer is in no record",
                zh: "读到的版本在记录中没有写入者",
            },
            Self::AbsenceAmbiguous => Text {
                en: "reads that found no row, which was absent more than once",
                zh: "未找到行的读取，而该行曾多次不存在",
            },
            Self::NotInLog => Text {
                en: "reads that saw what, by the log, cannot have been there",
                zh: "读到了按日志不可能存在的内容",
            },
            Self::PredicateWithoutSnapshot => {
                Text { en: "reads by a condition without a snapshot", zh: "没有快照的条件读取" }
            }
            Self::PredicateUndecided => Text {
                en: "changes that do not hold enough to decide a condition (replica identity full helps)",
                zh: "日志内容不足以判定条件的变更（replica identity full 可解决）",
            },
            Self::PredicateNotEvaluated => Text {
                en: "reads by a condition beyond the bound of evaluations",
                zh: "超出求值上限的条件读取",
            },
        }
    }
}

/// Gaps as they are found.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<GapKind, (u64, String)>);

impl Gaps {
    pub fn add(&mut self, kind: GapKind, example: impl FnOnce() -> String) {
        self.0.entry(kind).or_insert_with(|| (0, example())).0 += 1;
    }

    pub fn finish(self) -> Vec<Gap> {
        self.0.into_iter().map(|(kind, (count, example))| Gap { kind, count, example }).collect()
    }
}
