//! A small PostgreSQL of a few transactions and rows: which schedules can happen, and what depends on what in them.
//!
//! Row versions, snapshots, row and table locks, waiting, first-updater-wins and the refusal of dangerous structures
//! among serializable transactions, statement by statement. No values: rows are there or not, and a read knows which
//! version it saw. It is the judge of witnesses, and the oracle of the tests by brute force.

mod graph;
mod views;

use pgstrata_sqltext::{LockStrength, TableLock};
use pgstrata_units::Isolation;

use super::model::{Action, Columns, EVERYTHING, EXISTS, Op, Path, row_locks_conflict, table_locks_conflict};

/// What does not change while a schedule runs.
#[derive(Debug, Clone)]
pub(super) struct Stage<'m> {
    /// The transactions.
    pub actors: Vec<Actor<'m>>,
    /// By row: its relation, and whether it exists at first.
    pub rows: Vec<(usize, bool)>,
}

/// A transaction of the stage.
#[derive(Debug, Clone)]
pub(super) struct Actor<'m> {
    pub path: &'m Path,
    pub level: Isolation,
    /// By variable: the rows that it is about.
    pub rows: Vec<Vec<usize>>,
    /// Accesses whose condition does not hold, so that they find nothing.
    pub missing: Vec<usize>,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It can go on.
    Ready,
    /// In the middle of a statement, for a lock.
    Waiting,
    Committed,
    /// Refused: what refused it does not matter here.
    Aborted,
}

#[derive(Debug)]
struct State {
    status: Status,
    /// The next operation.
    next: usize,
    /// The next statement, by place in the path.
    place: usize,
    /// The transaction's snapshot, as a number of commits.
    snapshot: Option<u32>,
    /// The statement's, with the moment that it was taken for.
    moment: Option<(u16, u32)>,
    commit: Option<u32>,
    /// By access: the rows that its first moment found.
    found: Vec<(usize, usize)>,
    /// Rows of the current operation that are done already.
    done: usize,
}

#[derive(Debug, Clone, Copy)]
struct Version {
    /// Nothing for the row as it was at first.
    by: Option<usize>,
    op: usize,
    columns: Columns,
    present: bool,
    /// The strength with which the version was made.
    strength: LockStrength,
}

/// What a transaction read: its operation, the row, the columns, and the place of the version that it saw.
#[derive(Debug, Clone, Copy)]
struct Seen {
    actor: usize,
    op: usize,
    row: usize,
    columns: Columns,
    version: usize,
    /// How many versions there were.
    there: usize,
}

/// A run of some transactions.
#[derive(Debug)]
pub(super) struct Machine<'s, 'm> {
    stage: &'s Stage<'m>,
    states: Vec<State>,
    versions: Vec<Vec<Version>>,
    locks: Vec<(usize, usize, LockStrength)>,
    advisory: Vec<(usize, usize, bool)>,
    tables: Vec<(usize, usize, TableLock)>,
    seen: Vec<Seen>,
    commits: u32,
    /// Who waits, in the order in which they began to.
    queue: Vec<usize>,
    /// Operations done, for the tally of work.
    pub steps: u64,
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self { found: self.found.clone(), ..*self }
    }

    fn clone_from(&mut self, other: &Self) {
        let mut found = std::mem::take(&mut self.found);
        found.clone_from(&other.found);
        *self = Self { found, ..*other };
    }
}

/// The search copies runs by the million: a copy takes over the room of one that is done with.
impl Clone for Machine<'_, '_> {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.stage);
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, other: &Self) {
        let Self { stage, states, versions, locks, advisory, tables, seen, commits, queue, steps } = self;
        *stage = other.stage;
        states.clone_from(&other.states);
        versions.clone_from(&other.versions);
        locks.clone_from(&other.locks);
        advisory.clone_from(&other.advisory);
        tables.clone_from(&other.tables);
        seen.clone_from(&other.seen);
        *commits = other.commits;
        queue.clone_from(&other.queue);
        *steps = other.steps;
    }
}

/// What became of an operation.
enum Done {
    Yes,
    Waits,
    Refused,
}

/// A dependency that a run made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    pub from: (usize, usize),
    pub to: (usize, usize),
    pub kind: crate::advisor::witness::DependencyKind,
    pub row: usize,
    pub columns: Columns,
}

