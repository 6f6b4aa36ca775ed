//! What may differ between a page that was replayed and the server's own: what the server changes without logging it.
//!
//! PostgreSQL's own list is `heap_mask` in `src/backend/access/heap/heapam_xlog.c` (until 17 heapam.c) and bufmask.c; ours
//! is shorter, so that more is compared: `heap_mask` gives up all transaction bits of a tuple that is not frozen, we only
//! those that are hints.
//!
//! | left out of the comparison | why | source |
//! |---|---|---|
//! | the page's checksum | made when the page is written | bufpage.c, `PageSetChecksumCopy` |
//! | `pd_prune_xid` | a hint | bufmask.c, `mask_page_hint_bits` |
//! | flags "full" and "has free line pointers" | hints | the same |
//! | room between the line pointers and the tuples | never read | bufmask.c, `mask_unused_space` |
//! | `XMIN_COMMITTED`, `XMIN_INVALID` (unless both: frozen), `XMAX_COMMITTED`, `XMAX_INVALID` | hints | `heapam_visibility.c`, `SetHintBits` |
//! | the command and `COMBOCID` | the log does not have them | `heapam_xlog.c`, `FirstCommandId` |
//! | `ctid` of a speculative insert | a token of the session | `heapam_xlog.c`, `heap_mask` |
//! | bytes that pad a tuple to 8 | never written | the same |
//!
//! The page's position is compared, and so is `PD_ALL_VISIBLE`.

use pgstrata_tuple::TupleHeader;

use super::page::{LineKind, Page};
use crate::infomask::{COMBO_COMMAND, XMAX_COMMITTED, XMAX_INVALID, XMIN_FROZEN};

/// Line pointer numbers from here are not such (`SpecTokenOffsetNumber` in src/include/storage/itemptr.h).
const SPECULATIVE: u16 = 0xFFFE;
const HINT_FLAGS: u16 = 0x0003;

impl Page {
    /// The page with everything set to zero that the log does not tell.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut page = self.clone();
        page.set16(8, 0);
        page.set16(10, self.get16(10) & !HINT_FLAGS);
        page.set32(20, 0);
        let (lower, upper) = (usize::from(self.get16(12)), usize::from(self.get16(14)));
        page.bytes_mut()[lower..upper].fill(0);
        for offset in 1..=self.lines() {
            let Some(line) = self.line(offset).filter(|line| line.kind == LineKind::Normal) else { continue };
            // A tuple that is no tuple is left as it is, and compared.
            let _ = page.change(offset, |header| mask(header, offset));
            let end = usize::from(line.at) + usize::from(line.bytes);
            let padded = end.next_multiple_of(8);
            if let Some(padding) = page.bytes_mut().get_mut(end..padded) {
                padding.fill(0);
            }
        }
        page
    }
}

fn mask(header: &mut TupleHeader, offset: u16) {
    header.command = 0;
    header.infomask &= !(COMBO_COMMAND | XMAX_COMMITTED | XMAX_INVALID);
    if header.infomask & XMIN_FROZEN != XMIN_FROZEN {
        header.infomask &= !XMIN_FROZEN;
    }
    if header.ctid.offset == SPECULATIVE {
        header.ctid.offset = offset;
        header.ctid.block = 0;
    }
}
