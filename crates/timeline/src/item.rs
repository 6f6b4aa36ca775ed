//! What a moment is made of: sessions, transactions, row versions, waits, conflicts, horizons, verdicts.

use pgstrata_units::{Lsn, Xid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::conflict::{Conflict, SerializableTransaction, Wait};
use crate::horizon::{Horizon, Verdict, Viewer};
use crate::page::{Line, Page};
use crate::session::{Session, Transaction};
use crate::version::RowVersion;

/// How a datum is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The server wrote or said it, of exactly this point.
    Exact,
    /// It was so when a sample was taken; between samples it may have been otherwise.
    Sampled,
    /// It follows from other data.
    Inferred,
}

/// How much of a server can be seen, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Views and system columns.
    Sql,
    /// `pageinspect`, which needs a superuser.
    Pageinspect,
    /// `mvcc_visualizer`.
    Extension,
    /// `mvcc_visualizer` in `shared_preload_libraries`: snapshots of other sessions, all waits.
    Preloaded,
    /// The write-ahead log: the exact life of every version.
    Wal,
}

/// What an item is filed under; unique within a moment. Its text begins with the item's kind: `session/4711`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub String);

/// An item with how it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutItem {
    /// What it is filed under; derived from the item, sent along so that a reader need not derive it.
    #[schema(value_type = String)]
    pub key: Key,
    /// How it is known.
    pub origin: Origin,
    /// What it is.
    #[serde(flatten)]
    pub item: Item,
}

/// One thing that there is at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Item {
    /// The server itself.
    Server(Server),
    /// A session.
    Session(Session),
    /// A transaction that has an id.
    Transaction(Transaction),
    /// A version of a row, on disk or remembered.
    Version(RowVersion),
    /// A page of the watched table.
    Page(Page),
    /// A line pointer of a page.
    Line(Line),
    /// Somebody waits for a lock.
    Wait(Wait),
    /// A serializable transaction.
    Serializable(SerializableTransaction),
    /// A read-write conflict between two of them.
    Conflict(Conflict),
    /// What holds vacuum back in a table.
    Horizon(Horizon),
    /// Somebody whose snapshot versions are judged by.
    Viewer(Viewer),
    /// Whether a viewer sees a version, and why.
    Verdict(Verdict),
}

impl Item {
    /// What it is filed under.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(match self {
            Self::Server(_) => "server".to_owned(),
            Self::Session(session) => format!("session/{}", session.pid),
            Self::Transaction(transaction) => format!("transaction/{}", transaction.xid),
            Self::Version(version) => version.key().0,
            Self::Page(page) => page.key().0,
            Self::Line(line) => Line::key_of(line.relation, line.block, line.offset).0,
            Self::Wait(wait) => format!("wait/{}/{}", wait.pid, wait.since_us),
            Self::Serializable(transaction) => format!("serializable/{}", transaction.id),
            Self::Conflict(conflict) => format!("conflict/{}/{}", conflict.reader, conflict.writer),
            Self::Horizon(horizon) => format!("horizon/{}", horizon.relation),
            Self::Viewer(viewer) => format!("viewer/{}", viewer.id),
            Self::Verdict(verdict) => format!("verdict/{}/{}", verdict.viewer, verdict.version.0),
        })
    }

    /// The item with its key, known as `origin` says.
    #[must_use]
    pub fn known(self, origin: Origin) -> PutItem {
        PutItem { key: self.key(), origin, item: self }
    }
}

/// The server that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Server {
    /// As `server_version` says it.
    pub version: String,
    /// What can be seen of it.
    pub tiers: Vec<Tier>,
    /// Whether it answers.
    pub is_up: bool,
    /// What a user should know: what was cut off, what is missing and how to get it. English; the page translates by code.
    pub notes: Vec<String>,
    /// The position of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lsn: Option<Lsn>,
    /// The next transaction id.
    #[schema(value_type = u64)]
    pub next_xid: Xid,
    /// Sessions that there are; more than the items when they were cut off.
    pub sessions: u32,
}
