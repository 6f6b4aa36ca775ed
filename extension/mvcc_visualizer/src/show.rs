//! `mvcc_show_versions`: every version of a row that is still on disk.
//!
//! Found by the index entries of its key, which lead to pages; on these by the key itself, which also finds what no
//! pointer leads to any more; and forwards from there along `ctid`, over pages and over changes of the key. What was
//! pruned or vacuumed is not on disk; a change of the key cannot be followed backwards.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_tuple::chain::is_successor;
use pgstrata_tuple::{ItemPointer, LineState, Next, Tuple};

use crate::call::{Call, Refusal, sql_function};
use crate::columns::{Columns, Source};
use crate::key::{Key, Sought, place_of_text};
use crate::knowledge::Server;
use crate::limits::Limits;
use crate::rows::Rows;
use crate::table::Table;
use crate::version::{Lens, PageView};
use crate::viewer::Eyes;

sql_function!(mvcc_show_versions_text, pg_finfo_mvcc_show_versions_text, by_text);
sql_function!(mvcc_show_versions_jsonb, pg_finfo_mvcc_show_versions_jsonb, by_json);
sql_function!(mvcc_show_versions_bigint, pg_finfo_mvcc_show_versions_bigint, by_number);

/// How a row is named.
enum Name {
    Text(String),
    Json(String),
}

fn by_text(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let Some(text) = call.text(1) else { return Ok(()) };
    show(call, &Name::Text(text), rows)
}

fn by_number(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let Some(number) = call.bigint(1) else { return Ok(()) };
    show(call, &Name::Text(number.to_string()), rows)
}

fn by_json(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let Some(json) = call.json(1) else { return Ok(()) };
    show(call, &Name::Json(json), rows)
}

fn show(call: &Call, name: &Name, rows: &mut Rows) -> Result<(), Refusal> {
    let Some(oid) = call.oid(0) else { return Ok(()) };
    // The snapshot is older than any page that is copied below, so that no version it sees is missed.
    let eyes = Eyes::of_arguments(call, 2)?;
    let table = Table::open(oid)?;
    let (columns, keys, server) = (Columns::of(&table), Key::all_of(&table), Server::now(eyes.floor()));
    let mut start = None;
    let mut sought = match name {
        Name::Json(json) => Some(Sought::of_json(&table, &columns, &keys, json)?),
        Name::Text(text) => match place_of_text(text) {
            None => Some(Sought::of_text(&table, &columns, &keys, text)?),
            Some(place) => {
                start = Some(place);
                None
            }
        },
    };
    let key = sought.as_ref().map(|sought| &sought.key).or(keys.first()).cloned();
    let lens = Lens {
        columns: &columns,
        key: key.as_ref().map_or(&[], |key| &key.columns),
        server: &server,
        viewer: eyes.viewer(),
        source: Source::Table,
        limits: Limits::now(),
    };
    let mut search =
        Search { table: &table, lens: &lens, blocks: table.blocks(), pages: BTreeMap::new(), found: BTreeSet::new() };
    if let Some(place) = start {
        search.begin_at(place)?;
        sought = search.sought_at(place, key.as_ref())?;
    }
    if let Some(sought) = &sought {
        search.by_key(sought)?;
    }
    search.follow()?;
    search.report(rows)
}

/// The versions found so far, and the pages that they are on.
struct Search<'a> {
    table: &'a Table,
    lens: &'a Lens<'a>,
    blocks: u32,
    pages: BTreeMap<u32, PageView>,
    found: BTreeSet<ItemPointer>,
}

