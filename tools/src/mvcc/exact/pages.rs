//! Folded pages with their line pointers as items of the timeline: only what differs is told.

use std::collections::BTreeMap;

use pgstrata_timeline::{Item, Key, Origin, SharedItem};
use pgstrata_tuple::chain::Chains;
use pgstrata_tuple::{HeapPage, ItemPointer};
use pgstrata_units::memory::{HeapBytes as _, Holding};
use pgstrata_wal::RelFile;
use pgstrata_wal::history::History;
use pgstrata_wal::replay::PageId;

use super::Table;
use crate::mvcc::sample::versions;

/// Pages that were told, with what was told of them.
#[derive(Debug, Default)]
pub(super) struct Pages {
    told: BTreeMap<PageId, BTreeMap<Key, SharedItem>>,
}

impl Pages {
    /// Forgets all pages; returns the keys of what was told.
    pub fn forget(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.told).into_values().flat_map(BTreeMap::into_keys).collect()
    }

    /// The memory that it takes.
    pub fn holds(&self) -> Holding {
        let bytes = self.told.values().map(|told| size_of_val(told) + told.heap_bytes()).sum();
        Holding::new("exact.pages", self.told.len(), bytes)
    }

    /// What differs on a page; all of it goes if the page is not known.
    pub fn tell(
        &mut self,
        history: &History,
        id: PageId,
        table: &Table,
        key_of: impl Fn(RelFile, ItemPointer) -> Option<Key>,
    ) -> (Vec<SharedItem>, Vec<Key>) {
        let now = items(history, id, table, key_of).unwrap_or_default();
        let before = self.told.remove(&id).unwrap_or_default();
        let put =
            now.iter().filter(|(key, item)| before.get(*key) != Some(item)).map(|(_, item)| item.clone()).collect();
        let drop = before.into_keys().filter(|key| !now.contains_key(key)).collect();
        if !now.is_empty() {
            self.told.insert(id, now);
        }
        (put, drop)
    }
}

fn items(
    history: &History,
    id: PageId,
    table: &Table,
    key_of: impl Fn(RelFile, ItemPointer) -> Option<Key>,
) -> Option<BTreeMap<Key, SharedItem>> {
    let page = HeapPage::parse(history.pages().page(id)?.bytes()).ok()?;
    let knowledge = history.as_of(history.told());
    let chains = Chains::of(&page, id.block, &knowledge);
    let lines = page.lines().map(|pointer| {
        let version = key_of(id.relation, ItemPointer { block: id.block, offset: pointer.offset });
        Item::Line(versions::line(&table.leaf, id.block, pointer, &chains, version))
    });
    let page = Item::Page(versions::page_item(&table.leaf, id.block, &page, &knowledge));
    Some(lines.chain([page]).map(|item| (item.key(), item.known(Origin::Exact).into())).collect())
}
