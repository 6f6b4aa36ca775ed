//! A server's log as programs: which transactions an application really runs, how often, and at which level.
//!
//! Reads what PostgreSQL writes with `log_destination = jsonlog` or `csvlog` and `log_statement = all`,
//! `log_min_duration_statement = 0`, or `auto_explain`. Entries are grouped into transactions by session and virtual
//! transaction id, transactions into programs by the sequence of their statements. The result is SQL text in the form
//! that `pgstrata advise --sql` reads, so that it can be looked at, kept and edited; its analysis is not done here, and
//! no value of the log gets into it but literals that never vary.
//!
//! Memory is bounded whatever the log, however long: by the sessions that are open at a time and the number of different
//! statements and programs, and for each of these by bytes. What could not be read or attributed is counted in
//! [`Counts`], and said.

mod command;
mod csv;
mod equal;
mod fold;
mod json;
mod message;
mod programs;
mod record;
mod shape;
mod source;
mod text;
mod tokens;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::path::PathBuf;

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use programs::{Programs, Shapes};
use record::Record;
use transactions::Sessions;

pub use source::LogFormat;

/// Bytes at the beginning of a file that tell its format.
pub const BEGINNING_BYTES: usize = 64 * 1024;

/// Databases that are told by name.
const DATABASES_MOST: usize = 1_000;

/// Why a file was not read as a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It could not be opened or read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is compressed.
    #[error("{name} is compressed")]
    Compressed {
        /// The file.
        name: String,
    },
    /// It is a log in the format `stderr`.
    #[error("{name} is a plain-text log, whose lines do not say which transaction they belong to")]
    PlainText {
        /// The file.
        name: String,
    },
    /// It is no log.
    #[error("{name} is no log of PostgreSQL in the format jsonlog or csvlog")]
    NoLog {
        /// The file.
        name: String,
    },
    /// No program was seen as often as was asked for.
    #[error("no program in the log was committed {least} times or more; the most frequent one {most} times")]
    NothingOften {
        /// What was asked for.
        least: u64,
        /// Commits of the most frequent program.
        most: u64,
    },
    /// It is a log, and no statement is in it.
    #[error("there is no statement in the log, in {entries} entries")]
    NoStatements {
        /// Entries that were read.
        entries: u64,
    },
}

impl LogError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name files that can be read; `-` reads standard input",
            Self::Compressed { .. } => "unpack it: `zcat postgresql.json.gz | pgstrata advise --log -`",
            Self::PlainText { .. } => {
                "let the server write another log beside it: logging_collector = on, log_destination = \
                 'stderr,jsonlog' (csvlog before PostgreSQL 15)"
            }
            Self::NoLog { .. } => "name a .json or .csv file of the server's log directory",
            Self::NothingOften { .. } => "ask for fewer with --least; 1 takes every program",
            Self::NoStatements { .. } => {
                "let the server log them for a while: alter system set log_statement = 'all'; select pg_reload_conf()"
            }
        }
    }
}

/// What was read and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Entries that were read.
    pub entries: u64,
    /// Lines or entries that are no whole entry: cut off, or garbled.
    pub garbled: u64,
    /// Entries beyond the bound of their length.
    pub too_long: u64,
    /// Entries with bytes that are not UTF-8; the bytes were replaced.
    pub not_utf8: u64,
    /// Entries whose number in their session did not grow: files given twice, or in another order.
    pub out_of_order: u64,
    /// Statements, with `begin` and `commit`.
    pub statements: u64,
    /// Statements that define something.
    pub definitions: u64,
    /// Statements that no program is made of: settings, savepoints, maintenance.
    pub others: u64,
    /// Plans of statements that are in the log themselves.
    pub plans_beside: u64,
    /// `execute` of what was prepared before the log began.
    pub unknown_prepared: u64,
    /// Statements of transactions that are too long to be a program.
    pub too_long_statements: u64,
    /// Statements after so many different ones that no more are told apart.
    pub too_many_shapes: u64,
    /// Transactions after so many different ones that no more are told apart.
    pub too_many_programs: u64,
    /// Transactions with statements of a program.
    pub transactions: u64,
    /// Of these, committed.
    pub committed: u64,
    /// Of these, rolled back without an error.
    pub rolled_back: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, without an end in the log.
    pub unfinished: u64,
    /// Entries with statements as clients sent them.
    pub sent: u64,
    /// Of these, with their duration in the same line.
    pub timed: u64,
    /// The shortest of these durations, microseconds.
    pub shortest_us: Option<u64>,
}

