//! Who sees which version, and why. The rules of `HeapTupleSatisfiesMVCC` and `XidInMVCCSnapshot`
//! (`src/backend/access/heap/heapam_visibility.c`, `src/backend/utils/time/snapmgr.c` of PostgreSQL 15 to 18) as a pure
//! function that can judge with other sessions' eyes, and later than they look.
//!
//! It differs from the server's function where that may rely on being the viewer itself: a subtransaction that cannot be
//! mapped, a combination of commands, a multixact that is gone, a snapshot that lists nothing make the answer "unknown".
//! It sets no hint bits. Nothing is guessed: knowledge that contradicts a snapshot is not used.

mod reason;
mod standing;

use pgstrata_units::{Snapshot, Xid};

pub use self::reason::Reason;
use self::standing::{Standing, standing};
use crate::header::{CommandField, ItemPointer, Next, TupleHeader};
use crate::infomask as mask;
use crate::knowledge::Knowledge;

/// Which transactions a snapshot's list of running ones holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Listing {
    /// All top-level ones, and maybe some subtransactions: the text of a `pg_snapshot` of a primary server, a snapshot in
    /// memory whose subtransactions are left out or overflowed (`suboverflowed`, there are more than 64 of a session).
    /// An id that is not listed must be mapped to its top-level transaction.
    #[default]
    TopLevel,
    /// All, with all subtransactions: a snapshot in memory with its `subxip`, not overflowed.
    Everything,
    /// Nothing between `xmin` and `xmax`: the text of a `pg_snapshot` of a standby, whose snapshots keep all running ids
    /// in `subxip`, which the text leaves out.
    Nothing,
}

/// The transaction of the viewer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own<'a> {
    /// Its id.
    pub top: Xid,
    /// Ids of its subtransactions that were not rolled back, as far as they are known; others are asked of
    /// [`Knowledge::top`].
    pub subs: &'a [Xid],
    /// The command that looks (`curcid`): changes of commands before it are seen.
    pub command: u32,
    /// Its combinations of commands by their number: what made, what ended. Empty if they are not known.
    pub combos: &'a [(u32, u32)],
}

/// Somebody whose eyes versions are judged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// What its list holds.
    pub listing: Listing,
    /// The viewer's own transaction, if it has an id.
    pub own: Option<Own<'a>>,
}

impl<'a> Viewer<'a> {
    /// One that has written nothing and looks through the text of a `pg_snapshot` of a primary server.
    #[must_use]
    pub const fn of(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, listing: Listing::TopLevel, own: None }
    }
}

/// Whether a version is visible, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Judgement {
    /// `None`: it cannot be known from here.
    pub visible: Option<bool>,
    /// Why.
    pub reason: Reason,
}

impl From<Reason> for Judgement {
    fn from(reason: Reason) -> Self {
        Self { visible: reason.is_visible(), reason }
    }
}

/// Whether `viewer` sees the version at `place`. The place only tells replaced from deleted.
#[must_use]
pub fn judge(
    header: &TupleHeader,
    place: ItemPointer,
    viewer: &Viewer<'_>,
    knowledge: &(impl Knowledge + ?Sized),
) -> Judgement {
    let case = Case { header, place, viewer, knowledge };
    match case.maker() {
        Ok(maker) => case.ender(maker),
        Err(reason) => reason,
    }
    .into()
}

/// How the maker counts for the viewer, once it counts at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    Frozen,
    Before,
    Own,
}

struct Case<'a, K: Knowledge + ?Sized> {
    header: &'a TupleHeader,
    place: ItemPointer,
    viewer: &'a Viewer<'a>,
    knowledge: &'a K,
}

