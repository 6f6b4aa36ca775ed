//! The advisor behind its page: questions are read and decided here, and their answers kept. What is analysis, engine and
//! proof is `pgstrata_tools::advisor`; here are limits, and the words of the wire.

mod answer;
mod code;
mod convert;
mod examples;
mod form;
mod logs;
mod proving;
mod reading;
mod record;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pgstrata_tools::advisor::proof::Proof;
use pgstrata_tools::advisor::{Decision, DecisionEngine, Report};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::decisions::{self, Decisions, canonical, content_id};
use crate::ground::Ground;
use crate::limits;
use crate::problem::{Code, Problem};
use crate::routes::advisor::analysis::Analysed;
use crate::routes::advisor::decisions::{
    DecisionAnswer, DecisionDetail, DecisionEntry, DecisionNote, NewNote, Page, Summary,
};
use crate::routes::advisor::question::Question;
use crate::routes::advisor::{Example, Form};

/// The advisor; cheap to clone.
#[derive(Clone)]
pub struct Advisor(Arc<Shared>);

struct Shared {
    decisions: Decisions,
    /// Analyses that run at a time.
    places: Arc<Semaphore>,
    /// On which proofs run, if it may be changed.
    ground: Ground,
    /// Proofs that run at a time.
    proofs: Arc<Semaphore>,
    /// What was shown last, by questions' hashes.
    proved: Mutex<VecDeque<(String, Proof)>>,
    /// Ends proofs.
    stop: CancellationToken,
}

impl Advisor {
    /// The advisor with its history, and the server on which it proves.
    pub fn new(decisions: Decisions, ground: Ground) -> Self {
        Self(Arc::new(Shared {
            decisions,
            places: Arc::new(Semaphore::new(limits::ANALYSES)),
            ground,
            proofs: Arc::new(Semaphore::new(limits::PROOFS)),
            proved: Mutex::default(),
            stop: CancellationToken::new(),
        }))
    }

    /// Questions to begin with.
    pub fn examples() -> &'static [Example] {
        examples::all()
    }

    /// What the wizard asks.
    pub fn form() -> Form {
        form::form()
    }

    /// Reads the programs and decides them.
    pub async fn analyse(&self, question: Question) -> Result<Analysed, Problem> {
        let id = id_of(&question)?;
        let began = Instant::now();
        let (errors, analysis) = self
            .work(move || match reading::read(&question) {
                Ok(read) => (Vec::new(), Some(convert::analysis(&read.input.workload, &read.report))),
                Err(errors) => (errors.iter().map(convert::mistake).collect(), None),
            })
            .await?;
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Analysed { id, errors, analysis, took_us })
    }

    /// Ranks solutions for what is required; where the programs can be read, their analysis decides what is safe.
    pub async fn decide(&self, question: Question) -> Result<Decision, Problem> {
        value_of(&question)?;
        self.work(move || {
            let report = reading::read(&question).ok().map(|read| read.report);
            decide(&question, report.as_ref())
        })
        .await
    }

    /// The history, newest first.
    pub async fn list(&self, page: &Page) -> Result<Vec<DecisionEntry>, Problem> {
        let entries = self.0.decisions.list(page.before, page.limit.unwrap_or(limits::DECISION_PAGE)).await?;
        let entry = |entry: decisions::Entry| DecisionEntry {
            id: entry.id,
            number: entry.number,
            title: entry.title,
            made_us: entry.made_us,
            answers: entry.answers,
            notes: entry.notes,
            summary: entry.summary.and_then(|summary| serde_json::from_value(summary).ok()),
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    /// Keeps a question with our answer to it.
    pub async fn save(&self, question: Question) -> Result<DecisionDetail, Problem> {
        let text = value_of(&question)?;
        let answer = self.answer(question).await?;
        let id = self.0.decisions.save(&text, &answer).await?;
        self.show(&id).await
    }

    /// One decision.
    pub async fn show(&self, id: &str) -> Result<DecisionDetail, Problem> {
        detail(self.0.decisions.show(id).await?)
    }

    /// Adds a note to one.
    pub async fn note(&self, id: &str, note: &NewNote) -> Result<DecisionDetail, Problem> {
        let bad = |detail: &str| Problem::new(Code::BadRequest, detail);
        if note.key.is_empty() || note.key.len() > limits::KEY_CHARACTERS {
            return Err(bad("the key is missing or too long").hint("a UUID is a good one"));
        }
        if note.body.trim().is_empty() || note.body.chars().count() > limits::NOTE_CHARACTERS {
            return Err(bad("that is no note").hint(format!("1 to {} characters", limits::NOTE_CHARACTERS)));
        }
        detail(self.0.decisions.note(id, &note.key, note.body.trim()).await?)
    }

    /// Ends proofs and the history.
    pub async fn close(&self) {
        self.0.stop.cancel();
        // A proof gives its place back when its scratch schema is gone.
        let all = u32::try_from(limits::PROOFS).unwrap_or(1);
        let _ = tokio::time::timeout(limits::DRAIN_TIME, self.0.proofs.acquire_many(all)).await;
        self.0.decisions.close().await;
    }

    /// Does what takes time where it holds up nobody, within a limit. Work that is given up runs on to its own end, and
    /// keeps its place until then: so there is never more of it than there are places.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let late = || {
            Problem::new(Code::TooLate, format!("it took longer than {} s", limits::ANALYSIS_TIME.as_secs()))
                .hint("analyse fewer programs together, or use `pgstrata advise`, which has no limit")
        };
        let places = Arc::clone(&self.0.places);
        let place = tokio::time::timeout(limits::ANALYSIS_TIME, places.acquire_owned()).await.map_err(|_| late())?;
        let place = place.map_err(|error| Problem::internal("wait for a place", &error))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        match tokio::time::timeout(limits::ANALYSIS_TIME, done).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Problem::internal("analyse the programs", &error)),
            Err(_) => Err(late()),
        }
    }
}

