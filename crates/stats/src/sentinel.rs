//! Whether the machine stood still while something was measured.
//!
//! Durable commits are at the mercy of the neighbours: with every processor of a two-core machine busy, even at
//! the lowest priority, 6 000 hot-row commits a second fall to 270, while the disk itself stays as fast as it was.
//! Such a run must mark itself. The probes are the lab's; here is only their judgement. A quiet reading does not
//! make a figure precise: that is what intervals are for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far `fdatasync` may differ between the readings before and after a run, as a factor.
///
/// The same disk read 98 to 177 µs idle, with one and with all processors busy, so a factor of 2 is common; its bad
/// moments were 3 300 to 3 500 µs, a factor of 25.
pub const FSYNC_DRIFT_LIMIT: f64 = 3.0;

/// How much slower `fdatasync` may be during the load than before it, as a factor.
///
/// Wider than the drift, because the probe then queues behind the commits of the load itself, one or two at a
/// time; still well below the 25-fold collapse.
pub const FSYNC_LOAD_LIMIT: f64 = 10.0;

/// How late a timer of 1 ms may fire in one of a hundred cases, microseconds.
///
/// Measured on two cores: 170 to 440 µs on a usable machine, 960 µs with as many spinning processes as cores,
/// 3 000 µs with twice as many. The median does not move at all (70 to 95 µs), so it is no sentinel.
pub const TIMER_OVERSHOOT_LIMIT_US: f64 = 900.0;

/// The share of all processor time that processes other than ours may take.
///
/// On two cores one tenth is a fifth of a core. One full foreign core (0.5) took a quarter off
/// prepared-statement throughput, two took 96 % off durable commits.
pub const FOREIGN_CPU_LIMIT: f64 = 0.10;

/// The share of processor time that the hypervisor may take from the whole machine.
///
/// Stolen time falls on single windows in lumps of whole time slices, so it is kept to half of the foreign share.
pub const STEAL_LIMIT: f64 = 0.05;

/// When a reading was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the load, the system under test idle.
    Before,
    /// While the load ran.
    During,
    /// After the load, the system under test idle again.
    After,
}

impl Moment {
    /// All moments, in the order of time.
    pub const ALL: [Self; 3] = [Self::Before, Self::During, Self::After];
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        })
    }
}

/// What the probes saw at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentinelReading {
    /// When.
    pub moment: Moment,
    /// The median time of one 8 KiB write and `fdatasync` beside the data directory, microseconds.
    pub fdatasync_us: f64,
    /// The 99th percentile of how late a 1 ms timer fired, microseconds.
    pub timer_overshoot_us: f64,
    /// The share (0 to 1) of all processor time that went to processes other than ours and our servers'.
    pub foreign_cpu_share: f64,
    /// The share (0 to 1) of processor time that the hypervisor gave to others.
    pub steal_share: f64,
}

/// Whether the figures of a run count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "validity")]
pub enum RunValidity {
    /// The machine stood still.
    Valid,
    /// It did not, and this is what moved.
    Invalid {
        /// At least one reason.
        reasons: Vec<InvalidReason>,
    },
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum InvalidReason {
    /// There is no reading of this moment, so nothing vouches for it.
    Unread {
        /// The moment.
        moment: Moment,
    },
    /// A probe gave no usable number at this moment.
    Unreadable {
        /// The moment.
        moment: Moment,
    },
    /// `fdatasync` took longer than before, or than after.
    FsyncMoved {
        /// The moment of the slow reading.
        moment: Moment,
        /// How many times slower it was.
        factor: f64,
        /// How many times slower it may be.
        limit: f64,
    },
    /// Timers fired late.
    TimersLate {
        /// The moment.
        moment: Moment,
        /// By how much, microseconds.
        overshoot_us: f64,
    },
    /// Other processes were busy.
    ForeignCpu {
        /// The moment.
        moment: Moment,
        /// Their share of all processor time.
        share: f64,
    },
    /// The hypervisor took time away.
    Steal {
        /// The moment.
        moment: Moment,
        /// Its share of all processor time.
        share: f64,
    },
}

impl fmt::Display for InvalidReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unread { moment } => write!(formatter, "nothing was read {moment} the load"),
            Self::Unreadable { moment } => write!(formatter, "a probe failed {moment} the load"),
            Self::FsyncMoved { moment, factor, limit } => {
                write!(formatter, "fdatasync was {factor:.1}× slower {moment} the load (limit {limit}×)")
            }
            Self::TimersLate { moment, overshoot_us } => {
                let limit = TIMER_OVERSHOOT_LIMIT_US;
                write!(formatter, "timers fired {overshoot_us:.0} µs late {moment} the load (limit {limit} µs)")
            }
            Self::ForeignCpu { moment, share } => {
                share_text(formatter, "other processes", moment, share, FOREIGN_CPU_LIMIT)
            }
            Self::Steal { moment, share } => share_text(formatter, "the hypervisor", moment, share, STEAL_LIMIT),
        }
    }
}

