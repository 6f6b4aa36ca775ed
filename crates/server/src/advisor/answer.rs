//! The answer that is kept with a question, and both as files.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use pgstrata_units::Isolation;
use serde_json::{Value, json};

use super::reading::{self, Read};
use super::{Advisor, convert};
use crate::decisions::{Kept, KeptAnswer, canonical, content_id};
use crate::problem::{Code, Problem};
use crate::routes::advisor::decisions::{Export, Form, Summary};
use crate::routes::advisor::question::{Level, Question};

/// The media type of a record.
const MARKDOWN: &str = "text/markdown; charset=utf-8";

impl Advisor {
    /// What this program answers to a question, as it is kept.
    pub(super) async fn answer(&self, question: Question) -> Result<Value, Problem> {
        let id = super::id_of(&question)?;
        let proof = self.proof_of(&id);
        self.work(move || {
            let read = reading::read(&question).map_err(|errors| {
                let first = errors.first().map(ToString::to_string).unwrap_or_default();
                Problem::new(Code::BadRequest, format!("the SQL cannot be read: {first}"))
                    .hint("only what can be read is kept; `POST /api/advisor/analyse` lists every mistake")
            })?;
            let decision = super::decide(&question, Some(&read.report));
            let solution = decision.best().map(|best| best.solution.key().to_owned());
            let summary = Summary { solution, ..summary(&read, proof.as_ref()) };
            Ok(json!({
                "summary": summary,
                "analysis": convert::analysis(&read.input.workload, &read.report),
                "decision": decision,
                "proof": proof,
                "record": super::record::documents(&id, &question, &read, &decision, proof.as_ref()),
            }))
        })
        .await?
    }

    /// The answer to a question as text, which is not kept.
    pub async fn record(&self, question: Question, language: Option<&str>) -> Result<Response, Problem> {
        let text = super::value_of(&question)?;
        let document = self.answer(question).await?;
        let answer =
            KeptAnswer { id: String::new(), document, made_by: env!("CARGO_PKG_VERSION").to_owned(), made_us: 0 };
        let id = content_id(&canonical(&text));
        let asked = Kept { id, question: text, made_us: 0, answers: vec![answer], notes: Vec::new() };
        let mut answer = super::record::markdown(&asked, language)?.into_response();
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MARKDOWN));
        Ok(answer)
    }

    /// A decision as a file.
    pub async fn export(&self, id: &str, export: &Export) -> Result<Response, Problem> {
        let kept = self.0.decisions.show(id).await?;
        let short: String = kept.id.chars().take(12).collect();
        let (text, media_type, ending) = match export.form {
            Form::Json => {
                let answers: Vec<Value> = kept
                    .answers
                    .iter()
                    .map(|answer| json!({ "id": answer.id, "made_by": answer.made_by, "made_us": answer.made_us, "document": answer.document }))
                    .collect();
                let notes: Vec<Value> =
                    kept.notes.iter().map(|note| json!({ "made_us": note.made_us, "body": note.body })).collect();
                let whole = json!({ "id": kept.id, "made_us": kept.made_us, "question": kept.question, "answers": answers, "notes": notes });
                (format!("{whole:#}\n"), "application/json", "json")
            }
            Form::Md => (super::record::markdown(&kept, export.lang.as_deref())?, MARKDOWN, "md"),
        };
        let mut answer = text.into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"decision-{short}.{ending}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, name);
        }
        Ok(answer)
    }
}

fn summary(read: &Read, proof: Option<&Value>) -> Summary {
    let strongest = read.report.optimal.0.values().copied().max().map(Level::from);
    let programs = read.input.workload.programs.len();
    Summary {
        programs,
        is_safe: (programs > 0).then(|| read.report.asked.is_safe() && read.report.scopes.is_empty()),
        strongest: strongest.or_else(|| (programs > 0).then_some(Level::from(Isolation::ReadCommitted))),
        solution: None,
        is_proved: proof.map(|proof| proof["agrees"] == json!(true)),
    }
}
