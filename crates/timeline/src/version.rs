//! Row versions: who made them, who ended them, what became of them.

use pgstrata_units::{Lsn, Xid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::item::{Key, Origin};
use crate::session::TransactionState;

/// How a row is locked, from weakest to strongest (`src/backend/access/heap/README.tuplock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// `for key share`.
    KeyShare,
    /// `for share`.
    Share,
    /// `for no key update`, and updates that keep the key.
    NoKeyUpdate,
    /// `for update`, deletes, updates of the key.
    Update,
}

/// What a tuple's `xmax` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum XmaxKind {
    /// Nothing: there is none, or it is known to be void.
    None,
    /// The transaction that replaced the version.
    Update,
    /// The transaction that deleted the row.
    Delete,
    /// A transaction that locked it.
    Lock,
    /// Several transactions: see the members.
    Multi,
}

/// One of several transactions that hold a row (a member of a multixact).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The transaction.
    #[schema(value_type = u64)]
    pub xid: Xid,
    /// How it holds it.
    pub mode: LockMode,
    /// Whether it changed the row, and did not only lock it.
    pub is_change: bool,
    /// How it stands.
    pub state: TransactionState,
}

/// The command field of a tuple as it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// The command that made or ended the version.
    Id(u32),
    /// Index into a table of pairs that is private to the session (`src/backend/utils/time/combocid.c`).
    Combo(u32),
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The newest committed version.
    Live,
    /// Its maker runs still.
    Pending,
    /// Its maker was rolled back.
    Aborted,
    /// Another version took its place.
    Replaced,
    /// Its row was deleted.
    Deleted,
    /// It is no longer on disk: pruned or vacuumed.
    Removed,
    /// Not known.
    Unknown,
}

/// A version of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowVersion {
    /// OID of the table.
    pub relation: u32,
    /// Its page.
    pub block: u32,
    /// Its line pointer, from 1.
    pub offset: u16,
    /// The transaction that made it.
    #[schema(value_type = u64)]
    pub xmin: Xid,
    /// How that one stands.
    pub xmin_state: TransactionState,
    /// Whether it is frozen: seen by everybody.
    pub is_frozen: bool,
    /// The transaction (or the multixact) in `xmax`; `None` if void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub xmax: Option<Xid>,
    /// What it stands for.
    pub xmax_kind: XmaxKind,
    /// How the transaction that changed the row stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmax_state: Option<TransactionState>,
    /// Who holds the row, if several do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// The command field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// Where the next version is (`ctid`), if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<(u32, u16)>,
    /// The key of the version that it replaced, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parent: Option<Key>,
    /// How the parent is known: on the page it is inferred, in the log it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_origin: Option<Origin>,
    /// Whether the version after it needed no new index entries.
    pub is_hot_updated: bool,
    /// Whether no index entry points to it.
    pub is_heap_only: bool,
    /// Names of the infomask's bits, as `heap_tuple_infomask_flags` has them.
    pub flags: Vec<String>,
    /// What the row is known by: the text of its key, the same for all its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Column values by name, as the types print them. Values out of line are `{"$toast": …}`, never fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
    /// Bytes on the page, with the header.
    pub bytes: u32,
    /// What became of it.
    pub fate: Fate,
    /// The record that made it, where the log was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub made: Option<Lsn>,
    /// The record that removed it from disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub removed: Option<Lsn>,
}

impl RowVersion {
    /// A version of which no more is known than where it is and who made it: everything else is void, unknown or zero.
    #[must_use]
    pub fn bare(relation: u32, block: u32, offset: u16, xmin: Xid) -> Self {
        Self {
            relation,
            block,
            offset,
            xmin,
            xmin_state: TransactionState::Unknown,
            is_frozen: false,
            xmax: None,
            xmax_kind: XmaxKind::None,
            xmax_state: None,
            members: Vec::new(),
            command: None,
            next: None,
            parent: None,
            parent_origin: None,
            is_hot_updated: false,
            is_heap_only: false,
            flags: Vec::new(),
            row: None,
            values: None,
            bytes: 0,
            fate: Fate::Unknown,
            made: None,
            removed: None,
        }
    }

    /// `version/relation/block/offset/xmin`. A line pointer is used again, hence the maker in it.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(format!("version/{}/{}/{}/{}", self.relation, self.block, self.offset, self.xmin))
    }
}