/// With fewer durations than this nothing is concluded from the shortest.
const TIMED_LEAST: u64 = 20;

/// Of statements that take no time, `begin` at the latest, the shortest duration is below this, microseconds.
const SHORTEST_MOST_US: u64 = 1_000;

impl Counts {
    /// Counts an entry with a statement.
    fn sent(&mut self, duration_us: Option<u64>) {
        self.sent += 1;
        if let Some(duration_us) = duration_us {
            self.timed += 1;
            self.shortest_us = Some(self.shortest_us.map_or(duration_us, |shortest| shortest.min(duration_us)));
        }
    }

    /// The duration below which the server seems to have logged nothing (`log_min_duration_statement` above 0), so that
    /// transactions were seen in part. Microseconds.
    #[must_use]
    pub fn only_slow_us(&self) -> Option<u64> {
        let is_all_timed = self.timed >= TIMED_LEAST && self.timed == self.sent;
        self.shortest_us.filter(|shortest| is_all_timed && *shortest >= SHORTEST_MOST_US)
    }
}

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedProgram {
    /// A name made of what it does, unique.
    pub name: String,
    /// Its statements with parameters, and `begin` and `commit` around them.
    pub sql: String,
    /// The share of all committed transactions, 0 to 1.
    pub frequency: f64,
    /// Transactions that were committed.
    pub commits: u64,
    /// Transactions that were rolled back without an error.
    pub rollbacks: u64,
    /// Transactions that failed, by SQLSTATE.
    pub failures: BTreeMap<String, u64>,
    /// Transactions that asked for a level, by level; the others ran at the server's default.
    pub levels: BTreeMap<Isolation, u64>,
    /// Statements, each once.
    pub statements: usize,
    /// Loops, as the first statement and the one after the last.
    pub loops: Vec<(usize, usize)>,
    /// All of its transactions only put rows into tables, in sessions that had defined something.
    pub is_load: bool,
}

impl LoggedProgram {
    /// The weakest level that was asked for.
    #[must_use]
    pub fn level(&self) -> Option<Isolation> {
        self.levels.keys().next().copied()
    }
}

/// A log that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogReading {
    /// The programs, most frequent first.
    pub programs: Vec<LoggedProgram>,
    /// Programs that are not among them: seen fewer than `least` times, or loading data. To treat them as if they never ran
    /// is not sound, so whoever shows the programs says it.
    pub left_out: Vec<LoggedProgram>,
    /// How often a program must have been committed.
    pub least: u64,
    /// What was read and what was not.
    pub counts: Counts,
    /// Failures of transactions that could not be told to belong to one program, by SQLSTATE.
    pub failures: BTreeMap<String, u64>,
    /// The databases whose sessions were read.
    pub databases: BTreeSet<String>,
    /// From the first to the last entry, milliseconds.
    pub span_ms: Option<i64>,
}

impl LogReading {
    /// All programs as one file of SQL, as `pgstrata advise --sql` reads it.
    #[must_use]
    pub fn sql(&self) -> String {
        text::file(self)
    }
}

/// Reads logs, one file after the other.
#[derive(Debug, Default)]
pub struct LogReader {
    sessions: Sessions,
    shapes: Shapes,
    programs: Programs,
    counts: Counts,
    databases: BTreeSet<String>,
    only_database: Option<String>,
    least: Option<u64>,
    times_ms: Option<(i64, i64)>,
}

impl LogReader {
    /// A reader; of one database's sessions only, if it is named.
    #[must_use]
    pub fn new(only_database: Option<String>) -> Self {
        Self { only_database, ..Self::default() }
    }

    /// Leaves out programs that were committed fewer than `least` times; nothing leaves it to the length of the log: in one
    /// of a hundred transactions or more, those that were seen once.
    #[must_use]
    pub fn with_least(self, least: Option<u64>) -> Self {
        Self { least, ..self }
    }

