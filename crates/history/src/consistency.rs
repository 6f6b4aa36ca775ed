//! The consistency models and what each of them forbids.
//!
//! A model is a level (which contradictions of the data it forbids) and a scope (whose orders it keeps besides). That
//! is the lattice of Elle's models as far as transactions go: a model implies another if it is at least as strong in
//! both.
//!
//! Sources: Adya 1999 for the levels; K. Daudjee and K. Salem, "Lazy Database Replication with Snapshot Isolation",
//! VLDB 2006, for strong and strong-session; Cerone and Gotsman 2016 for snapshot isolation as the absence of cycles
//! without adjacent anti-dependencies.

use std::fmt;
use std::str::FromStr;

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use crate::anomaly::{Anomaly, Scope};

/// What a database promises of all histories, weaker ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Adya's PL-1.
    ReadUncommitted,
    /// Adya's PL-2.
    ReadCommitted,
    /// Once a transaction has seen an effect of another, it sees all of them (Bailis et al., VLDB 2013). No history of
    /// ours shows what it forbids beyond read committed, so it is judged as that.
    MonotonicAtomicView,
    /// All reads are of one committed snapshot, and of two concurrent writers of a key one fails.
    SnapshotIsolation,
    /// Adya's PL-2.99: serializable but for predicates. It is not what PostgreSQL calls so.
    RepeatableRead,
    /// Adya's PL-3: the history is equivalent to one in which transactions ran one after the other.
    Serializable,
    /// PL-1 that keeps each client's order.
    StrongSessionReadUncommitted,
    /// PL-2 that keeps each client's order.
    StrongSessionReadCommitted,
    /// Snapshot isolation that keeps each client's order.
    StrongSessionSnapshotIsolation,
    /// Serializability that keeps each client's order.
    StrongSessionSerializable,
    /// PL-1 that keeps the order of real time.
    StrongReadUncommitted,
    /// PL-2 that keeps the order of real time.
    StrongReadCommitted,
    /// Snapshot isolation in which a snapshot holds all that was acknowledged before it.
    StrongSnapshotIsolation,
    /// Serializability that keeps the order of real time.
    StrictSerializable,
}

/// What a model forbids of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    ReadUncommitted,
    ReadCommitted,
    MonotonicAtomicView,
    SnapshotIsolation,
    RepeatableRead,
    Serializable,
}

impl Model {
    /// All models, weaker ones first.
    pub const ALL: [Self; 14] = [
        Self::ReadUncommitted,
        Self::ReadCommitted,
        Self::MonotonicAtomicView,
        Self::SnapshotIsolation,
        Self::RepeatableRead,
        Self::Serializable,
        Self::StrongSessionReadUncommitted,
        Self::StrongSessionReadCommitted,
        Self::StrongSessionSnapshotIsolation,
        Self::StrongSessionSerializable,
        Self::StrongReadUncommitted,
        Self::StrongReadCommitted,
        Self::StrongSnapshotIsolation,
        Self::StrictSerializable,
    ];

    /// The name, as in `--model`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read-uncommitted",
            Self::ReadCommitted => "read-committed",
            Self::MonotonicAtomicView => "monotonic-atomic-view",
            Self::SnapshotIsolation => "snapshot-isolation",
            Self::RepeatableRead => "repeatable-read",
            Self::Serializable => "serializable",
            Self::StrongSessionReadUncommitted => "strong-session-read-uncommitted",
            Self::StrongSessionReadCommitted => "strong-session-read-committed",
            Self::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            Self::StrongSessionSerializable => "strong-session-serializable",
            Self::StrongReadUncommitted => "strong-read-uncommitted",
            Self::StrongReadCommitted => "strong-read-committed",
            Self::StrongSnapshotIsolation => "strong-snapshot-isolation",
            Self::StrictSerializable => "strict-serializable",
        }
    }

    /// Whose orders the model keeps besides the data's.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::StrongSessionReadUncommitted
            | Self::StrongSessionReadCommitted
            | Self::StrongSessionSnapshotIsolation
            | Self::StrongSessionSerializable => Scope::Process,
            Self::StrongReadUncommitted
            | Self::StrongReadCommitted
            | Self::StrongSnapshotIsolation
            | Self::StrictSerializable => Scope::RealTime,
            _ => Scope::Plain,
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::ReadUncommitted | Self::StrongSessionReadUncommitted | Self::StrongReadUncommitted => {
                Level::ReadUncommitted
            }
            Self::ReadCommitted | Self::StrongSessionReadCommitted | Self::StrongReadCommitted => Level::ReadCommitted,
            Self::MonotonicAtomicView => Level::MonotonicAtomicView,
            Self::SnapshotIsolation | Self::StrongSessionSnapshotIsolation | Self::StrongSnapshotIsolation => {
                Level::SnapshotIsolation
            }
            Self::RepeatableRead => Level::RepeatableRead,
            Self::Serializable | Self::StrongSessionSerializable | Self::StrictSerializable => Level::Serializable,
        }
    }

    /// Whether a history with this anomaly breaks the model.
    #[must_use]
    pub fn forbids(self, anomaly: Anomaly) -> bool {
        anomaly.scope() <= self.scope() && self.level().forbids(anomaly)
    }

    /// Whether every history that satisfies this model satisfies the other one.
    #[must_use]
    pub fn implies(self, other: Self) -> bool {
        self.scope() >= other.scope() && self.level().implies(other.level())
    }

    /// The weakest of the models that these anomalies break: each model that they break implies one of them.
    #[must_use]
    pub fn weakest_broken_by(anomalies: impl IntoIterator<Item = Anomaly>) -> Vec<Self> {
        let anomalies: Vec<Anomaly> = anomalies.into_iter().collect();
        let breaks = |model: &Self| anomalies.iter().any(|anomaly| model.forbids(*anomaly));
        let broken: Vec<Self> = Self::ALL.into_iter().filter(breaks).collect();
        let is_weakest = |model: &Self| !broken.iter().any(|other| other != model && model.implies(*other));
        broken.iter().copied().filter(is_weakest).collect()
    }
}

