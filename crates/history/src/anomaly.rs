//! What can be wrong with a history: the phenomena of Adya's thesis and those that lists make visible, by the names
//! that Elle uses for them.
//!
//! Only names and what they mean. Which level forbids which is in [`crate::consistency`].
//!
//! Sources: A. Adya, "Weak Consistency", MIT 1999 (G0 to G2); K. Kingsbury and P. Alvaro, "Elle", VLDB 2020 (the
//! rest); A. Cerone and A. Gotsman, "Analysing Snapshot Isolation", PODC 2016 (cycles without adjacent
//! anti-dependencies).

use std::fmt;
use std::str::FromStr;

use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

/// Which orders beside the data's own a cycle needs, weakest demand on the database first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// None: the data contradict themselves.
    Plain,
    /// The order in which one client did its transactions.
    Process,
    /// The order of transactions of which one ended before the other began.
    RealTime,
}

impl Scope {
    /// All scopes, weakest demand first.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Process, Self::RealTime];

    /// What the name of an anomaly ends with.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Process => "-process",
            Self::RealTime => "-realtime",
        }
    }
}

/// One kind of fault. Cycles carry the orders that they need; the other kinds need none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Anomaly {
    /// A value was appended or written twice by transactions that committed, so nobody can tell who wrote it. It is
    /// the workload's fault, and nothing is inferred from the key.
    DuplicateWrites,
    /// A list holds a value twice although it was appended once.
    DuplicateElements,
    /// A value was read that nobody wrote.
    GarbageRead,
    /// The order of a key's versions contradicts itself.
    CyclicVersions,
    /// A cycle of write dependencies.
    G0(Scope),
    /// A committed transaction read what an aborted one wrote.
    G1a,
    /// A transaction read what another one had overwritten before it committed.
    G1b,
    /// A committed value was built upon an aborted one.
    DirtyUpdate,
    /// Two reads of one list could not both have happened: neither is a beginning of the other.
    IncompatibleOrder,
    /// A transaction read what it wrote only later.
    FutureRead,
    /// A cycle of write and read dependencies with at least one read.
    G1c(Scope),
    /// A transaction's read contradicts its own earlier reads or writes.
    Internal,
    /// Two transactions read the same version of a key and both went on to write it.
    LostUpdate,
    /// A cycle with exactly one anti-dependency.
    GSingle(Scope),
    /// A cycle with exactly one anti-dependency, which is of a predicate.
    GSinglePredicate(Scope),
    /// A cycle with several anti-dependencies, no two of them adjacent: long fork is one.
    GNonadjacent(Scope),
    /// As before, and at least one of them is of a predicate.
    GNonadjacentPredicate(Scope),
    /// A cycle with at least two adjacent anti-dependencies: write skew is one.
    G2Item(Scope),
    /// As before, and at least one of them is of a predicate.
    G2(Scope),
}

