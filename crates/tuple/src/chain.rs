//! How the versions on pages hang together: chains by `ctid`, roots of HOT chains, and branches that were rolled back.
//!
//! A link is trusted only if the next version's maker is what ended the one before (`heap_hot_search_buffer`,
//! `heap_get_root_tuples` in src/backend/access/heap). A branch that was rolled back loses its link when another
//! transaction replaces the same version; its parent can then only be guessed, and the guess says so.

use std::collections::BTreeSet;

use pgstrata_units::Xid;

use crate::header::{ItemPointer, Next, TupleHeader};
use crate::knowledge::{Knowledge, Status};
use crate::page::{HeapPage, LineState, Tuple};

/// How a parent is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Its `ctid` leads here, and its ender is our maker.
    Linked,
    /// It follows from who made what, and when.
    Inferred,
}

/// The version that another one took the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parent {
    /// Its line pointer on the same page.
    pub offset: u16,
    /// How that is known.
    pub evidence: Evidence,
}

/// How one line pointer hangs together with others of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Link {
    /// The first line pointer of its chain on this page: a redirect, or a version that index entries lead to.
    pub root: Option<u16>,
    /// The version that it took the place of.
    pub parent: Option<Parent>,
    /// The line pointer that it leads to: the target of a redirect, or the version that took its place.
    pub next: Option<u16>,
}

/// The links of all line pointers of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chains {
    links: Vec<Link>,
}

impl Chains {
    /// The links of the page with number `block`.
    #[must_use]
    pub fn of(page: &HeapPage<'_>, block: u32, knowledge: &(impl Knowledge + ?Sized)) -> Self {
        let mut chains = Self { links: vec![Link::default(); usize::from(page.line_count())] };
        chains.link(page, block, knowledge);
        chains.find_roots(page);
        chains
    }

    /// How a line pointer hangs together with others.
    #[must_use]
    pub fn link_of(&self, offset: u16) -> Option<Link> {
        self.links.get(usize::from(offset).checked_sub(1)?).copied()
    }

    /// The line pointers from `offset` on to the end of its chain on this page; each at most once, whatever the page says.
    #[must_use]
    pub fn from(&self, offset: u16) -> Vec<u16> {
        let mut seen = BTreeSet::new();
        let mut walk = Vec::new();
        let mut at = self.link_of(offset).map(|_| offset);
        while let Some(offset) = at.filter(|offset| seen.insert(*offset)) {
            walk.push(offset);
            at = self.link_of(offset).and_then(|link| link.next);
        }
        walk
    }

    /// Guesses the parents of versions that came by an update, whose maker was rolled back, and which no link leads to:
    /// the version of the same row with the nearest earlier maker. `row_of` says which versions are of one row (by their
    /// keys); `None` for those of which that is not known, which get no guess.
    pub fn infer_parents<R: PartialEq>(
        &mut self,
        page: &HeapPage<'_>,
        knowledge: &(impl Knowledge + ?Sized),
        row_of: impl Fn(u16) -> Option<R>,
    ) {
        let is_aborted = |header: &TupleHeader| {
            header.is_xmin_invalid()
                || (!header.is_xmin_committed()
                    && knowledge.full(header.xmin).is_some_and(|xid| knowledge.status(xid) == Status::Aborted))
        };
        for (offset, tuple) in page.tuples() {
            let is_orphan = self.link_of(offset).is_some_and(|link| link.parent.is_none());
            if !is_orphan || !tuple.header.is_updated_version() || !is_aborted(&tuple.header) {
                continue;
            }
            let (Some(row), Some(maker)) = (row_of(offset), knowledge.full(tuple.header.xmin)) else { continue };
            let descendants = self.from(offset);
            let parent = page
                .tuples()
                .filter(|(other, _)| !descendants.contains(other) && row_of(*other).as_ref() == Some(&row))
                .filter(|(_, other)| !is_aborted(&other.header))
                .filter_map(|(other, tuple)| Some((made_at(&tuple, knowledge)?, other)))
                .filter(|(made, _)| *made <= maker)
                .max();
            let Some((_, parent)) = parent else { continue };
            let root = self.link_of(parent).and_then(|link| link.root);
            for descendant in descendants {
                self.at(descendant, |link| {
                    if tuple.header.is_heap_only() {
                        link.root = root;
                    }
                });
            }
            self.at(offset, |link| link.parent = Some(Parent { offset: parent, evidence: Evidence::Inferred }));
        }
    }

    fn at(&mut self, offset: u16, change: impl FnOnce(&mut Link)) {
        if let Some(link) = usize::from(offset).checked_sub(1).and_then(|index| self.links.get_mut(index)) {
            change(link);
        }
    }

    fn link(&mut self, page: &HeapPage<'_>, block: u32, knowledge: &(impl Knowledge + ?Sized)) {
        for line in page.lines() {
            match line.state {
                LineState::Redirect(to) if page.line(to).is_some() => self.at(line.offset, |link| link.next = Some(to)),
                LineState::Normal { .. } => {
                    let Some(Ok(tuple)) = page.tuple(line.offset) else { continue };
                    let place = ItemPointer { block, offset: line.offset };
                    let Some(next) = next_on_page(page, &tuple.header, place, knowledge) else { continue };
                    self.at(line.offset, |link| link.next = Some(next));
                    let parent = Parent { offset: line.offset, evidence: Evidence::Linked };
                    // Two versions cannot have one child; if the page says so, the first keeps it.
                    self.at(next, |link| link.parent = link.parent.or(Some(parent)));
                }
                _ => {}
            }
        }
    }

