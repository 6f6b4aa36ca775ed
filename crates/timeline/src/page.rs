//! The table on disk: pages and their line pointers.

use pgstrata_units::{Lsn, Xid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::item::Key;

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

impl Page {
    /// `page/relation/block`.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(format!("page/{}/{}", self.relation, self.block))
    }
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

impl Line {
    /// What the line pointer with this number of a page is filed under: `line/relation/block/offset`.
    #[must_use]
    pub fn key_of(relation: u32, block: u32, offset: u16) -> Key {
        Key(format!("line/{relation}/{block}/{offset}"))
    }
}
