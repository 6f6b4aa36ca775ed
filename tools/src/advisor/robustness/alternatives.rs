//! More witnesses against an allocation than the one that a verdict comes with, made when a proof asks for them.

use pgstrata_sqltext::{Schema, Workload};

use super::build::{Seen, build};
use super::decide::{Dangers, Levels};
use super::evidence::Meaning;
use super::model::Model;
use super::telling::Telling;
use super::verdict::witnesses;
use crate::advisor::report::{Allocation, Work};
use crate::advisor::witness::Witness;

/// What a workload's witnesses are made from.
pub struct Alternatives<'a> {
    workload: &'a Workload,
    schema: &'a Schema,
    model: Model,
    dangers: Dangers,
    telling: Telling,
}

impl<'a> Alternatives<'a> {
    /// Of a workload as it is. Takes about as long as a verdict.
    #[must_use]
    pub fn of(workload: &'a Workload, schema: &'a Schema) -> Self {
        let model = build(workload, schema, Seen::AsTheyRun);
        let dangers = Dangers::of(&model, &mut Work::default());
        Self { workload, schema, model, dangers, telling: Telling::of(workload) }
    }

    /// At most so many witnesses against these levels, those first that are likely to show in values. None if the levels
    /// are safe, or if no schedule is found.
    #[must_use]
    pub fn against(&self, levels: &Allocation, most: usize) -> Vec<Witness> {
        let levels: Levels = self.model.programs.iter().map(|name| levels.level(name)).collect();
        let meaning =
            Meaning { workload: self.workload, schema: self.schema, model: &self.model, telling: &self.telling };
        witnesses(meaning, &self.dangers, &self.dangers.found_with.reach, &levels, most)
    }
}
