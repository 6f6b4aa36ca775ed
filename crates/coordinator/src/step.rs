//! The moments of two-phase commit, by name: where a crash can happen, and where a test or a fault may make one happen.
//!
//! Nothing is done at a step unless a [`Bystander`] is set. A service sets none.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use crate::gid::TransactionId;

/// What is done in a step. Participants are counted in the fixed order of shards, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// `prepare transaction` of a participant.
    Prepare(u8),
    /// The row of the decision.
    Decide,
    /// `commit prepared` of a participant.
    Commit(u8),
    /// Removal of decisions that nobody needs any more.
    Forget,
}

/// Just before or just after an act; "after" means that its acknowledgement has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Nothing of it has been sent.
    Before(Act),
    /// Its acknowledgement has arrived.
    After(Act),
}

impl Step {
    /// Every step of a transaction with two participants, in order.
    pub const OF_TWO: [Self; 12] = [
        Self::Before(Act::Prepare(1)),
        Self::After(Act::Prepare(1)),
        Self::Before(Act::Prepare(2)),
        Self::After(Act::Prepare(2)),
        Self::Before(Act::Decide),
        Self::After(Act::Decide),
        Self::Before(Act::Commit(1)),
        Self::After(Act::Commit(1)),
        Self::Before(Act::Commit(2)),
        Self::After(Act::Commit(2)),
        Self::Before(Act::Forget),
        Self::After(Act::Forget),
    ];

    /// The names of [`Step::OF_TWO`], in the same order.
    pub const NAMES_OF_TWO: [&'static str; 12] = [
        "before-prepare-1",
        "after-prepare-1",
        "before-prepare-2",
        "after-prepare-2",
        "before-decision",
        "after-decision",
        "before-commit-1",
        "after-commit-1",
        "before-commit-2",
        "after-commit-2",
        "before-forget",
        "after-forget",
    ];
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare(participant) => write!(formatter, "prepare-{participant}"),
            Self::Decide => formatter.write_str("decision"),
            Self::Commit(participant) => write!(formatter, "commit-{participant}"),
            Self::Forget => formatter.write_str("forget"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(act) => write!(formatter, "before-{act}"),
            Self::After(act) => write!(formatter, "after-{act}"),
        }
    }
}

/// A name that no step has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no step is named {0:?}")]
pub struct UnknownStep(pub String);

impl FromStr for Step {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let position = Self::NAMES_OF_TWO.iter().position(|name| *name == text);
        position.map(|position| Self::OF_TWO[position]).ok_or_else(|| UnknownStep(text.to_owned()))
    }
}

/// Where a step takes place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The transaction; none when decisions are forgotten.
    pub transaction: Option<TransactionId>,
    /// The shard that the act is sent to.
    pub shard: usize,
    /// The server process of the session that it is sent on, while there is one.
    pub backend_pid: Option<i32>,
}

/// What happens to the coordinator after a step was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    GoOn,
    /// Its connection to the place is lost.
    Disconnect,
}

/// Somebody who is told of each step and may kill something there, or hold the coordinator by not answering.
#[async_trait]
pub trait Bystander: Send + Sync {
    /// The coordinator has come to a step, and waits.
    async fn at(&self, step: Step, place: Place) -> Then;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_two_participants_has_its_name_in_the_list() {
        for (step, name) in Step::OF_TWO.into_iter().zip(Step::NAMES_OF_TWO) {
            assert_eq!(step.to_string(), name);
            assert_eq!(name.parse(), Ok(step));
        }
        assert!("before-lunch".parse::<Step>().is_err());
    }
}
