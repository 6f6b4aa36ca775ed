//! What an error means for the transaction that met it.
//!
//! Only the class is decided here; what follows from it (retry, give up, ask by key) is its caller's.

use tokio_postgres::error::{Severity, SqlState};

/// What an error means for a transaction that was under way; decides between retry, give up and "unknown".
///
/// Source of the SQLSTATE classes: PostgreSQL documentation, appendix A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// 40001: retry the transaction.
    SerializationFailure,
    /// 40P01: retry the transaction.
    Deadlock,
    /// 55P03: a lock was not to be had in time; retry.
    LockTimeout,
    /// 23505: somebody else inserted the key first.
    UniqueViolation,
    /// 23514 and the rest of class 23: the data would be wrong.
    ConstraintViolation,
    /// 57014: cancelled or timed out by `statement_timeout`.
    Cancelled,
    /// The connection or server went away: whatever was in flight may or may not have happened.
    ServerLost,
    /// No connection was made, so nothing can have happened.
    NotConnected,
    /// Resources: 53xxx (disk full, out of memory, too many connections).
    Resources,
    /// Anything else: a mistake in the statement or the program.
    Other,
}

/// What the client library prints for mistakes that say nothing about the connection: a value that does not fit its
/// column, a wrong number of rows or parameters. Its error kinds are private, so the texts have to do; an unknown text
/// counts as "outcome unknown", which is the safe side.
const CLIENT_MISTAKES: [&str; 8] = [
    "error serializing parameter",
    "error deserializing column",
    "error encoding message to server",
    "invalid column",
    "expected ",
    "query returned an unexpected number of",
    "invalid connection string",
    "invalid configuration",
];

impl ErrorClass {
    /// The class of an error that a statement on an open session ended with.
    ///
    /// `FATAL` and `PANIC` end the session, so nothing will tell whether a commit that was under way went through: the
    /// server may have written it and been stopped before it answered.
    #[must_use]
    pub fn of_statement(error: &tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            let text = error.to_string();
            let is_mistake = CLIENT_MISTAKES.iter().any(|mistake| text.starts_with(mistake));
            return if is_mistake { Self::Other } else { Self::ServerLost };
        };
        let ends_session = match answer.parsed_severity() {
            Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
            // Servers that do not send the untranslated severity.
            None => matches!(answer.severity(), "FATAL" | "PANIC"),
        };
        match Self::of_sqlstate(answer.code()) {
            Self::NotConnected => Self::NotConnected,
            _ if ends_session => Self::ServerLost,
            class => class,
        }
    }

    /// The class of a SQLSTATE that came with severity `ERROR`.
    #[must_use]
    pub fn of_sqlstate(state: &SqlState) -> Self {
        match state.code() {
            "40001" => Self::SerializationFailure,
            "40P01" => Self::Deadlock,
            "55P03" => Self::LockTimeout,
            "23505" => Self::UniqueViolation,
            "57014" => Self::Cancelled,
            // cannot_connect_now: the server is starting or recovering, so nothing was done.
            "57P03" | "08001" | "08004" => Self::NotConnected,
            // statement_completion_unknown: what CockroachDB answers when it cannot tell either.
            "40003" => Self::ServerLost,
            code if code.starts_with("08") || code.starts_with("57P") => Self::ServerLost,
            code if code.starts_with("53") => Self::Resources,
            code if code.starts_with("23") => Self::ConstraintViolation,
            _ => Self::Other,
        }
    }

    /// Whether the same transaction may be run again at once: the server has undone it.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::SerializationFailure | Self::Deadlock | Self::LockTimeout)
    }

    /// Whether the transaction may have committed although no answer came.
    #[must_use]
    pub fn leaves_outcome_unknown(self) -> bool {
        matches!(self, Self::ServerLost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_the_class_that_decides_what_the_caller_does() {
        let check = [
            ("40001", ErrorClass::SerializationFailure),
            ("40P01", ErrorClass::Deadlock),
            ("55P03", ErrorClass::LockTimeout),
            ("23505", ErrorClass::UniqueViolation),
            ("23514", ErrorClass::ConstraintViolation),
            ("23P01", ErrorClass::ConstraintViolation),
            ("57014", ErrorClass::Cancelled),
            ("57P01", ErrorClass::ServerLost),
            ("57P02", ErrorClass::ServerLost),
            ("57P03", ErrorClass::NotConnected),
            ("08006", ErrorClass::ServerLost),
            ("08007", ErrorClass::ServerLost),
            ("40003", ErrorClass::ServerLost),
            ("53100", ErrorClass::Resources),
            ("42P01", ErrorClass::Other),
        ];
        for (code, class) in check {
            assert_eq!(ErrorClass::of_sqlstate(&SqlState::from_code(code)), class, "{code}");
        }
    }

    #[test]
    fn no_error_class_is_both_retryable_and_unknown() {
        let all = [
            ErrorClass::SerializationFailure,
            ErrorClass::Deadlock,
            ErrorClass::LockTimeout,
            ErrorClass::UniqueViolation,
            ErrorClass::ConstraintViolation,
            ErrorClass::Cancelled,
            ErrorClass::ServerLost,
            ErrorClass::NotConnected,
            ErrorClass::Resources,
            ErrorClass::Other,
        ];
        assert!(!all.iter().any(|class| class.is_retryable() && class.leaves_outcome_unknown()));
    }
}
