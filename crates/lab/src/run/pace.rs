//! How long a run still takes: as planned at first, and as its trials took as soon as there are some.
//!
//! A trial takes its load and what goes with it: preparing, connecting, draining, invariants, the study's check. Only the
//! load is known beforehand. What goes with it differs between studies by a factor of fifty, so it is learned, for each
//! arm and sort of trial by itself.

use std::time::Duration;

/// What preparing, connecting, settling and checking take beside a trial's load, as long as nothing is known.
const BESIDE_AT_FIRST: Duration = Duration::from_secs(4);

/// What a trial is for, as far as it says how long trials take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    SellOut,
    Faults,
    Window,
    Claim,
}

/// A trial that is to come, or that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) arm: &'static str,
    pub(super) sort: Sort,
    /// Warm-up, load, and the faults' recoveries.
    pub(super) load: Duration,
}

/// What trials took so far.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seen: Vec<Seen>,
}

/// All trials of an arm of one sort.
#[derive(Debug)]
struct Seen {
    arm: &'static str,
    sort: Sort,
    trials: u32,
    /// Seconds beyond what was planned, all trials together; less than nothing where faults were over sooner.
    beside_s: f64,
}

impl Pace {
    /// A trial took so long.
    pub(super) fn note(&mut self, trial: &Planned, took: Duration) {
        let beside_s = took.as_secs_f64() - trial.load.as_secs_f64();
        match self.seen.iter_mut().find(|seen| seen.is_of(trial)) {
            Some(seen) => {
                seen.trials += 1;
                seen.beside_s += beside_s;
            }
            None => self.seen.push(Seen { arm: trial.arm, sort: trial.sort, trials: 1, beside_s }),
        }
    }

    /// How long these trials are going to take.
    pub(super) fn expect(&self, trials: impl Iterator<Item = Planned>) -> Duration {
        let seconds = trials.map(|trial| (trial.load.as_secs_f64() + self.beside_s(&trial)).max(0.0)).sum();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// From trials of the same arm and sort, else of the same sort, else from all.
    fn beside_s(&self, trial: &Planned) -> f64 {
        let mean = |is_alike: &dyn Fn(&Seen) -> bool| {
            let alike = || self.seen.iter().filter(|seen| is_alike(seen));
            let trials: u32 = alike().map(|seen| seen.trials).sum();
            (trials > 0).then(|| alike().map(|seen| seen.beside_s).sum::<f64>() / f64::from(trials))
        };
        mean(&|seen| seen.is_of(trial))
            .or_else(|| mean(&|seen| seen.sort == trial.sort))
            .or_else(|| mean(&|_| true))
            .unwrap_or(BESIDE_AT_FIRST.as_secs_f64())
    }
}

impl Seen {
    fn is_of(&self, trial: &Planned) -> bool {
        (self.arm, self.sort) == (trial.arm, trial.sort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(arm: &'static str, sort: Sort) -> Planned {
        Planned { arm, sort, load: Duration::from_secs(2) }
    }

    fn seconds(pace: &Pace, trials: &[Planned]) -> u64 {
        pace.expect(trials.iter().copied()).as_secs()
    }

    #[test]
    fn what_goes_with_a_trial_is_learned_from_the_trials_that_are_most_like_it() {
        use Sort::{Claim, Faults, Window};
        let mut pace = Pace::default();
        assert_eq!(seconds(&pace, &[trial("fast", Faults)]), 6, "a guess");
        pace.note(&trial("fast", Faults), Duration::from_secs(12));
        assert_eq!(seconds(&pace, &[trial("slow", Window)]), 12, "the only trial that there is");
        pace.note(&trial("fast", Window), Duration::from_secs(3));
        pace.note(&trial("slow", Window), Duration::from_secs(7));
        pace.note(&trial("slow", Window), Duration::from_secs(9));
        assert_eq!(seconds(&pace, &[trial("fast", Window)]), 3);
        assert_eq!(seconds(&pace, &[trial("slow", Window), trial("slow", Window)]), 16);
        assert_eq!(seconds(&pace, &[trial("third", Window)]), 2 + (1 + 5 + 7) / 3, "as others of its kind");
        assert_eq!(seconds(&pace, &[trial("fast", Claim)]), 2 + (10 + 1 + 5 + 7) / 4);
        assert_eq!(seconds(&pace, &[]), 0);
    }

    #[test]
    fn faults_that_are_over_sooner_than_planned_shorten_what_is_left_and_never_below_nothing() {
        let mut pace = Pace::default();
        let faults = Planned { load: Duration::from_secs(100), ..trial("arm", Sort::Faults) };
        pace.note(&faults, Duration::from_secs(30));
        assert_eq!(seconds(&pace, &[faults]), 30);
        assert_eq!(seconds(&pace, &[trial("arm", Sort::Faults)]), 0);
    }
}
