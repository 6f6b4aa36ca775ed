//! Where schedules are played, one after the other, with the same sessions in the same schema.

use std::time::Duration;

use pgstrata_pg::{Endpoint, Session};
use pgstrata_scenario::interleave::{Event, Interleaved, Retries, Rules, interleave};
use pgstrata_scenario::serial::{Judge, Judgement, Tables};
use pgstrata_scenario::session::{Seat, Sessions};
use pgstrata_scenario::spec::Spec;

use super::error::ProofError;
use super::outcome::{Outcome, ShownBy};
use super::scan;
use super::scratch::{Scratch, sql};

/// How long a step may take, waiting included.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// How long a session has before it is asked about.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How many sessions are open without being asked for.
const SEATS: usize = 3;

/// A scratch schema with the user's tables, and sessions that play in it.
pub(super) struct Arena {
    pub scratch: Scratch,
    /// The server's version, as it says it.
    pub server: String,
    /// Tries what rows the tables take.
    pub planner: Session,
    tables: Tables,
    sessions: Option<Sessions>,
    /// What the tables were made of.
    ddl: String,
    by: ShownBy,
}

/// A play of the arena, with what the judge says of it.
pub(super) struct Judged {
    pub interleaved: Interleaved,
    pub outcome: Outcome,
}

impl Arena {
    /// Makes the schema; it is empty.
    pub(super) async fn open(server: &Endpoint, allow_remote: bool) -> Result<Self, ProofError> {
        let scratch = Scratch::create(server, allow_remote).await?;
        let planner = scratch.endpoint().connect().await?;
        let version = planner.query_one("show server_version", &[]).await.map_err(sql)?.get(0);
        let tables = Tables::of_schema(&planner, scratch.name()).await?;
        Ok(Self { scratch, server: version, planner, tables, sessions: None, ddl: String::new(), by: ShownBy::Outcome })
    }

    /// Makes the tables of a DDL, and no others.
    pub(super) async fn load(&mut self, ddl: &str) -> Result<(), ProofError> {
        ddl.clone_into(&mut self.ddl);
        self.make(ShownBy::Outcome).await
    }

    /// Makes the tables anew if this is not what they show.
    pub(super) async fn show(&mut self, by: ShownBy) -> Result<(), ProofError> {
        if self.by == by {
            return Ok(());
        }
        self.make(by).await
    }

    async fn make(&mut self, by: ShownBy) -> Result<(), ProofError> {
        self.scratch.load(&self.ddl).await?;
        if by == ShownBy::DependencyCycle {
            self.scratch.take_notes().await?;
        }
        self.by = by;
        self.tables = Tables::of_schema(&self.planner, self.scratch.name()).await?;
        Ok(())
    }

    /// The names of the tables that there are, without the schema.
    pub(super) fn table_names(&self) -> impl Iterator<Item = &str> {
        self.tables.names().iter().map(|(_, name)| name.as_str())
    }

    /// A judge of plays of this specification, in which these words leave nothing open. Give it back with [`Arena::rise`];
    /// sessions that are not given back are opened again.
    pub(super) async fn seat<'a>(&mut self, spec: &'a Spec, settled: &[&str]) -> Result<Table<'a>, ProofError> {
        let seats = spec.sessions.len().max(SEATS);
        let sessions = match self.sessions.take() {
            Some(sessions) if sessions.len() >= seats => sessions,
            other => {
                if let Some(few) = other {
                    few.close().await;
                }
                let names: Vec<String> = (1..=seats).map(|number| format!("T{number}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Sessions::open(self.scratch.endpoint(), "proof", &names).await?.with_look_every(LOOK_EVERY)
            }
        };
        let needs_cleaning =
            spec.sessions.iter().flat_map(|session| &session.steps).any(|step| leaves_traces(&step.sql));
        Ok(Table {
            spec,
            judge: Judge::in_place(spec, sessions, self.tables.clone()).with_settled_words(settled),
            tables: self.tables.clone(),
            needs_cleaning,
            qualifier: format!("{}.", self.scratch.name()),
        })
    }

    /// Takes the sessions back.
    pub(super) fn rise(&mut self, mut table: Table<'_>) {
        self.sessions = table.judge.sessions().take();
    }

    /// Removes the schema and says goodbye.
    pub(super) async fn close(self) -> Result<(), ProofError> {
        if let Some(sessions) = self.sessions {
            sessions.close().await;
        }
        self.planner.close().await;
        self.scratch.close().await
    }
}

/// Sessions that sit down to play one specification in several orders.
pub(super) struct Table<'a> {
    spec: &'a Spec,
    judge: Judge<'a>,
    tables: Tables,
    needs_cleaning: bool,
    /// What stands before the names of tables.
    qualifier: String,
}

impl Table<'_> {
    /// Plays one order and judges it.
    pub(super) async fn play(
        &mut self,
        turns: &[Seat],
        retries: Retries,
        on: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> Result<Judged, ProofError> {
        let Some(sessions) = self.judge.sessions() else {
            return Err(ProofError::Lost);
        };
        let rules = Rules { step: STEP_LIMIT, retries };
        let interleaved = interleave(self.spec, sessions, turns, rules, on).await?;
        let contents = self.tables.read(sessions, STEP_LIMIT).await?;
        if self.needs_cleaning {
            for seat in (0..self.spec.sessions.len()).map(Seat) {
                sessions.run(seat, "discard all", STEP_LIMIT).await?;
            }
        }
        let mut outcome = match &interleaved.performed.stopped {
            Some(words) => Outcome::Undecided { because: words.clone() },
            None => self.judge.judge(&interleaved.performed, contents).await?.into(),
        };
        // The user's tables have no such schema.
        if let Outcome::Anomaly { difference, .. } = &mut outcome {
            *difference = difference.replace(&self.qualifier, "");
        }
        Ok(Judged { interleaved, outcome })
    }
}

impl From<Judgement> for Outcome {
    fn from(judgement: Judgement) -> Self {
        match judgement {
            Judgement::Serializable { order } => Self::Serial { order },
            Judgement::Allowed(found) | Judgement::Convicted(found) => {
                Self::Anomaly { orders: found.orders, nearest: found.nearest, difference: found.detail }
            }
            Judgement::NotCovered { because } => Self::Undecided { because: because.to_string() },
        }
    }
}

/// Whether a step may leave something with its session when its transaction is over.
fn leaves_traces(sql: &str) -> bool {
    const PLAIN: [&str; 10] =
        ["select", "insert", "update", "delete", "with", "merge", "values", "commit", "begin", "set local"];
    let is_plain = |statement: &String| {
        let statement = statement.to_ascii_lowercase();
        PLAIN.iter().any(|word| statement.starts_with(word))
            && !statement.contains("advisory")
            && !statement.contains("set_config")
    };
    !scan::statements(sql).iter().all(is_plain)
}