    /// Reads a file to its end. Files of one server must come in the order in which they were written; see [`in_order`].
    pub fn read(&mut self, path: PathBuf, reader: &mut dyn BufRead) -> Result<(), LogError> {
        let name = path.display().to_string();
        let beginning = match reader.fill_buf() {
            Ok(beginning) => beginning,
            Err(source) => return Err(LogError::Read { path, source }),
        };
        let Some(format) = source::format_of(&name, beginning)? else { return Ok(()) };
        let Self { sessions, shapes, programs, counts, databases, only_database, times_ms, .. } = self;
        let take = &mut |record: Record, counts: &mut Counts| {
            if only_database.as_ref().is_some_and(|only| *only != record.database) {
                return;
            }
            if let Some(time) = record.time_ms {
                let (first, last) = times_ms.unwrap_or((time, time));
                *times_ms = Some((first.min(time), last.max(time)));
            }
            let is_told = databases.len() < DATABASES_MOST && !record.database.is_empty();
            if is_told && !databases.contains(&record.database) {
                databases.insert(record.database.clone());
            }
            let mut ended = Vec::new();
            sessions.take(&record, shapes, counts, &mut |transaction| ended.push(transaction));
            for transaction in ended {
                programs.observe(&transaction, shapes, counts);
            }
        };
        source::entries(reader, format, counts, take).map_err(|source| LogError::Read { path, source })
    }

    /// What was found in all files.
    pub fn finish(self) -> Result<LogReading, LogError> {
        let Self { sessions, shapes, mut programs, mut counts, databases, times_ms, least, .. } = self;
        let mut ended = Vec::new();
        sessions.finish(&mut |transaction| ended.push(transaction));
        for transaction in ended {
            programs.observe(&transaction, &shapes, &mut counts);
        }
        if counts.statements == 0 {
            return Err(LogError::NoStatements { entries: counts.entries });
        }
        let (groups, failures) = programs.finish();
        let programs = text::programs(&groups, &shapes);
        let span_ms = times_ms.map(|(first, last)| last - first);
        let (programs, left_out, least) = often_enough(programs, counts.committed, least)?;
        Ok(LogReading { programs, left_out, least, counts, failures, databases, span_ms })
    }
}

/// From so many committed transactions on, a program that was seen once is taken for no part of the application.
const COMMITTED_LEAST: u64 = 100;

/// The programs that count, those that do not, and how often one must have been committed.
fn often_enough(
    programs: Vec<LoggedProgram>,
    committed: u64,
    least: Option<u64>,
) -> Result<(Vec<LoggedProgram>, Vec<LoggedProgram>, u64), LogError> {
    let wanted = least.unwrap_or(if committed < COMMITTED_LEAST { 1 } else { 2 });
    let most = programs.iter().map(|program| program.commits).max().unwrap_or(0);
    // Whoever asks for all of them gets all.
    let counts = |program: &LoggedProgram| program.commits >= wanted && !(program.is_load && least != Some(1));
    if programs.iter().any(counts) {
        let (counting, left_out) = programs.into_iter().partition(counts);
        return Ok((counting, left_out, wanted));
    }
    match least {
        Some(least) if most > 0 => Err(LogError::NothingOften { least, most }),
        _ => Ok((programs, Vec::new(), 1)),
    }
}

/// The definitions (`create`, `alter` and the like) among the statements of a text, each with its semicolon.
#[must_use]
pub fn definitions(text: &str) -> String {
    let tokens = tokens::tokens(text);
    let mut found = String::new();
    for piece in tokens::statements(text, &tokens) {
        let piece = &tokens[piece];
        if let (command::Command::Definition, [first, .., last]) = (command::command(text, piece), piece) {
            found.push_str(&text[first.at.start..last.at.end]);
            found.push_str(";\n");
        }
    }
    found
}

/// Puts files into the order in which they were written, by their first entries; each comes with its beginning.
pub fn in_order<File>(files: &mut [(File, Vec<u8>)]) {
    files.sort_by_key(|(_, beginning)| source::first_time_ms(beginning));
}

#[cfg(test)]
mod tests;
