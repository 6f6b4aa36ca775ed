//! Memory that is held, counted from what holds it.
//!
//! Counted is what a value owns outside itself. An allocation takes its bytes and a word of the allocator's, in steps of 16 bytes and
//! at least 32, as `malloc` of glibc has it (`malloc/malloc.c`, "Chunk format"). Of a tree's nodes, each with 11 places, seven keys
//! a leaf are taken to be filled, as they are when keys come in order; of a tree that was made at once, or in no order, that is
//! up to a third too much. A test holds the estimates against a counting allocator.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::{Lsn, Xid};

/// What a bounded structure holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Holding {
    /// Its name, as `history.versions`. Names are never given to something else.
    pub what: &'static str,
    /// What is counted.
    pub count: usize,
    /// How many there may be; `None` where another structure's bound is its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// Memory that they take, bytes. What several hold is shared out among them.
    pub bytes: usize,
}

impl Holding {
    /// Of a structure whose bound is another's.
    #[must_use]
    pub const fn new(what: &'static str, count: usize, bytes: usize) -> Self {
        Self { what, count, most: None, bytes }
    }

    /// The same with its own bound.
    #[must_use]
    pub const fn at_most(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }
}

/// What a value owns outside itself.
pub trait HeapBytes {
    /// Bytes of its allocations.
    fn heap_bytes(&self) -> usize;
}

/// What an allocation of so many bytes takes.
#[must_use]
pub const fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=24 => 32,
        _ => (bytes + 8).next_multiple_of(16),
    }
}

/// What a `BTreeMap`'s nodes take, for entries of so many bytes (`library/alloc/src/collections/btree/node.rs`).
#[must_use]
pub const fn tree_bytes(entries: usize, entry_bytes: usize) -> usize {
    const PLACES: usize = 11;
    const FILLED: usize = 7;
    let leaf = allocated(PLACES * entry_bytes + 16);
    let inner = allocated(PLACES * entry_bytes + 16 + (PLACES + 1) * size_of::<usize>());
    match entries {
        0 => 0,
        1..=PLACES => leaf,
        _ => entries.div_ceil(FILLED) * leaf + entries.div_ceil(FILLED * FILLED) * inner,
    }
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(impl HeapBytes for $type {
            fn heap_bytes(&self) -> usize {
                0
            }
        })*
    };
}

plain!((), bool, u8, u16, u32, u64, usize, i32, i64, Lsn, Xid);

impl HeapBytes for String {
    fn heap_bytes(&self) -> usize {
        allocated(self.capacity())
    }
}

impl<T: HeapBytes> HeapBytes for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }
}

impl<T: HeapBytes> HeapBytes for Box<[T]> {
    fn heap_bytes(&self) -> usize {
        allocated(size_of_val::<[T]>(self)) + sum(self)
    }
}

impl<T: HeapBytes> HeapBytes for Vec<T> {
    fn heap_bytes(&self) -> usize {
        allocated(self.capacity() * size_of::<T>()) + sum(self)
    }
}

impl<T: HeapBytes> HeapBytes for VecDeque<T> {
    fn heap_bytes(&self) -> usize {
        allocated(self.capacity() * size_of::<T>()) + sum(self)
    }
}

impl<A: HeapBytes, B: HeapBytes> HeapBytes for (A, B) {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes() + self.1.heap_bytes()
    }
}

impl<A: HeapBytes, B: HeapBytes, C: HeapBytes> HeapBytes for (A, B, C) {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes() + self.1.heap_bytes() + self.2.heap_bytes()
    }
}

impl<K: HeapBytes, V: HeapBytes> HeapBytes for BTreeMap<K, V> {
    fn heap_bytes(&self) -> usize {
        tree_bytes(self.len(), size_of::<K>() + size_of::<V>()) + sum(self.keys()) + sum(self.values())
    }
}

impl<K: HeapBytes> HeapBytes for BTreeSet<K> {
    fn heap_bytes(&self) -> usize {
        tree_bytes(self.len(), size_of::<K>()) + sum(self)
    }
}

impl<K: HeapBytes, V: HeapBytes, S> HeapBytes for HashMap<K, V, S> {
    /// A table has a byte for each place beside the place, and keeps one in eight places free.
    fn heap_bytes(&self) -> usize {
        let places = if self.capacity() == 0 { 0 } else { (self.capacity() * 8 / 7).next_power_of_two() };
        allocated(places * (size_of::<(K, V)>() + 1)) + sum(self.keys()) + sum(self.values())
    }
}

fn sum<'a, T: HeapBytes + 'a>(values: impl IntoIterator<Item = &'a T>) -> usize {
    values.into_iter().map(T::heap_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_is_never_less_than_its_bytes_and_a_word() {
        let check = |bytes, expected| assert_eq!(allocated(bytes), expected, "{bytes}");
        check(0, 0);
        check(1, 32);
        check(24, 32);
        check(25, 48);
        check(40, 48);
        check(41, 64);
    }

    #[test]
    fn what_is_behind_what_is_behind_counts_too() {
        let list = vec![String::from("0123456789"), String::new()];
        assert_eq!(list.heap_bytes(), allocated(48) + 32);
        assert_eq!(BTreeMap::from([(1_u64, Some(list.clone()))]).heap_bytes(), tree_bytes(1, 32) + list.heap_bytes());
        assert_eq!(BTreeMap::<u64, u64>::new().heap_bytes(), 0);
    }
}
