//! The session that judges: it knows the text of a snapshot, and nothing else of whoever holds it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pgstrata_pg::Session;
use pgstrata_pg::sql::Row;
use pgstrata_units::{Snapshot, Xid};

use super::tally::{Proof, Tally, Wrong};
use crate::mvcc::TrialError;

/// A place of a version: page and line pointer.
pub type Place = (i64, i32);

/// What a reader sees.
pub struct Truth {
    /// Its snapshot, as `pg_current_snapshot()` prints it.
    pub snapshot: String,
    /// Its transaction, if it has written.
    pub own: Option<String>,
    /// Where the versions are that it sees.
    pub seen: HashSet<Place>,
    /// The same by the rows' keys.
    pub by_id: HashMap<i32, Place>,
}

/// The session that judges.
pub struct Judge {
    /// Not the reader's.
    pub session: Session,
    /// Where judgements are counted.
    pub tally: Arc<Tally>,
}

/// The first two columns of rows.
pub fn places(rows: &[Row]) -> Result<Vec<Place>, TrialError> {
    rows.iter().map(place).collect()
}

fn place(row: &Row) -> Result<Place, TrialError> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

impl Judge {
    /// Judges all versions on all pages.
    pub async fn pages(&self, truth: &Truth) -> Result<(), TrialError> {
        let rows = self.session.query(include_str!("sql/judge_pages.sql"), &[&truth.snapshot, &truth.own]).await?;
        must_have_all(&rows, truth)?;
        count("by-page", &rows, truth, &self.tally)
    }

    /// The same, asked by the reader itself, whose snapshot and transaction need not be passed.
    pub async fn own_eyes(reader: &Session, tally: &Tally, truth: &Truth) -> Result<(), TrialError> {
        let none: Option<String> = None;
        let rows = reader.query(include_str!("sql/judge_pages.sql"), &[&none, &none]).await?;
        must_have_all(&rows, truth)?;
        count("own-eyes", &rows, truth, tally)
    }

    /// Judges the versions of one row, found by its key.
    pub async fn row(&self, truth: &Truth, id: i32) -> Result<(), TrialError> {
        let rows = self
            .session
            .query(include_str!("sql/judge_row.sql"), &[&id.to_string(), &truth.snapshot, &truth.own])
            .await?;
        let found = places(&rows)?;
        if let Some(place) = truth.by_id.get(&id).filter(|place| !found.contains(place)) {
            return Err(TrialError::Answer(format!("the version at {place:?} of row {id} was not found by its key")));
        }
        count("by-key", &rows, truth, &self.tally)
    }
}

/// A version that is seen and not on any page would not be judged, so it would not be missed.
fn must_have_all(rows: &[Row], truth: &Truth) -> Result<(), TrialError> {
    let found: HashSet<Place> = places(rows)?.into_iter().collect();
    match truth.seen.iter().find(|place| !found.contains(place)) {
        None => Ok(()),
        Some(place) => Err(TrialError::Answer(format!("the version at {place:?}, which is seen, is on no page"))),
    }
}

fn count(way: &'static str, rows: &[Row], truth: &Truth, tally: &Tally) -> Result<(), TrialError> {
    let snapshot: Snapshot = truth.snapshot.parse().map_err(|error| TrialError::Answer(format!("{error}")))?;
    let mut judged = Vec::with_capacity(rows.len());
    for row in rows {
        let place = place(row)?;
        let header = Header::of(row)?;
        let is_seen = truth.seen.contains(&place);
        let (said, reason) = (row.try_get(2)?, row.try_get(3)?);
        judged.push((header, Wrong { way, snapshot: truth.snapshot.clone(), place, is_seen, said, reason }));
    }
    tally.note(|proof| {
        for (header, judgement) in judged {
            header.compare(proof, &snapshot, judgement.is_seen, truth.own.is_some());
            proof.judge(judgement);
        }
    });
    Ok(())
}

/// What simpler formulas judge by.
struct Header {
    /// Who made it, if that is committed.
    made_by: Option<Xid>,
    /// The one transaction that replaced or deleted it, if that is committed.
    ended_by: Option<Xid>,
    has_xmax: bool,
    is_multi: bool,
}

impl Header {
    fn of(row: &Row) -> Result<Self, TrialError> {
        let xid = |column: usize| -> Result<Option<Xid>, TrialError> {
            let text: Option<String> = row.try_get(column)?;
            Ok(text.and_then(|text| text.parse().ok()).map(Xid))
        };
        let (maker, kind): (String, String) = (row.try_get(5)?, row.try_get(7)?);
        let ender: Option<String> = row.try_get(8)?;
        let is_ended = ["update", "delete"].contains(&kind.as_str()) && ender.as_deref() == Some("committed");
        Ok(Self {
            made_by: xid(4)?.filter(|_| maker == "committed"),
            ended_by: xid(6)?.filter(|_| is_ended),
            has_xmax: kind != "none",
            is_multi: kind == "multi",
        })
    }

    /// Counts what simpler formulas would have said. Of readers that have written they can say nothing.
    fn compare(&self, proof: &mut Proof, snapshot: &Snapshot, is_seen: bool, has_written: bool) {
        proof.multixacts += u64::from(self.is_multi);
        if has_written {
            return;
        }
        proof.wrong_by_xmax += u64::from(self.has_xmax == is_seen);
        // A multixact is no transaction: this formula does not judge it.
        if !self.is_multi {
            let is_before = |xid: Option<Xid>| xid.is_some_and(|xid| snapshot.has_ended(xid));
            let says = is_before(self.made_by) && !is_before(self.ended_by);
            proof.wrong_without_mapping += u64::from(says != is_seen);
        }
    }
}
