//! The ways of keeping the grid's transactions serializable. All of them are safe for its workload; they differ in cost.

use std::fmt;
use std::str::FromStr;

use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

/// One way of keeping concurrent transactions as if each ran alone.
///
/// Transactions that only read run in one snapshot (`repeatable read, read only`) under every strategy but the first:
/// the others keep writers in an order that agrees with their commits, so a snapshot of what is committed fits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// `serializable` with retry, readers too.
    Serializable,
    /// `repeatable read` with retry; a row that is read and not written is written as it is (an identity update).
    PromotedRepeatableRead,
    /// `read committed`; each row is locked when it is read, `for share` or `for update`, in the order of keys.
    RowLocks,
    /// `read committed`; versions are read without locks, and compared when the transaction writes, with locks, at its end.
    OptimisticVersions,
    /// `read committed` behind advisory locks on the keys, all taken by one statement, in the order of keys.
    AdvisoryLocks,
    /// `read committed` behind one advisory lock for all writers.
    OneLock,
}

impl Strategy {
    /// All strategies, in the order in which tables show them.
    pub const ALL: [Self; 6] = [
        Self::Serializable,
        Self::PromotedRepeatableRead,
        Self::RowLocks,
        Self::OptimisticVersions,
        Self::AdvisoryLocks,
        Self::OneLock,
    ];

    /// Its name in records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serializable => "serializable",
            Self::PromotedRepeatableRead => "promoted-repeatable-read",
            Self::RowLocks => "row-locks",
            Self::OptimisticVersions => "optimistic-versions",
            Self::AdvisoryLocks => "advisory-locks",
            Self::OneLock => "one-lock",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> Text {
        match self {
            Self::Serializable => Text { en: "serializable + retry", zh: "可串行化 + 重试" },
            Self::PromotedRepeatableRead => {
                Text { en: "repeatable read + promoted reads", zh: "可重复读 + 读提升" }
            }
            Self::RowLocks => Text { en: "read committed + row locks", zh: "读已提交 + 行锁" },
            Self::OptimisticVersions => {
                Text { en: "read committed + optimistic versions", zh: "读已提交 + 乐观版本号" }
            }
            Self::AdvisoryLocks => {
                Text { en: "read committed + advisory locks on keys", zh: "读已提交 + 按键咨询锁" }
            }
            Self::OneLock => Text { en: "read committed + one lock for all", zh: "读已提交 + 全局一把锁" },
        }
    }

    /// Its place in [`Strategy::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that no strategy has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no strategy named `{0}`")]
pub struct UnknownStrategy(pub String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        found.ok_or_else(|| UnknownStrategy(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_places_and_serialised_forms_agree() {
        for (place, strategy) in Strategy::ALL.into_iter().enumerate() {
            assert_eq!(strategy.place(), place);
            assert_eq!(strategy.name().parse(), Ok(strategy));
            assert_eq!(serde_json::to_value(strategy).expect("a name"), strategy.name());
        }
        assert_eq!("hope".parse::<Strategy>(), Err(UnknownStrategy("hope".to_owned())));
    }
}
