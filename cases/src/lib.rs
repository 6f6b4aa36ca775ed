//! Module 09: ten industry cases.
use std::sync::Arc;
use pgstrata_lab::study::Study;
/// All cases.
#[must_use]
pub fn studies() -> Vec<Arc<dyn Study>> { Vec::new() }
