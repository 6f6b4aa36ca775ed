//! What an observer is asked to look at, and how much of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Watch {
    /// A table by its name, with its schema or where the role's search path finds it, or by its OID. None: sessions and waits only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// One row of it: its key as text (a JSON object by column for a key of several), or the place of a version, `(0,3)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// With whose eyes versions are judged.
    #[serde(default)]
    pub viewers: Viewers,
    /// Versions shown, at most; `None` for [`Limits::versions`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_versions: Option<usize>,
}

/// With whose eyes versions are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Viewers {
    /// All sessions that hold a snapshot, up to [`Limits::viewers`], and a transaction that begins now.
    #[default]
    All,
    /// These sessions, by process, and a transaction that begins now.
    Only(Vec<i32>),
    /// Nobody.
    None,
}

/// How much is shown at most. What is cut off is counted and said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions.
    pub sessions: usize,
    /// Transactions that run; the newest are shown.
    pub transactions: usize,
    /// Waits.
    pub waits: usize,
    /// Waits shorter than this are not shown, so that the trivial do not drown the rest.
    pub wait_threshold: Duration,
    /// How long a wait is shown after it ended.
    pub ended_waits_for: Duration,
    /// Holders of the horizon.
    pub holders: usize,
    /// Versions of rows.
    pub versions: usize,
    /// Pages of the table.
    pub pages: usize,
    /// Partitions of a table.
    pub partitions: usize,
    /// Sessions with whose eyes versions are judged.
    pub viewers: usize,
    /// Versions that are gone from disk and still shown.
    pub removed: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 300,
            transactions: 1_000,
            waits: 300,
            wait_threshold: Duration::from_millis(10),
            ended_waits_for: Duration::from_secs(10),
            holders: 20,
            versions: 1_000,
            pages: 32,
            partitions: 16,
            viewers: 12,
            removed: 200,
        }
    }
}
