//! How the heap writes headers: `heap_insert`, `heap_update`, `heap_delete`, `heap_lock_tuple` with
//! `compute_new_xmax_infomask` (src/backend/access/heap/heapam.c), combined commands (`combocid.c`), hint bits and freezing.

use pgstrata_tuple::{CommandField, ItemPointer, LockMode, Member, Status, TupleHeader};
use pgstrata_units::Xid;

use crate::world::{Change, Version, World};

const KEY_SHARE: u16 = 0x0010;
const COMBO: u16 = 0x0020;
const EXCLUSIVE: u16 = 0x0040;
const LOCK_ONLY: u16 = 0x0080;
const XMIN_COMMITTED: u16 = 0x0100;
const XMIN_INVALID: u16 = 0x0200;
const XMAX_COMMITTED: u16 = 0x0400;
const XMAX_INVALID: u16 = 0x0800;
const IS_MULTI: u16 = 0x1000;
const UPDATED: u16 = 0x2000;
/// All that an `xmax` is told by (`HEAP_XMAX_BITS`).
const XMAX_BITS: u16 = XMAX_COMMITTED | XMAX_INVALID | IS_MULTI | EXCLUSIVE | KEY_SHARE | LOCK_ONLY;
const KEYS_UPDATED: u16 = 0x2000;

impl World {
    pub fn insert(&mut self, transaction: usize) {
        let made = self.next_change(transaction);
        self.add(made, 0);
    }

    fn add(&mut self, made: Change, infomask: u16) -> ItemPointer {
        let place = ItemPointer { block: 0, offset: u16::try_from(self.versions.len() + 1).expect("few versions") };
        let xmin = self.id(made.node).short();
        let mut header = TupleHeader::parse(&[0; TupleHeader::BYTES]).expect("enough bytes");
        (header.xmin, header.command, header.ctid) = (xmin, made.command, place);
        (header.infomask, header.hoff) = (XMAX_INVALID | infomask, 24);
        self.versions.push(Version { place, header, made, ended: Vec::new(), locks: Vec::new() });
        place
    }

    /// The innermost open node with the present command, which is used up.
    fn next_change(&mut self, transaction: usize) -> Change {
        let node = *self.transactions[transaction].open.last().expect("the whole one is open");
        let command = self.transactions[transaction].command;
        self.transactions[transaction].command += 1;
        Change { node, command }
    }

    /// A version that can be changed or locked: its maker is committed or of ours, and nobody has ended it.
    fn pick(&self, transaction: usize, which: u16) -> Option<usize> {
        let candidates: Vec<usize> = (0..self.versions.len())
            .filter(|index| {
                let version = &self.versions[*index];
                let maker = version.made.node;
                let is_there = !self.is_aborted(maker)
                    && (self.transaction_of(maker) == transaction
                        || self.transactions[self.transaction_of(maker)].committed.is_some());
                is_there && version.ended.iter().all(|(change, _)| self.is_aborted(change.node))
            })
            .collect();
        candidates.get(usize::from(which) % candidates.len().max(1)).copied()
    }

    /// Whether others hold locks on a version that forbid `mode` (`README.tuplock`).
    fn is_forbidden(&self, index: usize, transaction: usize, mode: LockMode) -> bool {
        self.versions[index].locks.iter().any(|(node, held)| {
            let holder = self.transaction_of(*node);
            let holds = holder != transaction && !self.transactions[holder].has_ended && !self.is_aborted(*node);
            let conflicts = match mode {
                LockMode::KeyShare => *held == LockMode::Update,
                LockMode::Share => *held >= LockMode::NoKeyUpdate,
                LockMode::NoKeyUpdate => *held >= LockMode::Share,
                LockMode::Update => true,
            };
            holds && conflicts
        })
    }