impl<'s, 'm> Machine<'s, 'm> {
    pub fn new(scene: &'s Stage<'m>) -> Self {
        let start = State {
            status: Status::Ready,
            next: 0,
            place: 0,
            snapshot: None,
            moment: None,
            commit: None,
            found: Vec::new(),
            done: 0,
        };
        let first = |present| Version { by: None, op: 0, columns: EVERYTHING, present, strength: LockStrength::Update };
        Self {
            stage: scene,
            states: vec![start; scene.actors.len()],
            versions: scene.rows.iter().map(|(_, present)| vec![first(*present)]).collect(),
            locks: Vec::new(),
            advisory: Vec::new(),
            tables: Vec::new(),
            seen: Vec::new(),
            commits: 0,
            queue: Vec::new(),
            steps: 0,
        }
    }

    pub fn status(&self, actor: usize) -> Status {
        self.states[actor].status
    }

    /// Whether all transactions have committed.
    pub fn is_over(&self) -> bool {
        self.states.iter().all(|state| state.status == Status::Committed)
    }

    /// Whether some transaction was refused.
    pub fn has_refused(&self) -> bool {
        self.states.iter().any(|state| state.status == Status::Aborted)
    }

    /// How many transactions there are.
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// Those that can go on.
    pub fn ready(&self) -> Vec<usize> {
        (0..self.states.len()).filter(|actor| self.status(*actor) == Status::Ready).collect()
    }

    /// The place in its path of the statement that a transaction runs next or waits in; after the last one it commits.
    pub fn place(&self, actor: usize) -> usize {
        self.states[actor].place
    }

    /// Runs the next statement of a ready transaction, or commits it.
    pub fn step(&mut self, actor: usize) -> Status {
        debug_assert_eq!(self.states[actor].status, Status::Ready);
        if self.place(actor) >= self.stage.actors[actor].path.statements.len() {
            self.commit(actor);
            return Status::Committed;
        }
        self.states[actor].moment = None;
        let status = self.go_on(actor);
        if status == Status::Waiting {
            self.queue.push(actor);
        }
        status
    }

    /// Goes on with the current statement until its end or a wait.
    fn go_on(&mut self, actor: usize) -> Status {
        let path = self.stage.actors[actor].path;
        let place = self.states[actor].place;
        if place >= path.snapshot && self.states[actor].snapshot.is_none() {
            self.states[actor].snapshot = Some(self.commits);
        }
        while let Some(op) = path.ops.get(self.states[actor].next).filter(|op| op.place <= place) {
            self.steps += 1;
            match self.perform(actor, self.states[actor].next, op) {
                Done::Yes => {
                    self.states[actor].next += 1;
                    self.states[actor].done = 0;
                }
                Done::Waits => {
                    self.states[actor].status = Status::Waiting;
                    return Status::Waiting;
                }
                Done::Refused => {
                    self.abort(actor);
                    return Status::Aborted;
                }
            }
        }
        self.states[actor].status = Status::Ready;
        self.states[actor].place += 1;
        Status::Ready
    }

    fn commit(&mut self, actor: usize) {
        self.commits += 1;
        self.states[actor].commit = Some(self.commits);
        self.states[actor].status = Status::Committed;
        self.release(actor);
    }

    /// A transaction that is refused leaves nothing behind. Its versions stay in the chain as ones that nobody sees,
    /// which is enough: a run with a refusal is of no interest.
    fn abort(&mut self, actor: usize) {
        self.states[actor].status = Status::Aborted;
        self.release(actor);
    }

    fn release(&mut self, actor: usize) {
        self.locks.retain(|lock| lock.0 != actor);
        self.advisory.retain(|lock| lock.0 != actor);
        self.tables.retain(|lock| lock.0 != actor);
        // Who has waited longest goes on first.
        for other in std::mem::take(&mut self.queue) {
            if self.go_on(other) == Status::Waiting {
                self.queue.push(other);
            }
        }
    }