impl<K: Knowledge + ?Sized> Case<'_, K> {
    /// Whether the version exists for the viewer at all; the reason if not.
    fn maker(&self) -> Result<Maker, Reason> {
        let header = self.header;
        if header.is_frozen() {
            return Ok(Maker::Frozen);
        }
        if header.is_xmin_committed() {
            return self.maker_by(standing(header.xmin, true, self.viewer, self.knowledge));
        }
        if header.xmin == 0 {
            return Err(Reason::TakenBack);
        }
        if header.is_xmin_invalid() {
            return Err(Reason::MakerAborted);
        }
        if header.infomask & mask::MOVED != 0 {
            return self.moved();
        }
        self.maker_by(standing(header.xmin, false, self.viewer, self.knowledge))
    }

    fn maker_by(&self, standing: Standing) -> Result<Maker, Reason> {
        match standing {
            Standing::Before => Ok(Maker::Before),
            Standing::Own => match self.made_by_command() {
                None => Err(Reason::UnknownCommand),
                Some(is_earlier) if is_earlier => Ok(Maker::Own),
                Some(_) => Err(Reason::OwnLaterCommand),
            },
            Standing::After => Err(Reason::MakerCommittedAfter),
            Standing::Running => Err(Reason::MakerRunning),
            Standing::Prepared => Err(Reason::MakerPrepared),
            Standing::NotEnded => Err(Reason::MakerNotEnded),
            Standing::Aborted => Err(Reason::MakerAborted),
            Standing::UnknownEpoch => Err(Reason::UnknownEpoch),
            Standing::UnknownStatus => Err(Reason::UnknownMaker),
            Standing::UnknownSubtransaction => Err(Reason::UnknownSubtransaction),
        }
    }

    /// A tuple that a `vacuum full` of before 9.0 moved: two copies, of which its commit decides. The original maker had
    /// long been committed.
    fn moved(&self) -> Result<Maker, Reason> {
        let is_off = self.header.infomask & mask::MOVED_OFF != 0;
        let counts = match standing(self.header.command, false, self.viewer, self.knowledge) {
            Standing::Before | Standing::Own => !is_off,
            Standing::UnknownEpoch => return Err(Reason::UnknownEpoch),
            Standing::UnknownStatus => return Err(Reason::UnknownMaker),
            Standing::UnknownSubtransaction => return Err(Reason::UnknownSubtransaction),
            _ => is_off,
        };
        if counts { Ok(Maker::Before) } else { Err(Reason::Moved) }
    }

    /// Whether something ended the version that exists for the viewer.
    fn ender(&self, maker: Maker) -> Reason {
        let header = self.header;
        let unended = match maker {
            Maker::Frozen => Reason::Frozen,
            Maker::Before => Reason::MakerCommittedBefore,
            Maker::Own => Reason::OwnChange,
        };
        if header.is_xmax_invalid() {
            return unended;
        }
        let locked = if maker == Maker::Own { Reason::OwnChange } else { Reason::LockedOnly };
        if header.is_xmax_locked_only() {
            return locked;
        }
        let ender = if header.is_xmax_multi() {
            let Some(members) = self.knowledge.members(header.xmax) else { return Reason::UnknownMultixact };
            let Some(changer) = members.iter().find(|member| member.is_change) else { return locked };
            standing::of_full(changer.xid, false, self.viewer, self.knowledge)
        } else {
            let is_committed = header.infomask & mask::XMAX_COMMITTED != 0;
            standing(header.xmax, is_committed, self.viewer, self.knowledge)
        };
        self.ender_by(ender)
    }

    fn ender_by(&self, standing: Standing) -> Reason {
        match standing {
            Standing::Before => match self.header.next(self.place) {
                Next::Itself | Next::Speculative(_) => Reason::Deleted,
                Next::Version(_) => Reason::Replaced,
                Next::OtherPartition => Reason::MovedToPartition,
            },
            Standing::Own => match self.ended_by_command() {
                None => Reason::UnknownCommand,
                Some(is_earlier) if !is_earlier => Reason::OwnLaterEnd,
                Some(_) if matches!(self.header.next(self.place), Next::Version(_)) => Reason::OwnReplaced,
                Some(_) => Reason::OwnDeleted,
            },
            Standing::After => Reason::EnderCommittedAfter,
            Standing::Running => Reason::EnderRunning,
            Standing::Prepared => Reason::EnderPrepared,
            Standing::NotEnded => Reason::EnderNotEnded,
            Standing::Aborted => Reason::EnderAborted,
            Standing::UnknownEpoch => Reason::UnknownEpoch,
            Standing::UnknownStatus => Reason::UnknownEnder,
            Standing::UnknownSubtransaction => Reason::UnknownSubtransaction,
        }
    }

    /// Whether the viewer made it in a command before the one that looks (`HeapTupleHeaderGetCmin`).
    fn made_by_command(&self) -> Option<bool> {
        self.commands().map(|(own, (made, _))| made < own.command)
    }

    /// Whether the viewer ended it in a command before the one that looks (`HeapTupleHeaderGetCmax`).
    fn ended_by_command(&self) -> Option<bool> {
        self.commands().map(|(own, (_, ended))| ended < own.command)
    }

    /// The commands that made and ended it. Without a combination the field holds the one that is asked for.
    fn commands(&self) -> Option<(Own<'_>, (u32, u32))> {
        let own = self.viewer.own?;
        match self.header.command_field() {
            CommandField::Id(command) => Some((own, (command, command))),
            CommandField::Combo(number) => Some((own, *own.combos.get(usize::try_from(number).ok()?)?)),
            CommandField::MovedBy(_) => None,
        }
    }
}
