//! The versions that are shown, with what each is filed under.

use std::collections::BTreeMap;

use pgstrata_timeline::{Key, RowVersion};
use pgstrata_units::Xid;
use pgstrata_units::memory::{HeapBytes, tree_bytes};
use pgstrata_wal::history::{Version, VersionId};
use pgstrata_wal::replay::PageId;

/// A version and the maker that it was shown with: as long as both stay, its key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownVersion {
    pub id: VersionId,
    xmin: Xid,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    xmin: Xid,
    page: PageId,
    offset: u16,
}

/// All that are shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    versions: BTreeMap<VersionId, Entry>,
}

impl Shown {
    /// How many.
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// Whether this one is.
    pub fn has(&self, id: VersionId) -> bool {
        self.versions.contains_key(&id)
    }

    /// What it is filed under.
    pub fn key(&self, id: VersionId) -> Option<&Key> {
        self.versions.get(&id).map(|entry| &entry.key)
    }

    /// It with the maker that it was shown with.
    pub fn version(&self, id: VersionId) -> Option<ShownVersion> {
        self.versions.get(&id).map(|entry| ShownVersion { id, xmin: entry.xmin })
    }

    /// Shows one, perhaps anew; returns the page and line pointer that it is at.
    pub fn show(&mut self, version: &Version, item: &RowVersion) -> (PageId, u16) {
        let (page, offset) = (page_of(version), version.at.offset);
        match self.versions.get_mut(&version.id) {
            Some(entry) if entry.xmin == item.xmin => {}
            _ => {
                let entry = Entry { key: item.key(), xmin: item.xmin, page, offset };
                self.versions.insert(version.id, entry);
            }
        }
        (page, offset)
    }

    /// Shows one no longer; returns its key, and the page and line pointer that it was at.
    pub fn hide(&mut self, id: VersionId) -> Option<(Key, PageId, u16)> {
        self.versions.remove(&id).map(|entry| (entry.key, entry.page, entry.offset))
    }

    /// Shows none any more; returns all keys.
    pub fn clear(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.versions).into_values().map(|entry| entry.key).collect()
    }
}

impl HeapBytes for Shown {
    fn heap_bytes(&self) -> usize {
        let keys: usize = self.versions.values().map(|entry| entry.key.heap_bytes()).sum();
        tree_bytes(self.versions.len(), size_of::<(VersionId, Entry)>()) + keys
    }
}

fn page_of(version: &Version) -> PageId {
    PageId { relation: version.relation, block: version.at.block }
}