    fn perform(&mut self, actor: usize, number: usize, op: &Op) -> Done {
        if !self.lock_table(actor, op) {
            return Done::Waits;
        }
        match op.action {
            Action::Read { looks } => {
                self.read(actor, number, op, looks);
                Done::Yes
            }
            Action::Lock(strength) | Action::Update(strength) => self.hit(actor, number, op, strength),
            Action::Delete => self.hit(actor, number, op, LockStrength::Update),
            Action::Insert => self.insert(actor, number, op),
            Action::Advisory { shared } => self.advise(actor, op, shared),
            Action::Table(_) | Action::Anything => Done::Yes,
        }
    }

    fn lock_table(&mut self, actor: usize, op: &Op) -> bool {
        let blocked = self.tables.iter().any(|(holder, relation, mode)| {
            *holder != actor && *relation == op.relation && table_locks_conflict(*mode, op.table)
        });
        if blocked {
            return false;
        }
        if !self.tables.contains(&(actor, op.relation, op.table)) {
            self.tables.push((actor, op.relation, op.table));
        }
        true
    }

    fn advise(&mut self, actor: usize, op: &Op, shared: bool) -> Done {
        for row in &self.stage.actors[actor].rows[op.var] {
            let blocked = |lock: &(usize, usize, bool)| lock.0 != actor && lock.1 == *row && !(shared && lock.2);
            if self.advisory.iter().any(blocked) {
                return Done::Waits;
            }
            self.advisory.push((actor, *row, shared));
        }
        Done::Yes
    }

    /// The snapshot by which an operation reads. Whether a row that goes is referred to is asked of the newest rows at every
    /// level (`src/backend/utils/adt/ri_triggers.c`, `ri_PerformCheck` with `detectNewRows`).
    fn snapshot(&mut self, actor: usize, op: &Op) -> u32 {
        if op.forbids && self.is_above(actor) {
            return self.commits;
        }
        if self.is_above(actor) {
            return self.states[actor].snapshot.unwrap_or(self.commits);
        }
        // Triggers and foreign keys of a statement run statements of their own; the two moments of one share a snapshot.
        let part = op.first / 2;
        match self.states[actor].moment {
            Some((known, snapshot)) if known == part => snapshot,
            _ => {
                self.states[actor].moment = Some((part, self.commits));
                self.commits
            }
        }
    }

    fn sees(&self, actor: usize, version: &Version, snapshot: u32) -> bool {
        version.by.is_none_or(|by| by == actor || self.states[by].commit.is_some_and(|commit| commit <= snapshot))
    }

    /// The place of the version of a row that a snapshot sees.
    fn visible(&self, actor: usize, row: usize, snapshot: u32) -> usize {
        let versions = &self.versions[row];
        versions.iter().rposition(|version| self.sees(actor, version, snapshot)).unwrap_or(0)
    }

    /// Whether the current statement of a transaction has ended a row, so that somebody has to look who refers to it.
    fn has_ended_a_row(&self, actor: usize, place: usize) -> bool {
        let ops = &self.stage.actors[actor].path.ops;
        let ends = |version: &Version| {
            version.by == Some(actor) && ops[version.op].place == place && ops[version.op].ends_row()
        };
        self.versions.iter().flatten().any(ends)
    }

    fn read(&mut self, actor: usize, number: usize, op: &Op, looks: bool) {
        if op.forbids && !self.has_ended_a_row(actor, op.place) {
            return;
        }
        let snapshot = self.snapshot(actor, op);
        let me = &self.stage.actors[actor];
        let misses = looks && me.missing.contains(&op.access);
        for row in me.rows[op.var].clone() {
            let version = self.visible(actor, row, snapshot);
            let present = self.versions[row][version].present;
            if looks && present && !misses {
                self.states[actor].found.push((op.access, row));
                continue;
            }
            let columns = if present { op.reads } else { op.reads | EXISTS };
            let there = self.versions[row].len();
            self.seen.push(Seen { actor, op: number, row, columns, version, there });
        }
    }

    /// Locks the rows that the first moment found, and reads or writes them.
    fn hit(&mut self, actor: usize, number: usize, op: &Op, strength: LockStrength) -> Done {
        if op.on_conflict {
            return self.hit_newest(actor, number, op, strength);
        }
        let found = self.states[actor].found.iter().filter(|(access, _)| *access == op.access);
        let rows: Vec<usize> =
            found.map(|(_, row)| *row).filter(|row| self.stage.actors[actor].rows[op.var].contains(row)).collect();
        if (op.finds && rows.is_empty()) || (op.forbids && !rows.is_empty()) {
            return Done::Refused;
        }
        for row in rows.into_iter().skip(self.states[actor].done) {
            match self.hit_row(actor, number, op, strength, row) {
                Done::Yes => self.states[actor].done += 1,
                other => return other,
            }
        }
        Done::Yes
    }

