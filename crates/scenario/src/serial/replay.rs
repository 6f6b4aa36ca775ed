//! Runs transactions one after the other, each on its own session: in a database of their own, or where they ran together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgstrata_pg::simple::{Reply, TransactionStatus};
use pgstrata_pg::{Endpoint, Error};
use pgstrata_units::Isolation;

use super::contents::{self, Contents, Leftovers, Tables};
use super::judgement::Why;
use super::outcome::{Answer, Outcome, answers};
use super::units::{PartOf, sql_of};
use crate::runner::Part;
use crate::session::{Blocking, Seat, Sessions, Settled};
use crate::spec::Spec;

const LEVEL: &str = include_str!("level.sql");

/// How long a part may take when nobody else does anything.
const PART_LIMIT: Duration = Duration::from_secs(20);

/// What returns a session to how it was opened, outside a transaction.
const CLEAN: &str = "discard all";

/// The stage of serial runs of one specification.
pub(super) struct Replay<'a> {
    spec: &'a Spec,
    place: Place,
    /// Elsewhere opened when first needed, and again after anything odd; lent for the time of a run.
    sessions: Option<Sessions>,
    /// The level at which each transaction runs, asked for when it first does.
    levels: BTreeMap<Vec<PartOf>, Isolation>,
}

/// Where serial runs are made.
enum Place {
    /// In another database, with sessions of their own.
    Elsewhere {
        endpoint: Box<Endpoint>,
        name: String,
        /// What was there before the first run.
        leftovers: Option<Leftovers>,
    },
    /// Where the transactions ran together, which the set-up makes as it was; with the same sessions.
    Here { tables: Tables },
}

/// What a serial run gave: the outcome, and the level of each transaction in the order in which it was run.
#[derive(Clone, Debug)]
pub(super) struct Replayed {
    pub outcome: Outcome,
    pub levels: Vec<Isolation>,
}

