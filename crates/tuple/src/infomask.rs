//! The bits of `infomask` and `infomask2` by value and name. Values: `src/include/access/htup_details.h`; names in the
//! order of `heap_tuple_infomask_flags` (`contrib/pageinspect/heapfuncs.c`).

pub(crate) const HAS_NULL: u16 = 0x0001;
const HAS_VARIABLE_WIDTH: u16 = 0x0002;
pub(crate) const HAS_EXTERNAL: u16 = 0x0004;
const HAS_OID_OLD: u16 = 0x0008;
pub(crate) const XMAX_KEY_SHARE_LOCK: u16 = 0x0010;
pub(crate) const COMBO_COMMAND: u16 = 0x0020;
pub(crate) const XMAX_EXCL_LOCK: u16 = 0x0040;
pub(crate) const XMAX_LOCK_ONLY: u16 = 0x0080;
pub(crate) const XMAX_SHARE_LOCK: u16 = XMAX_EXCL_LOCK | XMAX_KEY_SHARE_LOCK;
pub(crate) const LOCK_MASK: u16 = XMAX_SHARE_LOCK;
pub(crate) const XMIN_COMMITTED: u16 = 0x0100;
pub(crate) const XMIN_INVALID: u16 = 0x0200;
pub(crate) const XMIN_FROZEN: u16 = XMIN_COMMITTED | XMIN_INVALID;
pub(crate) const XMAX_COMMITTED: u16 = 0x0400;
pub(crate) const XMAX_INVALID: u16 = 0x0800;
pub(crate) const XMAX_IS_MULTI: u16 = 0x1000;
pub(crate) const UPDATED: u16 = 0x2000;
pub(crate) const MOVED_OFF: u16 = 0x4000;
pub(crate) const MOVED_IN: u16 = 0x8000;
pub(crate) const MOVED: u16 = MOVED_OFF | MOVED_IN;

/// The bits of `infomask2` that count columns.
pub(crate) const COLUMNS_MASK: u16 = 0x07FF;
pub(crate) const KEYS_UPDATED: u16 = 0x2000;
pub(crate) const HOT_UPDATED: u16 = 0x4000;
pub(crate) const HEAP_ONLY: u16 = 0x8000;

const NAMES: [(u16, &str); 16] = [
    (HAS_NULL, "HEAP_HASNULL"),
    (HAS_VARIABLE_WIDTH, "HEAP_HASVARWIDTH"),
    (HAS_EXTERNAL, "HEAP_HASEXTERNAL"),
    (HAS_OID_OLD, "HEAP_HASOID_OLD"),
    (XMAX_KEY_SHARE_LOCK, "HEAP_XMAX_KEYSHR_LOCK"),
    (COMBO_COMMAND, "HEAP_COMBOCID"),
    (XMAX_EXCL_LOCK, "HEAP_XMAX_EXCL_LOCK"),
    (XMAX_LOCK_ONLY, "HEAP_XMAX_LOCK_ONLY"),
    (XMIN_COMMITTED, "HEAP_XMIN_COMMITTED"),
    (XMIN_INVALID, "HEAP_XMIN_INVALID"),
    (XMAX_COMMITTED, "HEAP_XMAX_COMMITTED"),
    (XMAX_INVALID, "HEAP_XMAX_INVALID"),
    (XMAX_IS_MULTI, "HEAP_XMAX_IS_MULTI"),
    (UPDATED, "HEAP_UPDATED"),
    (MOVED_OFF, "HEAP_MOVED_OFF"),
    (MOVED_IN, "HEAP_MOVED_IN"),
];

const NAMES_2: [(u16, &str); 3] =
    [(KEYS_UPDATED, "HEAP_KEYS_UPDATED"), (HOT_UPDATED, "HEAP_HOT_UPDATED"), (HEAP_ONLY, "HEAP_ONLY_TUPLE")];

const COMBINED: [(u16, &str); 3] =
    [(XMAX_SHARE_LOCK, "HEAP_XMAX_SHR_LOCK"), (XMIN_FROZEN, "HEAP_XMIN_FROZEN"), (MOVED, "HEAP_MOVED")];

/// The names of the bits that are set.
pub(crate) fn raw(infomask: u16, infomask2: u16) -> impl Iterator<Item = &'static str> {
    set(&NAMES, infomask).chain(set(&NAMES_2, infomask2))
}

/// The names of the combinations that are set whole.
pub(crate) fn combined(infomask: u16) -> impl Iterator<Item = &'static str> {
    set(&COMBINED, infomask)
}

fn set(names: &'static [(u16, &'static str)], bits: u16) -> impl Iterator<Item = &'static str> {
    names.iter().filter(move |(mask, _)| bits & mask == *mask).map(|(_, name)| *name)
}