    /// `on conflict do update`: the rows that are there, unless the same statement has just inserted them.
    fn hit_newest(&mut self, actor: usize, number: usize, op: &Op, strength: LockStrength) -> Done {
        for row in self.stage.actors[actor].rows[op.var].clone().into_iter().skip(self.states[actor].done) {
            let newest = &self.versions[row][self.newest(actor, row)];
            let own = newest.by == Some(actor) && self.stage.actors[actor].path.ops[newest.op].place == op.place;
            if newest.present && !own {
                match self.hit_row(actor, number, op, strength, row) {
                    Done::Yes => {}
                    other => return other,
                }
            }
            self.states[actor].done += 1;
        }
        Done::Yes
    }

    fn hit_row(&mut self, actor: usize, number: usize, op: &Op, strength: LockStrength, row: usize) -> Done {
        let blocked = |lock: &(usize, usize, LockStrength)| {
            lock.0 != actor && lock.1 == row && row_locks_conflict(lock.2, strength)
        };
        if self.locks.iter().any(blocked) {
            return Done::Waits;
        }
        self.locks.push((actor, row, strength));
        let read_committed = !self.is_above(actor);
        let (newest, there) = (self.newest(actor, row), self.versions[row].len());
        let snapshot = self.snapshot(actor, op);
        let version = if read_committed { newest } else { self.visible(actor, row, snapshot) };
        let is_newer = |version: &Version| row_locks_conflict(version.strength, strength) || !version.present;
        if !read_committed && self.versions[row][version + 1..=newest.max(version)].iter().any(is_newer) {
            return Done::Refused;
        }
        if !self.versions[row][newest].present {
            self.seen.push(Seen { actor, op: number, row, columns: EXISTS, version: newest, there });
            return Done::Yes;
        }
        self.seen.push(Seen { actor, op: number, row, columns: op.reads, version, there });
        if op.writes != 0 {
            let present = op.action != Action::Delete;
            self.versions[row].push(Version { by: Some(actor), op: number, columns: op.writes, present, strength });
        }
        Done::Yes
    }

    fn is_above(&self, actor: usize) -> bool {
        self.stage.actors[actor].level != Isolation::ReadCommitted
    }

    /// The newest version that is committed or one's own.
    fn newest(&self, actor: usize, row: usize) -> usize {
        self.visible(actor, row, self.commits)
    }

    fn insert(&mut self, actor: usize, number: usize, op: &Op) -> Done {
        for row in self.stage.actors[actor].rows[op.var].clone().into_iter().skip(self.states[actor].done) {
            // Only who changes whether the row exists is waited for; who merely locks a row that is gone locks nothing.
            let last = self.versions[row].last();
            let foreign = last.and_then(|version| version.by).filter(|by| *by != actor);
            if foreign.is_some_and(|by| !matches!(self.states[by].status, Status::Committed | Status::Aborted)) {
                return Done::Waits;
            }
            let newest = self.newest(actor, row);
            if self.versions[row][newest].present {
                // Without `on conflict` the unique key is violated. With it, above read committed, a row that the
                // snapshot does not see is refused, too (`nodeModifyTable.c`, `ExecCheckTIDVisible`).
                let snapshot = self.snapshot(actor, op);
                if !op.on_conflict || self.visible(actor, row, snapshot) != newest && self.is_above(actor) {
                    return Done::Refused;
                }
                let there = self.versions[row].len();
                self.seen.push(Seen { actor, op: number, row, columns: op.reads, version: newest, there });
                self.states[actor].done += 1;
                continue;
            }
            let strength = LockStrength::Update;
            self.locks.push((actor, row, strength));
            self.versions[row].push(Version {
                by: Some(actor),
                op: number,
                columns: EVERYTHING,
                present: true,
                strength,
            });
            self.states[actor].done += 1;
        }
        Done::Yes
    }
}
