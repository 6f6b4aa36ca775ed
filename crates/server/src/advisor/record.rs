//! A decision as an architecture decision record in Markdown. Made of what was kept, so that an old decision reads as it
//! was answered then; written by `pgstrata_tools::advisor::present`, as on the command line.

use pgstrata_tools::advisor::Decision;
use pgstrata_tools::advisor::present::{Adr, Document, Made, Scene, adr_document, adr_notes, code};
use pgstrata_tools::advisor::proof::Proof;
use pgstrata_tools::advisor::templates;
use pgstrata_units::Language;
use serde_json::{Value, json};

use super::reading::{self, Read};
use crate::decisions::Kept;
use crate::problem::Problem;
use crate::routes::advisor::question::Question;

/// The record of an answer in both languages, as it is kept with the answer.
pub fn documents(id: &str, question: &Question, read: &Read, decision: &Decision, proof: Option<&Value>) -> Value {
    let proof: Option<Proof> = proof.and_then(|proof| serde_json::from_value(proof["shown"].clone()).ok());
    let (input, report) = (&read.input, &read.report);
    let code = code(&input.schema, &input.workload, report, None, templates::Language::Sql);
    let sources = reading::texts(question);
    let of = |language| {
        adr_document(&Adr {
            title: &question.title,
            scene: Scene { workload: &input.workload, report },
            sources: &sources,
            requirement: &question.requirement,
            decision: Some(decision),
            proof: proof.as_ref(),
            code: Some((templates::Language::Sql, &code)),
            made: Made { version: env!("CARGO_PKG_VERSION"), question: id },
            language,
        })
    };
    json!({ "en": of(Language::English), "zh": of(Language::Chinese) })
}

/// The decision in Markdown; English unless `zh` is asked for.
pub fn markdown(kept: &Kept, language: Option<&str>) -> Result<String, Problem> {
    let (language, key) = if language == Some("zh") { (Language::Chinese, "zh") } else { (Language::English, "en") };
    let of_answer = kept.answers.first().and_then(|answer| document(&answer.document["record"], key));
    let mut document = match of_answer {
        Some(document) => document,
        None => again(kept, key)?,
    };
    let notes: Vec<String> = kept.notes.iter().map(|note| note.body.clone()).collect();
    adr_notes(&mut document, &notes, language);
    Ok(document.markdown())
}

fn document(both: &Value, key: &str) -> Option<Document> {
    serde_json::from_value(both.get(key)?.clone()).ok()
}

/// The record of a question that was kept without one: as this program answers it.
fn again(kept: &Kept, key: &str) -> Result<Document, Problem> {
    let question: Question = serde_json::from_value(kept.question.clone())
        .map_err(|error| Problem::internal("read the kept question", &error))?;
    if let Ok(read) = reading::read(&question) {
        let decision = super::decide(&question, Some(&read.report));
        let both = documents(&kept.id, &question, &read, &decision, None);
        return document(&both, key).ok_or_else(|| Problem::missing("there is no such record"));
    }
    let mut document = Document::default();
    document.heading(1, question.title.replace('`', "'"));
    for source in reading::texts(&question) {
        document.blocks.push(pgstrata_tools::advisor::present::Block::Code("sql".to_owned(), source.text));
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(text: &str) -> Kept {
        Kept {
            id: "0".repeat(64),
            question: json!({
                "title": "<script>alert(1)</script>",
                "sources": [{ "name": "a.sql", "text": text }],
            }),
            made_us: 0,
            answers: Vec::new(),
            notes: vec![crate::decisions::KeptNote { body: "one\n# two".to_owned(), made_us: 0 }],
        }
    }

    #[test]
    fn what_users_wrote_stays_text() {
        for language in ["en", "zh"] {
            let text = markdown(&kept("select '```'\n````\n# no heading"), Some(language)).expect("it is written");
            assert!(text.starts_with("# \\<script\\>alert(1)"), "{text}");
            assert!(text.contains("`````sql\n"), "{text}");
            assert!(text.contains("* one \\# two"), "{text}");
        }
    }

    #[test]
    fn a_question_without_a_kept_record_gets_one() {
        let text = markdown(&kept("begin; select 1; commit;"), None).expect("it is written");
        for part in ["## Status", "## Decision", "## Consequences", &"0".repeat(64)] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
