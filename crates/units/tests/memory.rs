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

/// Within a fifth.
fn check(what: &str, (taken, said): (usize, usize)) {
    assert!(taken.abs_diff(said) * 5 <= taken, "{what}: {taken} bytes were taken, {said} are said");
}

/// One test, for nobody else may allocate meanwhile.
#[test]
fn what_a_structure_says_it_holds_is_what_the_allocator_gave_it() {
    let text = |number: u64| format!("version/16400/{}/{number}", number % 200);
    check("a list", both(|| (0..10_000).map(text).collect::<Vec<_>>()));
    check("a queue", both(|| (0..10_000_u64).collect::<VecDeque<_>>()));
    check("a tree in order", both(|| (0..10_000).map(|number| (number, text(number))).collect::<BTreeMap<_, _>>()));
    let moved_on = || {
        let mut tree = BTreeMap::new();
        for number in 0..30_000_u64 {
            tree.insert(number, number);
            tree.remove(&number.wrapping_sub(10_000));
        }
        tree
    };
    check("a tree that grows at one end and shrinks at the other", both(moved_on));
    let scattered =
        || (0..10_000_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect::<BTreeSet<_>>();
    check("a set in no order", both(scattered));
    check("a table", both(|| (0..10_000_u64).map(|number| (number, 0_u8)).collect::<HashMap<_, _>>()));
    let small = || (0..1_000).map(|top| (top, BTreeSet::from([top, top + 1]))).collect::<BTreeMap<u64, _>>();
    check("small sets in a tree", both(small));
}
