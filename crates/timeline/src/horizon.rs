//! What must be kept and who sees what: horizons of vacuum, viewers, verdicts.

use pgstrata_units::{Snapshot, Xid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::item::Key;

/// What holds a horizon back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HolderKind {
    /// A session's snapshot or transaction.
    Session,
    /// A prepared transaction.
    Prepared,
    /// A replication slot.
    Slot,
    /// A standby with `hot_standby_feedback`.
    Standby,
    /// Nobody: the horizon is as new as can be.
    None,
}

/// Who holds a horizon back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    /// What it is.
    pub kind: HolderKind,
    /// Its process, slot or prepared transaction.
    pub name: String,
    /// Its process, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// What it holds back to.
    #[schema(value_type = u64)]
    pub xmin: Xid,
    /// Since when, microseconds since 1970, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_us: Option<i64>,
}

/// What vacuum can and cannot remove of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Horizon {
    /// OID of the table.
    pub relation: u32,
    /// Its name with its schema.
    pub name: String,
    /// Versions that died before this one are removable.
    #[schema(value_type = u64)]
    pub xid: Xid,
    /// Who holds it there, worst first.
    pub holders: Vec<Holder>,
    /// Dead versions seen that could go now.
    pub removable: u64,
    /// Dead versions seen that must stay, and what they take.
    pub kept: u64,
    /// Bytes of those.
    pub kept_bytes: u64,
}

/// Somebody whose eyes versions are judged with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Viewer {
    /// `pid:4711`, `new` (a transaction that begins now), or `lsn:0/1A2B` (one that had begun there).
    pub id: String,
    /// Its snapshot.
    #[schema(value_type = String)]
    pub snapshot: Snapshot,
    /// Whether the snapshot is the session's own, or the nearest that can be known from outside.
    pub is_own: bool,
}

/// Whether a viewer sees a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The viewer's id.
    pub viewer: String,
    /// The version.
    #[schema(value_type = String)]
    pub version: Key,
    /// `None`: it cannot be known from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_visible: Option<bool>,
    /// Why, as a code that the page makes a sentence of (`Reason` of `pgstrata-tuple`).
    pub reason: String,
}
