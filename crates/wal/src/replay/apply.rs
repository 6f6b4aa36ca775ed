//! What each record does to its pages: the rules of `heap_redo` and `heap2_redo`.
//!
//! Sources: src/backend/access/heap/heapam.c until 17, `heapam_xlog.c` since 18. The free space map and the visibility
//! map are not kept; `PD_ALL_VISIBLE` on the page is.

use pgstrata_tuple::{ItemPointer, Row, RowHeader, TupleHeader};

use super::page::{Misfit, Page};
use crate::Xid;
use crate::heap_record::{AllVisible, Freeze, NewVersion, Prune, Update, XmaxBits};
use crate::infomask::{COMBO_COMMAND, HEAP_HOT_UPDATED, is_locked_only};

/// `ctid` of a row that moved to another partition (`MovedPartitionsOffsetNumber`).
const MOVED_PARTITION: ItemPointer = ItemPointer { block: u32::MAX, offset: 0xFFFD };
/// `XLH_FREEZE_XVAC` and `XLH_INVALID_XVAC`.
const FREEZE_XVAC: u8 = 0x02;
const INVALID_XVAC: u8 = 0x04;

/// The part of a tuple that no page image was needed for.
const NO_TUPLE: Misfit = Misfit("the record leaves the tuple to an image that it does not have");

pub(super) fn insert(page: &mut Page, at: ItemPointer, xid: Xid, tuple: Option<Row<'_>>) -> Result<(), Misfit> {
    let tuple = tuple.ok_or(NO_TUPLE)?;
    page.add(at.offset, &whole(tuple.header(), &[tuple.bytes()], xid, 0, at))
}

/// A tuple with its full header in front.
fn whole(header: RowHeader, parts: &[&[u8]], xmin: Xid, xmax: Xid, ctid: ItemPointer) -> Vec<u8> {
    let mut tuple = fresh(header, xmin, xmax, ctid).to_bytes().to_vec();
    for part in parts {
        tuple.extend_from_slice(part);
    }
    tuple
}

/// The full header of a tuple that comes.
pub(crate) const fn fresh(header: RowHeader, xmin: Xid, xmax: Xid, ctid: ItemPointer) -> TupleHeader {
    let RowHeader { infomask2, infomask, data_offset: hoff } = header;
    TupleHeader { xmin, xmax, command: 0, ctid, infomask, infomask2, hoff }
}

pub(super) fn set_visibility(page: &mut Page, visibility: AllVisible) {
    match visibility {
        AllVisible::Kept => {}
        AllVisible::Cleared => page.set_all_visible(false),
        AllVisible::Set => page.set_all_visible(true),
    }
}

/// What is marked deleted, and how.
pub(crate) struct Deletion {
    pub at: ItemPointer,
    pub xmax: Xid,
    pub bits: XmaxBits,
    pub takes_back: bool,
    pub moves_partition: bool,
}

pub(super) fn delete(page: &mut Page, deletion: &Deletion, xid: Xid) -> Result<(), Misfit> {
    page.change(deletion.at.offset, |header| mark_deleted(header, deletion))?;
    page.note_prunable(xid);
    Ok(())
}

pub(crate) fn mark_deleted(header: &mut TupleHeader, deletion: &Deletion) {
    set_xmax_bits(header, deletion.bits);
    set_hot_updated(header, false);
    if deletion.takes_back {
        header.xmin = 0;
    } else {
        header.xmax = deletion.xmax;
    }
    forget_command(header);
    header.ctid = if deletion.moves_partition { MOVED_PARTITION } else { deletion.at };
}

fn set_xmax_bits(header: &mut TupleHeader, bits: XmaxBits) {
    (header.infomask, header.infomask2) = bits.set(header.infomask, header.infomask2);
}

/// Sets or clears the bit for a HOT successor.
fn set_hot_updated(header: &mut TupleHeader, is: bool) {
    header.infomask2 = if is { header.infomask2 | HEAP_HOT_UPDATED } else { header.infomask2 & !HEAP_HOT_UPDATED };
}

/// The log tells no commands: replay writes the first (`FirstCommandId`).
fn forget_command(header: &mut TupleHeader) {
    header.command = 0;
    header.infomask &= !COMBO_COMMAND;
}

