//! What depends on what in a run, and what the server would refuse of it when transactions are serializable.

use pgstrata_units::Isolation;

use super::{Machine, Made, Version};
use crate::advisor::robustness::model::{Action, Columns, RowSet};

impl Machine<'_, '_> {
    /// Whether serializable transactions would be refused: some T1 →rw T2 →rw T3 (T3 may be T1), each two of them
    /// concurrent, T3 the first to commit (Ports & Grittner, VLDB 2012, theorem 1). What is noticed is rows, not
    /// columns; and as the server notices more when it can (pages of indexes, relations), an insert or a predicate here
    /// meets the whole relation.
    pub fn is_refused_by_ssi(&self, coarse: bool) -> bool {
        let all: Vec<usize> =
            (0..self.states.len()).filter(|at| self.stage.actors[*at].level == Isolation::Serializable).collect();
        let conflict =
            |from: usize, to: usize| from != to && self.are_concurrent(from, to) && self.notices(from, to, coarse);
        let committed = |actor: usize| self.states[actor].commit.unwrap_or(u32::MAX);
        all.iter().any(|pivot| {
            all.iter().filter(|last| conflict(*pivot, **last)).any(|last| {
                let is_first = committed(*last) < committed(*pivot);
                is_first && all.iter().any(|first| conflict(*first, *pivot) && committed(*last) <= committed(*first))
            })
        })
    }

    fn are_concurrent(&self, one: usize, two: usize) -> bool {
        let starts = |actor: usize| self.states[actor].snapshot.unwrap_or(0);
        let ends = |actor: usize| self.states[actor].commit.unwrap_or(u32::MAX);
        starts(one) < ends(two) && starts(two) < ends(one)
    }

    /// Whether a transaction read something that another one wrote without seeing it.
    fn notices(&self, reader: usize, writer: usize, coarse: bool) -> bool {
        // Who has read a version is looked up by the version that is overwritten: the next one. Who reads comes to all
        // versions that are there (`heapam.c`, `HeapCheckForSerializableConflictOut`).
        let by_row = self.seen.iter().filter(|seen| seen.actor == reader).any(|seen| {
            let noticed = if coarse { seen.there.max(seen.version + 2) } else { seen.version + 2 };
            let later = self.versions[seen.row].iter().take(noticed).skip(seen.version + 1);
            later.into_iter().any(|version| version.by == Some(writer))
        });
        if by_row || !coarse {
            return by_row;
        }
        let (mine, theirs) = (self.stage.actors[reader].path, self.stage.actors[writer].path);
        mine.ops.iter().filter(|op| op.reads != 0).any(|read| {
            let is_predicate = matches!(mine.vars[read.var].rows, RowSet::Some { .. });
            theirs.ops.iter().any(|write| {
                let coarse = if is_predicate { write.writes != 0 } else { write.action == Action::Insert };
                coarse && write.relation == read.relation
            })
        })
    }

    /// All dependencies between committed transactions.
    pub fn dependencies(&self) -> Vec<Made> {
        use crate::advisor::witness::DependencyKind::{Rw, Wr, Ww};
        let mut all = Vec::new();
        let mut add = |from: (usize, usize), to: (usize, usize), kind, row, columns: Columns| {
            if from.0 != to.0 && columns != 0 {
                all.push(Made { from, to, kind, row, columns });
            }
        };
        let passing: Vec<Vec<bool>> = self.versions.iter().map(|versions| passing(versions)).collect();
        for (row, versions) in self.versions.iter().enumerate() {
            let lasting = |at: &usize| !passing[row][*at];
            for at in (0..versions.len()).filter(lasting) {
                let later = &versions[at];
                let Some(to) = later.by else { continue };
                for earlier in (0..at).filter(lasting).map(|at| &versions[at]) {
                    if let Some(from) = earlier.by {
                        add((from, earlier.op), (to, later.op), Ww, row, earlier.columns & later.columns);
                    }
                }
            }
        }
        for seen in &self.seen {
            let reader = (seen.actor, seen.op);
            for (at, version) in self.versions[seen.row].iter().enumerate().filter(|(at, _)| !passing[seen.row][*at]) {
                let Some(by) = version.by else { continue };
                if at <= seen.version {
                    add((by, version.op), reader, Wr, seen.row, version.columns & seen.columns);
                } else {
                    add(reader, (by, version.op), Rw, seen.row, version.columns & seen.columns);
                }
            }
        }
        all
    }

    /// When a transaction committed, counted in commits.
    pub fn commit_of(&self, actor: usize) -> Option<u32> {
        self.states[actor].commit
    }

    /// A shortest cycle of dependencies between committed transactions; nothing when a serial order explains the run.
    pub fn cycle(&self) -> Option<Vec<Made>> {
        let all = self.dependencies();
        let count = self.states.len();
        let mut best: Option<Vec<Made>> = None;
        for start in 0..count {
            let mut before: Vec<Option<Made>> = vec![None; count];
            let mut queue = std::collections::VecDeque::from([start]);
            'search: while let Some(actor) = queue.pop_front() {
                for made in all.iter().filter(|made| made.from.0 == actor) {
                    let to = made.to.0;
                    if before[to].is_some() {
                        continue;
                    }
                    before[to] = Some(*made);
                    if to == start {
                        break 'search;
                    }
                    queue.push_back(to);
                }
            }
            let Some(cycle) = trace(&before, start) else { continue };
            if best.as_ref().is_none_or(|best| cycle.len() < best.len()) {
                best = Some(cycle);
            }
        }
        best
    }
}

/// By version of a row: whether it is of a transaction that makes the row and ends it again, so that nobody else can tell that
/// it was there.
fn passing(versions: &[Version]) -> Vec<bool> {
    let mut passing = vec![false; versions.len()];
    let mut from = 0;
    while from < versions.len() {
        let by = versions[from].by;
        let to = from + versions[from..].iter().take_while(|version| version.by == by).count();
        let came = from > 0 && !versions[from - 1].present && by.is_some();
        passing[from..to].fill(came && !versions[to - 1].present);
        from = to;
    }
    passing
}

/// The cycle that ends where it starts, in its order.
fn trace(before: &[Option<Made>], start: usize) -> Option<Vec<Made>> {
    let mut cycle = vec![before[start]?];
    while cycle.last()?.from.0 != start {
        cycle.push(before[cycle.last()?.from.0]?);
    }
    cycle.reverse();
    Some(cycle)
}
