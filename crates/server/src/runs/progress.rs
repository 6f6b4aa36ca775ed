//! What the lab tells of a run, told on.

use std::time::Duration;

use pgstrata_lab::run::Progress;

use super::Runs;

/// Tells on how far a run is.
pub struct Reporter {
    runs: Runs,
    id: String,
}

impl Reporter {
    /// Of this run.
    pub fn new(runs: Runs, id: String) -> Self {
        Self { runs, id }
    }
}

impl Progress for Reporter {
    fn begin(&self, trials: usize, estimate: Duration) {
        self.runs.change(&self.id, |entry| {
            entry.run.trials = trials;
            entry.run.estimate_s = estimate.as_secs_f64();
        });
    }

    fn trial(&self, what: &str) {
        self.runs.change(&self.id, |entry| {
            what.clone_into(&mut entry.run.now);
            entry.run.pulse = None;
        });
    }

    fn trial_done(&self) {
        self.runs.change(&self.id, |entry| entry.run.trials_done += 1);
    }
}
