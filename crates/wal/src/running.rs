//! Which transactions run, and who is in a multixact: what the log tells now and then for standbys, and for row locks.
//!
//! Layouts: src/include/storage/standbydefs.h and src/include/access/multixact.h, the same from 14 to 18.

use pgstrata_tuple::LockMode;

use crate::Xid;
use crate::bytes::Bytes;
use crate::error::DecodeError;
use crate::record::Record;
use crate::resource::ResourceManager;

/// `RUNNING_XACTS`: written with each checkpoint and every 15 seconds of activity, when `wal_level` is above `minimal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTransactions {
    /// The next transaction to be given out: nothing is said of this one and later ones.
    pub next: Xid,
    /// The oldest that runs; all before have ended.
    pub oldest: Xid,
    /// The latest that has ended.
    pub latest_ended: Xid,
    /// Top-level transactions that run. One that ends as the record is written may be among them although its end was
    /// logged before.
    pub running: Vec<Xid>,
    /// Subtransactions of those.
    pub subtransactions: Vec<Xid>,
    /// Whether subtransactions are missing: some session had more than 64.
    pub is_overflowed: bool,
}

/// A member of a multixact as the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MultixactMember {
    /// The transaction or subtransaction.
    pub xid: Xid,
    /// How it holds the row.
    pub mode: LockMode,
    /// Whether it changed the row, and did not only lock it.
    pub is_change: bool,
}

/// What happens to multixacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultixactOperation {
    /// A new one.
    Create {
        /// Its id.
        id: u32,
        /// Who is in it.
        members: Vec<MultixactMember>,
    },
    /// Those before an id are gone.
    Truncate {
        /// The oldest that is kept.
        oldest: u32,
    },
    /// Room is made for more.
    Upkeep,
}

const RUNNING_XACTS: u8 = 0x10;
const CREATE_ID: u8 = 0x20;
const TRUNCATE_ID: u8 = 0x30;

impl Record {
    /// The transactions that run, if this is the record that tells.
    pub fn running_transactions(&self) -> Result<Option<RunningTransactions>, DecodeError> {
        if self.header.manager != ResourceManager::STANDBY || self.header.operation_code() != RUNNING_XACTS {
            return Ok(None);
        }
        running(self.main_data()).map(Some).ok_or_else(|| self.bad("running transactions"))
    }

    /// What it does to multixacts, if it is a record of theirs.
    pub fn multixact(&self) -> Result<Option<MultixactOperation>, DecodeError> {
        if self.header.manager != ResourceManager::MULTIXACT {
            return Ok(None);
        }
        let operation = multixact(self.header.operation_code(), self.main_data());
        operation.map(Some).ok_or_else(|| self.bad("a multixact"))
    }

    fn bad(&self, what: &'static str) -> DecodeError {
        DecodeError { lsn: self.lsn, manager: self.header.manager.to_string(), what }
    }
}

fn running(main: &[u8]) -> Option<RunningTransactions> {
    let mut main = Bytes::new(main);
    let (tops, subs) = (usize::try_from(main.i32()?).ok()?, usize::try_from(main.i32()?).ok()?);
    let is_overflowed = main.u8()? != 0;
    // Padding.
    main.take(3)?;
    let (next, oldest, latest_ended) = (main.u32()?, main.u32()?, main.u32()?);
    let list = main.take(tops.checked_add(subs)?.checked_mul(4)?)?;
    let mut xids = list.as_chunks::<4>().0.iter().map(|xid| u32::from_le_bytes(*xid));
    let running = xids.by_ref().take(tops).collect();
    Some(RunningTransactions { next, oldest, latest_ended, running, subtransactions: xids.collect(), is_overflowed })
}

fn multixact(code: u8, main: &[u8]) -> Option<MultixactOperation> {
    let mut main = Bytes::new(main);
    Some(match code {
        CREATE_ID => {
            let id = main.u32()?;
            // Where its members are stored.
            main.take(4)?;
            let count = main.count_of(8)?;
            let members = (0..count).map(|_| member(&mut main)).collect::<Option<_>>()?;
            MultixactOperation::Create { id, members }
        }
        TRUNCATE_ID => {
            // The database, the oldest before.
            main.take(8)?;
            MultixactOperation::Truncate { oldest: main.u32()? }
        }
        _ => MultixactOperation::Upkeep,
    })
}

/// `MultiXactMember` with `MultiXactStatus`.
fn member(main: &mut Bytes<'_>) -> Option<MultixactMember> {
    let (xid, status) = (main.u32()?, main.u32()?);
    let (mode, is_change) = match status {
        0 => (LockMode::KeyShare, false),
        1 => (LockMode::Share, false),
        2 => (LockMode::NoKeyUpdate, false),
        3 => (LockMode::Update, false),
        4 => (LockMode::NoKeyUpdate, true),
        5 => (LockMode::Update, true),
        _ => return None,
    };
    Some(MultixactMember { xid, mode, is_change })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn tops_come_before_subtransactions() {
        let told = running(&words(&[2, 1, 1, 760, 750, 758, 750, 755, 756])).expect("sound");
        assert_eq!((told.running, told.subtransactions, told.is_overflowed), (vec![750, 755], vec![756], true));
        assert_eq!((told.next, told.oldest, told.latest_ended), (760, 750, 758));
        assert_eq!(running(&words(&[2, 1, 1, 760, 750, 758, 750, 755])), None);
    }

    #[test]
    fn members_have_modes_and_say_whether_they_changed_the_row() {
        let Some(MultixactOperation::Create { id: 9, members }) =
            multixact(CREATE_ID, &words(&[9, 77, 2, 750, 0, 751, 4]))
        else {
            panic!("a multixact");
        };
        assert_eq!(members[0], MultixactMember { xid: 750, mode: LockMode::KeyShare, is_change: false });
        assert_eq!(members[1], MultixactMember { xid: 751, mode: LockMode::NoKeyUpdate, is_change: true });
        assert_eq!(multixact(CREATE_ID, &words(&[9, 77, 1, 750, 6])), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(main: Vec<u8>, code: u8) {
            let _ = (running(&main), multixact(code, &main));
        }
    }
}