impl Anomaly {
    /// The orders that the anomaly needs.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::G0(scope)
            | Self::G1c(scope)
            | Self::GSingle(scope)
            | Self::GSinglePredicate(scope)
            | Self::GNonadjacent(scope)
            | Self::GNonadjacentPredicate(scope)
            | Self::G2Item(scope)
            | Self::G2(scope) => scope,
            _ => Scope::Plain,
        }
    }

    /// The same kind of anomaly with the orders that another one needs.
    pub(crate) const fn with_scope_of(self, other: Self) -> Self {
        let scope = other.scope();
        match self {
            Self::G0(_) => Self::G0(scope),
            Self::G1c(_) => Self::G1c(scope),
            Self::GSingle(_) => Self::GSingle(scope),
            Self::GSinglePredicate(_) => Self::GSinglePredicate(scope),
            Self::GNonadjacent(_) => Self::GNonadjacent(scope),
            Self::GNonadjacentPredicate(_) => Self::GNonadjacentPredicate(scope),
            Self::G2Item(_) => Self::G2Item(scope),
            Self::G2(_) => Self::G2(scope),
            single => single,
        }
    }

    /// The name without what it says of orders.
    const fn stem(self) -> &'static str {
        match self {
            Self::DuplicateWrites => "duplicate-writes",
            Self::DuplicateElements => "duplicate-elements",
            Self::GarbageRead => "garbage-read",
            Self::CyclicVersions => "cyclic-versions",
            Self::G0(_) => "G0",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::DirtyUpdate => "dirty-update",
            Self::IncompatibleOrder => "incompatible-order",
            Self::FutureRead => "future-read",
            Self::G1c(_) => "G1c",
            Self::Internal => "internal",
            Self::LostUpdate => "lost-update",
            Self::GSingle(_) => "G-single",
            Self::GSinglePredicate(_) => "G-single-predicate",
            Self::GNonadjacent(_) => "G-nonadjacent",
            Self::GNonadjacentPredicate(_) => "G-nonadjacent-predicate",
            Self::G2Item(_) => "G2-item",
            Self::G2(_) => "G2",
        }
    }

    /// Every anomaly, those that the weakest level forbids first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let cyclic: [fn(Scope) -> Self; 8] = [
            Self::G0,
            Self::G1c,
            Self::GSingle,
            Self::GSinglePredicate,
            Self::GNonadjacent,
            Self::GNonadjacentPredicate,
            Self::G2Item,
            Self::G2,
        ];
        let single = [
            Self::DuplicateWrites,
            Self::DuplicateElements,
            Self::GarbageRead,
            Self::CyclicVersions,
            Self::G1a,
            Self::G1b,
            Self::DirtyUpdate,
            Self::IncompatibleOrder,
            Self::FutureRead,
            Self::Internal,
            Self::LostUpdate,
        ];
        let cycles = cyclic.iter().flat_map(|of| Scope::ALL.map(of));
        let mut all: Vec<Self> = single.into_iter().chain(cycles).collect();
        all.sort_unstable();
        all
    }

    /// What it is, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> Text {
        match self {
            Self::DuplicateWrites => Text {
                en: "the workload wrote one value twice, so the key cannot be judged",
                zh: "负载把同一个值写了两次，因此无法判定这个键",
            },
            Self::DuplicateElements => Text {
                en: "a list holds an element twice that was appended once",
                zh: "只追加一次的元素在列表中出现两次",
            },
            Self::GarbageRead => {
                Text { en: "a value was read that nobody wrote", zh: "读到了没有任何事务写过的值" }
            }
            Self::CyclicVersions => Text {
                en: "the order of a key's versions contradicts itself",
                zh: "一个键的版本顺序自相矛盾",
            },
            Self::G0(_) => Text { en: "a cycle of write dependencies", zh: "仅由写依赖构成的环" },
            Self::G1a => Text {
                en: "a committed transaction read what an aborted one wrote",
                zh: "已提交的事务读到了已中止事务写入的内容",
            },
            Self::G1b => Text {
                en: "a transaction read what its writer itself overwrote before it committed",
                zh: "事务读到了写入者在提交前又自行覆盖的中间状态",
            },
            Self::DirtyUpdate => Text {
                en: "a committed value was built upon an aborted one",
                zh: "已提交的值建立在已中止的值之上",
            },
            Self::IncompatibleOrder => Text {
                en: "two reads of one list cannot both have happened",
                zh: "对同一列表的两次读取不可能同时成立",
            },
            Self::FutureRead => Text {
                en: "a transaction read what it wrote only later",
                zh: "事务读到了自己之后才写入的内容",
            },
            Self::G1c(_) => {
                Text { en: "a cycle of write and read dependencies", zh: "由写依赖和读依赖构成的环" }
            }
            Self::Internal => Text {
                en: "a transaction's read contradicts its own earlier reads or writes",
                zh: "事务的读取与它自己先前的读写矛盾",
            },
            Self::LostUpdate => Text {
                en: "two transactions read the same version and both went on to write",
                zh: "两个事务读到同一版本，随后都进行了写入",
            },
            Self::GSingle(_) => {
                Text { en: "a cycle with exactly one anti-dependency", zh: "恰好含一条反依赖的环" }
            }
            Self::GSinglePredicate(_) => Text {
                en: "a cycle with exactly one anti-dependency, which is of a predicate",
                zh: "恰好含一条反依赖的环，且该反依赖针对谓词",
            },
            Self::GNonadjacent(_) => Text {
                en: "a cycle with several anti-dependencies, no two of them adjacent",
                zh: "含多条互不相邻的反依赖的环",
            },
            Self::GNonadjacentPredicate(_) => Text {
                en: "a cycle with several anti-dependencies, no two of them adjacent, one of a predicate",
                zh: "含多条互不相邻的反依赖的环，其中有针对谓词的",
            },
            Self::G2Item(_) => Text { en: "a cycle with adjacent anti-dependencies", zh: "含相邻反依赖的环" },
            Self::G2(_) => Text {
                en: "a cycle with adjacent anti-dependencies, one of a predicate",
                zh: "含相邻反依赖的环，其中有针对谓词的",
            },
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.stem(), self.scope().suffix()))
    }
}

/// A name that is no anomaly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown anomaly {0:?}")]
pub struct UnknownAnomaly(pub String);

impl FromStr for Anomaly {
    type Err = UnknownAnomaly;

    fn from_str(name: &str) -> Result<Self, UnknownAnomaly> {
        Self::all()
            .into_iter()
            .find(|anomaly| anomaly.to_string() == name)
            .ok_or_else(|| UnknownAnomaly(name.to_owned()))
    }
}

impl From<Anomaly> for String {
    fn from(anomaly: Anomaly) -> Self {
        anomaly.to_string()
    }
}

impl TryFrom<String> for Anomaly {
    type Error = UnknownAnomaly;

    fn try_from(name: String) -> Result<Self, UnknownAnomaly> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anomaly_reads_back_from_its_name() {
        for anomaly in Anomaly::all() {
            assert_eq!(anomaly.to_string().parse(), Ok(anomaly));
        }
        assert_eq!(Anomaly::GSingle(Scope::RealTime).to_string(), "G-single-realtime");
        assert_eq!("G9".parse::<Anomaly>(), Err(UnknownAnomaly("G9".to_owned())));
    }
}
