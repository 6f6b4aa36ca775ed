//! What kind of history it is: transactions over lists or registers, or one of the simple objects that tests of databases
//! have used for years, each with a check of its own.

pub mod bank;
pub mod counter;
pub mod set;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{History, Status};
use bank::BankOperation;
use counter::CounterOperation;
use set::SetOperation;

/// A history of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// Transactions that append to lists and read them.
    ListAppend(History),
    /// Transactions that write registers and read them.
    RwRegister(History),
    /// Transfers between accounts, and reads of all balances.
    Bank(Vec<Recorded<BankOperation>>),
    /// Additions to one set, and reads of it.
    Set(Vec<Recorded<SetOperation>>),
    /// Additions to one counter, and reads of it.
    Counter(Vec<Recorded<CounterOperation>>),
}

/// One operation as its client knows it. Times are nanoseconds on one clock that all clients share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<Operation> {
    /// The client, which does one operation at a time.
    pub process: u32,
    /// How it ended.
    pub status: Status,
    /// When it was begun.
    pub invoked_ns: u64,
    /// When its end was known; [`u64::MAX`] where it never was.
    pub completed_ns: u64,
    /// What it was.
    pub operation: Operation,
}

impl<Operation> Recorded<Operation> {
    /// The same client, end and times, with another operation.
    #[must_use]
    pub fn with<Other>(&self, operation: Other) -> Recorded<Other> {
        Recorded {
            process: self.process,
            status: self.status,
            invoked_ns: self.invoked_ns,
            completed_ns: self.completed_ns,
            operation,
        }
    }
}

/// The kinds of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// See [`Workload::ListAppend`].
    ListAppend,
    /// See [`Workload::RwRegister`].
    RwRegister,
    /// See [`Workload::Bank`].
    Bank,
    /// See [`Workload::Set`].
    Set,
    /// See [`Workload::Counter`].
    Counter,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::ListAppend, Self::RwRegister, Self::Bank, Self::Set, Self::Counter];

    /// The name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ListAppend => "list-append",
            Self::RwRegister => "rw-register",
            Self::Bank => "bank",
            Self::Set => "set",
            Self::Counter => "counter",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no kind of history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of history {0:?}; the kinds are list-append, rw-register, bank, set and counter")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl Workload {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::ListAppend(_) => Kind::ListAppend,
            Self::RwRegister(_) => Kind::RwRegister,
            Self::Bank(_) => Kind::Bank,
            Self::Set(_) => Kind::Set,
            Self::Counter(_) => Kind::Counter,
        }
    }

    /// How many transactions or operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::ListAppend(history) | Self::RwRegister(history) => history.len(),
            Self::Bank(records) => records.len(),
            Self::Set(records) => records.len(),
            Self::Counter(records) => records.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
