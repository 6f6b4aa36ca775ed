//! Every way of keeping transactions right that the engine knows, each with what it keeps, what it asks for, and what
//! goes wrong with it. Which one fits is the business of the rules.

mod across;
mod companions;
mod constraints;
mod levels;
mod locks;
mod need;
mod without_locks;

use pgstrata_units::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::grid::Strategy;
pub use need::{Ask, Need};

/// Declares the ids, in the order in which equals are ranked.
macro_rules! ids {
    ($($(#[$doc:meta])* $variant:ident $key:literal $table:path,)+) => {
        /// Names a solution.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum SolutionId { $($(#[$doc])* $variant,)+ }

        impl SolutionId {
            /// All of them; equals are ranked in this order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in JSON.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }

            /// What is known of it.
            #[must_use]
            pub const fn solution(self) -> &'static Solution {
                match self { $(Self::$variant => &$table,)+ }
            }
        }
    };
}

ids! {
    /// One statement that checks and writes.
    ConditionalUpdate "conditional_update" without_locks::CONDITIONAL_UPDATE,
    /// A unique key.
    UniqueConstraint "unique_constraint" constraints::UNIQUE,
    /// An exclusion constraint.
    ExclusionConstraint "exclusion_constraint" constraints::EXCLUSION,
    /// A check.
    CheckConstraint "check_constraint" constraints::CHECK,
    /// A foreign key.
    ForeignKey "foreign_key" constraints::FOREIGN_KEY,
    /// A constraint that is checked at commit.
    DeferredConstraint "deferred_constraint" constraints::DEFERRED,
    /// A key of the request, kept with its effect.
    IdempotencyKey "idempotency_key" constraints::IDEMPOTENCY_KEY,
    /// Read committed for all.
    ReadCommitted "read_committed" levels::READ_COMMITTED,
    /// A level for each program, from the analysis.
    MixedLevels "mixed_levels" levels::MIXED,
    /// Reads made visible to writers, from the analysis.
    Promotion "promotion" levels::PROMOTION,
    /// Repeatable read for all.
    RepeatableRead "repeatable_read" levels::REPEATABLE_READ,
    /// Serializable for all.
    Serializable "serializable" levels::SERIALIZABLE,
    /// Rows locked before they are read.
    ForUpdate "for_update" locks::FOR_UPDATE,
    /// Rows locked, or an answer at once.
    ForUpdateNowait "for_update_nowait" locks::NOWAIT,
    /// The next free row.
    SkipLocked "skip_locked" locks::SKIP_LOCKED,
    /// A row for each group that everybody locks first.
    GuardRow "guard_row" locks::GUARD_ROW,
    /// A lock on a name, for the transaction.
    AdvisoryTransactionLock "advisory_transaction_lock" locks::ADVISORY_TRANSACTION,
    /// A lock on a name, for the session.
    AdvisorySessionLock "advisory_session_lock" locks::ADVISORY_SESSION,
    /// A lock on the whole table.
    TableLock "table_lock" locks::TABLE_LOCK,
    /// A number from a row.
    CounterRow "counter_row" locks::COUNTER_ROW,
    /// A version that must not have changed.
    OptimisticVersion "optimistic_version" without_locks::OPTIMISTIC_VERSION,
    /// A counter in many rows.
    ShardedCounter "sharded_counter" without_locks::SHARDED_COUNTER,
    /// One process that decides in groups.
    Sequencer "sequencer" without_locks::SEQUENCER,
    /// Data types that merge.
    Crdt "crdt" across::CRDT,
    /// All servers commit, or none.
    TwoPhaseCommit "two_phase_commit" across::TWO_PHASE_COMMIT,
    /// Steps, each with its undoing.
    Saga "saga" across::SAGA,
    /// Messages in a table, sent after commit.
    Outbox "outbox" across::OUTBOX,
    /// A replica that has come far enough.
    ReplicaRead "replica_read" across::REPLICA_READ,
    /// Readers in one snapshot.
    SnapshotRead "snapshot_read" companions::SNAPSHOT_READ,
    /// Readers in a safe snapshot.
    DeferrableRead "deferrable_read" companions::DEFERRABLE_READ,
    /// Changes as rows that stay.
    AppendOnlyLedger "append_only_ledger" companions::LEDGER,
    /// Each row sealed with the one before.
    HashChain "hash_chain" companions::HASH_CHAIN,
    /// Rows kept to their tenant by the server.
    RowSecurity "row_security" companions::ROW_SECURITY,
    /// A table in parts.
    Partitioning "partitioning" companions::PARTITIONING,
}

/// What part a solution can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An isolation level, or several.
    Level,
    /// A way of writing the statements.
    Control,
    /// Something that the server enforces for everybody; alone, or beside another.
    Constraint,
    /// Something that is added to another.
    Companion,
}

