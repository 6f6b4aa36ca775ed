//! Pages of the watched table, fetched raw by `pageinspect` when they have changed, and kept.
//!
//! Of a table that is bigger than what is shown, the first pages are shown; of a watched row in it, the pages that hold versions of the
//! row, which are searched for some pages at a time.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_tuple::HeapPage;
use pgstrata_units::Xid;
use pgstrata_units::memory::{HeapBytes as _, Holding, allocated, tree_bytes};

use super::Picture;
use super::knowledge::Known;
use super::table::{Columns, Leaf, Tracker, Watched};
use super::versions::{self, Found, Opened};
use super::visualizer;
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::watch::{Limits, Watch};

const PAGES: &str = include_str!("../sql/pages.sql");

/// Pages of a big table that are searched for versions of the watched row, at most; 32 MiB.
const SEARCHED_MOST: u32 = 4_096;

/// How pages can be had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// Raw, by `pageinspect`.
    pub raw: bool,
    /// Taken apart, by `mvcc_visualizer`, which also finds a row's pages by the index.
    pub by_extension: bool,
}

/// Who is asked for pages, and for which.
pub(crate) struct Asking<'a> {
    pub connection: &'a mut Connection,
    pub means: Means,
    pub watch: &'a Watch,
    pub limits: &'a Limits,
    pub picture: &'a mut Picture,
}

/// A page as it was.
#[derive(Clone, Debug)]
struct Kept {
    digest: String,
    bytes: Vec<u8>,
    /// What it has of the watched row.
    row: OfRow,
}

/// What a page has of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OfRow {
    versions: usize,
    /// The newest maker.
    newest: Xid,
}

/// The pages of a table that were fetched, and how far the search for the watched row is.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// By table, file and number: a rewritten table has other pages.
    pages: BTreeMap<(u32, i64, u32), Kept>,
    /// The next page to search, by table.
    searched: BTreeMap<u32, u32>,
    /// Pages with versions of the watched row that are too old to be shown, with how many these are.
    older: BTreeMap<(u32, i64, u32), usize>,
    /// Pages that the server took apart, as they were last.
    opened: Vec<Opened>,
    /// File and pages of each table, and the pages that were looked at, at the last look.
    tables: BTreeMap<u32, (i64, u32)>,
    looked_at: BTreeSet<(u32, u32)>,
}

impl Cache {
    /// Forgets everything: something else is watched.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The memory that it takes.
    pub fn holds(&self) -> Holding {
        let raw = self.pages.values().map(|kept| kept.digest.heap_bytes() + kept.bytes.heap_bytes()).sum::<usize>();
        let entry = size_of::<(u32, i64, u32)>() + size_of::<Kept>();
        let opened = self.opened.iter().map(|page| {
            let versions = page.found.iter().map(|found| found.version.heap_bytes()).sum::<usize>();
            let lines = page.lines.iter().map(|line| line.version.heap_bytes()).sum::<usize>();
            let rows = allocated(page.found.capacity() * size_of::<versions::Found>());
            rows + versions + lines + allocated(size_of_val::<[_]>(&page.lines))
        });
        let older = tree_bytes(self.older.len(), size_of::<(u32, i64, u32)>() + size_of::<usize>());
        let bytes = tree_bytes(self.pages.len(), entry) + raw + opened.sum::<usize>() + older;
        Holding::new("observer.pages", self.pages.len() + self.opened.len(), bytes)
    }

    /// Whether versions that were on a page may be there still: it was not looked at, or is one of those that are not kept.
    pub fn may_hold(&self, table: u32, block: u32) -> bool {
        let Some((file, pages)) = self.tables.get(&table) else { return false };
        let is_there = block < *pages;
        is_there && (!self.looked_at.contains(&(table, block)) || self.older.contains_key(&(table, *file, block)))
    }

    /// Versions of the watched row that were seen on pages that are not kept, because newer ones are enough to show.
    pub fn older(&self) -> usize {
        self.older.values().sum()
    }

    /// The pages that are shown, taken apart.
    pub async fn look(
        &mut self,
        ask: &mut Asking<'_>,
        watched: &Watched,
        tracker: &mut Tracker,
        known: &mut Known,
    ) -> Result<Vec<Opened>, Trouble> {
        let is_there = |oid: u32, file: i64, block: u32| {
            watched.leaves.iter().any(|leaf| leaf.oid == oid && leaf.file == file && block < leaf.pages)
        };
        self.pages.retain(|(oid, file, block), _| is_there(*oid, *file, *block));
        self.older.retain(|(oid, file, block), _| is_there(*oid, *file, *block));
        let mut columns = BTreeMap::new();
        for leaf in &watched.leaves {
            let of_leaf = tracker.columns(ask.connection, leaf.oid).await;
            columns.insert(leaf.oid, ask.picture.or_note("columns-refused", of_leaf)?);
        }
        if !watched.is_locked {
            self.opened.clear();
            self.looked_at.clear();
            self.tables = watched.leaves.iter().map(|leaf| (leaf.oid, (leaf.file, leaf.pages))).collect();
            for leaf in &watched.leaves {
                let columns = &columns[&leaf.oid];
                let wanted = self.wanted(ask, leaf, columns).await?;
                self.looked_at.extend(wanted.iter().map(|block| (leaf.oid, *block)));
                if ask.means.raw {
                    self.fetch(ask, leaf, columns, &wanted, known).await?;
                } else {
                    let opened = visualizer::pages(ask.connection, leaf, &wanted, columns, known).await;
                    self.opened.extend(ask.picture.or_note("pages-refused", opened)?);
                }
            }
        }
        if !ask.means.raw {
            return Ok(self.opened.clone());
        }
        self.learn(ask.connection, known, ask.picture).await?;
        let opened = self.pages.iter().filter_map(|((oid, _, block), kept)| {
            let leaf = watched.leaves.iter().find(|leaf| leaf.oid == *oid)?;
            let page = HeapPage::parse(&kept.bytes).ok()?;
            Some(versions::open(leaf, *block, &page, &columns[oid], known))
        });
        Ok(opened.collect())
    }

