//! The cells of a search while candidates come in: how many are kept, and of which levels there are enough.

use super::splits::{ALL_LEVELS, Candidate, Cell};

/// A cell while it is filled.
#[derive(Debug, Clone, Default)]
pub(super) struct Filling {
    pub cell: Cell,
    counts: [u8; 5],
    /// The levels of which there are candidates enough.
    pub full: u8,
}

/// The cells of one first program, by the second and the last.
pub(super) struct Row {
    pub cells: Vec<Filling>,
    /// Those that were looked at, some of them several times.
    pub touched: Vec<usize>,
}

impl Row {
    pub fn of(programs: usize) -> Self {
        Self { cells: vec![Filling::default(); programs * programs], touched: Vec::new() }
    }
}

impl Filling {
    pub fn keep(&mut self, candidate: Candidate, kept: u8) {
        for (count, level) in self.counts.iter_mut().zip(ALL_LEVELS) {
            *count = count.saturating_add(u8::from(candidate.levels & level != 0));
            self.full |= if *count >= kept { level } else { 0 };
        }
        self.cell.levels |= candidate.levels;
        self.cell.candidates.push(candidate);
    }
}
