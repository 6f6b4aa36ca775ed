//! How transactions ended, and nothing else of them: two bits each.
//!
//! Ids are given out one after the other, so those that are remembered lie side by side, and a block holds many. Scattered
//! ones, of a time before the history began, take a block each at worst.

use std::collections::BTreeMap;

use pgstrata_tuple::Status;
use pgstrata_units::Xid;

/// Transactions of a block: their two bits make 32 bytes.
const IDS_PER_BLOCK: u64 = 128;
/// Transactions of a byte.
const IDS_PER_BYTE: u64 = 4;

/// A block's bits.
pub(super) type Block = [u8; (IDS_PER_BLOCK / IDS_PER_BYTE) as usize];

const COMMITTED: u8 = 1;
const ABORTED: u8 = 2;

/// How transactions ended.
#[derive(Debug)]
pub(super) struct Statuses {
    pub blocks: BTreeMap<u64, Block>,
    /// Blocks, at most; the lowest ids are forgotten first.
    pub most: usize,
}

impl Statuses {
    pub fn new(most: usize) -> Self {
        Self { blocks: BTreeMap::new(), most: most.max(1) }
    }

    /// How it ended, if that is remembered.
    pub fn get(&self, xid: Xid) -> Option<Status> {
        let (block, byte, shift) = place(xid);
        match self.blocks.get(&block)?.get(byte)? >> shift & 3 {
            COMMITTED => Some(Status::Committed),
            ABORTED => Some(Status::Aborted),
            _ => None,
        }
    }

    /// Remembers it, if it is an end.
    pub fn note(&mut self, xid: Xid, status: Status) {
        let bits = match status {
            Status::Committed => COMMITTED,
            Status::Aborted => ABORTED,
            Status::InProgress | Status::Prepared | Status::Unknown => return,
        };
        let (block, byte, shift) = place(xid);
        if let Some(byte) = self.blocks.entry(block).or_default().get_mut(byte) {
            *byte = *byte & !(3 << shift) | bits << shift;
        }
        if self.blocks.len() > self.most {
            self.blocks.pop_first();
        }
    }
}

/// Which block, which byte of it, and how far its bits are shifted.
const fn place(xid: Xid) -> (u64, usize, u32) {
    let within = xid.0 % IDS_PER_BLOCK;
    (xid.0 / IDS_PER_BLOCK, (within / IDS_PER_BYTE) as usize, (within % IDS_PER_BYTE) as u32 * 2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_is_remembered_as_it_was_noted_last(noted in prop::collection::vec((3_u64..600, any::<bool>()), 0..300)) {
            let (mut statuses, mut plain) = (Statuses::new(100), BTreeMap::new());
            for (xid, committed) in noted {
                let status = if committed { Status::Committed } else { Status::Aborted };
                statuses.note(Xid(xid), status);
                plain.insert(xid, status);
            }
            for xid in 0..700 {
                prop_assert_eq!(statuses.get(Xid(xid)), plain.get(&xid).copied());
            }
        }
    }

    #[test]
    fn the_lowest_are_forgotten_first_and_what_is_no_end_is_not_noted() {
        let mut statuses = Statuses::new(2);
        for xid in [1_000, 5, 2_000] {
            statuses.note(Xid(xid), Status::Committed);
        }
        statuses.note(Xid(9_000), Status::Aborted);
        statuses.note(Xid(2_001), Status::InProgress);
        let known = [5, 1_000, 2_000, 2_001, 9_000].map(|xid| statuses.get(Xid(xid)).is_some());
        assert_eq!(known, [false, false, true, false, true]);
        assert_eq!(statuses.blocks.len(), 2);
    }
}
