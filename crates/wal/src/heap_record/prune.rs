//! Pruning, freezing and vacuum: three codes with three layouts until 16, one layout since 17.

use crate::Xid;
use crate::bytes::Bytes;
use crate::record::Record;
use crate::version::WalVersion;

/// Why versions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PruneReason {
    /// A query came by (`PRUNE_ON_ACCESS`), or until 16 any pruning.
    Access,
    /// Vacuum's first look at the page.
    Scan,
    /// Vacuum's second, after it cleaned the indexes.
    Cleanup,
    /// Freezing alone, until 16.
    Freeze,
}

/// What pruning and freezing do to one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// The page.
    pub block: u32,
    /// Why.
    pub reason: PruneReason,
    /// Nobody has a snapshot that sees what this one and older ones left, if the record tells.
    pub conflict_horizon: Option<Xid>,
    /// Line pointers that lead to others from now on.
    pub redirected: Vec<(u16, u16)>,
    /// Line pointers that are dead from now on.
    pub dead: Vec<u16>,
    /// Line pointers that are free from now on.
    pub unused: Vec<u16>,
    /// Tuples that are frozen.
    pub frozen: Vec<Freeze>,
    /// Whether tuples are moved together; else only free line pointers at the end go.
    pub moves_tuples: bool,
}

/// How one tuple is frozen: its new `xmax` and masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Its line pointer.
    pub offset: u16,
    /// What `xmax` becomes.
    pub xmax: Xid,
    /// What the first mask becomes.
    pub infomask: u16,
    /// What the second becomes.
    pub infomask2: u16,
    /// `XLH_FREEZE_XVAC` and `XLH_INVALID_XVAC`: for tuples that were moved before 9.0.
    pub moved_flags: u8,
}

const PRUNE: u8 = 0x10;
const SECOND: u8 = 0x20;

const CLEANUP_LOCK: u8 = 1 << 2;
const HAS_HORIZON: u8 = 1 << 3;
const HAS_PLANS: u8 = 1 << 4;
const HAS_REDIRECTIONS: u8 = 1 << 5;
const HAS_DEAD: u8 = 1 << 6;
const HAS_UNUSED: u8 = 1 << 7;

/// Bytes of an item of `FREEZE_PAGE` until 15, and of a plan since 16, with its padding.
const FREEZE_BYTES: usize = 12;
/// Bytes of a plan since 16 (`xlhp_freeze_plan`), with its padding.
const PLAN_BYTES: usize = 12;

impl Prune {
    /// Reads the body of codes 0x10, 0x20 and 0x30; `None` if it does not fit.
    pub(super) fn read(record: &Record, code: u8) -> Option<Self> {
        let block = record.block(0)?;
        let data = Bytes::new(record.block_data(block));
        let main = Bytes::new(record.main_data());
        let mut prune = Self::of(block.number, PruneReason::Access);
        if record.version >= WalVersion::V17 {
            prune.reason = match code {
                PRUNE => PruneReason::Access,
                SECOND => PruneReason::Scan,
                _ => PruneReason::Cleanup,
            };
            // With an image the data may be left out.
            prune.since_17(main, (!data.rest().is_empty()).then_some(data))?;
            return Some(prune);
        }
        match code {
            PRUNE => prune.pruned(main, data)?,
            SECOND => {
                prune.reason = PruneReason::Cleanup;
                prune.unused = offsets_to_end(data)?;
            }
            _ => {
                prune.reason = PruneReason::Freeze;
                prune.froze(main, data, record.version)?;
            }
        }
        Some(prune)
    }

    const fn of(block: u32, reason: PruneReason) -> Self {
        Self {
            block,
            reason,
            conflict_horizon: None,
            redirected: Vec::new(),
            dead: Vec::new(),
            unused: Vec::new(),
            frozen: Vec::new(),
            moves_tuples: false,
        }
    }

    /// `xl_heap_prune` until 16: how many line pointers are unused is what is left of the block's data.
    fn pruned(&mut self, mut main: Bytes<'_>, mut data: Bytes<'_>) -> Option<()> {
        self.conflict_horizon = Some(main.u32()?);
        let (redirected, dead) = (main.u16()?, main.u16()?);
        self.moves_tuples = true;
        if data.rest().is_empty() {
            return Some(());
        }
        self.redirected = pairs(&mut data, redirected)?;
        self.dead = offsets(&mut data, dead)?;
        self.unused = offsets_to_end(data)?;
        Some(())
    }

