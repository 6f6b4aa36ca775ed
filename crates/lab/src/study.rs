//! What a system implements so that the lab can run it: the [`Study`] trait and the data that describes it.
//!
//! A study owns its subject and nothing else. It does not pace, retry, time, compare or print.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_pg as pg;
use pgstrata_stats::Better;
use pgstrata_units::{SystemId, Text};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::history::History;
use crate::observe::Held;
use crate::site::Site;

// #region study
/// One system: a case, a research topic or a tool that can be run and judged.
#[async_trait]
pub trait Study: Send + Sync {
    /// Who this is and what it promises.
    fn card(&self) -> &'static Card;

    /// Makes fresh schema and data for one trial of `arm` on every server of the site.
    ///
    /// Called before each trial; it first removes what an earlier trial left.
    async fn prepare(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<(), StudyError>;

    /// Builds what all clients of one trial share: pools, sequencers, a front door.
    ///
    /// Runs on the load thread's own runtime, so that tasks spawned here are part of the measured client.
    async fn open(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError>;

    /// Judges the history of acknowledged outcomes against the end state.
    ///
    /// The invariants of the card that are plain SQL were evaluated by the lab already. A violation is a value,
    /// never an error.
    async fn check(&self, arm: &'static Arm, site: &Site, history: &History) -> Result<Vec<Violation>, StudyError>;

    /// What the transactions of `arm` are held to where a trial is watched; none if its clients do not write them down
    /// through [`Site::observer`].
    fn watched(&self, _: &'static Arm) -> Option<Held> {
        None
    }

    /// Whether the arms are told apart by the histories of their transactions and by nothing else: then every run on a
    /// server of our own watches its proofs, whatever it costs.
    fn is_told_by_its_history(&self) -> bool {
        false
    }

    /// Removes everything that `prepare` made.
    async fn clear(&self, site: &Site) -> Result<(), StudyError>;

    /// How many servers the arm works with; none when it takes as many as there are.
    fn servers(&self, _arm: &'static Arm) -> Option<u32> {
        None
    }

    /// The named steps of the arm's protocol, of which it tells [`Site::steps`]; faults may strike at each of them.
    fn steps(&self, _arm: &'static Arm) -> &'static [&'static str] {
        &[]
    }
}
// #endregion study

/// What the clients of one trial share.
#[async_trait]
pub trait Rig: Send + Sync {
    /// A new client; after a lost connection the lab asks for it again.
    async fn client(&self, number: u32) -> Result<Box<dyn Client>, StudyError>;

    /// Called when the load has stopped and the faults are healed: drains queues, finishes background work.
    async fn settle(&self) -> Result<(), StudyError> {
        Ok(())
    }

    /// Extra figures of this trial beyond throughput and latency.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

// #region client
/// One simulated user.
#[async_trait]
pub trait Client: Send {
    /// Does one unit of work. Must be safe to call again with the same operation: its key makes it idempotent.
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback>;

    /// What the last step that gave a decision saw, in the study's own numbers, for its check; asked once after it.
    ///
    /// Only trials whose [`Scale`] is observed ask for it to be there.
    fn seen(&mut self) -> Option<Box<[i64]>> {
        None
    }
}

/// One unit of work as the load generator intends it; everything a study varies is derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its place in the order of arrivals of the trial, from 0.
    pub number: u64,
    /// The idempotency key: a version 7 UUID, equal for every retry and duplicate of the operation.
    pub key: Uuid,
    /// 64 random bits from the run's seed and `number`.
    pub draw: u64,
}

/// The system's decision on one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was done, and is durable. The value is the study's own (an order number, say).
    Accepted {
        /// What the study wants to find again in its check.
        value: i64,
    },
    /// It was refused for a reason of the business (sold out, limit reached); nothing was changed.
    Rejected {
        /// The study's own reason code, for its check.
        reason: i64,
    },
}
// #endregion client

/// Why a step gave no decision. The lab decides what happens next.
#[derive(Debug, thiserror::Error)]
pub enum Setback {
    /// The arm's own optimistic check failed; nothing was written. Retried at once.
    #[error("lost an optimistic race")]
    Conflict,
    /// A queue was full or a deadline passed before any work was done; nothing was written. Not retried.
    #[error("turned away before any work was done")]
    Overloaded,
    /// The request may or may not have been carried out; its key will tell.
    #[error("the outcome is unknown")]
    Unknown,
    /// PostgreSQL or the connection said no; the error's class decides.
    #[error(transparent)]
    Database(#[from] pg::Error),
}

/// Identity, promise and parts of a system; shown by the command line, the web page and the book.
#[derive(Debug)]
pub struct Card {
    /// The plan's id.
    pub id: SystemId,
    /// The name on the command line, `flash-sale`.
    pub name: &'static str,
    /// The title.
    pub title: Text,
    /// What is at stake, in one sentence.
    pub summary: Text,
    /// What one operation is: "purchase request".
    pub operation: Text,
    /// The arms, in the order in which they are shown.
    pub arms: &'static [Arm],
    /// The arm that the others are compared with.
    pub baseline: &'static str,
    /// What must be true whatever happens.
    pub invariants: &'static [Invariant],
    /// The numbers to reach.
    pub claims: &'static [Claim],
}

/// One way of doing the same work.
#[derive(Debug)]
pub struct Arm {
    /// The name on the command line, `for-update`.
    pub name: &'static str,
    /// The title.
    pub title: Text,
    /// What it does and what it costs, in one or two sentences.
    pub summary: Text,
    /// What is expected of it.
    pub kind: ArmKind,
    /// How many clients it is measured with when nothing is asked for.
    pub clients: ClientCount,
    /// The statements it runs, as (file name, text), shown in the book.
    pub statements: &'static [(&'static str, &'static str)],
}

/// What is expected of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmKind {
    /// It is wrong, and the checks must convict it.
    Broken,
    /// What people write first.
    Naive,
    /// What the books recommend.
    Textbook,
    /// What we recommend.
    Best,
}

/// How many clients an arm is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCount {
    /// A database session for each client.
    Sessions(u32),
    /// Many clients share few sessions.
    Multiplexed(u32),
}

/// A fact that must hold. Its SQL returns no rows when it does; the rows it returns are the witness.
#[derive(Debug)]
pub struct Invariant {
    /// `I1`, as in the book.
    pub id: &'static str,
    /// The fact, as a sentence.
    pub statement: Text,
    /// The query, where SQL alone can tell; otherwise [`Study::check`] looks at it.
    pub sql: Option<&'static str>,
    /// When it must hold.
    pub holds: Holds,
}

/// When an invariant must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// In every snapshot, also in the middle of the run.
    Always,
    /// After the run has settled.
    AtRest,
}

/// A number to reach.
#[derive(Debug)]
pub struct Claim {
    /// `decided-per-second`.
    pub name: &'static str,
    /// The claim, as a sentence.
    pub statement: Text,
    /// How it is measured.
    pub measure: Measure,
    /// The number.
    pub target: f64,
    /// Its unit, `req/s`.
    pub unit: &'static str,
    /// Which side of the number is good.
    pub better: Better,
}

/// How the number of a claim is measured.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// Decided operations per second of an arm under an open loop.
    DecidedPerSecond {
        /// The arm.
        arm: &'static str,
        /// Offered arrivals per second.
        rate: f64,
        /// For how long.
        duration: Duration,
        /// How unevenly they are spread over keys.
        skew: f64,
    },
    /// Accepted operations per second of an arm under an open loop: refusals do not count.
    AcceptedPerSecond {
        /// The arm.
        arm: &'static str,
        /// Offered arrivals per second.
        rate: f64,
        /// For how long.
        duration: Duration,
        /// How unevenly they are spread over keys.
        skew: f64,
    },
    /// Throughput of an arm divided by that of another, both closed loop, by adjacent pairs.
    ThroughputRatio {
        /// The arm.
        arm: &'static str,
        /// What it is divided by.
        over: &'static str,
    },
    /// Server CPU microseconds per accepted operation at saturation: the median of the arm's comparison windows.
    ServerCpuPerAccepted {
        /// The arm.
        arm: &'static str,
    },
    /// The 99th percentile of latency from the intended start, in milliseconds, under an open loop.
    LatencyP99 {
        /// The arm.
        arm: &'static str,
        /// Offered arrivals per second.
        rate: f64,
        /// For how long.
        duration: Duration,
    },
    /// Violations over this many kills of the postmaster.
    ViolationsUnderKills {
        /// The arm.
        arm: &'static str,
        /// How many kills.
        kills: u32,
    },
}

