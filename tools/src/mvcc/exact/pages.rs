//! Folded pages with their line pointers as items of the timeline: only what differs is told.
//!
//! A busy page has some two hundred line pointers, and a record changes two or three of them. So what was told of a page is
//! remembered as a few numbers a line pointer, and an item is made only where these differ; which version is at a line
//! pointer is noted as versions come and go, and not asked of the history again.

use std::collections::BTreeMap;

use pgstrata_timeline::{Item, Key, Line, Origin, Page, SharedItem};
use pgstrata_tuple::chain::Chains;
use pgstrata_tuple::page::LineState;
use pgstrata_tuple::{HeapPage, ItemPointer};
use pgstrata_units::memory::{Holding, allocated, tree_bytes};
use pgstrata_wal::history::{History, VersionId};
use pgstrata_wal::replay::PageId;

use super::Table;
use super::shown::{Shown, ShownVersion};
use crate::mvcc::sample::versions;

/// What an item of a line pointer is made of, the page's own number apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LineFacts {
    state: LineState,
    /// As in [`Line::root`].
    root: Option<u16>,
    version: Option<ShownVersion>,
}

/// What was told of a page.
#[derive(Debug)]
struct Told {
    page: Page,
    /// By the line pointer's number less one.
    lines: Vec<LineFacts>,
    /// The version at each line pointer, if it is shown; by its number less one, as far as any was noted.
    versions: Vec<Option<ShownVersion>>,
}

impl Told {
    fn version(&mut self, offset: u16) -> Option<&mut Option<ShownVersion>> {
        let index = usize::from(offset).checked_sub(1)?;
        if self.versions.len() <= index {
            self.versions.resize(index + 1, None);
        }
        self.versions.get_mut(index)
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let Page { relation, block, .. } = self.page;
        let lines = self.lines.iter().zip(1..).map(move |(_, offset)| Line::key_of(relation, block, offset));
        lines.chain([self.page.key()])
    }
}

/// Pages that were told, with what was told of them.
#[derive(Debug, Default)]
pub(super) struct Pages {
    told: BTreeMap<PageId, Told>,
}

impl Pages {
    /// Forgets all pages; returns the keys of what was told.
    pub fn forget(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.told).values().flat_map(Told::keys).collect()
    }

    /// The memory that it takes.
    pub fn holds(&self) -> Holding {
        let of_page = |told: &Told| {
            allocated(told.lines.capacity() * size_of::<LineFacts>())
                + allocated(told.versions.capacity() * size_of::<Option<ShownVersion>>())
        };
        let pages: usize = self.told.values().map(of_page).sum();
        let tree = tree_bytes(self.told.len(), size_of::<(PageId, Told)>());
        Holding::new("exact.pages", self.told.len(), tree + pages)
    }

    /// A version is at a place now, and is shown.
    pub fn arrived(&mut self, page: PageId, offset: u16, version: ShownVersion) {
        if let Some(there) = self.told.get_mut(&page).and_then(|told| told.version(offset)) {
            *there = Some(version);
        }
    }

    /// A version is no longer at a place, or no longer shown.
    pub fn left(&mut self, page: PageId, offset: u16, version: VersionId) {
        if let Some(there) = self.told.get_mut(&page).and_then(|told| told.version(offset)) {
            there.take_if(|there| there.id == version);
        }
    }

    /// What differs on a page; all of it goes if the page is not known.
    pub fn tell(&mut self, history: &History, id: PageId, table: &Table, shown: &Shown) -> (Vec<SharedItem>, Vec<Key>) {
        let known = history.pages().page(id).and_then(|page| HeapPage::parse(page.bytes()).ok());
        let Some(page) = known else {
            return (Vec::new(), self.told.remove(&id).map_or_else(Vec::new, |told| told.keys().collect()));
        };
        let knowledge = history.as_of(history.told());
        let (mut put, mut drop) = (Vec::new(), Vec::new());
        let item = versions::page_item(&table.leaf, id.block, &page, &knowledge);
        let told = self.told.entry(id).or_insert_with(|| {
            put.push(item.clone());
            Told { page: item.clone(), lines: Vec::new(), versions: there(history, id, shown) }
        });
        if told.page != item {
            put.push(item.clone());
            told.page = item;
        }
        let mut put: Vec<SharedItem> = put.into_iter().map(|item| exact(Item::Page(item))).collect();
        let chains = Chains::of(&page, id.block, &knowledge);
        for pointer in page.lines() {
            let index = usize::from(pointer.offset).saturating_sub(1);
            let facts = LineFacts {
                state: pointer.state,
                root: chains.link_of(pointer.offset).and_then(|link| link.root),
                version: told.versions.get(index).copied().flatten(),
            };
            match told.lines.get_mut(index) {
                Some(before) if *before == facts => continue,
                Some(before) => *before = facts,
                None => told.lines.push(facts),
            }
            let key = facts.version.and_then(|version| shown.key(version.id)).cloned();
            put.push(exact(Item::Line(versions::line(&table.leaf, id.block, pointer, &chains, key))));
        }
        let lines = usize::from(page.line_count());
        let gone = (lines + 1..=told.lines.len()).filter_map(|offset| u16::try_from(offset).ok());
        drop.extend(gone.map(|offset| Line::key_of(table.leaf.oid, id.block, offset)));
        told.lines.truncate(lines);
        (put, drop)
    }
}

