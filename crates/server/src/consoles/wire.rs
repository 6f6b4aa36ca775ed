//! Statements and errors of the engine in the words of the wire.

use pgstrata_pg::simple::ServerMessage;
use pgstrata_tools::mvcc::consoles::{self as engine, ConsoleError, NotWritable};

use crate::problem::{Code, Problem};
use crate::routes::consoles::{Answer, SqlError, Statement, StatementState};

/// A statement of a console.
pub fn statement(console: &str, statement: &engine::Statement) -> Statement {
    Statement {
        console: console.to_owned(),
        number: statement.number,
        sql: statement.sql.clone(),
        state: match statement.state {
            engine::StatementState::Running => StatementState::Running,
            engine::StatementState::Done => StatementState::Done,
            engine::StatementState::Failed => StatementState::Failed,
        },
        began_us: statement.began_us,
        ended_us: statement.ended_us,
        waits_for: statement.waits_for.clone(),
        has_waited: statement.has_waited,
        answers: statement.answers.iter().map(answer).collect(),
        notices: statement.notices.iter().map(said).collect(),
        error: statement.error.as_ref().map(said),
    }
}

fn answer(answer: &engine::Answer) -> Answer {
    Answer {
        tag: answer.tag.clone(),
        columns: answer.columns.clone(),
        rows: answer.rows.clone(),
        is_cut: answer.left_out > 0,
        left_out: answer.left_out,
    }
}

fn said(message: &ServerMessage) -> SqlError {
    SqlError {
        severity: message.severity.clone(),
        sqlstate: message.sqlstate.clone(),
        message: message.message.clone(),
        detail: message.detail.clone(),
        hint: message.hint.clone(),
        position: message.position,
    }
}

impl From<ConsoleError> for Problem {
    fn from(error: ConsoleError) -> Self {
        let hint = error.hint();
        let code = match &error {
            ConsoleError::Connect { .. } => Code::ServerAway,
            ConsoleError::BadText { bytes, most } if bytes > most => Code::TooLarge,
            ConsoleError::BadName { .. } | ConsoleError::NoStatement | ConsoleError::BadText { .. } => Code::BadRequest,
            ConsoleError::Unknown { .. } | ConsoleError::NoSuchStatement { .. } => Code::NotFound,
            ConsoleError::TooMany { .. } => Code::LimitReached,
            _ => Code::Conflict,
        };
        if let ConsoleError::Connect { source, .. } = error {
            return source.into();
        }
        Self::new(code, error.to_string()).hinted(hint)
    }
}

impl From<NotWritable> for Problem {
    fn from(error: NotWritable) -> Self {
        Self::new(Code::Conflict, crate::problem::chain(&error)).hint("run plain SQL statements in the consoles")
    }
}
