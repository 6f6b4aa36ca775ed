//! What goes over `/api/live`, in both directions.

use pgstrata_timeline::{At, Change, Moment, SharedItem};
use pgstrata_tools::mvcc::Watch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::routes::consoles::Statement;
use crate::routes::runs::Run;

/// What the page sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// Look at this from now on, and at nothing else.
    Watch {
        /// What.
        #[serde(flatten)]
        watch: Watch,
        /// The log that was looked at before a connection was lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<String>,
        /// The last change of it that arrived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Are you there?
    Ping,
}

/// What the page is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "most messages are changes, and they live as text in queues")]
pub enum ServerMessage {
    /// All that there is; changes that follow go on from it.
    Moment(LiveMoment),
    /// The next entry of the log.
    Change(Change),
    /// The changes after `after` follow: what was missed while away is made good without a new moment.
    Resumed {
        /// The log.
        log: String,
        /// The last change that the page has.
        after: u64,
    },
    /// The page was too slow; changes were left out, and a moment follows.
    Lagged,
    /// What was asked for cannot be had.
    Problem {
        /// Why.
        problem: Problem,
    },
    /// A run of a study has come further.
    Run {
        /// As far as it is.
        run: Run,
    },
    /// A statement of one of this browser's consoles was sent, or ended.
    Statement {
        /// As far as it is.
        statement: Statement,
    },
    /// The answer to a ping.
    Pong,
}

/// All that there is at a point of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveMoment {
    /// The log; changes of another log do not go on from this moment.
    pub log: String,
    /// What is watched.
    pub watch: Watch,
    /// The last change folded in.
    pub seq: u64,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// What there is.
    #[schema(value_type = Vec<pgstrata_timeline::PutItem>)]
    pub items: Vec<SharedItem>,
}

impl LiveMoment {
    /// A moment of a log.
    #[must_use]
    pub fn of(log: &str, watch: &Watch, moment: Moment) -> Self {
        Self {
            log: log.to_owned(),
            watch: watch.clone(),
            seq: moment.seq,
            at: moment.at,
            items: moment.items.into_values().collect(),
        }
    }
}