/// Why a serial run gave nothing.
enum Failure {
    /// There is a reason in the script.
    Script(Why),
    Server(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl<'a> Replay<'a> {
    pub(super) fn new(spec: &'a Spec, endpoint: Endpoint, name: &str) -> Self {
        let place = Place::Elsewhere { endpoint: Box::new(endpoint), name: format!("{name} serial"), leftovers: None };
        Self { spec, place, sessions: None, levels: BTreeMap::new() }
    }

    pub(super) fn here(spec: &'a Spec, sessions: Sessions, tables: Tables) -> Self {
        Self { spec, place: Place::Here { tables }, sessions: Some(sessions), levels: BTreeMap::new() }
    }

    /// The sessions, when they are open.
    pub(super) fn sessions(&mut self) -> &mut Option<Sessions> {
        &mut self.sessions
    }

    /// Runs the set-up, these transactions in this order, and the tear-down.
    pub(super) async fn run(&mut self, order: &[Vec<PartOf>]) -> Result<Result<Replayed, Why>, Error> {
        let mut sessions = match (self.sessions.take(), &self.place) {
            (Some(sessions), _) => sessions,
            (None, Place::Elsewhere { endpoint, name, .. }) => {
                Sessions::open(endpoint, name, &self.spec.session_names()).await?
            }
            // A run before this one met an error of the server.
            (None, Place::Here { .. }) => return Ok(Err(Why::Lost)),
        };
        match self.run_on(&mut sessions, order).await {
            Ok(replayed) => {
                self.sessions = Some(sessions);
                Ok(Ok(replayed))
            }
            Err(Failure::Script(why)) => {
                calm(&mut sessions, self.spec).await;
                match self.place {
                    Place::Elsewhere { .. } => sessions.close().await,
                    Place::Here { .. } => self.sessions = Some(sessions),
                }
                Ok(Err(why))
            }
            Err(Failure::Server(error)) => Err(error),
        }
    }

    /// Makes the next run open fresh sessions, whose numbers and names on the server are others. Where the sessions are
    /// those that ran together, they stay.
    pub(super) async fn refresh(&mut self) {
        if matches!(self.place, Place::Elsewhere { .. })
            && let Some(sessions) = self.sessions.take()
        {
            sessions.close().await;
        }
    }

    async fn run_on(&mut self, sessions: &mut Sessions, order: &[Vec<PartOf>]) -> Result<Replayed, Failure> {
        if let Place::Elsewhere { leftovers: leftovers @ None, .. } = &mut self.place {
            *leftovers = Some(Leftovers::of(sessions.watcher()).await?);
        }
        for sql in &self.spec.setups {
            let replies = sessions.run_on_control(sql, PART_LIMIT).await?;
            if replies.iter().any(is_failure) {
                return Err(Failure::Script(Why::Setup));
            }
        }
        let mut given = BTreeMap::<PartOf, Vec<Vec<Answer>>>::new();
        let mut levels = Vec::new();
        for unit in order {
            // Here the level is what is claimed.
            let is_here = matches!(self.place, Place::Here { .. });
            let known = self.levels.get(unit).copied().or(is_here.then_some(Isolation::ReadCommitted));
            let (mut inside, mut outside) = (None, None);
            for part in unit {
                match sessions.status(part.0) {
                    TransactionStatus::Open if known.is_none() => inside = self.level(sessions, part.0).await?,
                    TransactionStatus::Idle if known.is_none() => outside = self.level(sessions, part.0).await?,
                    // A failed transaction cannot be asked, and has no level to keep.
                    _ => {}
                }
                given.entry(*part).or_default().push(self.run_part(sessions, *part).await?);
            }
            let level = known.or(inside).or(outside).unwrap_or(Isolation::ReadCommitted);
            self.levels.insert(unit.clone(), level);
            levels.push(level);
        }
        let contents = self.contents(sessions).await?;
        let used: BTreeSet<Seat> = order.iter().flatten().map(|part| part.0).collect();
        self.tear_down(sessions, used).await?;
        let answers =
            given.into_iter().flat_map(|(part, answers)| answers.into_iter().map(move |answer| (part, answer)));
        Ok(Replayed { outcome: Outcome::new(answers.collect(), contents), levels })
    }

    async fn contents(&self, sessions: &mut Sessions) -> Result<Contents, Failure> {
        match &self.place {
            Place::Elsewhere { leftovers, .. } => {
                let none = Leftovers::default();
                Ok(contents::read(sessions.watcher(), leftovers.as_ref().unwrap_or(&none)).await?)
            }
            Place::Here { tables } => tables.read(sessions, PART_LIMIT).await?.ok_or(Failure::Script(Why::Locked)),
        }
    }

    async fn run_part(&self, sessions: &mut Sessions, part: PartOf) -> Result<Vec<Answer>, Failure> {
        if sessions.is_closed(part.0) {
            return Err(Failure::Script(Why::Lost));
        }
        let step = match part.1 {
            Part::Step(id) => Some(self.spec.step(id)),
            Part::Setup | Part::Teardown => None,
        };
        match step {
            Some(step) => sessions.start_step(part.0, step).await?,
            None => sessions.start(part.0, sql_of(self.spec, part).unwrap_or_default()).await?,
        }
        match sessions.settle(part.0, Blocking::Allowed, PART_LIMIT, &mut Vec::new()).await? {
            Settled::Answered => {}
            Settled::Blocked | Settled::Busy => return Err(Failure::Script(Why::BlocksAlone)),
        }
        let replies = sessions.finish(part.0, PART_LIMIT).await?;
        if let Some(step) = step {
            sessions.remember(part.0, step, &replies);
        }
        Ok(answers(&replies))
    }

    async fn level(&self, sessions: &mut Sessions, seat: Seat) -> Result<Option<Isolation>, Failure> {
        let replies = sessions.run(seat, LEVEL, PART_LIMIT).await?;
        let value = replies.iter().find_map(|reply| match reply {
            Reply::Complete { rows: Some(rows), .. } => rows.rows.first()?.first()?.as_deref(),
            _ => None,
        });
        Ok(value.and_then(|value| value.parse().ok()))
    }

    async fn tear_down(&self, sessions: &mut Sessions, used: BTreeSet<Seat>) -> Result<(), Failure> {
        for seat in used {
            sessions.run(seat, CLEAN, PART_LIMIT).await?;
        }
        if let Some(sql) = &self.spec.teardown {
            // A failure here shows again in the next set-up.
            sessions.run_on_control(sql, PART_LIMIT).await?;
        }
        Ok(())
    }
}

fn is_failure(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(_) | Reply::Closed)
}

/// Ends what sessions do that may hold locks or wait for them, and removes what the script has made.
async fn calm(sessions: &mut Sessions, spec: &Spec) {
    for seat in sessions.seats() {
        if let Err(error) = sessions.cancel(seat).await {
            tracing::debug!(error = %error, "a session of a serial run could not be cancelled");
        }
    }
    for seat in sessions.seats() {
        // What was cancelled answers; what does not is hung up on, or found busy.
        let _ = sessions.finish(seat, PART_LIMIT).await;
        if !sessions.is_active(seat) && !sessions.is_closed(seat) {
            for sql in ["rollback", CLEAN] {
                let _ = sessions.run(seat, sql, PART_LIMIT).await;
            }
        }
    }
    if let Some(sql) = &spec.teardown {
        let _ = sessions.run_on_control(sql, PART_LIMIT).await;
    }
}
