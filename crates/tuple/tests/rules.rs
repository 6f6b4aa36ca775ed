//! Rules one by one that random work does not lead to: old pages, speculative inserts, other partitions, edges of ids; and
//! chains, branches and loops on pages that are made for it.

use std::collections::BTreeMap;

use pgstrata_tuple::chain::{Chains, End, Evidence, Parent, follow};
use pgstrata_tuple::{
    CommandField, Fate, HeapPage, ItemPointer, Knowledge, LineState, LockMode, Member, Next, PageError, Reason, Status,
    TupleHeader, Viewer, XmaxKind, fate, judge,
};
use pgstrata_units::{Snapshot, Xid};

const PLACE: ItemPointer = ItemPointer { block: 0, offset: 1 };
const LOCK_ONLY: u16 = 0x0080;
const EXCLUSIVE: u16 = 0x0040;
const XMIN_COMMITTED: u16 = 0x0100;
const XMAX_INVALID: u16 = 0x0800;
const IS_MULTI: u16 = 0x1000;
const UPDATED: u16 = 0x2000;
const MOVED_OFF: u16 = 0x4000;
const MOVED_IN: u16 = 0x8000;
const HOT_UPDATED: u16 = 0x4000;
const HEAP_ONLY: u16 = 0x8000;

/// Statuses by id; everybody is whole, and no multixact is known.
struct Statuses(BTreeMap<u64, Status>);

impl Knowledge for Statuses {
    fn status(&self, xid: Xid) -> Status {
        self.0.get(&xid.0).copied().unwrap_or(Status::Unknown)
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        Some(xid)
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        (multixact == 9).then(|| vec![Member { xid: Xid(100), mode: LockMode::Share, is_change: false }])
    }

    fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, Xid(1000))
    }
}

fn known() -> Statuses {
    Statuses([(100, Status::Committed), (101, Status::Aborted), (102, Status::InProgress)].into())
}

fn header(xmin: u32, xmax: u32, infomask: u16) -> TupleHeader {
    let mut header = TupleHeader::parse(&[0; TupleHeader::BYTES]).expect("enough bytes");
    (header.xmin, header.xmax, header.infomask, header.ctid, header.hoff) = (xmin, xmax, infomask, PLACE, 24);
    header
}

fn check(header: TupleHeader, expected: Reason) {
    let snapshot = Snapshot::new(Xid(102), Xid(200), vec![Xid(102)]).expect("a snapshot");
    let found = judge(&header, PLACE, &Viewer::of(&snapshot), &known());
    assert_eq!((found.reason, found.visible), (expected, expected.is_visible()), "{header:?}");
}

#[test]
fn ids_that_are_special_are_committed_or_nobody() {
    check(header(1, 0, XMAX_INVALID), Reason::MakerCommittedBefore);
    check(header(2, 0, XMAX_INVALID), Reason::Frozen);
    check(header(0, 0, XMAX_INVALID), Reason::TakenBack);
    check(header(100, 0, 0), Reason::EnderAborted);
    check(header(0xFFFF_0000, 0, XMAX_INVALID), Reason::UnknownEpoch);
    check(header(0xFFFF_0000, 0, XMIN_COMMITTED | XMAX_INVALID), Reason::UnknownEpoch);
    check(header(0xFFFF_0000, 0, 0x0300 | XMAX_INVALID), Reason::Frozen);
}

#[test]
fn what_an_old_vacuum_full_moved_counts_by_its_end() {
    let moved = |by: u32, way| {
        let mut header = header(50, 0, XMAX_INVALID | way);
        header.command = by;
        header
    };
    check(moved(100, MOVED_OFF), Reason::Moved);
    check(moved(101, MOVED_OFF), Reason::MakerCommittedBefore);
    check(moved(102, MOVED_OFF), Reason::MakerCommittedBefore);
    check(moved(100, MOVED_IN), Reason::MakerCommittedBefore);
    check(moved(101, MOVED_IN), Reason::Moved);
    check(moved(102, MOVED_IN), Reason::Moved);
    check(moved(60, MOVED_IN), Reason::UnknownMaker);
    assert_eq!(moved(100, MOVED_IN).command_field(), CommandField::MovedBy(100));
    assert_eq!(fate(&moved(100, MOVED_OFF), PLACE, &known()), Fate::Aborted);
    assert_eq!(fate(&moved(101, MOVED_OFF), PLACE, &known()), Fate::Live);
}

