//! Who is there: sessions, their snapshots, their transactions.

use pgstrata_units::{Lsn, Snapshot, Xid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A session: a lane of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its process.
    pub pid: i32,
    /// The console's or scene's name, else `application_name`.
    pub name: String,
    /// Its user.
    pub user: String,
    /// Its database.
    pub database: String,
    /// As in `pg_stat_activity`: `active`, `idle in transaction`, …
    pub state: String,
    /// `client backend`, `autovacuum worker`, …
    pub backend_type: String,
    /// Its transaction's isolation level where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// Its transaction's id, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub xid: Option<Xid>,
    /// What it keeps from vacuum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub backend_xmin: Option<Xid>,
    /// When its transaction began, microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_since_us: Option<i64>,
    /// Its present or last statement, cut to 2,000 characters.
    pub query: String,
    /// What it waits for, as `Lock/transactionid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The snapshot that it holds, where it can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SessionSnapshot>,
}

/// A snapshot as the session that holds it uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionSnapshot {
    /// The transactions.
    #[schema(value_type = String)]
    pub snapshot: Snapshot,
    /// The command within its transaction: own changes of earlier commands are seen.
    pub command: u32,
    /// Whether a transaction had more subtransactions than a snapshot lists (64), so that `pg_subtrans` must be asked.
    pub is_suboverflowed: bool,
}

/// How a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionState {
    /// It runs.
    InProgress,
    /// It is prepared and waits for its second phase.
    Prepared,
    /// It was committed.
    Committed,
    /// It was rolled back, or its server died.
    Aborted,
    /// Too old, or of a time that was not recorded.
    Unknown,
}

/// A transaction with an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transaction {
    /// Its id.
    #[schema(value_type = u64)]
    pub xid: Xid,
    /// The transaction that it is part of, for a subtransaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub top: Option<Xid>,
    /// How it stands.
    pub state: TransactionState,
    /// Its session, while it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Its first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub began: Option<Lsn>,
    /// The record that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Lsn>,
    /// When it ended by the server's clock, microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<i64>,
}