    /// Which pages of a table are to be looked at.
    async fn wanted(&mut self, ask: &mut Asking<'_>, leaf: &Leaf, columns: &Columns) -> Result<BTreeSet<u32>, Trouble> {
        let shown = u32::try_from(ask.limits.pages).unwrap_or(u32::MAX);
        Ok(match &ask.watch.row {
            Some(row) if leaf.pages > shown && ask.means.by_extension => {
                let row = versions::wanted_row(row, &columns.key);
                let found = visualizer::row_blocks(ask.connection, leaf, &row, ask.limits.pages).await;
                ask.picture.or_note("row-search-refused", found)?
            }
            Some(_) if leaf.pages > shown => self.search(leaf, shown, ask.picture),
            _ => {
                if leaf.pages > shown {
                    ask.picture.note(
                        "pages-cut",
                        format_args!("the first {shown} of {} pages of {} are shown", leaf.pages, leaf.name),
                    );
                }
                (0..leaf.pages.min(shown)).collect()
            }
        })
    }

    /// Fetches what has changed of one table.
    async fn fetch(
        &mut self,
        ask: &mut Asking<'_>,
        leaf: &Leaf,
        columns: &Columns,
        wanted: &BTreeSet<u32>,
        known: &Known,
    ) -> Result<(), Trouble> {
        let shown = u32::try_from(ask.limits.pages).unwrap_or(u32::MAX);
        let blocks: Vec<i64> = wanted.iter().map(|block| i64::from(*block)).collect();
        let digests: Vec<Option<&str>> = wanted
            .iter()
            .map(|block| self.pages.get(&(leaf.oid, leaf.file, *block)).map(|kept| kept.digest.as_str()))
            .collect();
        let rows = ask.connection.rows(PAGES, &[&leaf.name, &blocks, &digests, &i64::from(leaf.oid)]).await;
        let is_answered = rows.is_ok();
        let rows = ask.picture.or_note("pages-refused", rows)?;
        if !is_answered {
            self.looked_at.retain(|(oid, _)| *oid != leaf.oid);
            return Ok(());
        }
        let row = ask.watch.row.as_ref().filter(|_| leaf.pages > shown);
        let row = row.map(|row| versions::wanted_row(row, &columns.key));
        let mut there = BTreeSet::new();
        for fetched in rows {
            let block = u32::try_from(fetched.get::<_, i64>("block")).unwrap_or(u32::MAX);
            there.insert(block);
            if let Some(bytes) = fetched.get::<_, Option<Vec<u8>>>("bytes") {
                let of_row = row.as_ref().map(|row| of_row(&bytes, row, leaf, block, columns, known));
                let kept = Kept { digest: fetched.get("digest"), bytes, row: of_row.unwrap_or_default() };
                self.older.remove(&(leaf.oid, leaf.file, block));
                self.pages.insert((leaf.oid, leaf.file, block), kept);
            }
        }
        self.pages.retain(|(oid, _, block), kept| {
            // Truncated away, or searched in vain.
            *oid != leaf.oid
                || (wanted.contains(block) && there.contains(block) && (row.is_none() || kept.row.versions > 0))
        });
        if row.is_some() {
            self.keep_newest(leaf, ask.watch.max_versions.unwrap_or(ask.limits.versions));
        }
        Ok(())
    }

    /// Keeps the pages with the newest versions of the row, as many as it takes to have all that are shown: to take each page
    /// of a long chain apart at every look would be for nothing.
    fn keep_newest(&mut self, leaf: &Leaf, most: usize) {
        let of_leaf = self.pages.iter().filter(|((oid, ..), _)| *oid == leaf.oid);
        let mut newest_first: Vec<_> =
            of_leaf.map(|(place, kept)| (kept.row.newest, *place, kept.row.versions)).collect();
        newest_first.sort_unstable_by(|a, b| b.cmp(a));
        let mut versions = 0;
        for (_, place, of_page) in newest_first {
            if versions >= most {
                self.pages.remove(&place);
                self.older.insert(place, of_page);
            }
            versions += of_page;
        }
    }

