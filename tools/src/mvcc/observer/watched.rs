//! The watched table in a picture: its pages and versions, who sees them, what vacuum must leave, and what is gone from disk.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_timeline::{Fate, Item, Origin, RowVersion, Tier};
use pgstrata_units::{Snapshot, Xid};

use super::Observer;
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::sample::snapshots::Sight;
use crate::mvcc::sample::versions::{self, Found, Opened};
use crate::mvcc::sample::{Picture, horizon, pages, seen, verdicts};

impl Observer {
    /// The watched table: its versions, who sees them, what vacuum must leave.
    pub(super) async fn look_at_table(
        &mut self,
        connection: &mut Connection,
        sights: &BTreeMap<i32, Sight>,
        after: &Snapshot,
        picture: &mut Picture,
    ) -> Result<(), Trouble> {
        let limits = self.options.limits;
        let Some(name) = self.watch.table.clone() else { return Ok(()) };
        let Some(watched) = self.table.look(connection, &name, &limits, picture).await? else {
            return Ok(());
        };
        let judges = verdicts::judges(&self.watch.viewers, sights, after, &limits, picture);
        verdicts::put_judges(&judges, picture);
        let most = self.watch.max_versions.unwrap_or(limits.versions);
        let mut horizon = horizon::horizon(connection, &limits, self.known.next, picture).await?;
        horizon.relation = watched.oid;
        horizon.name.clone_from(&watched.name);
        if self.tier() >= Tier::Pageinspect {
            let means = self.means();
            let Self { pages, table, known, watch, .. } = self;
            let mut asking = pages::Asking { connection, means, watch, limits: &limits, picture };
            let mut opened = pages.look(&mut asking, &watched, table, known).await?;
            let older = pages.older();
            if horizon.holders.is_empty() {
                // Nobody holds it, so it lies behind whatever has ended since it was asked for.
                let ids = opened
                    .iter()
                    .flat_map(|page| &page.found)
                    .flat_map(|found| [Some(found.version.xmin), ender(found)]);
                horizon.xid = ids.flatten().map(|xid| Xid(xid.0 + 1)).fold(horizon.xid, Xid::max);
            }
            count_dead(&opened, &mut horizon);
            self.note_removed(&opened);
            if let Some(row) = &self.watch.row {
                let key = match watched.leaves.first() {
                    Some(leaf) => self.table.columns(connection, leaf.oid).await?.key,
                    None => Vec::new(),
                };
                pages::keep_row(&mut opened, &versions::wanted_row(row, &key));
            }
            pages::cut(&mut opened, most, older, picture);
            let is_standby = self.link.rights.as_ref().is_some_and(|rights| rights.is_standby);
            let found: Vec<Found> = opened.iter().flat_map(|page| page.found.iter().cloned()).collect();
            let mut verdicts = verdicts::verdicts(&judges, &found, &self.known, is_standby, picture);
            if means.by_extension {
                let asked = verdicts::ask(connection, &judges, &found, &mut verdicts).await;
                picture.or_note("verdicts-refused", asked)?;
            }
            verdicts::put_verdicts(verdicts, picture);
            self.put_pages(opened, picture);
        } else if watched.is_locked {
            // Reading would wait.
            picture.items.extend(self.last.iter().filter(|put| matches!(put.item, Item::Version(_))).cloned());
        } else {
            let next = self.known.next;
            seen::put(connection, &self.watch, &watched, &mut self.table, next, most, picture).await?;
        }
        picture.put(Origin::Sampled, Item::Horizon(horizon));
        Ok(())
    }

    /// Puts pages, line pointers and versions, and those versions that were there and are gone.
    fn put_pages(&mut self, opened: Vec<Opened>, picture: &mut Picture) {
        let mut on_disk = BTreeMap::new();
        for page in opened {
            picture.put(Origin::Sampled, Item::Page(page.page));
            for line in page.lines {
                picture.put(Origin::Sampled, Item::Line(line));
            }
            for found in page.found {
                on_disk.insert(found.version.key(), found.version.clone());
                picture.put(Origin::Sampled, Item::Version(found.version));
            }
        }
        self.on_disk = on_disk;
        let on_disk = &self.on_disk;
        self.removed.retain(|key, _| !on_disk.contains_key(key));
        while self.removed.len() > self.options.limits.removed {
            let oldest = self.removed.iter().min_by_key(|(_, version)| version.xmin).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.removed.remove(&oldest);
        }
        for version in self.removed.values() {
            picture.put(Origin::Inferred, Item::Version(version.clone()));
        }
    }

    /// Notes which of the versions that were shown have left the disk: they are on none of the pages, which were looked at. One
    /// that only is no longer among the newest has not.
    fn note_removed(&mut self, opened: &[Opened]) {
        let there: BTreeSet<_> =
            opened.iter().flat_map(|page| &page.found).map(|found| place_and_maker(&found.version)).collect();
        for (key, version) in &self.on_disk {
            if !there.contains(&place_and_maker(version)) && !self.pages.may_hold(version.relation, version.block) {
                self.removed.insert(key.clone(), RowVersion { fate: Fate::Removed, ..version.clone() });
            }
        }
    }

    /// How pages can be had.
    fn means(&self) -> pages::Means {
        let rights = self.link.rights.as_ref();
        pages::Means {
            raw: rights.is_some_and(|rights| rights.has(Tier::Pageinspect)),
            by_extension: self.tier() >= Tier::Extension,
        }
    }
}

fn place_and_maker(version: &RowVersion) -> (u32, u32, u16, Xid) {
    (version.relation, version.block, version.offset, version.xmin)
}

/// Who replaced or deleted a version for good.
fn ender(found: &Found) -> Option<Xid> {
    match found.fate {
        pgstrata_tuple::Fate::Replaced(by) | pgstrata_tuple::Fate::Deleted(by) => Some(by),
        _ => None,
    }
}

/// Counts the dead versions that were seen: those that could go, and those that must stay.
fn count_dead(opened: &[Opened], horizon: &mut pgstrata_timeline::Horizon) {
    for found in opened.iter().flat_map(|page| &page.found) {
        let is_dead = matches!(
            found.fate,
            pgstrata_tuple::Fate::Aborted | pgstrata_tuple::Fate::Replaced(_) | pgstrata_tuple::Fate::Deleted(_)
        );
        match found.fate.is_removable(horizon.xid) {
            Some(true) => horizon.removable += 1,
            Some(false) if is_dead => {
                horizon.kept += 1;
                horizon.kept_bytes += u64::from(found.version.bytes);
            }
            _ => {}
        }
    }
}