fn share_text(formatter: &mut fmt::Formatter<'_>, who: &str, when: Moment, share: f64, limit: f64) -> fmt::Result {
    let (share, limit) = (share * 100.0, limit * 100.0);
    write!(formatter, "{who} took {share:.0} % of the processors {when} the load (limit {limit:.0} %)")
}

impl RunValidity {
    /// Judges the readings of one run; each moment needs at least one, and may have several.
    #[must_use]
    pub fn judge(readings: &[SentinelReading]) -> Self {
        let unread = |moment: &Moment| !readings.iter().any(|reading| reading.moment == *moment);
        let mut reasons: Vec<InvalidReason> =
            Moment::ALL.into_iter().filter(unread).map(|moment| InvalidReason::Unread { moment }).collect();
        for reading in readings {
            reasons.extend(reading.own_reasons());
        }
        reasons.extend(fsync_reasons(readings));
        if reasons.is_empty() { Self::Valid } else { Self::Invalid { reasons } }
    }

    /// Whether the figures count.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }
}

impl fmt::Display for RunValidity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => formatter.write_str("valid"),
            Self::Invalid { reasons } => {
                formatter.write_str("invalid")?;
                for (index, reason) in reasons.iter().enumerate() {
                    write!(formatter, "{} {reason}", if index == 0 { ":" } else { ";" })?;
                }
                Ok(())
            }
        }
    }
}

impl SentinelReading {
    fn is_usable(&self) -> bool {
        let numbers = [self.fdatasync_us, self.timer_overshoot_us, self.foreign_cpu_share, self.steal_share];
        numbers.into_iter().all(|number| number.is_finite() && number >= 0.0) && self.fdatasync_us > 0.0
    }

