//! How much memory a history takes, part by part.

use pgstrata_tuple::Member;
use pgstrata_units::memory::{HeapBytes, Holding, allocated, tree_bytes};

use super::statuses::{Block, Statuses};
use super::{History, Life, State, Transactions, Version, VersionId, store};
use crate::image::HEAP_PAGE_BYTES;
use crate::replay::PageId;

impl HeapBytes for VersionId {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl HeapBytes for Version {
    fn heap_bytes(&self) -> usize {
        let states = allocated(self.states.capacity() * size_of::<State>());
        states + self.children.heap_bytes() + self.row.heap_bytes()
    }
}

impl HeapBytes for Life {
    fn heap_bytes(&self) -> usize {
        self.prepared.as_ref().map_or(0, |(_, name)| name.heap_bytes())
    }
}

impl History {
    /// The memory that it takes, by what is bounded.
    #[must_use]
    pub fn holds(&self) -> Vec<Holding> {
        let mut holds = Vec::from(self.transactions.holds());
        let versions = self.versions.heap_bytes();
        holds.push(Holding::new("history.versions", self.versions.len(), versions).at_most(self.limits.versions));
        let multixacts = self.multixacts.values().map(|members| allocated(members.capacity() * size_of::<Member>()));
        let entry = size_of::<u32>() + size_of::<Vec<Member>>();
        let bytes =
            multixacts.sum::<usize>() + tree_bytes(self.multixacts.len(), entry) + self.multixact_order.heap_bytes();
        holds.push(Holding::new("history.multixacts", self.multixacts.len(), bytes).at_most(self.limits.multixacts));
        // Beside its bytes each page has a place in a table and one in a tree.
        let places = 2 * size_of::<(PageId, u64)>() + size_of::<Box<[u8]>>();
        let pages = self.pages.len() * (allocated(HEAP_PAGE_BYTES) + places);
        holds.push(Holding::new("history.pages", self.pages.len(), pages).at_most(self.limits.pages));
        holds
    }
}

impl Transactions {
    fn holds(&self) -> [Holding; 2] {
        let Statuses { blocks, most } = &self.learned;
        let bytes = tree_bytes(blocks.len(), size_of::<u64>() + size_of::<Block>());
        [
            Holding::new("history.transactions", self.lives.len(), self.lives.heap_bytes()).at_most(self.most),
            Holding::new("history.statuses", blocks.len(), bytes).at_most(*most),
        ]
    }
}

impl HeapBytes for store::Versions {
    fn heap_bytes(&self) -> usize {
        let places = self.by_place.values().map(HeapBytes::heap_bytes).sum::<usize>();
        let entry = size_of::<store::Place>() + size_of::<Vec<VersionId>>();
        self.all.heap_bytes() + tree_bytes(self.by_place.len(), entry) + places + self.removed.heap_bytes()
    }
}
