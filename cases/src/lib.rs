//! Module 09: ten industry cases.
use pgstrata_lab::study::Study;
use std::sync::Arc;
/// All cases.
#[must_use]
pub fn studies() -> Vec<Arc<dyn Study>> {
    Vec::new()
}