    /// `xl_heap_freeze_page`: a tuple each until 15, plans that share a description in 16.
    fn froze(&mut self, mut main: Bytes<'_>, mut data: Bytes<'_>, version: WalVersion) -> Option<()> {
        self.conflict_horizon = Some(main.u32()?);
        let count = main.u16()?;
        if data.rest().is_empty() {
            return Some(());
        }
        if version >= WalVersion::V16 {
            let plans = plans(&mut data, count)?;
            self.frozen = spread(&plans, &mut data)?;
            return Some(());
        }
        for _ in 0..count {
            let mut item = Bytes::new(data.take(FREEZE_BYTES)?);
            let (xmax, offset) = (item.u32()?, item.u16()?);
            let (infomask2, infomask, moved_flags) = (item.u16()?, item.u16()?, item.u8()?);
            self.frozen.push(Freeze { offset, xmax, infomask, infomask2, moved_flags });
        }
        Some(())
    }

    /// `xl_heap_prune` since 17, read as `heap_xlog_deserialize_prune_and_freeze` of heapdesc.c does.
    fn since_17(&mut self, mut main: Bytes<'_>, data: Option<Bytes<'_>>) -> Option<()> {
        // The reason is told by the code already.
        main.u8()?;
        let flags = main.u8()?;
        let has = |flag| flags & flag != 0;
        self.conflict_horizon = if has(HAS_HORIZON) { Some(main.u32()?) } else { None };
        self.moves_tuples = has(CLEANUP_LOCK);
        let Some(mut data) = data else { return Some(()) };
        let mut freezing = Vec::new();
        if has(HAS_PLANS) {
            let count = data.u16()?;
            // Padding.
            data.take(2)?;
            freezing = plans(&mut data, count)?;
        }
        if has(HAS_REDIRECTIONS) {
            let count = data.u16()?;
            self.redirected = pairs(&mut data, count)?;
        }
        if has(HAS_DEAD) {
            let count = data.u16()?;
            self.dead = offsets(&mut data, count)?;
        }
        if has(HAS_UNUSED) {
            let count = data.u16()?;
            self.unused = offsets(&mut data, count)?;
        }
        self.frozen = spread(&freezing, &mut data)?;
        data.rest().is_empty().then_some(())
    }
}

/// A description that several tuples share, and how many do.
struct Plan {
    freeze: Freeze,
    tuples: u16,
}

fn plans(data: &mut Bytes<'_>, count: u16) -> Option<Vec<Plan>> {
    (0..count)
        .map(|_| {
            let mut item = Bytes::new(data.take(PLAN_BYTES)?);
            let xmax = item.u32()?;
            let (infomask2, infomask, moved_flags) = (item.u16()?, item.u16()?, item.u8()?);
            // Padding.
            item.take(1)?;
            let freeze = Freeze { offset: 0, xmax, infomask, infomask2, moved_flags };
            Some(Plan { freeze, tuples: item.u16()? })
        })
        .collect()
}

/// One [`Freeze`] for each tuple; their line pointers follow after all else, in the order of the plans.
fn spread(plans: &[Plan], data: &mut Bytes<'_>) -> Option<Vec<Freeze>> {
    let mut frozen = Vec::new();
    for plan in plans {
        for offset in offsets(data, plan.tuples)? {
            frozen.push(Freeze { offset, ..plan.freeze });
        }
    }
    Some(frozen)
}

fn offsets(data: &mut Bytes<'_>, count: u16) -> Option<Vec<u16>> {
    (0..count).map(|_| data.u16()).collect()
}

fn pairs(data: &mut Bytes<'_>, count: u16) -> Option<Vec<(u16, u16)>> {
    (0..count).map(|_| Some((data.u16()?, data.u16()?))).collect()
}

fn offsets_to_end(mut data: Bytes<'_>) -> Option<Vec<u16>> {
    let count = u16::try_from(data.rest().len() / 2).ok()?;
    let offsets = offsets(&mut data, count)?;
    data.rest().is_empty().then_some(offsets)
}
