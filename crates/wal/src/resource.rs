//! Resource managers: which part of the server wrote a record.

use std::fmt;

/// A resource manager by its number, which the record header holds.
///
/// Sources: src/include/access/rmgrlist.h, the same 22 from PostgreSQL 14 to 18; numbers from 128 are for extensions
/// since 15 (src/include/access/rmgr.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceManager(pub u8);

/// Names by number, as `pg_waldump` prints them.
const NAMES: [&str; 22] = [
    "XLOG",
    "Transaction",
    "Storage",
    "CLOG",
    "Database",
    "Tablespace",
    "MultiXact",
    "RelMap",
    "Standby",
    "Heap2",
    "Heap",
    "Btree",
    "Hash",
    "Gin",
    "Gist",
    "Sequence",
    "SPGist",
    "BRIN",
    "CommitTs",
    "ReplicationOrigin",
    "Generic",
    "LogicalMessage",
];

/// The first number for extensions (`RM_MIN_CUSTOM_ID`).
const FIRST_CUSTOM: u8 = 128;

impl ResourceManager {
    /// The log's own records: checkpoints, segment switches, full pages.
    pub const LOG: Self = Self(0);
    /// Commits, aborts, prepared transactions.
    pub const TRANSACTION: Self = Self(1);
    /// Files of relations made and cut.
    pub const STORAGE: Self = Self(2);
    /// Groups of transactions that hold a row together.
    pub const MULTIXACT: Self = Self(6);
    /// What standbys must know: running transactions, exclusive locks.
    pub const STANDBY: Self = Self(8);
    /// Multi-inserts, pruning, visibility.
    pub const HEAP2: Self = Self(9);
    /// Inserts, updates, deletes, row locks.
    pub const HEAP: Self = Self(10);
    /// `pg_logical_emit_message`.
    pub const MESSAGE: Self = Self(21);

    /// Whether a record may carry this number; anything else is damage.
    #[must_use]
    pub fn is_known(self) -> bool {
        usize::from(self.0) < NAMES.len() || self.0 >= FIRST_CUSTOM
    }
}

impl fmt::Display for ResourceManager {
    /// The name that `pg_waldump` prints; extensions as `custom128`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0)) {
            Some(name) => formatter.pad(name),
            None => formatter.pad(&format!("custom{:03}", self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_pg_waldump() {
        assert_eq!(ResourceManager::HEAP.to_string(), "Heap");
        assert_eq!(ResourceManager::MESSAGE.to_string(), "LogicalMessage");
        assert_eq!(ResourceManager(200).to_string(), "custom200");
        assert!(!ResourceManager(22).is_known() && ResourceManager(128).is_known());
    }
}