impl Search<'_> {
    /// The page with a number, copied when it is first asked for; `None` if there is none.
    fn page(&mut self, block: u32) -> Result<Option<&PageView>, Refusal> {
        if block >= self.blocks {
            return Ok(None);
        }
        if !self.pages.contains_key(&block) {
            self.lens.limits.check_pages(self.pages.len() + 1)?;
            pgrx::check_for_interrupts!();
            let view = PageView::new(block, self.table.page(block), self.lens);
            self.pages.insert(block, view);
        }
        Ok(self.pages.get(&block))
    }

    fn add(&mut self, place: ItemPointer) -> Result<bool, Refusal> {
        let is_new = self.found.insert(place);
        self.lens.limits.check_versions(self.found.len())?;
        Ok(is_new)
    }

    /// Begins with the version at a place and those of its HOT chain.
    fn begin_at(&mut self, place: ItemPointer) -> Result<(), Refusal> {
        self.table.block(place.block.into())?;
        let places: Vec<_> = self.page(place.block)?.map_or_else(Vec::new, |view| view.relatives(place.offset));
        for offset in places {
            self.add(ItemPointer { block: place.block, offset })?;
        }
        Ok(())
    }

    /// What the version at a place has in its key.
    fn sought_at(&mut self, place: ItemPointer, key: Option<&Key>) -> Result<Option<Sought>, Refusal> {
        let columns = self.lens.columns;
        let (Some(key), Some(view)) = (key, self.page(place.block)?) else { return Ok(None) };
        let tuple = view.page().and_then(|page| page.tuple(place.offset)).and_then(Result::ok);
        let Some(values) = tuple.and_then(|tuple| columns.values(&tuple).ok()) else { return Ok(None) };
        Sought::of_version(columns, key, &values)
    }

    /// Adds what the key's index entries lead to, and on those pages all that has the key.
    fn by_key(&mut self, sought: &Sought) -> Result<(), Refusal> {
        let places = sought.places(self.table, &self.lens.limits)?;
        let columns = self.lens.columns;
        let blocks: BTreeSet<u32> = places.iter().map(|place| place.block).chain(self.pages.keys().copied()).collect();
        for block in blocks {
            let Some(view) = self.page(block)? else { continue };
            let Some(page) = view.page() else { continue };
            let is_of_row = |tuple: &Tuple<'_>| columns.values(tuple).is_ok_and(|values| sought.is(columns, &values));
            let same: Vec<u16> =
                page.tuples().filter(|(_, tuple)| is_of_row(tuple)).map(|(offset, _)| offset).collect();
            // An entry may lead to a line pointer that has no tuple any more.
            let dead = places.iter().filter(|place| place.block == block).map(|place| place.offset);
            let dead = dead
                .filter(|offset| page.line(*offset).is_some_and(|line| matches!(line.state, LineState::Dead { .. })));
            let offsets: Vec<u16> = same.iter().copied().chain(dead).collect();
            let redirects: Vec<u16> = offsets.iter().filter_map(|offset| view.redirect_to(*offset)).collect();
            for offset in offsets.into_iter().chain(redirects) {
                self.add(ItemPointer { block, offset })?;
            }
        }
        Ok(())
    }

    /// Adds what took the place of the versions found, on and on. Ends, for each place is followed once.
    fn follow(&mut self) -> Result<(), Refusal> {
        let mut open: Vec<ItemPointer> = self.found.iter().copied().collect();
        while let Some(place) = open.pop() {
            let header = |view: Option<&PageView>, offset| {
                view.and_then(PageView::page).and_then(|page| page.tuple(offset)).and_then(Result::ok).map(|t| t.header)
            };
            let Some(this) = header(self.page(place.block)?, place.offset) else { continue };
            let Next::Version(next) = this.next(place) else { continue };
            let Some(that) = header(self.page(next.block)?, next.offset) else { continue };
            // A version whose maker was rolled back is still what `ctid` leads to, until somebody else replaces it.
            let is_aborted_successor = this.xmax != 0 && !this.is_xmax_multi() && this.xmax == that.xmin;
            if (is_aborted_successor || is_successor(&this, &that, self.lens.server)) && self.add(next)? {
                open.push(next);
            }
        }
        Ok(())
    }

    /// One row for each place, in the order of pages and line pointers.
    fn report(&self, rows: &mut Rows) -> Result<(), Refusal> {
        let mut bytes = 0;
        for place in &self.found {
            let Some(view) = self.pages.get(&place.block) else { continue };
            let Some(line) = view.page().and_then(|page| page.line(place.offset)) else { continue };
            let (cells, more) = view.row(line, self.lens);
            bytes += more;
            self.lens.limits.check_bytes(bytes)?;
            rows.push(cells);
        }
        Ok(())
    }
}
