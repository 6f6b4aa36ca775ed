//! What the transactions of a run have seen and left behind, and whether they would have in a serial order.
//!
//! A cycle of dependencies need not show: who looks for a row before it comes, and who looks for it after it has gone, both
//! find nothing (view equivalence: Bernstein, Hadzilacos & Goodman, Concurrency Control and Recovery in Database Systems,
//! 1987, section 2.6). A witness must show, so such runs are none.

use super::{Columns, Machine, Status};

/// A row as somebody finds it: nothing where there is none, else who has written which of its columns last, as transaction
/// and operation; nothing for the row as it was at first.
type Found = Option<Vec<(Columns, Option<(usize, usize)>)>>;

/// What was seen, by transaction, operation and row; and the rows at the end.
type Views = (Vec<(usize, usize, usize, Found)>, Vec<Found>);

impl Machine<'_, '_> {
    /// Whether in some serial order of all transactions each of them sees the same, and the same is left.
    pub fn is_as_in_a_serial_order(&self) -> bool {
        let views = self.views();
        let mut orders: Vec<Vec<usize>> = vec![Vec::new()];
        while let Some(order) = orders.pop() {
            if order.len() == self.count() {
                if self.in_order(&order).is_some_and(|run| run.views() == views) {
                    return true;
                }
                continue;
            }
            let left = (0..self.count()).filter(|actor| !order.contains(actor));
            orders.extend(left.map(|actor| order.iter().copied().chain([actor]).collect::<Vec<_>>()));
        }
        false
    }

    /// The transactions one after the other; nothing when one of them is refused.
    fn in_order(&self, order: &[usize]) -> Option<Self> {
        let mut run = Self::new(self.stage);
        for actor in order {
            while run.status(*actor) == Status::Ready {
                run.step(*actor);
            }
            if run.status(*actor) != Status::Committed {
                return None;
            }
        }
        Some(run)
    }

    fn views(&self) -> Views {
        let mut seen: Vec<(usize, usize, usize, Found)> = self
            .seen
            .iter()
            .map(|seen| (seen.actor, seen.op, seen.row, self.found(seen.row, seen.version, seen.columns)))
            .collect();
        seen.sort();
        let last = |row: usize| self.found(row, self.versions[row].len() - 1, Columns::MAX);
        (seen, (0..self.versions.len()).map(last).collect())
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
        (run.cycle().is_some(), run.is_as_in_a_serial_order())
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
