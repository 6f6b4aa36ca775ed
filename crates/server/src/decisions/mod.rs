//! The history of decisions: kept in PostgreSQL, under the hash of what was asked, and only ever added to.
//!
//! It knows nothing of what is asked and answered: both are JSON. What was acknowledged survives a crash of the server
//! that keeps it (which is then started again) and of this program. What is lost on the way is sent once more: every
//! statement here may be repeated.

mod canonical;
mod migrations;
mod place;

use std::sync::Arc;

use pgstrata_pg as pg;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

pub use canonical::{canonical, content_id, is_content_id};
use place::Open;
pub use place::Place;

use crate::limits;
use crate::problem::{self, Code, Problem};

const SAVE_QUESTION: &str = include_str!("sql/save_question.sql");
const SAVE_ANSWER: &str = include_str!("sql/save_answer.sql");
const SAVE_NOTE: &str = include_str!("sql/save_note.sql");
const LIST: &str = include_str!("sql/list.sql");
const QUESTION: &str = include_str!("sql/question.sql");
const ANSWERS: &str = include_str!("sql/answers.sql");
const NOTES: &str = include_str!("sql/notes.sql");
const COUNT: &str = include_str!("sql/count.sql");

/// The history; cheap to clone. Its server is started, or connected to, when it is first asked.
#[derive(Clone)]
pub struct Decisions(Arc<Shared>);

struct Shared {
    place: Place,
    open: Mutex<Option<Open>>,
}

/// A decision in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The hash of the question.
    pub id: String,
    /// Its place in the order in which they were kept.
    pub number: i64,
    /// The question's title.
    pub title: String,
    /// When it was kept, microseconds since 1970.
    pub made_us: i64,
    /// How many different answers are kept.
    pub answers: i64,
    /// How many notes there are.
    pub notes: i64,
    /// What the last answer says in short.
    pub summary: Option<Value>,
}

/// A decision with all that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The hash of the question.
    pub id: String,
    /// What was asked.
    pub question: Value,
    /// When it was first kept, microseconds since 1970.
    pub made_us: i64,
    /// Answers, newest first.
    pub answers: Vec<KeptAnswer>,
    /// Notes, oldest first.
    pub notes: Vec<KeptNote>,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptAnswer {
    /// Its hash.
    pub id: String,
    /// What it says.
    pub document: Value,
    /// The version of pgstrata that gave it.
    pub made_by: String,
    /// When, microseconds since 1970.
    pub made_us: i64,
}

/// A note that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNote {
    /// Its text.
    pub body: String,
    /// When, microseconds since 1970.
    pub made_us: i64,
}

