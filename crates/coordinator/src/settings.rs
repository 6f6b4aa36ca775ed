//! What may be chosen about a coordinator. Every wait and every number has its bound here or in a named constant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::step::Bystander;

// #region settings
/// How one instance of a coordinator works.
#[derive(Clone)]
pub struct Settings {
    /// Coordinators of one realm see each other's transactions; realms do not touch each other. Two realms on one server
    /// must have different numbers, even in different databases, since prepared names are shared by the whole server.
    pub realm: u16,
    /// Which shard keeps the decisions; the same for every coordinator of the realm, for ever.
    pub home: usize,
    /// What this instance calls itself, for people.
    pub instance: String,
    /// What becomes of other coordinators of the realm.
    pub peers: Peers,
    /// How many transactions and snapshots may be open at a time. Each shard needs as many prepared slots and sessions,
    /// times the number of coordinators.
    pub transactions: usize,
    /// How far the barrier for snapshots over all shards reaches.
    pub barrier: Barrier,
    /// `lock_timeout` of the sessions: a cycle of locks over two servers ends after so long.
    pub lock_limit: Duration,
    /// How long one statement of the protocol may go without an answer before the session counts as lost.
    pub step_limit: Duration,
    /// How long a commit goes on when a server is away: to learn what was decided, and to carry it out.
    pub finish_limit: Duration,
    /// The first back-off of [`crate::Coordinator::run`]; doubled each time, drawn uniformly from zero (full jitter).
    pub backoff: Duration,
    /// The longest back-off.
    pub backoff_cap: Duration,
    /// How often [`crate::Coordinator::run`] tries at most.
    pub attempts: u32,
    /// How often the resolver looks.
    pub resolve_period: Duration,
    /// How long decisions are kept at least, so that they can be asked for by their key.
    pub retention: Duration,
    /// Prepared transactions older than this raise the alarm.
    pub alarm_after: Duration,
    /// Is told of every step; for tests and faults.
    pub bystander: Option<Arc<dyn Bystander>>,
    /// What this coordinator does wrong on purpose; for tests of those who check it.
    pub flaw: Option<Flaw>,
}
// #endregion settings

/// What becomes of other coordinators of the realm when one opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// There is to be one: those that opened earlier are deposed, their sessions ended, their transactions resolved.
    Depose,
    /// Several work side by side. One whose sessions have all been gone for this long is taken for dead and resolved.
    Beside {
        /// How long.
        grace: Duration,
    },
}

/// How far the commit barrier reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// There is none; snapshots of several shards do not belong together.
    Off,
    /// The transactions and snapshots of this instance, which must be the only one.
    Process,
    /// Those of every coordinator of the realm, by an advisory lock on the home shard.
    Realm,
}

/// A way of coordinating that is known to be wrong. It exists to show that checks convict it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing is written down before the second phase, so a crash between two commits leaves the other undone.
    NoDecision,
    /// The first participant is committed before the decision is written down.
    CommitBeforeDecision,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            realm: 0,
            home: 0,
            instance: format!("process {}", std::process::id()),
            peers: Peers::Depose,
            transactions: 32,
            barrier: Barrier::Process,
            lock_limit: Duration::from_secs(1),
            step_limit: Duration::from_secs(10),
            finish_limit: Duration::from_secs(30),
            backoff: Duration::from_millis(1),
            backoff_cap: Duration::from_millis(250),
            attempts: 1_000,
            resolve_period: Duration::from_secs(1),
            retention: Duration::from_hours(24),
            alarm_after: Duration::from_secs(30),
            bystander: None,
            flaw: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("realm", &self.realm)
            .field("home", &self.home)
            .field("instance", &self.instance)
            .field("peers", &self.peers)
            .field("transactions", &self.transactions)
            .field("barrier", &self.barrier)
            .finish_non_exhaustive()
    }
}
