//! What the transactions of a run have seen and left behind, and whether they would have in a serial order.
//!
//! A cycle of dependencies need not show: who looks for a row before it comes, and who looks for it after it has gone, both
//! find nothing (view equivalence: Bernstein, Hadzilacos & Goodman, Concurrency Control and Recovery in Database Systems,
//! 1987, section 2.6). A witness must show, so such runs are none.

use super::{Columns, Machine, Status};

/// A row as somebody finds it: nothing where there is none, else who has written which of its columns last, as transaction
/// and operation; nothing for the row as it was at first.
type Found = Option<Vec<(Columns, Option<(usize, usize)>)>>;

/// What a transaction has seen, by operation and row.
type Seen = Vec<(usize, usize, Found)>;

impl Machine<'_, '_> {
    /// Whether in some serial order of all transactions each of them sees the same, and the same is left. Whoever comes later
    /// changes nothing of what was seen before, so an order is given up as soon as one transaction sees something else.
    /// `steps` counts operations.
    pub fn is_as_in_a_serial_order(&self, steps: &mut u64) -> bool {
        let seen: Vec<Seen> = (0..self.count()).map(|actor| self.seen_by(actor)).collect();
        let mut open = vec![Self::new(self.stage)];
        while let Some(run) = open.pop() {
            if run.is_over() && run.left() == self.left() {
                return true;
            }
            open.extend(run.ready().into_iter().filter_map(|actor| {
                let mut next = run.clone();
                while next.status(actor) == Status::Ready {
                    next.step(actor);
                }
                *steps += next.steps - run.steps;
                let is_alike = next.status(actor) == Status::Committed && next.seen_by(actor) == seen[actor];
                is_alike.then_some(next)
            }));
        }
        false
    }

    fn seen_by(&self, actor: usize) -> Seen {
        let seen = self.seen.iter().filter(|seen| seen.actor == actor);
        let mut seen: Seen =
            seen.map(|seen| (seen.op, seen.row, self.found(seen.row, seen.version, seen.columns))).collect();
        seen.sort();
        seen
    }

    /// The rows at the end.
    fn left(&self) -> Vec<Found> {
        let rows = self.versions.iter().enumerate();
        rows.map(|(row, versions)| self.found(row, versions.len() - 1, Columns::MAX)).collect()
    }

    /// Columns of a version of a row.
    fn found(&self, row: usize, version: usize, columns: Columns) -> Found {
        let versions = &self.versions[row][..=version];
        versions.last().filter(|version| version.present)?;
        let mut left = columns;
        let mut found = Vec::new();
        for version in versions.iter().rev() {
            let written = version.columns & left;
            if written != 0 {
                found.push((written, version.by.map(|by| (by, version.op))));
                left &= !written;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use pgstrata_sqltext::{Schema, read_sources};
    use pgstrata_units::Isolation;

    use super::super::{Actor, Stage};
    use super::*;
    use crate::advisor::robustness::build::{Seen, build};

    /// Transactions over one row, at read committed: whether the run of these turns has a cycle, and whether it is as in a
    /// serial order.
    fn check(programs: &str, present: bool, turns: &[usize]) -> (bool, bool) {
        let text = format!("create table t (id int primary key, v int not null);\n{programs}");
        let schema = Schema::from_ddl(&text).expect("the table can be read");
        let workload = read_sources(&[("views.sql", &text)], &schema).expect("the programs can be read");
        let model = build(&workload, &schema, Seen::AsTheyRun);
        let actor = |path| Actor { path, level: Isolation::ReadCommitted, rows: vec![vec![0]; 8], missing: Vec::new() };
        let stage = Stage { actors: model.paths.iter().map(actor).collect(), rows: vec![(0, present)] };
        let mut run = Machine::new(&stage);
        for turn in turns {
            run.step(*turn);
        }
        assert!(run.is_over(), "{programs}");
        (run.cycle().is_some(), run.is_as_in_a_serial_order(&mut 0))
    }

    #[test]
    fn a_row_that_came_and_went_is_as_if_it_had_not_come_yet() {
        let programs = "-- pgstrata: program Looks
begin; select v from t where id = $1; select v from t where id = $1; commit;
-- pgstrata: program Makes
begin; insert into t (id, v) values ($1, 1); commit;
-- pgstrata: program Ends
begin; delete from t where id = $1; commit;";
        assert!(check(programs, false, &[0, 1, 1, 2, 2, 0, 0]).1);
    }

    #[test]
    fn two_reads_around_a_write_of_another_are_as_in_no_serial_order() {
        let programs = "-- pgstrata: program Looks
begin; select v from t where id = $1; select v from t where id = $1; commit;
-- pgstrata: program Sets
begin; update t set v = 1 where id = $1; commit;";
        assert_eq!(check(programs, true, &[0, 0, 0, 1, 1]), (false, true));
        assert_eq!(check(programs, true, &[0, 1, 1, 0, 0]), (true, false));
    }
}