/// Why the history cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// PostgreSQL did not do it.
    #[error("could not {action}")]
    Server {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: pg::Error,
    },
    /// There are no binaries to keep it with.
    #[error("there is no PostgreSQL to keep the history with")]
    NoInstall,
    /// A newer program has changed its tables.
    #[error("the history was changed by a newer pgstrata: migration {found} is unknown here, which knows {known}")]
    Newer {
        /// The first migration that is unknown.
        found: i32,
        /// How many are known.
        known: usize,
    },
    /// A migration is not the one that was applied.
    #[error("migration {version} ({name}) is not the one that was applied to this history")]
    Changed {
        /// Its number.
        version: i32,
        /// Its name.
        name: &'static str,
    },
    /// What is kept is no JSON.
    #[error("what is kept of the decision cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Decisions {
    /// The history at this place, which is not touched before it is asked.
    pub fn new(place: Place) -> Self {
        Self(Arc::new(Shared { place, open: Mutex::default() }))
    }

    /// Keeps a question with its answer; gives back the question's id. The same again changes nothing.
    pub async fn save(&self, question: &Value, answer: &Value) -> Result<String, Problem> {
        let (question, document) = (canonical(question), canonical(answer));
        match self.try_save(&question, &document).await {
            Err(problem) if problem.code == Code::ServerAway => self.try_save(&question, &document).await,
            outcome => outcome,
        }
    }

    async fn try_save(&self, question: &str, document: &str) -> Result<String, Problem> {
        let (id, answer_id) = (content_id(question), content_id(document));
        let mut open = self.open().await?;
        let session = open.session();
        let (decisions, _) = count(session, &id).await?;
        if decisions >= limits::DECISIONS {
            return Err(Problem::new(Code::LimitReached, format!("{decisions} decisions are kept"))
                .hint("keep further ones in another history: `pgstrata serve --history-url`"));
        }
        let kept = async {
            let transaction = session.transaction().await?;
            transaction.execute(SAVE_QUESTION, &[&id, &question]).await?;
            let made_by = env!("CARGO_PKG_VERSION");
            transaction.execute(SAVE_ANSWER, &[&answer_id, &id, &document, &made_by]).await?;
            transaction.commit().await
        };
        kept.await.map_err(|error| DecisionError::Server { action: "keep the decision", source: error.into() })?;
        Ok(id)
    }

    /// Adds a note; the key makes it safe to send twice.
    pub async fn note(&self, id: &str, key: &str, body: &str) -> Result<Kept, Problem> {
        let kept = self.show(id).await?;
        if kept.notes.len() >= limits::DECISION_NOTES {
            return Err(Problem::new(Code::LimitReached, format!("{} notes are kept", kept.notes.len())));
        }
        match self.try_note(id, key, body).await {
            Err(problem) if problem.code == Code::ServerAway => self.try_note(id, key, body).await?,
            outcome => outcome?,
        }
        self.show(id).await
    }

    async fn try_note(&self, id: &str, key: &str, body: &str) -> Result<(), Problem> {
        let mut open = self.open().await?;
        let saved = open.session().execute(SAVE_NOTE, &[&key, &id, &body]).await;
        saved.map_err(|error| DecisionError::Server { action: "keep the note", source: error.into() })?;
        Ok(())
    }

    /// Decisions before a number, newest first.
    pub async fn list(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>, Problem> {
        match self.try_list(before, limit).await {
            Err(problem) if problem.code == Code::ServerAway => self.try_list(before, limit).await,
            outcome => outcome,
        }
    }

    async fn try_list(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>, Problem> {
        let limit = i64::try_from(limit.clamp(1, limits::DECISION_PAGE)).unwrap_or(1);
        let mut open = self.open().await?;
        let rows = open.session().query(LIST, &[&before.unwrap_or(i64::MAX), &limit]).await;
        let rows = rows.map_err(|error| DecisionError::Server { action: "list decisions", source: error.into() })?;
        let entry = |row: &pg::sql::Row| Entry {
            id: row.get(0),
            number: row.get(1),
            title: row.get(2),
            made_us: row.get(3),
            answers: row.get(4),
            notes: row.get(5),
            summary: row.get(6),
        };
        Ok(rows.iter().map(entry).collect())
    }

    /// One decision.
    pub async fn show(&self, id: &str) -> Result<Kept, Problem> {
        match self.try_show(id).await {
            Err(problem) if problem.code == Code::ServerAway => self.try_show(id).await,
            outcome => outcome,
        }
    }

    async fn try_show(&self, id: &str) -> Result<Kept, Problem> {
        let missing = || Problem::missing(format!("there is no decision {}", id.chars().take(64).collect::<String>()));
        if !is_content_id(id) {
            return Err(missing().hint("an id is the SHA-256 of what was asked, 64 hexadecimal digits"));
        }
        let mut open = self.open().await?;
        let session = open.session();
        let failed = |error: pg::Error| DecisionError::Server { action: "read the decision", source: error };
        let found = session.query_opt(QUESTION, &[&id]).await.map_err(|error| failed(error.into()))?;
        let question = found.ok_or_else(|| missing().hint("`GET /api/advisor/decisions` lists them"))?;
        let most = i64::try_from(limits::DECISION_ANSWERS).unwrap_or(i64::MAX);
        let answers = session.query(ANSWERS, &[&id, &most]).await.map_err(|error| failed(error.into()))?;
        let most = i64::try_from(limits::DECISION_NOTES).unwrap_or(i64::MAX);
        let notes = session.query(NOTES, &[&id, &most]).await.map_err(|error| failed(error.into()))?;
        let answer = |row: &pg::sql::Row| {
            let document = serde_json::from_str(row.get(1))?;
            Ok(KeptAnswer { id: row.get(0), document, made_by: row.get(2), made_us: row.get(3) })
        };
        let answers: Result<Vec<KeptAnswer>, serde_json::Error> = answers.iter().map(answer).collect();
        Ok(Kept {
            id: id.to_owned(),
            question: serde_json::from_str(question.get(0)).map_err(DecisionError::from)?,
            made_us: question.get(2),
            answers: answers.map_err(DecisionError::from)?,
            notes: notes.iter().map(|row| KeptNote { body: row.get(0), made_us: row.get(1) }).collect(),
        })
    }

    /// Ends the history's server, if one was started.
    pub async fn close(&self) {
        if let Some(open) = self.0.open.lock().await.take() {
            open.close().await;
        }
    }

    /// The open history: connected anew if its server, or the connection, has died.
    async fn open(&self) -> Result<Opened<'_>, Problem> {
        let mut place = self.0.open.lock().await;
        let is_alive = match place.as_mut() {
            Some(open) => open.answers().await,
            None => false,
        };
        if !is_alive {
            let old = place.take();
            *place = Some(self.0.place.open(old).await?);
        }
        Ok(Opened(place))
    }
}

/// The history, for one who uses it alone.
struct Opened<'a>(MutexGuard<'a, Option<Open>>);

impl Opened<'_> {
    #[expect(clippy::expect_used, reason = "`Decisions::open` has put it there, and the lock has been held since")]
    fn session(&mut self) -> &mut pg::Session {
        &mut self.0.as_mut().expect("it is open").session
    }
}

async fn count(session: &pg::Session, id: &str) -> Result<(usize, usize), DecisionError> {
    let row = session.query_one(COUNT, &[&id]).await;
    let row = row.map_err(|error| DecisionError::Server { action: "count decisions", source: error.into() })?;
    let number = |value: i64| usize::try_from(value).unwrap_or_default();
    Ok((number(row.get(0)), number(row.get(1))))
}

impl From<DecisionError> for Problem {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Server { action, source } => {
                tracing::warn!(error = problem::chain(&source), log = ?source.log_tail(), action, "the history failed");
                let is_taken = matches!(source.kind(), pg::Kind::DataInUse { .. });
                let hint = source.hint();
                if is_taken {
                    return Self::new(Code::Conflict, "the history is open in another pgstrata of this user")
                        .hint("end the other one, or give this one a history of its own with --keep or --history-url");
                }
                let problem = Self::from(source);
                let detail = format!("could not {action}: {}", problem.detail);
                Self { sqlstate: problem.sqlstate, ..Self::new(problem.code, detail).hinted(hint) }
            }
            DecisionError::NoInstall => Self::new(Code::NotSupported, error.to_string())
                .hint("install PostgreSQL 14 to 18, or name a database for it with --history-url"),
            DecisionError::Newer { .. } => {
                Self::new(Code::Conflict, error.to_string()).hint("use the newer pgstrata, or another history")
            }
            DecisionError::Changed { .. } => {
                Self::new(Code::Conflict, error.to_string()).hint("use the pgstrata that made it, or another history")
            }
            DecisionError::Unreadable(source) => Self::internal("read the decision", &source),
        }
    }
}

#[cfg(test)]
mod tests;
