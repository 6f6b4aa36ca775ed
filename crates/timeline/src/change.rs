//! One entry of the log: when, why, and what is different afterwards.

use pgstrata_units::Lsn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::item::Key;
use crate::shared::SharedItem;

/// When something was so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct At {
    /// Microseconds since 1970 by the observing machine's clock; the log's own order is that of `Change::seq`.
    pub unix_us: i64,
    /// The position in the server's log up to which the exact track is told, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lsn: Option<Lsn>,
}

/// Why the picture changed; the page makes the sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Cause {
    /// The watching began, or was begun anew (another table, a server that came back).
    Begin,
    /// A sample was taken, and differed from the one before.
    Sample,
    /// A record of the write-ahead log.
    Record {
        /// Its position; `record_lsn` in JSON, where `lsn` is the change's own.
        #[serde(rename = "record_lsn")]
        #[schema(value_type = String)]
        lsn: Lsn,
        /// What `pg_waldump` calls it, as `Heap/HOT_UPDATE`.
        name: String,
        /// The transaction that wrote it, 0 if none.
        xid: u64,
    },
    /// A statement of a console or a scene was sent.
    Statement {
        /// The console's name.
        console: String,
        /// Its process: names are given more than once.
        pid: i32,
        /// Its text.
        sql: String,
    },
    /// An answer came.
    Answer {
        /// The console's name.
        console: String,
        /// Its process.
        pid: i32,
        /// `UPDATE 1`, or the message of the error.
        text: String,
        /// The error's SQLSTATE, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sqlstate: Option<String>,
    },
    /// The connection to the server was lost, or is back.
    Connection {
        /// Whether it is back.
        is_up: bool,
        /// What the system or the server said.
        reason: String,
    },
}

/// What is different from `at` on. Drops are carried out before puts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Its place in the log, from 1, without gaps.
    pub seq: u64,
    /// When.
    #[serde(flatten)]
    pub at: At,
    /// Why.
    #[serde(flatten)]
    pub cause: Cause,
    /// Items that are new, or differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<crate::item::PutItem>)]
    pub put: Vec<SharedItem>,
    /// Items that are no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub drop: Vec<Key>,
}