    pub fn change(&mut self, transaction: usize, which: u16, deletes: bool) {
        let mode = if deletes || which.is_multiple_of(3) { LockMode::Update } else { LockMode::NoKeyUpdate };
        let Some(index) = self.pick(transaction, which).filter(|index| !self.is_forbidden(*index, transaction, mode))
        else {
            return;
        };
        let change = self.next_change(transaction);
        let (xmax, infomask, infomask2) = self.new_xmax(index, change.node, mode, true);
        let command = self.new_command(index, transaction, change.command);
        let next = if deletes { self.versions[index].place } else { self.add(change, UPDATED) };
        let version = &mut self.versions[index];
        version.header.xmax = xmax;
        version.header.infomask = version.header.infomask & !(XMAX_BITS | COMBO) | infomask | command.1;
        version.header.infomask2 = version.header.infomask2 & !KEYS_UPDATED | infomask2;
        version.header.command = command.0;
        version.header.ctid = next;
        version.ended.push((change, deletes));
        version.locks.push((change.node, mode));
    }

    pub fn lock(&mut self, transaction: usize, which: u16) {
        let modes = [LockMode::KeyShare, LockMode::Share, LockMode::NoKeyUpdate, LockMode::Update];
        let mode = modes[usize::from(which >> 8) % 4];
        // A version that another one is ending without touching its key can be locked for its key.
        let ending = (0..self.versions.len()).find(|index| {
            let version = &self.versions[*index];
            let is_old = self.transactions[self.transaction_of(version.made.node)].committed.is_some();
            is_old && !version.ended.is_empty() && !self.is_aborted(version.made.node) && {
                let standing: Vec<_> =
                    version.ended.iter().filter(|(change, _)| !self.is_aborted(change.node)).collect();
                standing.len() == 1
                    && !self.transactions[self.transaction_of(standing[0].0.node)].has_ended
                    && self.transaction_of(standing[0].0.node) != transaction
            }
        });
        let picked =
            if mode == LockMode::KeyShare && which.is_multiple_of(2) { ending } else { self.pick(transaction, which) };
        let Some(index) = picked.filter(|index| !self.is_forbidden(*index, transaction, mode)) else { return };
        let node = *self.transactions[transaction].open.last().expect("the whole one is open");
        let (xmax, infomask, infomask2) = self.new_xmax(index, node, mode, false);
        let version = &mut self.versions[index];
        version.header.xmax = xmax;
        version.header.infomask = version.header.infomask & !XMAX_BITS | infomask;
        version.header.infomask2 = version.header.infomask2 & !KEYS_UPDATED | infomask2;
        if infomask & LOCK_ONLY != 0 {
            version.header.ctid = version.place;
        }
        version.locks.push((node, mode));
    }

    /// What `xmax` is made of: the newcomer alone, or a multixact with those that hold the row still.
    fn new_xmax(&mut self, index: usize, node: usize, mode: LockMode, is_change: bool) -> (u32, u16, u16) {
        let xid = self.id(node);
        let newcomer = Member { xid, mode, is_change };
        let mut members = self.holders(index);
        members.retain(|member| member.xid != xid || (member.is_change && !is_change));
        if members.iter().any(|member| member.xid == xid) {
            // Locking what it has itself changed adds nothing.
            return self.alone(index);
        }
        if members.is_empty() {
            let (infomask, infomask2) = bits(mode, is_change);
            return (xid.short(), infomask, infomask2);
        }
        members.push(newcomer);
        let strongest = members.iter().map(|member| member.mode).max().expect("not empty");
        let has_change = members.iter().any(|member| member.is_change);
        let keys = members.iter().any(|member| member.mode == LockMode::Update);
        let number = 7 + u32::try_from(self.multixacts.len()).expect("few multixacts");
        self.multixacts.insert(number, members);
        let (lock, _) = bits(strongest, false);
        let only = if has_change { 0 } else { LOCK_ONLY };
        (number, IS_MULTI | lock & !LOCK_ONLY | only, if keys { KEYS_UPDATED } else { 0 })
    }

