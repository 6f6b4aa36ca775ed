//! Module 11: the tools, one folder a system.

pub mod advisor;
pub mod mvcc;

use std::sync::Arc;

use pgstrata_lab::study::Study;

/// What the tools have to run and to judge, in the order of the plan's ids.
#[must_use]
pub fn studies() -> Vec<Arc<dyn Study>> {
    advisor::value::studies()
}
