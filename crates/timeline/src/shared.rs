//! An item that the moments, the changes and the readers of a log hold together.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::item::PutItem;

/// An item that is made once and held by many, and goes with the last of them. It never changes: another takes its place.
///
/// The moment of a log, the changes that led to it and the moments that are sent to whoever looks mostly hold the same items;
/// so each of them takes a pointer and not a copy.
#[derive(Clone, Debug)]
pub struct SharedItem(Arc<PutItem>);

impl SharedItem {
    /// How many hold it.
    #[must_use]
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl From<PutItem> for SharedItem {
    fn from(put: PutItem) -> Self {
        Self(Arc::new(put))
    }
}

impl Deref for SharedItem {
    type Target = PutItem;

    fn deref(&self) -> &PutItem {
        &self.0
    }
}

impl PartialEq for SharedItem {
    /// The same item is equal to itself without a look.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl PartialEq<PutItem> for SharedItem {
    fn eq(&self, other: &PutItem) -> bool {
        *self.0 == *other
    }
}

impl Serialize for SharedItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PutItem::deserialize(deserializer).map(Self::from)
    }
}