/// How large a trial is; the study's `prepare` and clients read it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Which preset it comes from.
    pub preset: Preset,
    /// How many operations the trial is expected to reach at most; a study sizes its stock and key space by it.
    pub operations: u64,
    /// Whether the resource should run out within the trial (a sell-out), or last.
    pub scarce: bool,
    /// How unevenly operations are spread over keys: the exponent of Zipf's law. A study without a key space has no use
    /// for it.
    pub skew: f64,
    /// Whether clients say what they read ([`Client::seen`]), so that the order of operations can be judged. It costs
    /// time, so windows that are measured go without.
    pub observed: bool,
    /// The run's seed.
    pub seed: u64,
}

/// The skew when nothing is asked for: the most frequent key takes about a twelfth of all operations on 100,000 keys.
pub const DEFAULT_SKEW: f64 = 1.0;

/// How much time a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Seconds an arm: a first look.
    Smoke,
    /// What the tests run.
    Ci,
    /// What is published.
    Full,
}

/// A broken invariant with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The invariant's id, `I2`.
    pub invariant: String,
    /// What was found, as a sentence.
    pub found: String,
    /// How many rows or events show it.
    pub count: u64,
    /// Some of them, as JSON objects; at most [`WITNESS_LIMIT`].
    pub witnesses: Vec<serde_json::Value>,
}

/// How many witness rows a violation carries at most.
pub const WITNESS_LIMIT: usize = 5;

impl Violation {
    /// The violation that so many facts make, if there are any: `found` goes after their count, witnesses beyond
    /// [`WITNESS_LIMIT`] are left out.
    #[must_use]
    pub fn of(invariant: &str, count: usize, found: &str, mut witnesses: Vec<serde_json::Value>) -> Option<Self> {
        witnesses.truncate(WITNESS_LIMIT);
        (count > 0).then(|| Self {
            invariant: invariant.to_owned(),
            found: format!("{count} {found}"),
            count: count as u64,
            witnesses,
        })
    }
}

/// An extra figure of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// `batch_size_mean`.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// Why a study could not be prepared, opened or checked: the environment failed, not the claim.
#[derive(Debug, thiserror::Error)]
#[error("could not {action}")]
pub struct StudyError {
    /// What was tried, as a lowercase fragment.
    pub action: String,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StudyError {
    /// An error with what was being tried.
    pub fn new(action: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { action: action.into(), source: source.into() }
    }
}

impl From<pg::Error> for StudyError {
    fn from(source: pg::Error) -> Self {
        Self::new("talk to the server", source)
    }
}

impl Card {
    /// The arm of this name.
    #[must_use]
    pub fn arm(&self, name: &str) -> Option<&'static Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }
}

impl ClientCount {
    /// The number of clients.
    #[must_use]
    pub fn get(self) -> u32 {
        match self {
            Self::Sessions(count) | Self::Multiplexed(count) => count,
        }
    }
}
