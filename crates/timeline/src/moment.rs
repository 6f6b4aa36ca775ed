//! What a prefix of the log folds into.

use std::collections::BTreeMap;

use crate::change::{At, Change};
use crate::item::Key;
use crate::shared::SharedItem;

/// All that is known of one point of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moment {
    /// The `seq` of the last change folded in; 0 before the first.
    pub seq: u64,
    /// When that was.
    pub at: Option<At>,
    /// What there is.
    pub items: BTreeMap<Key, SharedItem>,
}

impl Moment {
    /// Folds one change in. Changes that were folded in already (a repeated one after a reconnection) are passed over.
    ///
    /// Returns false, and changes nothing, if a change is missing between: the reader must ask for a moment.
    pub fn fold(&mut self, change: &Change) -> bool {
        if change.seq <= self.seq {
            return true;
        }
        if change.seq != self.seq + 1 {
            return false;
        }
        for key in &change.drop {
            self.items.remove(key);
        }
        for put in &change.put {
            self.items.insert(put.key.clone(), put.clone());
        }
        self.seq = change.seq;
        self.at = Some(change.at);
        true
    }

    /// What must be put and dropped to come from this moment to `later`: the shortest such change.
    #[must_use]
    pub fn difference(&self, later: &BTreeMap<Key, SharedItem>) -> (Vec<SharedItem>, Vec<Key>) {
        let put = later
            .iter()
            .filter(|(key, item)| self.items.get(*key) != Some(item))
            .map(|(_, item)| item.clone())
            .collect();
        let drop = self.items.keys().filter(|key| !later.contains_key(*key)).cloned().collect();
        (put, drop)
    }
}
