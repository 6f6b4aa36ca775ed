//! Runs of studies: one at a time, the others in a queue.

use crate::problem::{Code, Problem};
use crate::routes::runs::{Run, RunDetail, RunRequest};

/// The runs.
pub struct Runs;

fn later() -> Problem {
    Problem::new(Code::NotSupported, "this build has no runs yet")
}

impl Runs {
    pub fn list(&self) -> Vec<Run> {
        Vec::new()
    }
    pub fn ask(&self, _: RunRequest) -> Result<Run, Problem> {
        Err(later())
    }
    pub fn show(&self, _: &str) -> Result<RunDetail, Problem> {
        Err(later())
    }
    pub fn cancel(&self, _: &str) -> Result<Run, Problem> {
        Err(later())
    }
}
