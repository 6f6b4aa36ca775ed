//! What a moment is made of: sessions, transactions, row versions, waits, conflicts, horizons, verdicts.

use pgstrata_units::{Lsn, Snapshot, Xid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
            Self::Page(page) => format!("page/{}/{}", page.relation, page.block),
            Self::Line(line) => format!("line/{}/{}/{}", line.relation, line.block, line.offset),
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
    /// `version/relation/block/offset/xmin`. A line pointer is used again, hence the maker in it.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(format!("version/{}/{}/{}/{}", self.relation, self.block, self.offset, self.xmin))
    }
}

/// A page of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// OID of the table.
    pub relation: u32,
    /// Its number.
    pub block: u32,
    /// The last record that changed it.
    #[schema(value_type = String)]
    pub lsn: Lsn,
    /// Where free space begins, bytes.
    pub lower: u16,
    /// Where free space ends, bytes.
    pub upper: u16,
    /// Where special space begins; the page's size for a heap.
    pub special: u16,
    /// The oldest transaction whose leavings may be pruned, 0 if none.
    #[schema(value_type = u64)]
    pub prune_xid: Xid,
    /// Whether all its rows are visible to everybody, by the visibility map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_all_visible: Option<bool>,
    /// Whether all are frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_all_frozen: Option<bool>,
}

/// What a line pointer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LineState {
    /// Free.
    Unused,
    /// Points to a tuple.
    Normal,
    /// Points to another line pointer: the root of a pruned HOT chain.
    Redirect,
    /// Waits until index entries to it are gone.
    Dead,
}

/// A line pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// OID of the table.
    pub relation: u32,
    /// Its page.
    pub block: u32,
    /// Its number, from 1.
    pub offset: u16,
    /// What it is.
    pub state: LineState,
    /// Where its tuple begins on the page, bytes.
    pub at: u16,
    /// How long that is, bytes.
    pub bytes: u16,
    /// Where a redirect leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
    /// The first line pointer of the HOT chain it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u16>,
    /// The version that it points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub version: Option<Key>,
}

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
