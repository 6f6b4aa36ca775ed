//! Invariants as SQL that must return no rows: evaluated in one snapshot, their rows kept as witnesses.

use std::time::{Duration, Instant};

use pgstrata_pg::{self as pg, Endpoint, Session};
use tokio_util::sync::CancellationToken;

use crate::site::Site;
use crate::study::{Holds, Invariant, Violation, WITNESS_LIMIT};

/// How often invariants are evaluated while the load runs, at most.
const PERIOD: Duration = Duration::from_millis(200);

/// The longest share of a server's time that evaluating may take is one part in this many: when an evaluation
/// grows slow, the next one waits longer.
const REST_FACTOR: u32 = 9;

/// How long one evaluation during the run may take; a slower one is given up and not counted.
const STATEMENT_LIMIT_MS: u32 = 5_000;

/// What evaluating while the load ran found.
#[derive(Debug, Default)]
pub struct DuringRun {
    /// How many times all invariants were evaluated.
    pub evaluations: u32,
    /// The first violation of each invariant.
    pub violations: Vec<Violation>,
}

/// Evaluates every invariant that has SQL on every server of the site, in one snapshot each.
///
/// # Errors
/// If a server cannot be asked; a violation is a value.
pub async fn evaluate(site: &Site, invariants: &[Invariant]) -> Result<Vec<Violation>, pg::Error> {
    let mut violations = Vec::new();
    for server in &site.servers {
        let session = server.control.connect_retry(CONNECT_LIMIT).await?;
        violations.extend(evaluate_on(&session, invariants.iter()).await?);
    }
    Ok(violations)
}

/// How long to wait for a server that is just recovering.
const CONNECT_LIMIT: Duration = Duration::from_mins(1);

/// Evaluates the invariants that hold always, again and again until `stop`, on the given servers.
///
/// A server that is down for a moment is asked again later: that it went away is the fault's doing.
pub async fn watch(endpoints: Vec<Endpoint>, invariants: &'static [Invariant], stop: CancellationToken) -> DuringRun {
    let mut found = DuringRun::default();
    let mut sessions: Vec<Option<Session>> = endpoints.iter().map(|_| None).collect();
    while !stop.is_cancelled() {
        let round = Instant::now();
        for (endpoint, session) in endpoints.iter().zip(&mut sessions) {
            if session.as_ref().is_none_or(|session| session.is_closed()) {
                *session = open(endpoint).await.ok();
            }
            let Some(open) = session.as_ref() else { continue };
            let always = invariants.iter().filter(|invariant| invariant.holds == Holds::Always);
            match evaluate_on(open, always).await {
                Ok(violations) => {
                    found.evaluations += 1;
                    keep_first(&mut found.violations, violations);
                }
                Err(error) => {
                    tracing::debug!(error = %error, "invariants could not be evaluated");
                    *session = None;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD.max(round.elapsed() * REST_FACTOR)) => {}
            () = stop.cancelled() => {}
        }
    }
    found
}

async fn open(endpoint: &Endpoint) -> Result<Session, pg::Error> {
    let session = endpoint.connect().await?;
    session.batch_execute(&format!("set statement_timeout = {STATEMENT_LIMIT_MS}")).await?;
    Ok(session)
}

async fn evaluate_on(
    session: &Session,
    invariants: impl Iterator<Item = &Invariant>,
) -> Result<Vec<Violation>, pg::Error> {
    let mut violations = Vec::new();
    session.batch_execute("begin isolation level repeatable read read only").await?;
    for invariant in invariants {
        if let Some(sql) = invariant.sql {
            let found = |_| format!("broken: {}", invariant.statement.en);
            violations.extend(witness(session, invariant.id, sql, found).await?);
        }
    }
    session.batch_execute("commit").await?;
    Ok(violations)
}

/// Runs a query whose rows are violations and keeps some of them; `found` says what so many rows show.
///
/// # Errors
/// If the query fails.
pub async fn witness(
    session: &Session,
    invariant: &str,
    sql: &str,
    found: impl FnOnce(i64) -> String,
) -> Result<Option<Violation>, pg::Error> {
    // The query is a constant of a study, never input; it is wrapped so that any columns become JSON.
    let wrapped = format!(
        "with witness as materialized ({})\n\
         select to_jsonb(w), (select count(*) from witness) from witness as w limit {WITNESS_LIMIT}",
        sql.trim().trim_end_matches(';')
    );
    let rows = session.query(&wrapped, &[]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let count: i64 = first.get(1);
    Ok(Some(Violation {
        invariant: invariant.to_owned(),
        found: found(count),
        count: u64::try_from(count).unwrap_or(0),
        witnesses: rows.iter().map(|row| row.get(0)).collect(),
    }))
}

/// Adds the violations of invariants that have none yet.
pub fn keep_first(kept: &mut Vec<Violation>, new: Vec<Violation>) {
    for violation in new {
        if !kept.iter().any(|known| known.invariant == violation.invariant) {
            kept.push(violation);
        }
    }
}