fn exact(item: Item) -> SharedItem {
    item.known(Origin::Exact).into()
}

/// The versions that are on a page and are shown.
fn there(history: &History, id: PageId, shown: &Shown) -> Vec<Option<ShownVersion>> {
    let lines = history.pages().page(id).map_or(0, pgstrata_wal::replay::Page::lines);
    let version = |offset| {
        let at = ItemPointer { block: id.block, offset };
        shown.version(history.versions().current(id.relation, at)?.id)
    };
    (1..=lines).map(version).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    use pgstrata_units::Lsn;
    use pgstrata_wal::history::Limits;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng as _};

    use super::super::{Exact, ExactChange, ExactOptions};
    use super::*;

    /// Rows of the table; some two hundred versions of them are on its pages.
    const ROWS: u32 = 60;
    /// Statements between two comparisons, and comparisons.
    const STATEMENTS: (u32, u32) = (120, 12);

    /// Updates in place and not, deletions, locks, much of it rolled back in part or as a whole.
    fn statements(random: &mut StdRng) -> String {
        let mut sql = String::new();
        for _ in 0..STATEMENTS.0 {
            let row = random.random_range(0..ROWS);
            let change = match random.random_range(0..5) {
                0 => format!("update t set k = k + 1 where id = {row}"),
                1 => format!("delete from t where id = {row}"),
                2 => format!("insert into t values ({row}) on conflict (id) do update set n = 0"),
                3 => format!("select from t where id = {row} for update"),
                _ => format!("update t set n = n + 1 where id = {row}"),
            };
            let end = ["commit", "rollback", "rollback to a; commit"][random.random_range(0..3)];
            writeln!(sql, "begin; update t set n = n + 1 where id = {row}; savepoint a; {change}; {end};")
                .expect("room");
        }
        sql
    }

    fn fold(items: &mut BTreeMap<Key, SharedItem>, change: &ExactChange) {
        for key in &change.drop {
            items.remove(key);
        }
        let of_pages = change.put.iter().filter(|put| matches!(put.item, Item::Page(_) | Item::Line(_)));
        items.extend(of_pages.map(|put| (put.key.clone(), put.clone())));
    }

    /// The same pages told by one that knows nothing of them yet.
    fn anew(exact: &Exact) -> BTreeMap<Key, SharedItem> {
        let mut pages = Pages::default();
        let tell = |id: &PageId| {
            let table = exact.tables.of(id.relation).expect("it is watched");
            pages.tell(&exact.history, *id, table, &exact.shown).0
        };
        exact.pages.told.keys().flat_map(tell).map(|item| (item.key.clone(), item)).collect()
    }

    #[tokio::test]
    async fn what_was_told_of_pages_bit_by_bit_is_what_they_are_told_to_be_at_once() {
        let spec = pgstrata_pg::testing::spec().expect("PostgreSQL server binaries");
        let server = pgstrata_pg::Cluster::create(spec).await.expect("a server");
        let session = server.endpoint().connect().await.expect("a session");
        let setup =
            "create extension pageinspect; create table t(id int primary key, n int default 0, k int default 0);
                     create index on t(k); insert into t select generate_series(0, 59)";
        session.batch_execute(setup).await.expect("a table");
        // So few that versions are forgotten which have left the disk.
        let limits = Limits { versions: 1_000, ..ExactOptions::default().limits };
        let options = ExactOptions { limits, ..ExactOptions::default() };
        let mut exact = Exact::begin(&server.endpoint(), options).await.expect("the log");
        let mut items = BTreeMap::new();
        fold(&mut items, &exact.watch(Some("t")).await.expect("it is watched"));
        let mut random = StdRng::seed_from_u64(8);
        for round in 0..STATEMENTS.1 {
            session.batch_execute(&statements(&mut random)).await.expect("they run");
            if round % 2 == 1 {
                session.batch_execute("vacuum t").await.expect("it runs");
            }
            session
                .batch_execute("insert into t values (1000) on conflict do nothing")
                .await
                .expect("a row to wait for");
            let end = session.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.expect("a position");
            let end: Lsn = end.get::<_, &str>(0).parse().expect("a position");
            session.batch_execute("update t set n = n where id = 1000").await.expect("one more record to wait for");
            while exact.history.told() < end {
                let change = exact.next().await.expect("the log goes on").expect("a change");
                fold(&mut items, &change);
            }
            assert_eq!(items, anew(&exact), "round {round}");
        }
        let versions = exact.history.versions();
        assert!(versions.forgotten() > 300, "{} forgotten, {} known", versions.forgotten(), versions.len());
        let has_redirect = |item: &SharedItem| matches!(&item.item, Item::Line(line) if line.to.is_some());
        assert!(items.values().any(has_redirect), "chains were pruned");
    }
}
