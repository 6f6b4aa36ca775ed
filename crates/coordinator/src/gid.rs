//! The names under which participants prepare: `strata/<realm>/<epoch>/<transaction>/<shard>`.
//!
//! A name says everything that a resolver needs in order to find the decision. It is never used twice: an epoch belongs
//! to one start of one coordinator, which counts its transactions. The shard is in it because two shards may be two
//! databases of one server, where prepared names are shared. Digits and slashes only, so it needs no quoting; it stays
//! far below the 199 bytes that PostgreSQL allows (`GIDSIZE` in `src/include/access/xact.h`).

use std::fmt;
use std::str::FromStr;

/// The first word of every name.
pub const PREFIX: &str = "strata";

/// A transaction of a coordinator: which start of which coordinator, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct TransactionId {
    /// The epoch, which one start of one coordinator has for itself.
    pub epoch: i32,
    /// The transaction's number in it, from 1.
    pub number: i64,
}

/// The name of one participant's part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct GlobalId {
    /// Which group of coordinators and shards; see [`crate::Settings::realm`].
    pub realm: u16,
    /// The transaction.
    pub transaction: TransactionId,
    /// The shard, from 0.
    pub shard: usize,
}

impl GlobalId {
    /// How the names of a realm begin.
    #[must_use]
    pub fn prefix_of(realm: u16) -> String {
        format!("{PREFIX}/{realm}/")
    }

    /// The statement that prepares under this name. It takes no parameters, so the name is part of the text; a name
    /// holds nothing but letters, digits and slashes.
    #[must_use]
    pub fn prepare(&self) -> String {
        format!("prepare transaction '{self}'")
    }

    /// The statement that commits what was prepared.
    #[must_use]
    pub fn commit(&self) -> String {
        format!("commit prepared '{self}'")
    }

    /// The statement that undoes what was prepared.
    #[must_use]
    pub fn roll_back(&self) -> String {
        format!("rollback prepared '{self}'")
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.epoch, self.number)
    }
}

impl fmt::Display for GlobalId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}/{}/{}/{}", self.realm, self.transaction, self.shard)
    }
}

/// A name that this library did not give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a prepared transaction of ours")]
pub struct ForeignId(pub String);

impl FromStr for GlobalId {
    type Err = ForeignId;

    fn from_str(text: &str) -> Result<Self, ForeignId> {
        let foreign = || ForeignId(text.to_owned());
        let words: Vec<&str> = text.split('/').collect();
        let [PREFIX, realm, epoch, number, shard] = words[..] else { return Err(foreign()) };
        let id = Self {
            realm: realm.parse().map_err(|_| foreign())?,
            transaction: TransactionId {
                epoch: epoch.parse().map_err(|_| foreign())?,
                number: number.parse().map_err(|_| foreign())?,
            },
            shard: shard.parse().map_err(|_| foreign())?,
        };
        // `+1` and `01` parse, and are not what we write.
        if id.to_string() == text { Ok(id) } else { Err(foreign()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_every_other_text_is_foreign() {
        let id = GlobalId { realm: 3, transaction: TransactionId { epoch: 7, number: i64::MAX }, shard: 1 };
        assert_eq!(id.to_string(), "strata/3/7/9223372036854775807/1");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with(&GlobalId::prefix_of(3)));
        assert!(!id.to_string().starts_with(&GlobalId::prefix_of(31)), "a realm is no prefix of another");
        for text in
            ["", "strata", "strata/3/7/1", "strata/3/7/1/0/0", "strata/03/7/1/0", "other/3/7/1/0", "strata/3/7/x/0"]
        {
            assert_eq!(text.parse::<GlobalId>(), Err(ForeignId(text.to_owned())));
        }
    }
}