impl Role {
    /// Whether it can be the answer; else it only accompanies one.
    #[must_use]
    pub const fn leads(self) -> bool {
        !matches!(self, Self::Companion)
    }

    /// Whether it can be added to an answer.
    #[must_use]
    pub const fn accompanies(self) -> bool {
        matches!(self, Self::Constraint | Self::Companion)
    }
}

/// One way, on its card.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Solution {
    /// Its id.
    pub id: SolutionId,
    /// Its part.
    pub role: Role,
    /// Its name.
    pub name: Text,
    /// What it is.
    pub what: Text,
    /// When it is the right one.
    pub when: Text,
    /// What is given up.
    pub costs: Text,
    /// What goes wrong with it in practice.
    pub pitfall: Text,
    /// The needs that it keeps, each alone and together.
    pub keeps: &'static [Need],
    /// Why it keeps no other.
    pub why_no_more: Text,
    /// What it asks of the application and the place.
    pub asks: &'static [Ask],
    /// How much work it is and how easily it is forgotten: 0 (nothing to do) to 5.
    pub effort: u8,
    /// Where its behaviour is described.
    pub source: &'static str,
    /// Pages of the book, from its root.
    pub links: &'static [&'static str],
    /// Studies and arms of the records that measured it.
    #[serde(skip)]
    pub measured: &'static [(&'static str, &'static str)],
    /// What the ranking's grid calls it.
    #[serde(skip)]
    pub strategy: Option<Strategy>,
}

impl Solution {
    /// What most solutions have in common, for the tables.
    const BLANK: Self = Self {
        id: SolutionId::ReadCommitted,
        role: Role::Control,
        name: NOTHING,
        what: NOTHING,
        when: NOTHING,
        costs: NOTHING,
        pitfall: NOTHING,
        keeps: &[],
        why_no_more: NOTHING,
        asks: &[],
        effort: 0,
        source: "",
        links: &[],
        measured: &[],
        strategy: None,
    };

    /// All solutions, in the order of their ids.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        SolutionId::ALL.iter().map(|id| id.solution())
    }

    /// Whether it keeps this need.
    #[must_use]
    pub fn keeps(&self, need: Need) -> bool {
        self.keeps.contains(&need)
    }

    /// Whether it asks for this.
    #[must_use]
    pub fn asks(&self, ask: Ask) -> bool {
        self.asks.contains(&ask)
    }
}

const NOTHING: Text = Text { en: "", zh: "" };

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_id_has_its_own_card_and_its_name_in_json() {
        for id in SolutionId::ALL {
            assert_eq!(id.solution().id, *id);
            assert_eq!(serde_json::to_value(id).expect("written"), id.key());
        }
    }

    #[test]
    fn each_card_is_complete_in_both_languages() {
        for card in Solution::all() {
            for text in [card.name, card.what, card.when, card.costs, card.pitfall, card.why_no_more] {
                assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}", card.id.key());
                assert!(text.zh.chars().any(|sign| ('\u{4e00}'..='\u{9fff}').contains(&sign)), "{}", text.zh);
            }
            assert!(!card.source.is_empty() && card.effort <= 5, "{}", card.id.key());
        }
    }

    #[test]
    fn links_lead_to_pages_of_the_book_in_both_languages() {
        let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book");
        for (card, link) in Solution::all().flat_map(|card| card.links.iter().map(move |link| (card, link))) {
            for root in ["", "zh"] {
                let page = book.join(root).join(format!("{}.md", link.trim_start_matches('/')));
                assert!(page.is_file(), "{}: {link}", card.id.key());
            }
        }
    }

    #[test]
    fn every_need_is_kept_by_something() {
        for need in Need::all() {
            assert!(Solution::all().any(|card| card.keeps(need)), "{need:?}");
        }
    }
}