    fn alone(&self, index: usize) -> (u32, u16, u16) {
        let header = self.versions[index].header;
        (header.xmax, header.infomask & XMAX_BITS, header.infomask2 & KEYS_UPDATED)
    }

    /// Who holds the row by its `xmax`, and has not ended.
    fn holders(&self, index: usize) -> Vec<Member> {
        let header = &self.versions[index].header;
        if header.is_xmax_invalid() {
            return Vec::new();
        }
        let all = if header.is_xmax_multi() {
            self.multixacts.get(&header.xmax).cloned().unwrap_or_default()
        } else {
            let xid = Xid::near(header.xmax, self.next).expect("an id of this world");
            let is_change = !header.is_xmax_locked_only();
            let mode = match header.infomask & (EXCLUSIVE | KEY_SHARE) {
                _ if header.is_key_changed() => LockMode::Update,
                KEY_SHARE => LockMode::KeyShare,

                EXCLUSIVE | 0 => LockMode::NoKeyUpdate,
                _ => LockMode::Share,
            };
            vec![Member { xid, mode, is_change }]
        };
        all.into_iter()
            .filter(|member| matches!(self.status(member.xid), Status::InProgress | Status::Prepared))
            .collect()
    }

    /// The command field: the command, or a combination if the same transaction made the version.
    fn new_command(&mut self, index: usize, transaction: usize, command: u32) -> (u32, u16) {
        let version = &self.versions[index];
        if self.transaction_of(version.made.node) != transaction {
            return (command, 0);
        }
        let made = match version.header.command_field() {
            CommandField::Combo(number) => {
                self.transactions[transaction].combos[usize::try_from(number).expect("small")].0
            }
            _ => version.header.command,
        };
        let combos = &mut self.transactions[transaction].combos;
        combos.push((made, command));
        (u32::try_from(combos.len() - 1).expect("few"), COMBO)
    }

    /// Hint bits and freezing, where they may be.
    pub fn upkeep(&mut self, which: u16) {
        let horizon = self.looks.iter().map(|look| look.snapshot.xmin()).min();
        for index in 0..self.versions.len() {
            if !(usize::from(which) + index).is_multiple_of(3) {
                continue;
            }
            let header = self.versions[index].header;
            let xmin = Xid::near(header.xmin, self.next).expect("an id of this world");
            let mut set = match self.status(xmin) {
                Status::Committed => XMIN_COMMITTED,
                Status::Aborted => XMIN_INVALID,
                _ => 0,
            };
            let is_old = horizon.is_some_and(|horizon| xmin < horizon);
            if set == XMIN_COMMITTED && is_old && which.is_multiple_of(2) {
                set |= XMIN_INVALID;
            }
            if header.is_frozen() {
                set = 0;
            }
            if !header.is_xmax_invalid() && header.xmax != 0 {
                set |= self.xmax_hint(index);
            }
            self.versions[index].header.infomask |= set;
        }
    }

    fn xmax_hint(&self, index: usize) -> u16 {
        let header = &self.versions[index].header;
        if header.is_xmax_multi() {
            return if header.is_xmax_locked_only() && self.holders(index).is_empty() { XMAX_INVALID } else { 0 };
        }
        match self.status(Xid::near(header.xmax, self.next).expect("an id of this world")) {
            Status::Aborted => XMAX_INVALID,
            Status::Committed if header.is_xmax_locked_only() => XMAX_INVALID,
            Status::Committed => XMAX_COMMITTED,
            _ => 0,
        }
    }
}

fn bits(mode: LockMode, is_change: bool) -> (u16, u16) {
    let keys = if mode == LockMode::Update { KEYS_UPDATED } else { 0 };
    if is_change {
        return (0, keys);
    }
    let lock = match mode {
        LockMode::KeyShare => KEY_SHARE,
        LockMode::Share => KEY_SHARE | EXCLUSIVE,
        LockMode::NoKeyUpdate | LockMode::Update => EXCLUSIVE,
    };
    (lock | LOCK_ONLY, keys)
}