/// The old version of an update.
pub(super) fn replace(page: &mut Page, update: &Update<'_>, xid: Xid) -> Result<(), Misfit> {
    page.change(update.from.offset, |header| mark_replaced(header, update))?;
    page.note_prunable(xid);
    Ok(())
}

pub(crate) fn mark_replaced(header: &mut TupleHeader, update: &Update<'_>) {
    set_xmax_bits(header, update.old_bits);
    set_hot_updated(header, update.is_hot);
    header.xmax = update.old_xmax;
    forget_command(header);
    header.ctid = update.to;
}

/// The new version of an update; `old` are the bytes of the old one if it is on the same page.
pub(super) fn renew(page: &mut Page, update: &Update<'_>, old: Option<&[u8]>, xid: Xid) -> Result<(), Misfit> {
    let new = update.new.ok_or(NO_TUPLE)?;
    let parts = parts(&new, old)?;
    page.add(update.to.offset, &whole(new.header, &parts, xid, update.new_xmax, update.to))
}

/// Null bitmap, prefix, own middle, suffix.
pub(crate) fn parts<'a>(new: &NewVersion<'a>, old: Option<&'a [u8]>) -> Result<[&'a [u8]; 4], Misfit> {
    if new.prefix == 0 && new.suffix == 0 {
        return Ok([new.bytes, &[], &[], &[]]);
    }
    let old = old.ok_or(Misfit("parts of an old version on another page"))?;
    let bitmap = usize::from(new.header.data_offset).checked_sub(TupleHeader::BYTES);
    let (bitmap, middle) =
        bitmap.and_then(|length| new.bytes.split_at_checked(length)).ok_or(Misfit("a header longer than the tuple"))?;
    let begin = usize::from(*old.get(TupleHeader::BYTES - 1).ok_or(Misfit("an old version without a header"))?);
    let prefix =
        old.get(begin..begin + usize::from(new.prefix)).ok_or(Misfit("a prefix longer than the old version"))?;
    let suffix = old.len().checked_sub(usize::from(new.suffix)).and_then(|from| old.get(from..));
    Ok([bitmap, prefix, middle, suffix.ok_or(Misfit("a suffix longer than the old version"))?])
}

/// How a tuple is locked.
pub(crate) struct Locking {
    pub at: ItemPointer,
    pub xmax: Xid,
    pub bits: XmaxBits,
    pub follows_update: bool,
}

pub(super) fn lock(page: &mut Page, locking: &Locking) -> Result<(), Misfit> {
    page.change(locking.at.offset, |header| mark_locked(header, locking))
}

pub(crate) fn mark_locked(header: &mut TupleHeader, locking: &Locking) {
    set_xmax_bits(header, locking.bits);
    if !locking.follows_update {
        if is_locked_only(header.infomask) {
            set_hot_updated(header, false);
            header.ctid = locking.at;
        }
        forget_command(header);
    }
    header.xmax = locking.xmax;
}

pub(super) fn prune(page: &mut Page, prune: &Prune) -> Result<(), Misfit> {
    for (from, to) in &prune.redirected {
        page.redirect(*from, *to)?;
    }
    for offset in &prune.dead {
        page.kill(*offset)?;
    }
    for offset in &prune.unused {
        page.free(*offset)?;
    }
    if !(prune.redirected.is_empty() && prune.dead.is_empty() && prune.unused.is_empty()) {
        if prune.moves_tuples {
            page.compact()?;
        } else {
            page.drop_free_lines();
        }
    }
    for freeze in &prune.frozen {
        page.change(freeze.offset, |header| mark_frozen(header, *freeze))?;
    }
    Ok(())
}

pub(crate) fn mark_frozen(header: &mut TupleHeader, freeze: Freeze) {
    header.xmax = freeze.xmax;
    if freeze.moved_flags & FREEZE_XVAC != 0 {
        header.command = 2;
    }
    if freeze.moved_flags & INVALID_XVAC != 0 {
        header.command = 0;
    }
    (header.infomask, header.infomask2) = (freeze.infomask, freeze.infomask2);
}
