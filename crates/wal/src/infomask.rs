//! The bits of a tuple's two masks that replay changes: `src/include/access/htup_details.h`.

pub(crate) const KEY_SHARE_LOCK: u16 = 0x0010;
pub(crate) const COMBO_COMMAND: u16 = 0x0020;
pub(crate) const EXCLUSIVE_LOCK: u16 = 0x0040;
pub(crate) const LOCK_ONLY: u16 = 0x0080;
pub(crate) const XMIN_COMMITTED: u16 = 0x0100;
pub(crate) const XMIN_INVALID: u16 = 0x0200;
/// Both bits of `xmin` together.
pub(crate) const XMIN_FROZEN: u16 = XMIN_COMMITTED | XMIN_INVALID;
pub(crate) const XMAX_COMMITTED: u16 = 0x0400;
pub(crate) const XMAX_INVALID: u16 = 0x0800;
pub(crate) const IS_MULTI: u16 = 0x1000;
/// Left by `vacuum full` before 9.0.
pub(crate) const MOVED: u16 = 0xC000;
/// A share lock is both of the others.
pub(crate) const LOCK_MASK: u16 = KEY_SHARE_LOCK | EXCLUSIVE_LOCK;
pub(crate) const XMAX_BITS: u16 = XMAX_COMMITTED | XMAX_INVALID | IS_MULTI | LOCK_MASK | LOCK_ONLY;

/// In the second mask: the key changed, or the row was deleted.
pub(crate) const HEAP_KEYS_UPDATED: u16 = 0x2000;
pub(crate) const HEAP_HOT_UPDATED: u16 = 0x4000;

/// Whether the mask says that `xmax` only locks (`HEAP_XMAX_IS_LOCKED_ONLY`).
pub(crate) const fn is_locked_only(infomask: u16) -> bool {
    infomask & LOCK_ONLY != 0 || infomask & (IS_MULTI | LOCK_MASK) == EXCLUSIVE_LOCK
}