    /// A chain begins where index entries lead: at redirects, and at versions that are not heap-only.
    fn find_roots(&mut self, page: &HeapPage<'_>) {
        let is_heap_only = |offset| matches!(page.tuple(offset), Some(Ok(tuple)) if tuple.header.is_heap_only());
        for line in page.lines() {
            let is_root = match line.state {
                LineState::Redirect(_) => true,
                LineState::Normal { .. } => {
                    page.tuple(line.offset).is_some_and(|tuple| tuple.is_ok()) && !is_heap_only(line.offset)
                }
                _ => false,
            };
            if !is_root {
                continue;
            }
            self.at(line.offset, |link| link.root = link.root.or(Some(line.offset)));
            let mut at = self.link_of(line.offset).and_then(|link| link.next);
            // What has a root was walked on from already, perhaps just now: the page may lead in a circle.
            while let Some(offset) = at.filter(|offset| is_heap_only(*offset)) {
                let Some(link) = self.link_of(offset).filter(|link| link.root.is_none()) else { break };
                self.at(offset, |link| link.root = Some(line.offset));
                at = link.next;
            }
        }
    }
}

fn made_at(tuple: &Tuple<'_>, knowledge: &(impl Knowledge + ?Sized)) -> Option<Xid> {
    if tuple.header.is_frozen() { Some(Xid::FROZEN) } else { knowledge.full(tuple.header.xmin) }
}

/// What is in an `xmax`, void or not.
enum Ender {
    /// Nothing but locks.
    Nobody,
    /// The lower 32 bits of the transaction that replaced or deleted.
    Transaction(u32),
    /// A multixact whose members are not known.
    Unknown,
}

fn ender(header: &TupleHeader, knowledge: &(impl Knowledge + ?Sized)) -> Ender {
    if header.is_xmax_locked_only() || header.xmax == 0 {
        return Ender::Nobody;
    }
    if !header.is_xmax_multi() {
        return Ender::Transaction(header.xmax);
    }
    let Some(members) = knowledge.members(header.xmax) else { return Ender::Unknown };
    let changer = members.iter().find(|member| member.is_change);
    changer.map_or(Ender::Nobody, |member| Ender::Transaction(member.xid.short()))
}

/// Whether `next` is the version that took the place of `header`'s: its maker is what ended that. A multixact whose
/// members are gone is given the benefit of the doubt, for `next` came by an update.
#[must_use]
pub fn is_successor(header: &TupleHeader, next: &TupleHeader, knowledge: &(impl Knowledge + ?Sized)) -> bool {
    match ender(header, knowledge) {
        Ender::Transaction(xid) => xid == next.xmin,
        Ender::Nobody => false,
        Ender::Unknown => next.is_updated_version(),
    }
}

fn next_on_page(
    page: &HeapPage<'_>,
    header: &TupleHeader,
    place: ItemPointer,
    knowledge: &(impl Knowledge + ?Sized),
) -> Option<u16> {
    let Next::Version(next) = header.next(place) else { return None };
    if next.block != place.block || !matches!(page.line(next.offset)?.state, LineState::Normal { .. }) {
        return None;
    }
    let tuple = page.tuple(next.offset)?.ok()?;
    is_successor(header, &tuple.header, knowledge).then_some(next.offset)
}

/// Why a walk along a chain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// At the newest version: it leads to itself.
    Newest,
    /// The row went to another partition.
    OtherPartition,
    /// The insert is speculative still.
    Speculative,
    /// What the last version leads to is not there any more, or is of another row.
    Broken(ItemPointer),
    /// The chain leads back to a version that was seen: the pages are damaged.
    Loop(ItemPointer),
    /// As many versions as were asked for were seen; there are more.
    Limit(ItemPointer),
}

/// Follows `ctid` from a version forwards, over pages, at most `limit` versions. `fetch` gives a version's header, `None`
/// if there is none at that place.
pub fn follow(
    start: ItemPointer,
    limit: usize,
    knowledge: &(impl Knowledge + ?Sized),
    mut fetch: impl FnMut(ItemPointer) -> Option<TupleHeader>,
) -> (Vec<(ItemPointer, TupleHeader)>, End) {
    let mut walk: Vec<(ItemPointer, TupleHeader)> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut place = start;
    loop {
        if walk.len() >= limit {
            return (walk, End::Limit(place));
        }
        if !seen.insert(place) {
            return (walk, End::Loop(place));
        }
        let Some(header) = fetch(place) else { return (walk, End::Broken(place)) };
        if walk.last().is_some_and(|(_, last)| !is_successor(last, &header, knowledge)) {
            return (walk, End::Broken(place));
        }
        walk.push((place, header));
        match header.next(place) {
            Next::Version(next) => place = next,
            Next::Itself => return (walk, End::Newest),
            Next::OtherPartition => return (walk, End::OtherPartition),
            Next::Speculative(_) => return (walk, End::Speculative),
        }
    }
}
