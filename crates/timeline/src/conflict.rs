//! Who stands in whose way: waits for locks, and conflicts between serializable transactions.

use pgstrata_units::Xid;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::session::TransactionState;

/// Somebody that a waiting session waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blocker {
    /// Its process; 0 for a prepared transaction.
    pub pid: i32,
    /// Whether it holds the lock; else it stands before us in the queue.
    pub holds: bool,
}

/// A wait for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wait {
    /// Who waits.
    pub pid: i32,
    /// Since when, microseconds since 1970.
    pub since_us: i64,
    /// When it ended; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<i64>,
    /// The lock's type as in `pg_locks`: `transactionid`, `tuple`, `relation`, …
    pub lock_type: String,
    /// The mode that is wanted, as `ShareLock`.
    pub mode: String,
    /// What is locked, for people: `transaction 755`, `public.account (0,3)`.
    pub object: String,
    /// Who is in the way.
    pub blockers: Vec<Blocker>,
    /// Whether it is part of a circle: nobody in it can go on.
    pub is_in_cycle: bool,
}

/// A serializable transaction as the server's predicate locking sees it (`SERIALIZABLEXACT`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SerializableTransaction {
    /// Its virtual transaction id, as `3/12`.
    pub id: String,
    /// Its process.
    pub pid: i32,
    /// Its transaction id, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub xid: Option<Xid>,
    /// How it stands.
    pub state: TransactionState,
    /// Whether it must fail: the server has decided so, and will say it at its next statement.
    pub is_doomed: bool,
    /// Whether it only reads.
    pub is_read_only: bool,
    /// Whether it stands between two conflicts of a dangerous structure.
    pub is_pivot: bool,
}

/// A read-write conflict: `reader` did not see what `writer` wrote, so it must come before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// Id of the serializable transaction that read.
    pub reader: String,
    /// Id of the one that wrote.
    pub writer: String,
    /// Whether it is part of a dangerous structure.
    pub is_dangerous: bool,
}
