//! What a server that we did not start ourselves is and can do, as data.
//!
//! The words only; [`crate::probe`] finds out. Nothing here decides whether a case can run: each case asks for the
//! features it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

/// Which server speaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// PostgreSQL, or a distribution of it that says nothing else.
    PostgreSql,
    /// `CockroachDB`.
    CockroachDb,
    /// `YugabyteDB`.
    YugabyteDb,
    /// Anything else, by the name it gives itself.
    Other(String),
}

impl Product {
    /// Reads product and product version from what `version()` returns.
    #[must_use]
    pub fn of_version(text: &str) -> (Self, String) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| word.trim_start_matches('v').trim_end_matches(',').to_owned();
        let first = words.first().copied().unwrap_or_default();
        let second = words.get(1).copied().unwrap_or_default();
        if first == "CockroachDB" {
            let version = words.iter().find(|word| word.starts_with('v')).copied().unwrap_or_default();
            return (Self::CockroachDb, number(version));
        }
        if let Some((_, version)) = second.split_once("-YB-") {
            return (Self::YugabyteDb, number(version));
        }
        // Others keep the PostgreSQL version they started from in front, and put their own name behind.
        for name in ["Greenplum", "Redshift", "Materialize", "EnterpriseDB"] {
            if let Some(at) = words.iter().position(|word| word.trim_start_matches('(').starts_with(name)) {
                let version = words[at..].iter().map(|word| number(word)).find(|word| word.starts_with(is_digit));
                return (Self::Other(name.to_owned()), version.unwrap_or_else(|| number(second)));
            }
        }
        if first == "PostgreSQL" {
            return (Self::PostgreSql, number(second));
        }
        (Self::Other(first.to_owned()), number(second))
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PostgreSql => "PostgreSQL",
            Self::CockroachDb => "CockroachDB",
            Self::YugabyteDb => "YugabyteDB",
            Self::Other(name) => name,
        })
    }
}

/// Something that PostgreSQL has and that a server, or a role on it, can lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// A transaction may write: the server is no standby and not set to read only.
    Writing,
    /// Schemas can be created in the database.
    CreatingSchemas,
    /// `pg_try_advisory_xact_lock` really excludes a second session (some servers have it as a stub).
    AdvisoryLocks,
    /// `for update skip locked`.
    SkipLocked,
    /// `prepare transaction`, with at least one slot.
    PreparedTransactions,
    /// `set local synchronous_commit`.
    SynchronousCommitPerTransaction,
    /// `pg_logical_emit_message`.
    LogicalMessages,
    /// `pg_current_wal_lsn`.
    WalPosition,
    /// `pg_locks` and `pg_blocking_pids`.
    Locks,
    /// `pg_stat_activity` with wait events.
    Activity,
    /// What sessions of other roles are doing.
    ActivityOfOthers,
    /// `pg_terminate_backend`.
    TerminatingBackends,
    /// `pg_current_snapshot` and transaction ids of 64 bits.
    Snapshots,
    /// The system columns `xmin`, `xmax` and `ctid`.
    RowVersions,
    /// Superuser rights.
    Superuser,
}

impl Feature {
    /// All of them, in the order in which they are asked for and shown.
    pub const ALL: [Self; 15] = [
        Self::Writing,
        Self::CreatingSchemas,
        Self::AdvisoryLocks,
        Self::SkipLocked,
        Self::PreparedTransactions,
        Self::SynchronousCommitPerTransaction,
        Self::LogicalMessages,
        Self::WalPosition,
        Self::Locks,
        Self::Activity,
        Self::ActivityOfOthers,
        Self::TerminatingBackends,
        Self::Snapshots,
        Self::RowVersions,
        Self::Superuser,
    ];

    /// What does not work without it, in plain English.
    #[must_use]
    pub fn lost_without(self) -> &'static str {
        match self {
            Self::Writing => "only views and tools that read can be used",
            Self::CreatingSchemas => "cases cannot create their tables",
            Self::AdvisoryLocks => "nothing that fences a second writer by an advisory lock can be used",
            Self::SkipLocked => "queues and tokens taken with skip locked cannot be used",
            Self::PreparedTransactions => "two-phase commit cannot be used",
            Self::SynchronousCommitPerTransaction => "arms that choose durability for each transaction cannot be used",
            Self::LogicalMessages => "markers in the WAL cannot be written",
            Self::WalPosition => "WAL bytes per operation are not shown",
            Self::Locks => "lock waits and who blocks whom are not shown",
            Self::Activity => "sessions and what they wait for are not shown",
            Self::ActivityOfOthers => "sessions of other roles are shown without their state and statement",
            Self::TerminatingBackends => "the fault that kills a server process cannot be used",
            Self::Snapshots => "snapshots and transaction ids are not shown",
            Self::RowVersions => "row versions are not shown",
            Self::Superuser => "extensions that need a superuser, checkpoints and server files cannot be used",
        }
    }
}

