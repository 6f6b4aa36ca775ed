//! What a proof says, and what it says on the way: plain data that a page or a terminal shows.

use std::collections::BTreeMap;

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use super::script::{self, Script};
use crate::advisor::{Allocation, Promotion, StepKind, Witness};

/// What happened, in the order in which it was seen. All events between two of [`ProofEvent::Began`] are of one play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ProofEvent {
    /// The schema is made and empty.
    Prepared {
        /// Its name, removed at the end.
        schema: String,
        /// The server's version, as it says it.
        server: String,
    },
    /// A schedule is played from here on.
    Began {
        /// What is played and why.
        play: Play,
        /// Who plays.
        sessions: Vec<Player>,
        /// The rows before, as SQL.
        seeds: String,
    },
    /// A step was sent.
    StepBegan {
        /// Who, an index of the play's sessions.
        session: usize,
        /// What it is.
        what: StepKind,
        /// Its text.
        sql: String,
    },
    /// It waits for a lock of others.
    Blocked {
        /// Who waits.
        session: usize,
        /// For whom.
        by: Vec<usize>,
    },
    /// It was answered.
    StepDone {
        /// Who.
        session: usize,
        /// What it was.
        what: StepKind,
        /// What the server calls what it did: `UPDATE 1`.
        tag: String,
        /// The first rows that it returned, if it returns rows.
        rows: Option<Vec<Vec<Option<String>>>>,
    },
    /// It failed, and with it the transaction.
    Failed {
        /// Who.
        session: usize,
        /// What it was.
        what: StepKind,
        /// PostgreSQL's code.
        sqlstate: String,
        /// PostgreSQL's words.
        message: String,
    },
    /// A transaction that has lost begins again, when the others are done.
    Retried {
        /// Who.
        session: usize,
    },
    /// The outcome was compared with those of serial orders.
    Compared {
        /// What came of it.
        outcome: Outcome,
    },
    /// So many random schedules were played.
    Random {
        /// Of what.
        of: String,
        /// Played so far.
        schedules: u64,
        /// To be played.
        planned: u64,
        /// Those whose outcome no serial order gives.
        anomalies: u64,
    },
    /// The schema is gone.
    Removed,
}

/// What is played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "play", rename_all = "snake_case")]
pub enum Play {
    /// A witness, to show what goes wrong. An attempt that does not show it is followed by another one.
    Witness {
        /// Its place in [`Proof::witnesses`].
        witness: usize,
        /// What is looked at.
        by: ShownBy,
    },
    /// The same schedule with something changed, to show that it is gone.
    Fixed {
        /// The witness.
        witness: usize,
        /// What was changed.
        fix: Fix,
    },
}

/// A session of a play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    /// `T1`, `T2`, …
    pub name: String,
    /// The program.
    pub program: String,
    /// Its level.
    pub level: Isolation,
    /// The values of its parameters, in SQL.
    pub arguments: BTreeMap<String, String>,
}

/// What makes a witness go away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fix", rename_all = "snake_case")]
pub enum Fix {
    /// Other levels.
    Levels {
        /// Of all programs.
        allocation: Allocation,
    },
    /// Changed statements, and the levels that are safe with them.
    Promotion {
        /// The changes.
        promotions: Vec<Promotion>,
        /// Of all programs.
        allocation: Allocation,
    },
}

/// What came of a play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// One serial order of what committed gives the same answers and the same tables.
    Serial {
        /// It, by names of sessions.
        order: Vec<String>,
    },
    /// None does.
    Anomaly {
        /// How many orders were tried: all there are.
        orders: usize,
        /// The one that comes nearest, by names of sessions.
        nearest: Vec<String>,
        /// What it gives instead.
        difference: String,
    },
    /// It cannot be told.
    Undecided {
        /// Why.
        because: String,
    },
}

/// A schedule that was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// What came of it.
    pub outcome: Outcome,
    /// Sessions that committed, in the first place or when they ran again.
    pub committed: Vec<String>,
    /// Sessions that had to wait.
    pub waited: Vec<String>,
    /// SQLSTATEs of failures, by session.
    pub failures: Vec<(String, String)>,
    /// Sessions that ran again and committed.
    pub retried: Vec<String>,
}

