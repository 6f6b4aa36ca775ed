//! All versions that are remembered, by place and by age.

use std::collections::{BTreeMap, VecDeque};

use pgstrata_tuple::ItemPointer;
use pgstrata_units::Lsn;

use super::Limits;
use super::version::{Removal, RemovalReason, State, Version, VersionId};
use crate::block::RelFile;

pub(super) type Place = (RelFile, ItemPointer);

/// Versions with what they take.
#[derive(Debug)]
pub struct Versions {
    pub(super) all: BTreeMap<VersionId, Version>,
    /// Versions of a place, oldest first; the last may still be there.
    pub(super) by_place: BTreeMap<Place, Vec<VersionId>>,
    /// Those that left the disk, in that order.
    pub(super) removed: VecDeque<VersionId>,
    next: u64,
    row_bytes: usize,
    limits: Limits,
    forgotten: u64,
    /// Those that were forgotten since somebody asked.
    just_forgotten: Vec<VersionId>,
}

impl Versions {
    pub(super) fn new(limits: Limits) -> Self {
        let (all, by_place, removed) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { all, by_place, removed, next: 1, row_bytes: 0, limits, forgotten: 0, just_forgotten: Vec::new() }
    }

    /// A version that is remembered.
    #[must_use]
    pub fn get(&self, id: VersionId) -> Option<&Version> {
        self.all.get(&id)
    }

    /// All of them, in the order in which they became known.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.all.values()
    }

    /// Those of a table's file, by place and age.
    pub fn of(&self, relation: RelFile) -> impl Iterator<Item = &Version> {
        let (first, last) = (ItemPointer { block: 0, offset: 0 }, ItemPointer { block: u32::MAX, offset: u16::MAX });
        let places = self.by_place.range((relation, first)..=(relation, last));
        places.flat_map(|(_, ids)| ids).filter_map(|id| self.all.get(id))
    }

    /// Those that are, or were, at a place, oldest first.
    #[must_use]
    pub fn at(&self, relation: RelFile, at: ItemPointer) -> &[VersionId] {
        self.by_place.get(&(relation, at)).map_or(&[], Vec::as_slice)
    }

    /// The one that is at a place.
    #[must_use]
    pub fn current(&self, relation: RelFile, at: ItemPointer) -> Option<&Version> {
        let last = self.at(relation, at).last()?;
        self.all.get(last).filter(|version| version.removed.is_none())
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes of rows that are kept.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// How many were forgotten to make room.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn get_mut(&mut self, id: VersionId) -> Option<&mut Version> {
        self.all.get_mut(&id)
    }

    /// Those that were forgotten since the last call.
    pub(super) fn take_forgotten(&mut self) -> Vec<VersionId> {
        std::mem::take(&mut self.just_forgotten)
    }

    /// Current versions of a page, by line pointer.
    pub(super) fn on_page(&self, relation: RelFile, block: u32) -> Vec<(u16, VersionId)> {
        let place = |offset| (relation, ItemPointer { block, offset });
        let places = self.by_place.range(place(0)..=place(u16::MAX));
        let last = places.filter_map(|((_, at), ids)| Some((at.offset, *ids.last()?)));
        last.filter(|(_, id)| self.all.get(id).is_some_and(|version| version.removed.is_none())).collect()
    }

    /// Takes a new version; what was at its place is gone. Returns its id and those that changed or were forgotten.
    pub(super) fn add(&mut self, lsn: Lsn, mut version: Version) -> (VersionId, Vec<VersionId>) {
        let id = VersionId(self.next);
        self.next += 1;
        version.id = id;
        let mut changed = Vec::new();
        if let Some(before) = self.current(version.relation, version.at).map(|before| before.id) {
            self.remove(before, Removal { lsn, reason: RemovalReason::Unseen });
            changed.push(before);
        }
        if version.row.as_ref().is_some_and(|row| row.len() > self.limits.row_bytes) {
            version.row = None;
        }
        self.row_bytes += version.row.as_ref().map_or(0, |row| row.len());
        self.by_place.entry((version.relation, version.at)).or_default().push(id);
        self.all.insert(id, version);
        self.make_room(id);
        (id, changed)
    }

    /// Notes a new state.
    pub(super) fn note(&mut self, id: VersionId, state: State) {
        let most = self.limits.states_per_version.max(2);
        let Some(version) = self.all.get_mut(&id) else { return };
        if version.states.len() >= most {
            // The first says how it began.
            version.states.remove(1);
            version.has_dropped_states = true;
        }
        version.states.push(state);
    }

    /// Notes that a version has left the disk.
    pub(super) fn remove(&mut self, id: VersionId, removal: Removal) {
        if let Some(version) = self.all.get_mut(&id).filter(|version| version.removed.is_none()) {
            version.removed = Some(removal);
            self.removed.push_back(id);
        }
    }

    /// Forgets the versions that left the disk first, and if none did the oldest, but never `newest`.
    fn make_room(&mut self, newest: VersionId) {
        while self.all.len() > self.limits.versions.max(1) || self.row_bytes > self.limits.row_bytes {
            let oldest = self.removed.pop_front().or_else(|| self.all.keys().next().copied());
            let Some(id) = oldest.filter(|id| *id != newest) else { return };
            self.forget(id);
        }
    }

    fn forget(&mut self, id: VersionId) {
        let Some(version) = self.all.remove(&id) else { return };
        self.row_bytes -= version.row.as_ref().map_or(0, |row| row.len());
        self.forgotten += 1;
        self.just_forgotten.push(id);
        let place = (version.relation, version.at);
        if let Some(ids) = self.by_place.get_mut(&place) {
            ids.retain(|there| *there != id);
            if ids.is_empty() {
                self.by_place.remove(&place);
            }
        }
    }
}
