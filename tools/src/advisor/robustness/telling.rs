//! Which cycle of dependencies shows in values: a guess that orders candidates, so that the witness which people see is one
//! that a server can be seen to go through.
//!
//! A cycle is one of dependencies, whatever the values are. But two increments that change places leave the same sum, and a
//! read that is not returned tells nobody what it saw; then the outcome is that of some serial order all the same. Nothing
//! is decided here: of the candidates of a verdict the ones whose every dependency shows come first.

use std::collections::BTreeSet;

use pgstrata_sqltext::Workload;

use super::conflict::{At, dependencies};
use super::model::{Action, Model, Op};
use super::splits::Candidate;

/// A dependency shows.
const SHOWS: u8 = 0;
/// It may, depending on what is computed.
const MAY_SHOW: u8 = 1;
/// It does not.
const IS_HIDDEN: u8 = 2;

/// How badly a candidate shows: the worst of its dependencies, all of them together, and the number of its programs.
pub(super) type Rank = (u8, u8, usize);

/// What statements tell whoever sent them.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// By program and statement: whether it returns rows.
    returns: Vec<Vec<bool>>,
}

impl Telling {
    pub(super) fn of(workload: &Workload) -> Self {
        let of = |program: &pgstrata_sqltext::Program| {
            program.statements.iter().map(|statement| returns_rows(&statement.text)).collect()
        };
        Self { returns: workload.programs.iter().map(of).collect() }
    }

    /// How badly a candidate shows: the worst of its dependencies, then all of them together. Of equals the one of fewer
    /// programs, as a program that meets itself is the easiest to understand.
    pub(super) fn rank(&self, model: &Model, candidate: &Candidate) -> Rank {
        let links = candidate.links.iter().map(|(from, to)| self.link(model, candidate, *from, *to));
        let (worst, sum) = links.fold((SHOWS, 0), |(worst, sum), link| (worst.max(link), sum + link));
        let programs: BTreeSet<usize> = candidate.paths.iter().map(|path| model.paths[*path].program).collect();
        (worst, sum, programs.len())
    }

    fn link(&self, model: &Model, candidate: &Candidate, from: At, to: At) -> u8 {
        let op = |at: At| &model.paths[candidate.paths[at.0]].ops[at.1];
        let (one, two) = (op(from), op(to));
        let kinds = dependencies(one, two);
        let returns = |at: At| {
            let path = &model.paths[candidate.paths[at.0]];
            let statement = path.statements[op(at).place];
            self.returns.get(path.program).and_then(|all| all.get(statement)).copied().unwrap_or(false)
        };
        let ways = [
            (kinds.rw, read(one, returns(from))),
            (kinds.wr, read(two, returns(to))),
            (kinds.ww, if overwrites(one, two) { SHOWS } else { MAY_SHOW }),
        ];
        ways.into_iter().filter(|(is, _)| *is).map(|(_, shows)| shows).min().unwrap_or(IS_HIDDEN)
    }
}

/// How well a read shows what it saw.
fn read(reader: &Op, returns_rows: bool) -> u8 {
    match reader.action {
        // A foreign key's check has no answer but an error.
        _ if reader.finds => IS_HIDDEN,
        _ if returns_rows => SHOWS,
        // The number of rows, or what is written.
        _ => MAY_SHOW,
    }
}

/// Whether the second write leaves nothing of the first, or the first nothing for the second: sums do not.
fn overwrites(one: &Op, two: &Op) -> bool {
    let is_row = |op: &Op| matches!(op.action, Action::Insert | Action::Delete);
    is_row(one) || is_row(two) || one.writes & two.writes & !(one.reads & two.reads) != 0
}

fn returns_rows(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let first = words.clone().find(|word| !word.is_empty()).unwrap_or_default();
    let changes = ["insert", "update", "delete", "merge"];
    let is_query = matches!(first, "select" | "table" | "values") || !words.clone().any(|word| changes.contains(&word));
    is_query || words.any(|word| word == "returning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_return_rows_are_told_from_those_that_do_not() {
        let check = [
            ("select a from t", true),
            ("select a from t for update", true),
            ("update t set a = 1", false),
            ("update t set a = 1\nreturning a", true),
            ("with old as (select 1) select * from old", true),
            ("with old as (select 1) update t set a = 1", false),
        ];
        for (text, expect) in check {
            assert_eq!(returns_rows(text), expect, "{text}");
        }
    }
}