    /// Which pages to fetch of a table too big to be shown: those with versions of the row, and the next ones to search.
    fn search(&mut self, leaf: &Leaf, at_once: u32, picture: &mut Picture) -> BTreeSet<u32> {
        let mut wanted: BTreeSet<u32> =
            self.pages.keys().filter(|(oid, ..)| *oid == leaf.oid).map(|(_, _, block)| *block).collect();
        let end = leaf.pages.min(SEARCHED_MOST);
        let from = self.searched.entry(leaf.oid).or_insert(0);
        let until = from.saturating_add(at_once).min(end);
        wanted.extend(*from..until);
        // New versions may come into pages that were searched before, so the search goes round.
        *from = if until >= end { 0 } else { until };
        if leaf.pages > SEARCHED_MOST {
            let sentence = format!(
                "only the first {SEARCHED_MOST} of {} pages of {} are searched for the row",
                leaf.pages, leaf.name
            );
            picture.note("row-search-cut", sentence);
        } else {
            picture.note(
                "row-search",
                format_args!("{} pages of {} are searched for the row, {at_once} at a time", leaf.pages, leaf.name),
            );
        }
        wanted
    }

    /// Finds out about the transactions that the pages name.
    async fn learn(
        &self,
        connection: &mut Connection,
        known: &mut Known,
        picture: &mut Picture,
    ) -> Result<(), Trouble> {
        let (mut xids, mut multixacts) = (BTreeSet::new(), BTreeSet::new());
        for page in self.pages.values().filter_map(|kept| HeapPage::parse(&kept.bytes).ok()) {
            versions::names(&page, &*known, &mut xids, &mut multixacts);
        }
        let learnt = known.learn_members(connection, &multixacts).await;
        picture.or_note("multixacts-refused", learnt)?;
        let members = multixacts.iter().filter_map(|id| pgstrata_tuple::Knowledge::members(&*known, *id));
        xids.extend(members.flatten().map(|member| member.xid));
        let learnt = known.learn(connection, &xids).await;
        picture.or_note("statuses-refused", learnt)
    }
}

/// The versions of a row on a page.
fn of_row(bytes: &[u8], row: &str, leaf: &Leaf, block: u32, columns: &Columns, known: &Known) -> OfRow {
    let Ok(page) = HeapPage::parse(bytes) else { return OfRow::default() };
    let opened = versions::open(leaf, block, &page, columns, known);
    let of_row = opened.found.iter().filter(|found| is_row(found, row));
    of_row.fold(OfRow::default(), |seen, found| OfRow {
        versions: seen.versions + 1,
        newest: seen.newest.max(found.version.xmin),
    })
}

/// Whether a version is of the row with this key, or at this place.
fn is_row(found: &Found, row: &str) -> bool {
    found.version.row.as_deref() == Some(row) || (row.starts_with('(') && found.place.to_string() == row)
}

/// Keeps the versions of one row: those with its key, or at its place, and those that took their place, whatever their key.
pub(crate) fn keep_row(opened: &mut [Opened], row: &str) {
    let mut leads_to: BTreeMap<Place, Option<Place>> = BTreeMap::new();
    let mut next: Vec<Place> = Vec::new();
    for found in opened.iter().flat_map(|page| &page.found) {
        let here = place_of(found);
        leads_to.insert(here, found.version.next.map(|(block, offset)| (here.0, block, offset)));
        if is_row(found, row) {
            next.push(here);
        }
    }
    let mut kept: BTreeSet<Place> = BTreeSet::new();
    while let Some(place) = next.pop() {
        if kept.insert(place) {
            next.extend(leads_to.get(&place).copied().flatten());
        }
    }
    for page in opened {
        page.found.retain(|found| kept.contains(&place_of(found)));
    }
}

/// Table, page and line pointer.
type Place = (u32, u32, u16);

fn place_of(found: &Found) -> Place {
    (found.version.relation, found.place.block, found.place.offset)
}

/// Cuts the versions to what is shown, the newest last: of a long chain its end is what happens now. `older` were left out
/// before.
pub(crate) fn cut(opened: &mut Vec<Opened>, most: usize, older: usize, picture: &mut Picture) {
    let there: usize = opened.iter().map(|page| page.found.len()).sum();
    let total = there + older;
    if total <= most {
        return;
    }
    if there <= most {
        picture.note("versions-cut", format_args!("the newest {there} of {total} versions seen are shown"));
        return;
    }
    let mut makers: Vec<_> = opened.iter().flat_map(|page| &page.found).map(|found| found.version.xmin).collect();
    makers.sort_unstable();
    let oldest = makers[there - most];
    let mut left = most;
    for page in opened.iter_mut().rev() {
        page.found.retain(|found| {
            let stays = found.version.xmin >= oldest && left > 0;
            left -= usize::from(stays);
            stays
        });
    }
    opened.retain(|page| !page.found.is_empty());
    let shown = most - left;
    picture.note("versions-cut", format_args!("the newest {shown} of {total} versions seen are shown"));
}