/// What the engine says. Without programs there is nothing that an analysis could tell.
fn decide(question: &Question, report: Option<&Report>) -> Decision {
    let report = report.filter(|report| !report.programs.is_empty());
    DecisionEngine::shipped().decide(&question.requirement, report)
}

/// The question as JSON in its one form.
fn value_of(question: &Question) -> Result<Value, Problem> {
    check(question)?;
    serde_json::to_value(question).map_err(|error| Problem::internal("write the question", &error))
}

/// The hash of a question.
fn id_of(question: &Question) -> Result<String, Problem> {
    Ok(content_id(&canonical(&value_of(question)?)))
}

/// Refuses what no page sends.
fn check(question: &Question) -> Result<(), Problem> {
    let bad = |detail: String| Err(Problem::new(Code::BadRequest, detail));
    if question.title.chars().count() > limits::TITLE_CHARACTERS || question.title.chars().any(char::is_control) {
        return bad(format!("a title has at most {} characters, no control characters", limits::TITLE_CHARACTERS));
    }
    if question.sources.len() > limits::SOURCES {
        return bad(format!("{} sources, and there may be {}", question.sources.len(), limits::SOURCES));
    }
    if question.levels.len() > limits::SOURCE_PROGRAMS {
        return bad(format!("{} levels, and there may be {}", question.levels.len(), limits::SOURCE_PROGRAMS));
    }
    let names = question.sources.iter().map(|source| source.name.as_str());
    if let Some(name) = names.clone().find(|name| !is_name(name)) {
        let shown: String = name.chars().take(limits::TITLE_CHARACTERS).filter(|letter| !letter.is_control()).collect();
        return bad(format!("{shown:?} is no name of a source"));
    }
    let mut sorted: Vec<&str> = names.collect();
    sorted.sort_unstable();
    if let Some((twice, _)) = sorted.iter().zip(sorted.iter().skip(1)).find(|(one, next)| one == next) {
        return bad(format!("two sources are called {twice:?}"));
    }
    // PostgreSQL's texts cannot hold a zero.
    let texts = question.sources.iter().map(|source| source.text.as_str()).chain([question.schema.as_str()]);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return bad("the SQL holds a zero byte".to_owned());
    }
    question
        .requirement
        .validate()
        .map_err(|error| Problem::new(Code::BadRequest, error.to_string()).hint(error.hint()))
}

fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=limits::TITLE_CHARACTERS).contains(&length) && !name.chars().any(char::is_control) && name != reading::SCHEMA
}

fn detail(kept: decisions::Kept) -> Result<DecisionDetail, Problem> {
    let answer = |answer: decisions::KeptAnswer| DecisionAnswer {
        id: answer.id,
        summary: summary_of(&answer.document),
        made_by: answer.made_by,
        made_us: answer.made_us,
    };
    let question = serde_json::from_value(kept.question).map_err(|error| {
        tracing::warn!(id = kept.id, error = %error, "a decision is of another version");
        Problem::new(
            Code::Conflict,
            "the decision was kept by another version of pgstrata, which asked other questions",
        )
        .hint("the export as JSON has all of it")
    })?;
    let note = |note: decisions::KeptNote| DecisionNote { body: note.body, made_us: note.made_us };
    Ok(DecisionDetail {
        id: kept.id,
        question,
        made_us: kept.made_us,
        answers: kept.answers.into_iter().map(answer).collect(),
        notes: kept.notes.into_iter().map(note).collect(),
    })
}

/// What a kept answer says in short; nothing of one that a newer version kept.
fn summary_of(document: &Value) -> Summary {
    serde_json::from_value(document["summary"].clone()).unwrap_or_default()
}
