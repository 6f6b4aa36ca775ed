//! What can go wrong with consoles. A statement that the server refuses is no error here: it is an answer.

/// An error of the consoles.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// No session could be opened.
    #[error("no session could be opened for console {name}")]
    Connect {
        /// The console.
        name: String,
        /// Why.
        #[source]
        source: pgstrata_pg::Error,
    },
    /// A name that no console can have.
    #[error("{name:?} is no name for a console: it has 1 to {most} characters, none of them a control character")]
    BadName {
        /// What was given.
        name: String,
        /// Characters that it may have.
        most: usize,
    },
    /// There is one of that name.
    #[error("there is a console {name} already")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is none of that name.
    #[error("there is no console {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// There are as many as there may be.
    #[error("there are {most} consoles already")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// It is still at its last statement.
    #[error("console {name} still runs what it was sent before")]
    Busy {
        /// The console.
        name: String,
    },
    /// Nothing to run.
    #[error("there is no statement in the text")]
    NoStatement,
    /// A text that is too long, or that no message can hold.
    #[error("the text has {bytes} bytes; it may have {most}, and no zero byte")]
    BadText {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// Its connection has ended.
    #[error("the connection of console {name} has ended")]
    Lost {
        /// The console.
        name: String,
    },
    /// A statement that was not sent, or was long ago.
    #[error("statement {number} of console {name} is not known")]
    NoSuchStatement {
        /// The console.
        name: String,
        /// The statement's number.
        number: u64,
    },
}

impl ConsoleError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Connect { source, .. } => return source.hint(),
            Self::Busy { .. } => "wait for its answer, or cancel it".to_owned(),
            Self::Lost { .. } => "close it, and open another".to_owned(),
            Self::TooMany { .. } => "close one of them".to_owned(),
            Self::Exists { .. } => "choose another name".to_owned(),
            Self::BadName { .. }
            | Self::Unknown { .. }
            | Self::NoStatement
            | Self::BadText { .. }
            | Self::NoSuchStatement { .. } => return None,
        })
    }
}