#[test]
fn locks_of_before_nine_three_and_multixacts_that_pg_upgrade_brought_end_nothing() {
    let old_lock = header(100, 100, EXCLUSIVE);
    assert_eq!(old_lock.xmax_kind(PLACE), XmaxKind::Lock(None));
    check(old_lock, Reason::LockedOnly);
    let upgraded = header(100, 7, IS_MULTI | LOCK_ONLY);
    assert!(upgraded.is_locked_upgraded());
    assert_eq!(upgraded.xmax_kind(PLACE), XmaxKind::None);
    check(upgraded, Reason::LockedOnly);
    check(header(100, 7, IS_MULTI), Reason::UnknownMultixact);
    check(header(100, 9, IS_MULTI), Reason::LockedOnly);
}

#[test]
fn a_ctid_can_be_a_token_or_another_partition() {
    let mut moved = header(100, 100, 0);
    moved.ctid = ItemPointer { block: u32::MAX, offset: 0xFFFD };
    assert_eq!((moved.next(PLACE), moved.xmax_kind(PLACE)), (Next::OtherPartition, XmaxKind::Delete));
    check(moved, Reason::MovedToPartition);
    let mut speculative = header(102, 0, XMAX_INVALID);
    speculative.ctid = ItemPointer { block: 77, offset: 0xFFFE };
    assert_eq!(speculative.next(PLACE), Next::Speculative(77));
    check(speculative, Reason::MakerRunning);
}

#[test]
fn knowledge_older_than_the_snapshot_is_not_used() {
    let snapshot = Snapshot::new(Xid(150), Xid(200), Vec::new()).expect("a snapshot");
    let reason = |header| judge(&header, PLACE, &Viewer::of(&snapshot), &known()).reason;
    assert_eq!(reason(header(102, 0, XMAX_INVALID)), Reason::UnknownMaker);
    assert_eq!(reason(header(100, 102, 0)), Reason::UnknownEnder);
    assert_eq!(reason(header(199, 0, XMAX_INVALID)), Reason::UnknownMaker);
    assert_eq!(reason(header(250, 0, XMAX_INVALID)), Reason::MakerNotEnded);
    assert_eq!(reason(header(100, 250, 0)), Reason::EnderNotEnded);
}

#[test]
fn vacuum_may_remove_what_ended_before_its_horizon() {
    let replaced = fate(&header(100, 100, 0), PLACE, &known());
    assert_eq!(replaced, Fate::Deleted(Xid(100)));
    assert_eq!([100, 101].map(|horizon| replaced.is_removable(Xid(horizon))), [Some(false), Some(true)]);
    assert_eq!(fate(&header(101, 0, XMAX_INVALID), PLACE, &known()).is_removable(Xid(3)), Some(true));
    assert_eq!(fate(&header(100, 7, IS_MULTI), PLACE, &known()).is_removable(Xid(3)), None);
}

/// A page of line pointers and of tuples of nothing but their headers.
fn page(lines: &[LineState], headers: &[(u16, TupleHeader)]) -> Vec<u8> {
    let mut bytes = vec![0; 8192];
    let lower = u16::try_from(24 + 4 * lines.len()).expect("few lines");
    let mut upper = 8192;
    for (index, line) in lines.iter().enumerate() {
        let offset = u16::try_from(index + 1).expect("few lines");
        let (at, state, length) = match (line, headers.iter().find(|(number, _)| *number == offset)) {
            (LineState::Redirect(to), _) => (*to, 2, 0),
            (LineState::Normal { .. }, Some((_, header))) => {
                upper -= 24;
                bytes[usize::from(upper)..usize::from(upper) + TupleHeader::BYTES].copy_from_slice(&header.to_bytes());
                (upper, 1, 24)
            }
            (LineState::Dead { .. }, _) => (0, 3, 0),
            _ => (0, 0, 0),
        };
        let raw = u32::from(at) | state << 15 | length << 17;
        bytes[24 + 4 * index..28 + 4 * index].copy_from_slice(&raw.to_le_bytes());
    }
    bytes[12..14].copy_from_slice(&lower.to_le_bytes());
    bytes[14..16].copy_from_slice(&upper.to_le_bytes());
    bytes[16..20].copy_from_slice(&[0x00, 0x20, 0x04, 0x20]);
    bytes
}

const NORMAL: LineState = LineState::Normal { at: 0, bytes: 24 };

