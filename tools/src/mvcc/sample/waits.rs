//! Who waits for whom, and who waits in a circle. A wait is shown for some time after it ended, so that people can see it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgstrata_pg::sql::Row;
use pgstrata_timeline::{Blocker, Item, Origin, Wait};

use super::{Picture, count, limit};
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::watch::Limits;

const WAITS: &str = include_str!("../sql/waits.sql");

/// Waits that have ended and are still shown, at most.
const ENDED_MOST: usize = 200;

/// The waits of this moment, by views.
pub(crate) async fn waits(
    connection: &mut Connection,
    limits: &Limits,
    now_us: i64,
    picture: &mut Picture,
) -> Result<Vec<Wait>, Trouble> {
    let threshold = limits.wait_threshold.as_secs_f64();
    let rows = connection.rows(WAITS, &[&threshold, &limit(limits.waits)]).await;
    let rows = picture.or_note("waits-refused", rows)?;
    let total = rows.first().map_or(0, |row| count(row.get("total")));
    if total > rows.len() as u64 {
        picture.note("waits-cut", format_args!("{} of {total} waits are shown, the longest first", rows.len()));
    }
    Ok(rows.iter().map(|row| wait(row, now_us)).collect())
}

fn wait(row: &Row, now_us: i64) -> Wait {
    let object: Option<String> = row.get("object");
    let object = object.unwrap_or_default();
    let held: Option<String> = row.get("held_row");
    let pids: Option<Vec<i32>> = row.get("blockers");
    let holds: Option<Vec<bool>> = row.get("holds");
    let blockers = pids.unwrap_or_default().into_iter().zip(holds.unwrap_or_default());
    Wait {
        pid: row.get("pid"),
        // The server writes the time down a little after the wait begins.
        since_us: row.get::<_, Option<i64>>("since_us").unwrap_or(now_us),
        until_us: None,
        lock_type: row.get("lock_type"),
        mode: row.get("mode"),
        object: match held {
            Some(place) => format!("{object} for {place}"),
            None => object,
        },
        blockers: blockers.map(|(pid, holds)| Blocker { pid, holds }).collect(),
        is_in_cycle: false,
    }
}

/// Follows waits from look to look.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    running: BTreeMap<(i32, i64), Wait>,
    ended: BTreeMap<(i32, i64), Wait>,
}

impl Tracker {
    /// Takes the waits of this moment, and puts them and those that ended lately.
    pub fn look(&mut self, mut waits: Vec<Wait>, now_us: i64, shown_for: Duration, picture: &mut Picture) {
        mark_cycles(&mut waits);
        let running: BTreeMap<_, _> = waits.into_iter().map(|wait| ((wait.pid, wait.since_us), wait)).collect();
        for (key, wait) in std::mem::take(&mut self.running) {
            if !running.contains_key(&key) {
                self.ended.insert(key, Wait { until_us: Some(now_us), is_in_cycle: false, ..wait });
            }
        }
        self.running = running;
        let shown_for_us = i64::try_from(shown_for.as_micros()).unwrap_or(i64::MAX);
        self.ended.retain(|_, wait| wait.until_us.is_some_and(|until| now_us - until < shown_for_us));
        while self.ended.len() > ENDED_MOST {
            let oldest = self.ended.iter().min_by_key(|(_, wait)| wait.until_us).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            self.ended.remove(&oldest);
        }
        for wait in self.running.values().chain(self.ended.values()) {
            picture.put(Origin::Sampled, Item::Wait(wait.clone()));
        }
    }

    /// Takes in waits that ended, whether they were seen or not.
    pub fn ended(&mut self, waits: Vec<Wait>) {
        for wait in waits {
            let key = (wait.pid, wait.since_us);
            self.running.remove(&key);
            self.ended.insert(key, wait);
        }
    }

    /// The waits that run.
    #[cfg(test)]
    fn running(&self) -> impl Iterator<Item = &Wait> {
        self.running.values()
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Marks the waits of which nobody can go on: those in a circle of waiting processes.
pub(crate) fn mark_cycles(waits: &mut [Wait]) {
    let mut edges: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    for wait in waits.iter().filter(|wait| wait.until_us.is_none()) {
        edges.entry(wait.pid).or_default().extend(wait.blockers.iter().map(|blocker| blocker.pid));
    }
    // Who waits for nobody that waits cannot be in a circle, nor, without them, those who wait for them alone. What is left leads
    // into circles; what leads out of none of them is found the same way backwards.
    let mut reverse: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    for (from, to) in &edges {
        for to in to {
            reverse.entry(*to).or_default().insert(*from);
        }
    }
    for wait in waits {
        wait.is_in_cycle = wait.until_us.is_none() && reaches_itself(wait.pid, &edges, &reverse);
    }
}

/// Whether the process waits, over others, for itself.
fn reaches_itself(pid: i32, edges: &BTreeMap<i32, BTreeSet<i32>>, reverse: &BTreeMap<i32, BTreeSet<i32>>) -> bool {
    if !edges.contains_key(&pid) || !reverse.contains_key(&pid) {
        return false;
    }
    let (mut seen, mut next) = (BTreeSet::new(), vec![pid]);
    while let Some(at) = next.pop() {
        for to in edges.get(&at).into_iter().flatten() {
            if *to == pid {
                return true;
            }
            if seen.insert(*to) {
                next.push(*to);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(pid: i32, blockers: &[i32]) -> Wait {
        Wait {
            pid,
            since_us: i64::from(pid),
            until_us: None,
            lock_type: "transactionid".to_owned(),
            mode: "ShareLock".to_owned(),
            object: "transaction 755".to_owned(),
            blockers: blockers.iter().map(|pid| Blocker { pid: *pid, holds: true }).collect(),
            is_in_cycle: false,
        }
    }

    #[test]
    fn only_those_in_a_circle_are_marked() {
        // 4 waits for the circle, 5 for somebody who runs; 6 and 7 wait for each other and for 5.
        let mut waits = [
            wait(1, &[2]),
            wait(2, &[3]),
            wait(3, &[1]),
            wait(4, &[1]),
            wait(5, &[9]),
            wait(6, &[7, 5]),
            wait(7, &[6]),
        ];
        mark_cycles(&mut waits);
        let marked: Vec<_> = waits.iter().filter(|wait| wait.is_in_cycle).map(|wait| wait.pid).collect();
        assert_eq!(marked, [1, 2, 3, 6, 7]);
    }

    #[test]
    fn a_wait_that_ended_is_shown_for_a_while_and_then_not() {
        let mut tracker = Tracker::default();
        let shown_for = Duration::from_secs(10);
        let mut shown = |waits: Vec<Wait>, now_us: i64| {
            let mut picture = Picture::default();
            tracker.look(waits, now_us, shown_for, &mut picture);
            let until = |item: &Item| match item {
                Item::Wait(wait) => wait.until_us,
                other => panic!("{other:?}"),
            };
            (picture.items.iter().map(|put| until(&put.item)).collect::<Vec<_>>(), tracker.running().count())
        };
        assert_eq!(shown(vec![wait(1, &[2])], 1_000_000), (vec![None], 1));
        assert_eq!(shown(vec![], 2_000_000), (vec![Some(2_000_000)], 0));
        assert_eq!(shown(vec![], 11_900_000), (vec![Some(2_000_000)], 0));
        assert_eq!(shown(vec![], 12_000_000), (vec![], 0));
    }
}
