//! The advisor: which isolation level each transaction program needs, why, what else keeps the invariants, and the proof
//! on a server.

pub mod analysis;
pub mod decisions;
pub mod prove;
pub mod question;

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use pgstrata_tools::advisor::templates::Language;
use pgstrata_tools::advisor::{Decision, SolutionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::advisor::Advisor;
use crate::body::Body;
use crate::problem::Problem;
use crate::workbench::Workbench;
use analysis::Analysed;
use pgstrata_tools::advisor::Words;
use question::Question;

/// A question to begin with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorExample)]
pub struct Example {
    /// Its name in addresses.
    pub name: String,
    /// Its title.
    pub title: Words,
    /// What it shows.
    pub summary: Words,
    /// The question.
    pub question: Question,
}

/// What the wizard asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorForm)]
pub struct Form {
    /// In the order in which they are asked.
    pub questions: Vec<FormQuestion>,
}

/// A question of the wizard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorFormQuestion)]
pub struct FormQuestion {
    /// The field of the requirement that it fills.
    pub field: String,
    /// The part of the wizard.
    pub group: Words,
    /// The question.
    pub ask: Words,
    /// What is meant, with an example.
    pub help: Words,
    /// What the answer changes.
    pub changes: Words,
    /// What can be answered.
    pub answer: FormAnswer,
}

/// What can be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = AdvisorFormAnswer)]
pub enum FormAnswer {
    /// Yes or no.
    Flag {
        /// What it is where nobody answers.
        default: bool,
    },
    /// A number.
    Number {
        /// What it is where nobody answers.
        default: f64,
        /// The least.
        least: f64,
        /// The most.
        most: f64,
        /// Its unit; empty for shares and counts.
        unit: String,
        /// Whether it has no fraction.
        whole: bool,
    },
    /// One of a list.
    One {
        /// What it is where nobody answers.
        default: String,
        /// The list.
        options: Vec<FormOption>,
    },
    /// Any of a list.
    Many {
        /// The list.
        options: Vec<FormOption>,
    },
}

/// An answer that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorFormOption)]
pub struct FormOption {
    /// Its name in the requirement.
    pub value: String,
    /// What people read.
    pub words: Words,
}

/// Questions to begin with.
#[utoipa::path(get, path = "/api/advisor/examples", tag = "advisor",
    responses((status = 200, body = Vec<Example>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_examples() -> Json<Vec<Example>> {
    Json(Advisor::examples().to_vec())
}

/// What the wizard asks.
#[utoipa::path(get, path = "/api/advisor/form", tag = "advisor",
    responses((status = 200, body = Form), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_form() -> Json<Form> {
    Json(Advisor::form())
}

/// Reads the programs and decides them. Nothing is run on any server.
#[utoipa::path(post, path = "/api/advisor/analyse", tag = "advisor", request_body = Question,
    responses((status = 200, body = Analysed), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_analyse(
    State(workbench): State<Workbench>,
    Body(question): Body<Question>,
) -> Result<Json<Analysed>, Problem> {
    workbench.advisor().analyse(question).await.map(Json)
}

/// What the engine says of a question: solutions ranked and rejected, with every rule that was tried. Programs are
/// analysed for it; if their SQL cannot be read, the requirement alone decides.
#[utoipa::path(post, path = "/api/advisor/decide", tag = "advisor", request_body = Question,
    responses((status = 200, body = Decision), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_decide(
    State(workbench): State<Workbench>,
    Body(question): Body<Question>,
) -> Result<Json<Decision>, Problem> {
    workbench.advisor().decide(question).await.map(Json)
}

/// Programs that were found in a server's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorLog)]
pub struct LogAnswer {
    /// All programs as one source of SQL, with their frequencies.
    pub sql: String,
    /// The programs, most frequent first.
    pub programs: Vec<LogProgram>,
    /// Entries that were read.
    pub entries: u64,
    /// Lines or entries that are no whole entry.
    pub garbled: u64,
    /// Transactions of which programs were made.
    pub transactions: u64,
}

/// A program that was found in a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorLogProgram)]
pub struct LogProgram {
    /// Its name, made of what it does.
    pub name: String,
    /// The share of all committed transactions, 0 to 1.
    pub frequency: f64,
    /// Transactions that were committed.
    pub commits: u64,
    /// Transactions that failed.
    pub failures: u64,
}

/// Reads a server's log (jsonlog or csvlog) into programs. The log itself is not kept.
#[utoipa::path(post, path = "/api/advisor/log", tag = "advisor",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = LogAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_log(State(workbench): State<Workbench>, body: HttpBody) -> Result<Json<LogAnswer>, Problem> {
    workbench.advisor().log(body).await.map(Json)
}

/// Which code is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdvisorCodeRequest)]
pub struct CodeRequest {
    /// In which language.
    pub language: Language,
    /// Of what.
    pub of: CodeSubject,
}

/// Of what code is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = AdvisorCodeSubject)]
pub enum CodeSubject {
    /// An example of a solution.
    Solution {
        /// Which.
        solution: SolutionId,
    },
    /// A program of the question, at the weakest level that is safe for it.
    Program {
        /// The question.
        question: Box<Question>,
        /// The program.
        program: String,
    },
}

/// Code to be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorCode)]
pub struct CodeAnswer {
    /// A name for the file.
    pub file: String,
    /// The code.
    pub code: String,
    /// What is to be added to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Words>,
}

/// Code for a solution or a program, with retries and requests that have their effect once.
#[utoipa::path(post, path = "/api/advisor/code", tag = "advisor", request_body = CodeRequest,
    responses((status = 200, body = CodeAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_code(
    State(workbench): State<Workbench>,
    Body(wanted): Body<CodeRequest>,
) -> Result<Json<CodeAnswer>, Problem> {
    workbench.advisor().code(wanted).await.map(Json)
}