fn version(xmin: u32, xmax: u32, next: u16, infomask: u16, infomask2: u16) -> TupleHeader {
    let mut version = header(xmin, xmax, infomask);
    version.infomask2 = infomask2;
    version.ctid.offset = next;
    version
}

#[test]
fn hot_chains_begin_at_redirects_and_end_where_the_maker_is_another() {
    let lines = [LineState::Redirect(2), NORMAL, NORMAL, NORMAL];
    let headers = [
        (2, version(100, 110, 3, UPDATED, HEAP_ONLY | HOT_UPDATED)),
        (3, version(110, 120, 4, UPDATED, HEAP_ONLY | HOT_UPDATED)),
        // The line pointer was used again for another row.
        (4, version(130, 0, 4, XMAX_INVALID, 0)),
    ];
    let bytes = page(&lines, &headers);
    let page = HeapPage::parse(&bytes).expect("a page");
    let chains = Chains::of(&page, 0, &known());
    assert_eq!(chains.from(1), [1, 2, 3]);
    let roots = [1, 2, 3, 4].map(|offset| chains.link_of(offset).and_then(|link| link.root));
    assert_eq!(roots, [Some(1), Some(1), Some(1), Some(4)]);
    assert_eq!(chains.link_of(3).and_then(|link| link.parent), Some(Parent { offset: 2, evidence: Evidence::Linked }));
    assert_eq!(chains.link_of(5), None);
}

#[test]
fn a_branch_that_was_rolled_back_gets_a_parent_that_is_said_to_be_guessed() {
    let headers = [
        (1, version(100, 103, 3, 0, HOT_UPDATED)),
        // Made by 101, which was rolled back; 103 replaced the same version afterwards.
        (2, version(101, 0, 2, XMAX_INVALID | UPDATED, HEAP_ONLY)),
        (3, version(103, 0, 3, XMAX_INVALID | UPDATED, HEAP_ONLY)),
    ];
    let bytes = page(&[NORMAL; 3], &headers);
    let page = HeapPage::parse(&bytes).expect("a page");
    let mut chains = Chains::of(&page, 0, &known());
    assert_eq!(chains.link_of(2).expect("a link").parent, None);
    chains.infer_parents(&page, &known(), |_| None::<u32>);
    assert_eq!(chains.link_of(2).expect("a link").parent, None, "of an unknown row nothing is guessed");
    chains.infer_parents(&page, &known(), |_| Some("row"));
    let link = chains.link_of(2).expect("a link");
    assert_eq!(link.parent, Some(Parent { offset: 1, evidence: Evidence::Inferred }));
    assert_eq!(link.root, Some(1));
}

#[test]
fn chains_that_lead_back_into_themselves_end() {
    let headers = [(1, version(100, 100, 2, 0, 0)), (2, version(100, 100, 1, UPDATED, 0))];
    let bytes = page(&[NORMAL; 2], &headers);
    let page = HeapPage::parse(&bytes).expect("a page");
    assert_eq!(Chains::of(&page, 0, &known()).from(2), [2, 1]);
    let fetch = |place: ItemPointer| page.tuple(place.offset)?.ok().map(|tuple| tuple.header);
    let end = |limit| follow(PLACE, limit, &known(), fetch).1;
    assert_eq!(end(10), End::Loop(PLACE));
    assert_eq!(end(2), End::Limit(PLACE));
    let redirects = page_of_redirects();
    let page = HeapPage::parse(&redirects).expect("a page");
    assert_eq!(Chains::of(&page, 0, &known()).from(1), [1, 2]);
}

fn page_of_redirects() -> Vec<u8> {
    page(&[LineState::Redirect(2), LineState::Redirect(1)], &[])
}

#[test]
fn pages_that_are_no_heap_pages_are_told_apart() {
    let sound = page(&[], &[]);
    let check = |at: usize, bytes: &[u8], expected| {
        let mut page = sound.clone();
        page[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(HeapPage::parse(&page).err(), expected);
    };
    check(0, &[], None);
    check(14, &[0, 0], Some(PageError::New));
    check(18, &[3], Some(PageError::LayoutVersion { found: 3 }));
    check(19, &[0x40], Some(PageError::Size { says: 16384, found: 8192 }));
    check(14, &[0, 0x1F, 0xF0, 0x1F], Some(PageError::NotHeap));
    check(12, &[20], Some(PageError::Bounds { lower: 20, upper: 8192, special: 8192, size: 8192 }));
    assert_eq!(HeapPage::parse(&sound[1..]).err(), Some(PageError::Length { found: 8191 }));
}