/// What was shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The server's version, as it says it.
    pub server: String,
    /// One for each witness that was played.
    pub witnesses: Vec<WitnessProof>,
    /// One for each verdict "safe" that was tried.
    pub random: Vec<RandomProof>,
}

/// What was shown about a verdict "unsafe".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WitnessProof {
    /// The witness: the report's, or another one against the same levels that shows what the report's does not.
    pub witness: Witness,
    /// Whether it is another one.
    pub is_another: bool,
    /// What showed it, else the last attempt at the report's, if it could be played at all.
    pub before: Option<Replayed>,
    /// How many attempts were made, with other rows and values and other witnesses.
    pub attempts: usize,
    /// The same schedule with each fix.
    pub fixes: Vec<(Fix, Replayed)>,
    /// Whether it is real.
    pub verdict: WitnessVerdict,
}

/// Whether a witness is real.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum WitnessVerdict {
    /// The server did what no serial order does.
    Reproduced {
        /// In what it shows.
        by: ShownBy,
    },
    /// It did not, or could not be asked.
    NotReproduced {
        /// Why.
        why: String,
    },
}

/// In what a schedule is compared with serial orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownBy {
    /// In what statements are answered and what tables hold: a user can see it.
    Outcome,
    /// Beside it, in which transactions have written each column of each row, in order, and whose versions plain queries have
    /// read. If the dependencies of a run have no cycle, its transactions one after the other in their order give the same
    /// answers, writers and versions; so what no serial order gives has a cycle, also where values do not show it: two
    /// increments that change places leave the same sum, and so does a transfer between two accounts that are added up.
    /// With other arguments or other programs it may do harm, with these it does none.
    DependencyCycle,
}

/// What was shown about a verdict "safe".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomProof {
    /// What was tried, in words.
    pub of: String,
    /// The levels.
    pub allocation: Allocation,
    /// The seed of the lots.
    pub seed: u64,
    /// Schedules played.
    pub schedules: u64,
    /// Those in which at least two transactions committed.
    pub concurrent: u64,
    /// Transactions that failed with a serialization failure or a deadlock.
    pub aborted: u64,
    /// Schedules whose outcome cannot be told.
    pub undecided: u64,
    /// Why some of them cannot, with how often.
    pub because: BTreeMap<String, u64>,
    /// Schedules that no serial order explains: at most [`super::FOUND_MAX`] are kept.
    pub anomalies: Vec<FoundAnomaly>,
}

/// A random schedule that no serial order explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAnomaly {
    /// Who took part.
    pub sessions: Vec<Player>,
    /// Whose turn it was, step after step.
    pub turns: Vec<usize>,
    /// The statements of each session.
    pub statements: Vec<Vec<String>>,
    /// The rows before, as SQL.
    pub seeds: String,
    /// What it was judged by.
    pub by: ShownBy,
    /// What came of it.
    pub outcome: Outcome,
}

impl Outcome {
    /// Whether no serial order explains it.
    #[must_use]
    pub fn is_anomaly(&self) -> bool {
        matches!(self, Self::Anomaly { .. })
    }

    /// Whether one does.
    #[must_use]
    pub fn is_serial(&self) -> bool {
        matches!(self, Self::Serial { .. })
    }

    /// In the words of the programs, without what the proof adds to their statements.
    pub(super) fn plainly(mut self, scripts: &[Script]) -> Self {
        if let Self::Anomaly { difference, .. } = &mut self {
            *difference = script::plainly(difference, scripts);
        }
        self
    }
}

impl WitnessVerdict {
    /// Whether it is real.
    #[must_use]
    pub const fn is_reproduced(&self) -> bool {
        matches!(self, Self::Reproduced { .. })
    }
}

impl Proof {
    /// Whether all that was played agrees with the verdicts: witnesses are real and gone with each fix, and what is called
    /// safe was found to be so.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let witness = |proof: &WitnessProof| {
            proof.verdict.is_reproduced() && proof.fixes.iter().all(|(_, fixed)| fixed.outcome.is_serial())
        };
        self.witnesses.iter().all(witness) && self.random.iter().all(|random| random.anomalies.is_empty())
    }
}
