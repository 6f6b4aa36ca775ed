//! The estimates of memory against what the allocator was asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use pgstrata_units::memory::{HeapBytes, allocated};

/// Counts as [`allocated`] says that an allocator does.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on as it came; the count touches no memory of the caller's.
#[expect(unsafe_code, reason = "an allocator is one")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(allocated(layout.size()), Ordering::Relaxed);
        // SAFETY: as the caller promised us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(allocated(layout.size()), Ordering::Relaxed);
        // SAFETY: as the caller promised us.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What making a value took, and what it says of itself.
fn both<T: HeapBytes>(make: impl FnOnce() -> T) -> (usize, usize) {
    let before = IN_USE.load(Ordering::Relaxed);
    let value = make();
    let taken = IN_USE.load(Ordering::Relaxed) - before;
    (taken, value.heap_bytes())
}

/// Hardly less, and at most a third more: nodes of a tree whose keys came in no order are fuller than is taken for granted.
fn check(what: &str, (taken, said): (usize, usize)) {
    assert!(said * 10 >= taken * 9 && said * 3 <= taken * 4, "{what}: {taken} bytes were taken, {said} are said");
}

/// One test, for nobody else may allocate meanwhile.
#[test]
fn what_a_structure_says_it_holds_is_what_the_allocator_gave_it() {
    let text = |number: u64| format!("version/16400/{}/{number}", number % 200);
    check("a list", both(|| (0..10_000).map(text).collect::<Vec<_>>()));
    check("a queue", both(|| (0..10_000_u64).collect::<VecDeque<_>>()));
    let in_order = || {
        let mut tree = BTreeMap::new();
        for number in 0..10_000 {
            tree.insert(number, text(number));
        }
        tree
    };
    check("a tree that grew in order", both(in_order));
    let moved_on = || {
        let mut tree = BTreeMap::new();
        for number in 0..30_000_u64 {
            tree.insert(number, number);
            tree.remove(&number.wrapping_sub(10_000));
        }
        tree
    };
    check("a tree that grows at one end and shrinks at the other", both(moved_on));
    let scattered = || {
        let mut set = BTreeSet::new();
        for number in 0..10_000_u64 {
            set.insert(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        }
        set
    };
    check("a set that grew in no order", both(scattered));
    check("a table", both(|| (0..10_000_u64).map(|number| (number, 0_u8)).collect::<HashMap<_, _>>()));
    let small = || {
        let mut tree = BTreeMap::new();
        for top in 0..1_000_u64 {
            tree.insert(top, BTreeSet::from([top, top + 1]));
        }
        tree
    };
    check("small sets in a tree", both(small));
}
