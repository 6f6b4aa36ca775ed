//! Pages of a real server with bytes changed by lot: whatever they say, reading them neither panics nor goes on for ever.

use pgstrata_tuple::chain::{Chains, follow};
use pgstrata_tuple::value::{Column, print_row};
use pgstrata_tuple::{
    Alignment, ColumnLayout, HeapPage, ItemPointer, Knowledge, Listing, LockMode, Member, Own, Status, Viewer, fate,
    judge,
};
use pgstrata_units::{Snapshot, Xid};

const PAGES: &[u8] = include_bytes!("../../../fixtures/heap-pages/postgresql-15.pages");
const PAGE_BYTES: usize = 8192;
const BLOCK: u32 = 3;
/// Pages that are changed and read: a million where the compiler optimises, fewer where each takes longer.
const MUTATIONS: u64 = if cfg!(debug_assertions) { 4_000 } else { 1_000_000 };
/// Bytes changed in a page at most.
const CHANGES: u64 = 12;
/// Versions of a chain that are followed; more than a page can have.
const CHAIN: usize = 3000;

/// One in so many line pointers is followed.
const FOLLOWED_EACH: u16 = 16;

/// Numbers by lot (`SplitMix64`).
struct Lot(u64);

impl Lot {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).expect("small")
    }
}

/// Answers that depend on the question alone, of every kind.
struct Whatever;

impl Knowledge for Whatever {
    fn status(&self, xid: Xid) -> Status {
        [Status::InProgress, Status::Prepared, Status::Committed, Status::Aborted, Status::Unknown]
            [usize::from(xid.0.to_le_bytes()[0]) % 5]
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        (!xid.0.is_multiple_of(3)).then_some(Xid(xid.0 & !1))
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        let member =
            Member { xid: Xid(multixact.into()), mode: LockMode::Update, is_change: multixact.is_multiple_of(2) };
        (!multixact.is_multiple_of(5)).then_some(vec![member])
    }

    fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, Xid(1000))
    }
}

/// The columns of `everything` by type, more or less; what fits nothing is an error, which is an answer too.
fn columns() -> Vec<Column> {
    const TEXT: ColumnLayout = ColumnLayout::Varlena { alignment: Alignment::Int };
    let fixed = |bytes, alignment| ColumnLayout::Fixed { bytes, alignment };
    let types = [
        (16, fixed(1, Alignment::Char)),
        (25, TEXT),
        (18, fixed(1, Alignment::Char)),
        (19, fixed(64, Alignment::Char)),
        (21, fixed(2, Alignment::Short)),
        (23, fixed(4, Alignment::Int)),
        (20, fixed(8, Alignment::Double)),
        (700, fixed(4, Alignment::Int)),
        (701, fixed(8, Alignment::Double)),
    ];
    let variable = [1700, 1700, 25, 1043, 1042, 17, 3802, 3802, 1007, 1009, 1231, 1115, 1000, 3807, 30, 869, 1562, 114];
    let types = types.into_iter().chain(variable.map(|oid| (oid, TEXT))).chain([(1, ColumnLayout::CString); 20]);
    types
        .map(|(type_oid, layout)| Column { name: String::new(), type_oid, layout, is_dropped: false, missing: None })
        .collect()
}

/// Reads all that can be read of a page; how many tuples that were.
fn read(bytes: &[u8], columns: &[Column]) -> usize {
    let Ok(page) = HeapPage::parse(bytes) else { return 0 };
    let snapshot = Snapshot::new(Xid(700), Xid(1000), vec![Xid(720), Xid(800)]).expect("a snapshot");
    let own = Own { top: Xid(900), subs: &[Xid(901)], command: 3, combos: &[(0, 1), (1, 5)] };
    let viewers = [
        Viewer::of(&snapshot),
        Viewer { snapshot: &snapshot, listing: Listing::Everything, own: Some(own) },
        Viewer { snapshot: &snapshot, listing: Listing::Nothing, own: None },
    ];
    let mut tuples = 0;
    for (offset, tuple) in page.tuples() {
        let place = ItemPointer { block: BLOCK, offset };
        for viewer in &viewers {
            let judgement = judge(&tuple.header, place, viewer, &Whatever);
            assert_eq!(judgement.visible, judgement.reason.is_visible());
        }
        let _ = fate(&tuple.header, place, &Whatever).is_removable(Xid(800));
        let _ = (tuple.header.flags().count(), tuple.header.xmax_kind(place), tuple.header.command_field());
        let _ = print_row(&tuple.row(), columns);
        tuples += 1;
    }
    let mut chains = Chains::of(&page, BLOCK, &Whatever);
    chains.infer_parents(&page, &Whatever, |offset| Some(offset % 7));
    for line in page.lines() {
        assert!(chains.from(line.offset).len() <= usize::from(page.line_count()));
        if line.offset % FOLLOWED_EACH != 1 {
            continue;
        }
        let fetch = |place: ItemPointer| page.tuple(place.offset)?.ok().map(|tuple| tuple.header);
        let (walk, _) = follow(ItemPointer { block: BLOCK, offset: line.offset }, CHAIN, &Whatever, fetch);
        assert!(walk.len() <= CHAIN);
    }
    tuples
}

#[test]
fn pages_of_a_real_server_are_read_whole() {
    for bytes in PAGES.chunks(PAGE_BYTES) {
        let page = HeapPage::parse(bytes).expect("a sound page");
        assert!(page.lines().filter_map(|line| page.tuple(line.offset)).all(|tuple| tuple.is_ok()));
        assert!(read(bytes, &columns()) > 1);
    }
}

#[test]
fn no_change_of_bytes_makes_the_reading_panic() {
    let (mut lot, columns) = (Lot(4), columns());
    let pages: Vec<&[u8]> = PAGES.chunks(PAGE_BYTES).collect();
    let mut tuples = 0;
    for _ in 0..MUTATIONS {
        let mut bytes = pages[lot.below(pages.len() as u64)].to_vec();
        for _ in 0..=lot.below(CHANGES) {
            // The header and the line pointers are hit as often as all the rest.
            let at = if lot.below(2) == 0 { lot.below(400) } else { lot.below(PAGE_BYTES as u64) };
            bytes[at] = match lot.below(3) {
                0 => bytes[at] ^ 1 << lot.below(8),
                1 => [0, 0xFF, 0x7F, 0x80][lot.below(4)],
                _ => lot.next().to_le_bytes()[0],
            };
        }
        tuples += read(&bytes, &columns);
    }
    assert!(tuples as u64 > MUTATIONS, "too few pages could be read at all: {tuples} tuples");
}

#[test]
fn pages_cut_short_or_of_noise_are_refused_or_read() {
    let (mut lot, columns) = (Lot(5), columns());
    for length in 0..=PAGE_BYTES + 1 {
        read(&PAGES[..length], &columns);
    }
    for _ in 0..2000 {
        let mut bytes: Vec<u8> = (0..PAGE_BYTES).map(|_| lot.next().to_le_bytes()[0]).collect();
        // A header that adds up, over noise.
        bytes[12..20].copy_from_slice(&[0x00, 0x08, 0x00, 0x08, 0x00, 0x20, 0x04, 0x20]);
        read(&bytes, &columns);
    }
}
