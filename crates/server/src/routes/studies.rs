//! `GET /api/studies`: the cases that can be run, as their cards describe them, and the faults that can be injected.

use axum::Json;
use pgstrata_lab::faults::CATALOGUE;
use pgstrata_lab::study::{Arm, ArmKind, Card};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use pgstrata_tools::advisor::Words;

/// What can be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Studies {
    /// The studies, in the order of their ids.
    pub studies: Vec<StudyCard>,
    /// The faults that can be injected while arms prove themselves.
    pub faults: Vec<FaultCard>,
}

/// A study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StudyCard {
    /// The plan's id, `09-01`.
    pub id: String,
    /// Its name, `flash-sale`.
    pub name: String,
    /// Its title.
    pub title: Words,
    /// What is at stake, in one sentence.
    pub summary: Words,
    /// What one operation is.
    pub operation: Words,
    /// The arm that the others are compared with.
    pub baseline: String,
    /// Its arms.
    pub arms: Vec<ArmCard>,
    /// What must be true whatever happens.
    pub invariants: Vec<InvariantCard>,
    /// The numbers to reach.
    pub claims: Vec<ClaimCard>,
}

/// One way of doing the same work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArmCard {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Words,
    /// What it does and what it costs.
    pub summary: Words,
    /// What is expected of it.
    pub kind: Expectation,
    /// How many clients it is measured with when nothing is asked for.
    pub clients: u32,
    /// The statements that it runs.
    pub statements: Vec<StatementText>,
}

/// What is expected of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// It is wrong, and the checks must convict it.
    Broken,
    /// What people write first.
    Naive,
    /// What the books recommend.
    Textbook,
    /// What we recommend.
    Best,
}

/// A statement of an arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementText {
    /// The name of its file.
    pub file: String,
    /// Its text.
    pub sql: String,
}

/// A fact that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvariantCard {
    /// `I1`.
    pub id: String,
    /// The fact.
    pub statement: Words,
}

/// A number to reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimCard {
    /// Its name.
    pub name: String,
    /// The claim.
    pub statement: Words,
    /// The arm that it is about.
    pub arm: String,
    /// The number.
    pub target: f64,
    /// Its unit.
    pub unit: String,
}

/// A fault that can be injected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultCard {
    /// Its name, `kill-postmaster`.
    pub name: String,
    /// How it is written: `slow-fsync[=5ms][@2s][:count]`.
    pub usage: String,
    /// What it does.
    pub summary: Words,
}

impl From<ArmKind> for Expectation {
    fn from(kind: ArmKind) -> Self {
        match kind {
            ArmKind::Broken => Self::Broken,
            ArmKind::Naive => Self::Naive,
            ArmKind::Textbook => Self::Textbook,
            ArmKind::Best => Self::Best,
        }
    }
}

impl From<&Arm> for ArmCard {
    fn from(arm: &Arm) -> Self {
        let statement = |(file, sql): &(&str, &str)| StatementText { file: (*file).to_owned(), sql: (*sql).to_owned() };
        Self {
            name: arm.name.to_owned(),
            title: arm.title.into(),
            summary: arm.summary.into(),
            kind: arm.kind.into(),
            clients: arm.clients.get(),
            statements: arm.statements.iter().map(statement).collect(),
        }
    }
}

impl From<&Card> for StudyCard {
    fn from(card: &Card) -> Self {
        Self {
            id: card.id.to_string(),
            name: card.name.to_owned(),
            title: card.title.into(),
            summary: card.summary.into(),
            operation: card.operation.into(),
            baseline: card.baseline.to_owned(),
            arms: card.arms.iter().map(ArmCard::from).collect(),
            invariants: card
                .invariants
                .iter()
                .map(|each| InvariantCard { id: each.id.to_owned(), statement: each.statement.into() })
                .collect(),
            claims: card
                .claims
                .iter()
                .map(|claim| ClaimCard {
                    name: claim.name.to_owned(),
                    statement: claim.statement.into(),
                    arm: claim.measure.arm().to_owned(),
                    target: claim.target,
                    unit: claim.unit.to_owned(),
                })
                .collect(),
        }
    }
}

/// What can be run.
#[utoipa::path(get, path = "/api/studies", tag = "cases",
    responses((status = 200, body = Studies), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn studies() -> Json<Studies> {
    let fault = |fault: &pgstrata_lab::faults::FaultInfo| FaultCard {
        name: fault.name.to_owned(),
        usage: fault.usage(),
        summary: fault.summary.into(),
    };
    Json(Studies {
        studies: pgstrata_cases::studies().iter().map(|study| StudyCard::from(study.card())).collect(),
        faults: CATALOGUE.iter().map(fault).collect(),
    })
}