/// Something the server does not offer to this role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// What is missing.
    pub feature: Feature,
    /// How that was noticed: the server's own words, or a value.
    pub reason: String,
    /// What does not work without it.
    pub lost: &'static str,
}

impl Lack {
    pub(crate) fn new(feature: Feature, reason: impl Into<String>) -> Self {
        Self { feature, reason: reason.into(), lost: feature.lost_without() }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.lost, self.reason)
    }
}

/// A server as [`crate::probe`] found it. A setting that it does not have or does not show is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Which server it is.
    pub product: Product,
    /// The product's own version, such as `15.18` or `23.2.4`.
    pub product_version: String,
    /// All of `version()`.
    pub version_text: String,
    /// The PostgreSQL version it behaves like, as `server_version_num` (150018 is 15.18).
    pub server_version_num: Option<u32>,
    /// The role of the session.
    pub role: String,
    /// Whether that role is a superuser.
    pub is_superuser: bool,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// Whether a transaction is read only unless it says otherwise, or cannot be anything else.
    pub is_read_only: bool,
    /// `wal_level`.
    pub wal_level: Option<String>,
    /// `max_connections`.
    pub max_connections: Option<u32>,
    /// `max_prepared_transactions`.
    pub max_prepared_transactions: Option<u32>,
    /// `fsync`: `Some(false)` means that no number from here is about durability.
    pub fsync: Option<bool>,
    /// `synchronous_commit` of a new session.
    pub synchronous_commit: Option<String>,
    /// `full_page_writes`.
    pub full_page_writes: Option<bool>,
    /// Extensions that could be created here.
    pub extensions_available: BTreeSet<String>,
    /// Extensions in this database, with their versions.
    pub extensions_installed: BTreeMap<String, String>,
    /// What is missing, in the order of [`Feature::ALL`]; empty on PostgreSQL with a superuser and default settings but
    /// for [`Feature::PreparedTransactions`].
    pub lacks: Vec<Lack>,
}

impl Capabilities {
    /// Whether the server offers this to the role.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.lack_of(feature).is_none()
    }

    /// Why it does not, if it does not.
    #[must_use]
    pub fn lack_of(&self, feature: Feature) -> Option<&Lack> {
        self.lacks.iter().find(|lack| lack.feature == feature)
    }

    /// One line: product, version, role.
    #[must_use]
    pub fn summary(&self) -> String {
        let rights = if self.is_superuser { ", superuser" } else { "" };
        let standby = if self.in_recovery { ", standby" } else { "" };
        format!("{} {} (role {}{rights}{standby})", self.product, self.product_version, self.role)
    }
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_told_apart_by_their_version_text() {
        let other = |name: &str| Product::Other(name.to_owned());
        let check = [
            ("PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu", Product::PostgreSql, "15.18"),
            ("PostgreSQL 18beta1 on x86_64-pc-linux-gnu, compiled by gcc", Product::PostgreSql, "18beta1"),
            ("CockroachDB CCL v23.2.4 (x86_64-pc-linux-gnu, built 2024/04/08)", Product::CockroachDb, "23.2.4"),
            ("PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu", Product::YugabyteDb, "2.20.1.3-b0"),
            ("PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.65", other("Redshift"), "1.0.65"),
            ("PostgreSQL 12.12 (Greenplum Database 7.1.0 build) on x86_64", other("Greenplum"), "7.1.0"),
            ("SomethingElse 3.1", other("SomethingElse"), "3.1"),
            ("", other(""), ""),
        ];
        for (text, product, version) in check {
            assert_eq!(Product::of_version(text), (product, version.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_list_of_features_is_complete_and_ordered() {
        assert!(Feature::ALL.is_sorted_by(|left, right| left < right));
        let last = Feature::ALL.last().copied();
        assert_eq!(last.map(|feature| feature as usize + 1), Some(Feature::ALL.len()));
    }
}
