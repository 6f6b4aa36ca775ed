//! What the server knows of transactions, asked as `pgstrata-tuple` asks: statuses, top-level transactions, multixacts.
//!
//! Asks only the server's own guarded functions, and only for ids that it can answer for; everything else is unknown.
#![expect(unsafe_code, reason = "the server's transaction tables are asked through its functions")]

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgstrata_tuple::{Knowledge, LockMode, Member, Status};
use pgstrata_units::Xid;

use crate::table::next_xid;

/// What the server knows at one moment. Answers are remembered, so that one call tells one story.
pub struct Server {
    /// The next id to be given out: the reference that epochs are found from.
    next: Xid,
    /// `pg_subtrans` is kept from here on, whatever snapshot looks
    /// (`TruncateSUBTRANS(GetOldestTransactionIdConsideredRunning())` in `CreateCheckPoint`).
    oldest_considered_running: Option<Xid>,
    /// The viewer's `xmin`: all below had ended for it, so that nothing below need be mapped.
    floor: Xid,
    /// Multixacts that can be looked up: from the first to before the second, in 32 bits that wrap around.
    multixacts: (u32, u32),
    statuses: RefCell<HashMap<Xid, Status>>,
    tops: RefCell<HashMap<Xid, Option<Xid>>>,
    prepared: OnceCell<Vec<Xid>>,
}

impl Server {
    /// What it knows now, for a viewer whose snapshot counts all below `floor` as ended.
    pub fn now(floor: Xid) -> Self {
        // SAFETY: these read shared memory under the server's own locks.
        let (next, oldest) = unsafe { (next_xid(), pg_sys::GetOldestTransactionIdConsideredRunning()) };
        let (mut first, mut end) = (0.into(), 0.into());
        // SAFETY: the out parameters are ours.
        unsafe { pg_sys::ReadMultiXactIdRange(&raw mut first, &raw mut end) };
        Self {
            next,
            oldest_considered_running: Xid::near(oldest.into_inner(), next),
            floor,
            multixacts: (first.into_inner(), end.into_inner()),
            statuses: RefCell::default(),
            tops: RefCell::default(),
            prepared: OnceCell::new(),
        }
    }

    fn ask_status(&self, xid: Xid) -> Status {
        if xid.short() < 3 {
            return if xid.short() == 0 { Status::Aborted } else { Status::Committed };
        }
        if xid >= self.next {
            return Status::Unknown;
        }
        // SAFETY: the id is not in the future, which is what the function would refuse; for one whose status was
        // truncated away it returns null. Its text ends in a zero byte behind a varlena header, read by pgrx.
        let answer = unsafe {
            pgrx::direct_function_call::<String>(pg_sys::pg_xact_status, &[Some(pg_sys::Datum::from(xid.0))])
        };
        match answer.as_deref() {
            Some("committed") => Status::Committed,
            Some("aborted") => Status::Aborted,
            Some("in progress") if self.is_prepared(xid) => Status::Prepared,
            Some("in progress") => Status::InProgress,
            _ => Status::Unknown,
        }
    }

    fn is_prepared(&self, xid: Xid) -> bool {
        let prepared = self.prepared.get_or_init(|| self.ask_prepared());
        !prepared.is_empty() && self.top(xid).is_some_and(|top| prepared.contains(&top))
    }

    fn ask_prepared(&self) -> Vec<Xid> {
        // SAFETY: the setting is one of the server's own; its text lives until it is set again.
        let most =
            unsafe { CStr::from_ptr(pg_sys::GetConfigOption(c"max_prepared_transactions".as_ptr(), false, false)) };
        if most == c"0" {
            return Vec::new();
        }
        let short = Spi::connect(|client| -> Result<Vec<u32>, pgrx::spi::Error> {
            let rows = client.select(include_str!("prepared.sql"), None, &[])?;
            rows.filter_map(|row| row.get::<i64>(1).transpose())
                .map(|xid| xid.map(|xid| u32::try_from(xid).unwrap_or(0)))
                .collect()
        });
        // What cannot be asked is in progress, which is true of what is prepared too.
        short.unwrap_or_default().into_iter().filter_map(|short| self.full(short)).collect()
    }

    fn ask_top(&self, xid: Xid) -> Option<Xid> {
        let oldest = self.oldest_considered_running?;
        let mut top = xid;
        // A subtransaction is younger than its parent, so this ends.
        while top.is_normal() && top < self.next {
            if top < self.floor {
                return Some(top);
            }
            if top < oldest {
                return None;
            }
            // SAFETY: the table is kept from `oldest` on, and the id has been given out.
            let parent = unsafe { pg_sys::SubTransGetParent(top.short().into()) }.into_inner();
            if parent == 0 {
                return Some(top);
            }
            top = Xid::near(parent, self.next).filter(|parent| *parent < top)?;
        }
        Some(top)
    }
}

impl Knowledge for Server {
    fn status(&self, xid: Xid) -> Status {
        if let Some(status) = self.statuses.borrow().get(&xid) {
            return *status;
        }
        let status = self.ask_status(xid);
        self.statuses.borrow_mut().insert(xid, status);
        status
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        if let Some(top) = self.tops.borrow().get(&xid) {
            return *top;
        }
        let top = self.ask_top(xid);
        self.tops.borrow_mut().insert(xid, top);
        top
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        let (first, end) = self.multixacts;
        // Distances modulo 2^32, as these ids wrap around too.
        if multixact == 0 || multixact.wrapping_sub(first) >= end.wrapping_sub(first) {
            return None;
        }
        let mut array = std::ptr::null_mut();
        // SAFETY: the multixact is within what the server keeps; it returns an array of its own memory and its length.
        let count = unsafe { pg_sys::GetMultiXactIdMembers(multixact.into(), &raw mut array, false, false) };
        let count = usize::try_from(count).ok().filter(|_| !array.is_null())?;
        // SAFETY: as many members as the server said; freed once they are copied.
        let members = unsafe {
            let members = std::slice::from_raw_parts(array, count).to_vec();
            pg_sys::pfree(array.cast());
            members
        };
        members.into_iter().map(|member| self.member(member)).collect()
    }

    fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, self.next)
    }
}

impl Server {
    fn member(&self, member: pg_sys::MultiXactMember) -> Option<Member> {
        use pg_sys::MultiXactStatus as Of;
        let (mode, is_change) = match member.status {
            Of::MultiXactStatusForKeyShare => (LockMode::KeyShare, false),
            Of::MultiXactStatusForShare => (LockMode::Share, false),
            Of::MultiXactStatusForNoKeyUpdate => (LockMode::NoKeyUpdate, false),
            Of::MultiXactStatusForUpdate => (LockMode::Update, false),
            Of::MultiXactStatusNoKeyUpdate => (LockMode::NoKeyUpdate, true),
            Of::MultiXactStatusUpdate => (LockMode::Update, true),
            _ => return None,
        };
        Some(Member { xid: self.full(member.xid.into_inner())?, mode, is_change })
    }
}

/// The text that a C function of the server allocated; freed.
///
/// # Safety
/// `text` must be a C string of the server's memory that nobody else uses.
// SAFETY: see `# Safety`; the text is freed, so it must be nobody else's.
pub unsafe fn take_text(text: *mut std::ffi::c_char) -> String {
    // SAFETY: by the contract of this function.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        pg_sys::pfree(text.cast());
        copy
    }
}
