//! Who sees what: each viewer and each version, judged by the rules of `pgstrata-tuple` with what can be known from outside.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_timeline::{Item, Key, Origin, Verdict, Viewer};
use pgstrata_tuple::{CommandField, Judgement, Listing, Own, TupleHeader, Viewer as Eyes, judge};
use pgstrata_units::Snapshot;

use super::Picture;
use super::knowledge::Known;
use super::snapshots::Sight;
use super::versions::Found;
use super::visualizer;
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::watch::{Limits, Viewers};

/// Verdicts shown, at most; with more versions than this allows, fewer versions are judged.
const VERDICTS_MOST: usize = 20_000;

/// Pages that the server is asked to judge in one look, at most.
const ASKED_MOST: usize = 24;

/// The reason given where two snapshots are possible and they differ.
const UNKNOWN_SNAPSHOT: &str = "unknown-snapshot";

/// `HEAP_COMBOCID` (`src/include/access/htup_details.h`).
const COMBO_COMMAND: u16 = 0x0020;

/// Somebody to judge with.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub id: String,
    pub sight: Sight,
}

/// Who is to judge: a transaction that begins now, and sessions.
pub(crate) fn judges(
    wanted: &Viewers,
    sights: &BTreeMap<i32, Sight>,
    now: &Snapshot,
    limits: &Limits,
    picture: &mut Picture,
) -> Vec<Judge> {
    let mut judges = vec![Judge { id: "new".to_owned(), sight: Sight::new_one(now.clone(), None) }];
    let sessions: Vec<_> = match wanted {
        Viewers::None => return Vec::new(),
        Viewers::All => sights.iter().collect(),
        Viewers::Only(pids) => sights.iter().filter(|(pid, _)| pids.contains(pid)).collect(),
    };
    if sessions.len() > limits.viewers {
        let shown = limits.viewers;
        picture.note(
            "viewers-cut",
            format_args!("{shown} of {} sessions with snapshots judge; choose others", sessions.len()),
        );
    }
    let sessions = sessions.into_iter().take(limits.viewers);
    judges.extend(sessions.map(|(pid, sight)| Judge { id: format!("pid:{pid}"), sight: sight.clone() }));
    judges
}

/// Puts the judges.
pub(crate) fn put_judges(judges: &[Judge], picture: &mut Picture) {
    for judge in judges {
        let Some(snapshot) = judge.sight.candidates.first() else { continue };
        let is_exact = judge.sight.is_own || judge.id == "new";
        let viewer = Viewer { id: judge.id.clone(), snapshot: snapshot.clone(), is_own: is_exact };
        picture.put(if is_exact { Origin::Sampled } else { Origin::Inferred }, Item::Viewer(viewer));
    }
}

/// What a judge says of a version, by the judge's id and where the version is.
pub(crate) type Verdicts = BTreeMap<(String, Key), (Origin, Option<bool>, String)>;

/// What each judge says of each version.
pub(crate) fn verdicts(
    judges: &[Judge],
    found: &[Found],
    known: &Known,
    is_standby: bool,
    picture: &mut Picture,
) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let most = VERDICTS_MOST / judges.len().max(1);
    if found.len() > most {
        picture.note("verdicts-cut", format_args!("{most} of {} versions are judged", found.len()));
    }
    // The text of a standby's snapshot lists nothing.
    let listing = if is_standby { Listing::Nothing } else { Listing::TopLevel };
    for judge in judges {
        let is_exact = judge.sight.is_own || judge.id == "new";
        for version in found.iter().take(most) {
            let (is_visible, reason) = one(judge, version, known, listing);
            let origin = if is_exact { Origin::Sampled } else { Origin::Inferred };
            verdicts.insert((judge.id.clone(), version.version.key()), (origin, is_visible, reason));
        }
    }
    verdicts
}

/// Asks the server where it cannot be known from outside, for whoever's snapshot is known.
pub(crate) async fn ask(
    connection: &mut Connection,
    judges: &[Judge],
    found: &[Found],
    verdicts: &mut Verdicts,
) -> Result<(), Trouble> {
    let mut asked = 0;
    for judge in judges.iter().filter(|judge| judge.sight.only().is_some()) {
        let mut blocks: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
        for found in found {
            let verdict = verdicts.get(&(judge.id.clone(), found.version.key()));
            if verdict.is_some_and(|(_, is_visible, _)| is_visible.is_none()) {
                blocks.entry(found.version.relation).or_default().insert(i64::from(found.place.block));
            }
        }
        for (relation, blocks) in blocks {
            let blocks: Vec<i64> = blocks.into_iter().take(ASKED_MOST - asked).collect();
            asked += blocks.len();
            let told = visualizer::verdicts(connection, relation, &blocks, &judge.sight).await?;
            for found in found.iter().filter(|found| found.version.relation == relation) {
                let place = (found.place.block, found.place.offset);
                let verdict = verdicts.get_mut(&(judge.id.clone(), found.version.key()));
                if let (Some(verdict), Some((is_visible, reason))) = (verdict, told.get(&place))
                    && verdict.1.is_none()
                {
                    (verdict.1, verdict.2) = (*is_visible, reason.clone());
                }
            }
            if asked >= ASKED_MOST {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Puts the verdicts.
pub(crate) fn put_verdicts(verdicts: Verdicts, picture: &mut Picture) {
    for ((viewer, version), (origin, is_visible, reason)) in verdicts {
        picture.put(origin, Item::Verdict(Verdict { viewer, version, is_visible, reason }));
    }
}

/// The header with a combination of commands as a plain command. Which commands they were only their session knows; for somebody
/// who comes after all of them it makes no difference.
fn plain(header: TupleHeader) -> TupleHeader {
    match header.command_field() {
        CommandField::Combo(_) => TupleHeader { command: 0, infomask: header.infomask & !COMBO_COMMAND, ..header },
        _ => header,
    }
}

fn one(viewer: &Judge, version: &Found, known: &Known, listing: Listing) -> (Option<bool>, String) {
    let mut agreed: Option<Judgement> = None;
    for snapshot in &viewer.sight.candidates {
        let own = viewer.sight.own.map(|top| Own {
            top,
            subs: &[],
            // Between its statements nobody looks: what the next one sees, which comes after all its changes.
            command: viewer.sight.command.unwrap_or(u32::MAX),
            combos: &[],
        });
        let eyes = Eyes { snapshot, listing, own };
        let header = if viewer.sight.command.is_none() { plain(version.header) } else { version.header };
        let judgement = judge(&header, version.place, &eyes, &known.for_snapshot(snapshot));
        // Between two snapshots a version may come and go: only the same answer for the same reason holds in between.
        match agreed {
            Some(other) if other != judgement => return (None, UNKNOWN_SNAPSHOT.to_owned()),
            _ => agreed = Some(judgement),
        }
    }
    match agreed {
        Some(judgement) => (judgement.visible, judgement.reason.as_str().to_owned()),
        None => (None, UNKNOWN_SNAPSHOT.to_owned()),
    }
}
