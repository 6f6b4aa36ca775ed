//! What must be kept, and what a solution asks for in return.

use pgstrata_units::Text;
use serde::{Serialize, Serializer};

use crate::advisor::requirement::Invariant;

/// Something that must be kept: an invariant of the requirement, or what a rule made of its other answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// An invariant.
    Holds(Invariant),
    /// Every execution of the given programs is as if they ran one after the other.
    Serializability,
    /// All servers do a transaction, or none.
    AtomicAcrossServers,
    /// What happens outside happens if, and only if, the transaction committed.
    OutsideEffects,
    /// Reports do not disturb writers, and see one moment.
    LongReports,
    /// A replica answers with what is new enough.
    ReplicaReads,
    /// Changes can be listed.
    History,
    /// A changed past is noticed.
    TamperEvidence,
    /// No tenant sees another's rows.
    TenantIsolation,
    /// Old rows go without a trace.
    Ageing,
}

impl Need {
    /// The needs that are no invariants.
    const OTHERS: [(Self, &'static str, Text); 9] = [
        (
            Self::Serializability,
            "serializability",
            Text {
                en: "every execution of the given programs is serializable", zh: "所给程序的任何执行都可串行化"
            },
        ),
        (
            Self::AtomicAcrossServers,
            "atomic_across_servers",
            Text {
                en: "all servers do a transaction, or none", zh: "事务在所有服务器上要么全做，要么全不做"
            },
        ),
        (
            Self::OutsideEffects,
            "outside_effects",
            Text {
                en: "what happens outside happens exactly for what committed", zh: "外部效果恰好对应已提交的事务"
            },
        ),
        (
            Self::LongReports,
            "long_reports",
            Text {
                en: "reports see one moment and do not disturb writers", zh: "报表看到同一时刻，且不干扰写入"
            },
        ),
        (
            Self::ReplicaReads,
            "replica_reads",
            Text { en: "a replica answers with what is new enough", zh: "副本的应答足够新" },
        ),
        (Self::History, "history", Text { en: "every change can be listed", zh: "每次变更都可列出" }),
        (Self::TamperEvidence, "tamper_evidence", Text { en: "a changed past is noticed", zh: "历史被改动会被发现" }),
        (
            Self::TenantIsolation,
            "tenant_isolation",
            Text { en: "no tenant sees another's rows", zh: "租户看不到别人的行" },
        ),
        (
            Self::Ageing,
            "ageing",
            Text { en: "old rows go without disturbing the new ones", zh: "旧行的清除不影响新行" },
        ),
    ];

    /// All needs that there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        let invariants = Invariant::OPTIONS.iter().filter_map(|(key, _)| serde_json::from_value((*key).into()).ok());
        invariants.map(Self::Holds).chain(Self::OTHERS.iter().map(|(need, ..)| *need))
    }

    /// Whether it is about the state that concurrent transactions leave; the others are about what surrounds them.
    #[must_use]
    pub const fn is_about_state(self) -> bool {
        matches!(self, Self::Holds(_) | Self::Serializability)
    }

    /// The name in JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.entry().0
    }

    /// What people read.
    #[must_use]
    pub fn text(self) -> Text {
        self.entry().1
    }

    fn entry(self) -> (&'static str, Text) {
        match self {
            Self::Holds(invariant) => (invariant.key(), invariant.text()),
            other => {
                let found = Self::OTHERS.iter().find(|(need, ..)| *need == other);
                found.map_or(("", Text { en: "", zh: "" }), |(_, key, text)| (*key, *text))
            }
        }
    }
}

impl Serialize for Need {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// What a solution asks of the application and of the place where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Whole transactions are run again.
    Retry,
    /// Statements are changed.
    Sql,
    /// Tables are changed.
    Schema,
    /// A process beside the application.
    Service,
    /// Locks are held until the transaction ends.
    HeldLocks,
    /// A session that stays with the client.
    Session,
    /// A server, or several, that must be reached before a write of a row is accepted.
    OneWriter,
    /// The transactions' SQL, analysed.
    Report,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn needs_have_names_of_their_own_and_texts() {
        let keys: BTreeSet<&str> = Need::all().map(Need::key).collect();
        assert_eq!(keys.len(), Need::all().count());
        assert!(Need::all().all(|need| !need.text().en.is_empty() && !need.text().zh.is_empty()));
    }
}
