//! The proof on a server, step by step, over the WebSocket `/api/advisor/prove`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use pgstrata_tools::advisor::Words;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::analysis::Act;
use super::question::{Level, Question};
use crate::problem::{Code, Problem};
use crate::workbench::Workbench;

/// What the page sends. Nothing is run before the first message asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
#[schema(as = ProveRequest)]
pub enum Request {
    /// Show something of the verdicts on a question, in a scratch schema of the workbench's server.
    Prove {
        /// The question.
        question: Box<Question>,
        /// What to show.
        show: Show,
    },
    /// End what is being played.
    Cancel,
}

/// What is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schema(as = ProveShow)]
pub enum Show {
    /// The witness against the levels that the question asks about, until the server has done what no serial order does.
    Witness,
    /// The witness, and that it is gone with each fix.
    Fix,
    /// Random schedules of every set of levels that is called safe.
    Schedules {
        /// How many of each.
        count: u64,
    },
}

/// What the page is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schema(as = ProveMessage)]
pub enum Message {
    /// The scratch schema is made.
    Prepared {
        /// Its name.
        schema: String,
        /// The server's version.
        server: String,
    },
    /// A schedule is played from here on.
    Began {
        /// Whether something was changed; none where the programs are as they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fix: Option<ProveFix>,
        /// Who plays.
        players: Vec<Player>,
        /// The rows before, as SQL.
        seeds: String,
    },
    /// A step was sent.
    StepBegan {
        /// Who, from 0.
        player: usize,
        /// What it does.
        act: Act,
        /// Its text.
        sql: String,
    },
    /// It waits for a lock.
    Blocked {
        /// Who waits.
        player: usize,
        /// For whom.
        by: Vec<usize>,
    },
    /// It was answered.
    StepDone {
        /// Who.
        player: usize,
        /// What it was.
        act: Act,
        /// What the server calls it: `UPDATE 1`.
        tag: String,
        /// The first rows that it returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<Vec<Vec<Option<String>>>>,
    },
    /// It failed, and with it the transaction.
    Failed {
        /// Who.
        player: usize,
        /// What it was.
        act: Act,
        /// PostgreSQL's code.
        sqlstate: String,
        /// PostgreSQL's words.
        message: String,
    },
    /// A transaction that has lost begins again.
    Retried {
        /// Who.
        player: usize,
    },
    /// The outcome was compared with those of all serial orders.
    Compared {
        /// What came of it.
        outcome: PlayOutcome,
    },
    /// So many random schedules were played.
    Random {
        /// Of what, in English.
        of: String,
        /// Played so far.
        schedules: u64,
        /// To be played.
        planned: u64,
        /// Those whose outcome no serial order gives.
        anomalies: u64,
    },
    /// It is over, and the scratch schema is gone.
    Done {
        /// Whether the server agrees with every verdict that was tried; none if none was, or it was ended before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agrees: Option<bool>,
        /// In what a witness was seen; none if none was played to its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_in: Option<SeenIn>,
        /// Why a witness could not be shown.
        notes: Vec<Words>,
    },
    /// It cannot be done.
    Problem {
        /// Why.
        problem: Problem,
    },
}

/// In what a witness is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProveSeenIn)]
pub enum SeenIn {
    /// In what statements are answered and what tables hold.
    Values,
    /// Only in who wrote what when: no serial order has these writers, though one has the same values.
    Writers,
}

/// Who plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProvePlayer)]
pub struct Player {
    /// `T1`, ….
    pub name: String,
    /// The program.
    pub program: String,
    /// Its level.
    pub level: Level,
    /// Values of its parameters, in SQL.
    pub arguments: BTreeMap<String, String>,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProveFix {
    /// The levels.
    pub levels: BTreeMap<String, Level>,
    /// How many statements were changed too.
    pub changed: usize,
}

/// What came of a play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PlayOutcome {
    /// One serial order gives the same.
    Serial {
        /// It.
        order: Vec<String>,
    },
    /// None does.
    Anomaly {
        /// How many orders were tried: all there are.
        orders: usize,
        /// The one that comes nearest.
        nearest: Vec<String>,
        /// What it gives instead.
        difference: String,
    },
    /// It cannot be told.
    Undecided {
        /// Why.
        because: Words,
    },
}

/// Becomes a WebSocket over which a verdict is proved on the workbench's server, step by step. Its messages, each a JSON
/// text: the page sends `ProveRequest`, and is sent `ProveMessage`.
#[utoipa::path(get, path = "/api/advisor/prove", tag = "advisor",
    responses((status = 101, description = "the WebSocket is open"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_prove(
    State(workbench): State<Workbench>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(Code::BadRequest, rejection.body_text()).hint("this address is a WebSocket's")
    })?;
    workbench.advisor().prove(upgrade)
}