impl Level {
    fn implies(self, other: Self) -> bool {
        // Neither of these two implies the other; all else is a chain.
        self >= other && (self, other) != (Self::RepeatableRead, Self::SnapshotIsolation)
    }

    fn forbids(self, anomaly: Anomaly) -> bool {
        match anomaly {
            Anomaly::DuplicateWrites
            | Anomaly::DuplicateElements
            | Anomaly::GarbageRead
            | Anomaly::CyclicVersions
            | Anomaly::G0(_) => true,
            Anomaly::G1a
            | Anomaly::G1b
            | Anomaly::DirtyUpdate
            | Anomaly::IncompatibleOrder
            | Anomaly::FutureRead
            | Anomaly::G1c(_) => self >= Self::ReadCommitted,
            Anomaly::Internal | Anomaly::LostUpdate | Anomaly::GSingle(_) | Anomaly::GNonadjacent(_) => {
                self >= Self::SnapshotIsolation
            }
            Anomaly::GSinglePredicate(_) | Anomaly::GNonadjacentPredicate(_) => {
                matches!(self, Self::SnapshotIsolation | Self::Serializable)
            }
            Anomaly::G2Item(_) => self >= Self::RepeatableRead,
            Anomaly::G2(_) => self == Self::Serializable,
        }
    }
}

impl From<Isolation> for Model {
    /// What PostgreSQL promises at this level: its `repeatable read` is snapshot isolation.
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::ReadCommitted => Self::ReadCommitted,
            Isolation::RepeatableRead => Self::SnapshotIsolation,
            Isolation::Serializable => Self::Serializable,
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no consistency model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown consistency model {0:?}, expected one of read-uncommitted, read-committed, snapshot-isolation, repeatable-read, serializable, strict-serializable or a strong or strong-session form of them"
)]
pub struct UnknownModel(pub String);

impl FromStr for Model {
    type Err = UnknownModel;

    /// Reads a name in any case, its words parted by a space, a hyphen or an underscore.
    fn from_str(text: &str) -> Result<Self, UnknownModel> {
        let name = text.to_ascii_lowercase().replace([' ', '_'], "-");
        Self::ALL.into_iter().find(|model| model.name() == name).ok_or_else(|| UnknownModel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_reads_back_from_its_name_and_its_json() {
        for model in Model::ALL {
            assert_eq!(model.to_string().parse(), Ok(model));
        }
        assert_eq!("Strict Serializable".parse(), Ok(Model::StrictSerializable));
        assert!("eventual".parse::<Model>().is_err());
    }

    #[test]
    fn a_stronger_model_forbids_all_that_a_weaker_one_does() {
        for strong in Model::ALL {
            for weak in Model::ALL.into_iter().filter(|weak| strong.implies(*weak)) {
                for anomaly in Anomaly::all().into_iter().filter(|anomaly| weak.forbids(*anomaly)) {
                    assert!(strong.forbids(anomaly), "{strong} implies {weak}, which forbids {anomaly}");
                }
            }
        }
    }

    #[test]
    fn the_weakest_broken_model_is_named() {
        let check = |anomalies: &[Anomaly], expected: &[Model]| {
            assert_eq!(Model::weakest_broken_by(anomalies.iter().copied()), expected, "{anomalies:?}");
        };
        check(&[], &[]);
        check(&[Anomaly::G2Item(Scope::Plain)], &[Model::RepeatableRead]);
        check(&[Anomaly::G2(Scope::Plain)], &[Model::Serializable]);
        check(&[Anomaly::GSingle(Scope::Plain)], &[Model::SnapshotIsolation, Model::RepeatableRead]);
        check(&[Anomaly::GSingle(Scope::RealTime)], &[Model::StrongSnapshotIsolation]);
        check(&[Anomaly::G1a, Anomaly::G2Item(Scope::Plain)], &[Model::ReadCommitted]);
        check(&[Anomaly::G2Item(Scope::Process)], &[Model::StrongSessionSerializable]);
    }
}
