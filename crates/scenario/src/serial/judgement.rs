//! What the judge says about a permutation.

use pgstrata_units::Isolation;
use serde::Serialize;

/// The verdict on one permutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "judgement", rename_all = "snake_case")]
pub enum Judgement {
    /// Running the committed transactions one after the other gives the same.
    Serializable {
        /// In this order, as names of sessions.
        order: Vec<String>,
    },
    /// No serial order gives the same, and the level at which the transactions ran allows that.
    Allowed(Contradiction),
    /// No serial order gives the same, although every transaction was promised one.
    Convicted(Contradiction),
    /// Nothing can be said.
    NotCovered {
        /// Why not.
        because: Why,
    },
}

/// Why an outcome is not serializable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// The lowest level among the committed transactions.
    pub level: Isolation,
    /// How many serial orders were tried: all there are.
    pub orders: usize,
    /// What the nearest of them contradicts.
    pub kind: ContradictionKind,
    /// The nearest order, as names of sessions.
    pub nearest: Vec<String>,
    /// What it gives instead, in a sentence.
    pub detail: String,
}

/// What a serial order contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContradictionKind {
    /// Some order leaves the tables as they were found, but then somebody was told something else.
    Answers,
    /// No order leaves the tables as they were found.
    Contents,
}

/// Why a permutation is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The run did not come to its end.
    #[error("the run did not come to its end")]
    Unfinished,
    /// A session was in a transaction before its first step.
    #[error("a transaction was open before the permutation began")]
    OpenBefore,
    /// A step belongs to more than one transaction.
    #[error("a step holds parts of several transactions, which cannot be run apart")]
    SeveralInOneStep,
    /// A table cannot be read when all sessions are done.
    #[error("a table is locked when all sessions are done")]
    Locked,
    /// Alone, in a serial order, a step waits.
    #[error("a step waits for another session even in a serial order (a lock that outlives its transaction)")]
    BlocksAlone,
    /// The set-up failed in the database for serial runs.
    #[error("the set-up does not run a second time in another database")]
    Setup,
    /// More orders than are tried.
    #[error("there are more serial orders than are tried, and none of those tried gives the outcome")]
    TooManyOrders,
    /// The same serial order gives different answers each time.
    #[error("the same serial order does not give the same twice")]
    Unrepeatable,
    /// A statement failed inside a transaction that went on and committed.
    #[error("a statement failed inside a transaction that committed; alone it may not fail")]
    FailedInside,
    /// The script looks at the state of the server.
    #[error("the script looks at the state of the server (activity, locks, catalogue), not only at tables")]
    ServerState,
    /// The script looks at where rows lie.
    #[error("the script looks at where rows and their versions lie")]
    Physical,
    /// The script uses the clock or chance.
    #[error("the script uses the clock or chance")]
    Clock,
    /// The script uses sequences, which are not part of transactions.
    #[error("the script uses a sequence, and sequences stand outside transactions")]
    Sequence,
    /// The script asks for rows by whether they are locked.
    #[error("the script asks whether rows are locked (`skip locked`, `nowait`, advisory locks)")]
    LockProbe,
    /// The script takes some rows out of several without saying which.
    #[error("the script takes the first rows of a result, and which come first is open")]
    OpenChoice,
    /// The script shows plans.
    #[error("the script shows plans")]
    Plans,
    /// The server was lost to the judge.
    #[error("the judge's own sessions were lost")]
    Lost,
}

impl Judgement {
    /// Whether the outcome and the level go together, or nothing is known.
    #[must_use]
    pub fn is_conviction(&self) -> bool {
        matches!(self, Self::Convicted(_))
    }

    /// Whether something was said about it.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        !matches!(self, Self::NotCovered { .. })
    }
}