    /// What this reading shows without the others.
    fn own_reasons(&self) -> Vec<InvalidReason> {
        let moment = self.moment;
        if !self.is_usable() {
            return vec![InvalidReason::Unreadable { moment }];
        }
        // A load that uses all processors makes timers late itself; then the share of others tells who it was.
        let late = moment != Moment::During && self.timer_overshoot_us > TIMER_OVERSHOOT_LIMIT_US;
        let foreign = self.foreign_cpu_share > FOREIGN_CPU_LIMIT;
        let stolen = self.steal_share > STEAL_LIMIT;
        [
            late.then_some(InvalidReason::TimersLate { moment, overshoot_us: self.timer_overshoot_us }),
            foreign.then_some(InvalidReason::ForeignCpu { moment, share: self.foreign_cpu_share }),
            stolen.then_some(InvalidReason::Steal { moment, share: self.steal_share }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Compares the disk with itself: no absolute limit, because a slow disk that stays slow is a fact, not a disturbance.
fn fsync_reasons(readings: &[SentinelReading]) -> Vec<InvalidReason> {
    let usable = || readings.iter().filter(|reading| reading.is_usable());
    let idle = usable().filter(|reading| reading.moment != Moment::During);
    let Some(fastest) = idle.map(|reading| reading.fdatasync_us).min_by(f64::total_cmp) else {
        return Vec::new();
    };
    let moved = |reading: &SentinelReading| {
        let limit = if reading.moment == Moment::During { FSYNC_LOAD_LIMIT } else { FSYNC_DRIFT_LIMIT };
        let factor = reading.fdatasync_us / fastest;
        (factor > limit).then_some(InvalidReason::FsyncMoved { moment: reading.moment, factor, limit })
    };
    usable().filter_map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(moment: Moment) -> SentinelReading {
        SentinelReading {
            moment,
            fdatasync_us: 140.0,
            timer_overshoot_us: 300.0,
            foreign_cpu_share: 0.02,
            steal_share: 0.0,
        }
    }

    /// The judgement of a quiet run of which one reading was changed.
    fn with(moment: Moment, change: impl Fn(&mut SentinelReading)) -> String {
        let mut readings = Moment::ALL.map(quiet);
        readings.iter_mut().filter(|reading| reading.moment == moment).for_each(change);
        RunValidity::judge(&readings).to_string()
    }

    #[test]
    fn a_machine_that_stands_still_gives_a_valid_run() {
        assert_eq!(RunValidity::judge(&Moment::ALL.map(quiet)), RunValidity::Valid);
        assert_eq!(with(Moment::During, |reading| reading.fdatasync_us = 600.0), "valid");
    }

    #[test]
    fn each_sentinel_that_moves_makes_the_run_invalid_and_says_so() {
        let check = |moment, change: fn(&mut SentinelReading), expected: &str| {
            assert_eq!(with(moment, change), format!("invalid: {expected}"));
        };
        check(
            Moment::During,
            |reading| reading.fdatasync_us = 3_500.0,
            "fdatasync was 25.0× slower during the load (limit 10×)",
        );
        check(
            Moment::After,
            |reading| reading.fdatasync_us = 490.0,
            "fdatasync was 3.5× slower after the load (limit 3×)",
        );
        check(
            Moment::Before,
            |reading| reading.timer_overshoot_us = 3_000.0,
            "timers fired 3000 µs late before the load (limit 900 µs)",
        );
        check(
            Moment::During,
            |reading| reading.foreign_cpu_share = 0.5,
            "other processes took 50 % of the processors during the load (limit 10 %)",
        );
        check(
            Moment::After,
            |reading| reading.steal_share = 0.2,
            "the hypervisor took 20 % of the processors after the load (limit 5 %)",
        );
    }

    #[test]
    fn a_disk_that_was_slow_only_before_the_load_is_a_disturbance_too() {
        let expected = "invalid: fdatasync was 3.6× slower before the load (limit 3×)";
        assert_eq!(with(Moment::Before, |reading| reading.fdatasync_us = 500.0), expected);
    }

    #[test]
    fn a_disk_that_is_always_slow_is_no_disturbance() {
        let slow = Moment::ALL.map(|moment| SentinelReading { fdatasync_us: 8_000.0, ..quiet(moment) });
        assert!(RunValidity::judge(&slow).is_valid());
    }

    #[test]
    fn a_moment_that_nobody_read_is_not_vouched_for() {
        let readings = [quiet(Moment::Before), quiet(Moment::After)];
        assert_eq!(RunValidity::judge(&readings).to_string(), "invalid: nothing was read during the load");
        assert_eq!(
            with(Moment::After, |reading| reading.fdatasync_us = f64::NAN),
            "invalid: a probe failed after the load"
        );
    }

    #[test]
    fn all_reasons_are_given_and_read_back_from_a_record() {
        let readings = Moment::ALL.map(|moment| SentinelReading { foreign_cpu_share: 0.4, ..quiet(moment) });
        let validity = RunValidity::judge(&readings);
        assert!(matches!(&validity, RunValidity::Invalid { reasons } if reasons.len() == 3), "{validity}");
        let json = serde_json::to_string(&validity).expect("finite numbers can be written");
        assert_eq!(serde_json::from_str::<RunValidity>(&json).expect("what was written can be read"), validity);
    }
}
