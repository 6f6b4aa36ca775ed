//! How a plan is written: `kill-postmaster:100,slow-fsync=5ms:3,net-delay=20ms`.
//!
//! Each entry is `name[=argument][@hold][:count]`. What the argument means is in the catalogue; `@hold` says how long
//! each strike stays; the count says how often it strikes over the run. What is written reads back as the same plan.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::catalogue::{ArgumentKind, CATALOGUE, DefaultCount, FaultInfo, FaultKind};
use super::plan::{Argument, Count, FaultPlan, PlannedFault};
use crate::error::nearest;

/// No fault strikes more often in one run; a run of so many would take days.
pub const MAX_STRIKES: u32 = 100_000;
/// Longest delay and hold that a plan may ask for.
pub const MAX_LENGTH: Duration = Duration::from_mins(10);
/// A cluster and its log do not fit into less.
pub const MIN_DISK_BYTES: u64 = 96 << 20;
/// More is no small disk; it lives in memory.
pub const MAX_DISK_BYTES: u64 = 64 << 30;

/// Why a plan cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No fault has this name.
    #[error("there is no fault named `{name}`")]
    UnknownFault {
        /// The name given.
        name: String,
        /// The nearest known one.
        nearest: Option<&'static str>,
    },
    /// The same fault twice.
    #[error("the fault `{name}` is named twice")]
    Repeated {
        /// The fault.
        name: &'static str,
    },
    /// The text after `=` is not what this fault takes.
    #[error("`{name}` takes {expected} after `=`, not `{text}`")]
    BadArgument {
        /// The fault.
        name: &'static str,
        /// What was written.
        text: String,
        /// What is taken.
        expected: &'static str,
    },
    /// The text after `@` is no length, or this fault does not stay.
    #[error("`@{text}` cannot be said of `{name}`: {reason}")]
    BadHold {
        /// The fault.
        name: &'static str,
        /// What was written.
        text: String,
        /// Why not.
        reason: &'static str,
    },
    /// The text after `:` is no count, or this fault cannot be counted.
    #[error("`:{text}` cannot be said of `{name}`: {reason}")]
    BadCount {
        /// The fault.
        name: &'static str,
        /// What was written.
        text: String,
        /// Why not.
        reason: String,
    },
}

impl PlanError {
    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownFault { nearest, .. } => {
                let names: Vec<&str> = CATALOGUE.iter().map(|info| info.name).collect();
                let known = format!("the faults are {}", names.join(", "));
                match nearest {
                    Some(name) => format!("did you mean `{name}`? {known}"),
                    None => known,
                }
            }
            Self::Repeated { name } => format!("write it once with a count, like `{name}:2`"),
            Self::BadArgument { .. } => {
                "write lengths like 500us, 5ms or 2s, sizes like 256MB, shares like 5%".to_owned()
            }
            Self::BadHold { .. } => "leave `@` out, or use it like `slow-fsync=5ms@2s:3`".to_owned(),
            Self::BadCount { .. } => "write a whole number, like `kill-postmaster:100`".to_owned(),
        }
    }
}

impl FromStr for FaultPlan {
    type Err = PlanError;

    /// Reads a comma-separated plan; white space around entries and empty entries are ignored.
    fn from_str(text: &str) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let fault: PlannedFault = entry.parse()?;
            if plan.faults.iter().any(|earlier| earlier.kind == fault.kind) {
                return Err(PlanError::Repeated { name: fault.kind.name() });
            }
            plan.faults.push(fault);
        }
        Ok(plan)
    }
}

impl FromStr for PlannedFault {
    type Err = PlanError;

    fn from_str(entry: &str) -> Result<Self, PlanError> {
        let (rest, count) = split_off(entry, ':');
        let (rest, hold) = split_off(rest, '@');
        let (name, argument) = split_off(rest, '=');
        let Some(kind) = FaultKind::named(name) else {
            let nearest = nearest(name, CATALOGUE.iter().map(|info| info.name));
            return Err(PlanError::UnknownFault { name: name.to_owned(), nearest });
        };
        let info = kind.info();
        let mut fault = Self::usual(kind);
        if let Some(text) = argument {
            fault.argument = read_argument(info, text)?;
            if let (ArgumentKind::Length(_), Argument::Duration(length)) = (info.argument, fault.argument) {
                fault.hold = length;
            }
        }
        if let Some(text) = hold {
            fault.hold = read_hold(info, text)?;
        }
        if let Some(text) = count {
            fault.count = read_count(info, text)?;
        } else if hold.is_some() && fault.count == Count::WholeRun {
            // "For two seconds" without "how often" means once.
            fault.count = Count::Strikes(1);
        }
        Ok(fault)
    }
}

/// Parts `text` at the first `mark`, trimmed.
fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before.trim(), Some(after.trim())),
        None => (text.trim(), None),
    }
}

fn read_argument(info: &FaultInfo, text: &str) -> Result<Argument, PlanError> {
    let (argument, expected) = match info.argument {
        ArgumentKind::None => (None, "nothing"),
        ArgumentKind::Delay(_) | ArgumentKind::Length(_) => {
            (read_duration(text).map(Argument::Duration), "a length of time up to 10 min")
        }
        ArgumentKind::Size(_) => (read_size(text).map(Argument::Bytes), "a size from 96MB to 64GB"),
        ArgumentKind::Share(_) => (read_share(text).map(Argument::Share), "a share from 0% to 100%"),
    };
    argument.ok_or_else(|| PlanError::BadArgument { name: info.name, text: text.to_owned(), expected })
}

fn read_hold(info: &FaultInfo, text: &str) -> Result<Duration, PlanError> {
    let reason = match info.argument {
        _ if !info.stays() => "it does not stay",
        ArgumentKind::Length(_) => "say how long after `=`",
        _ => match read_duration(text) {
            Some(hold) => return Ok(hold),
            None => "not a length of time up to 10 min",
        },
    };
    Err(PlanError::BadHold { name: info.name, text: text.to_owned(), reason })
}

fn read_count(info: &FaultInfo, text: &str) -> Result<Count, PlanError> {
    let bad = |reason: String| PlanError::BadCount { name: info.name, text: text.to_owned(), reason };
    if info.count == DefaultCount::Uncounted {
        return Err(bad("it has no strikes to count; its argument says how often".to_owned()));
    }
    match text.parse() {
        Ok(count) if (1..=MAX_STRIKES).contains(&count) => Ok(Count::Strikes(count)),
        _ => Err(bad(format!("not a number from 1 to {MAX_STRIKES}"))),
    }
}

/// A number and its unit.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// A length of time above zero and up to [`MAX_LENGTH`], to the microsecond.
fn read_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let microseconds_per_unit = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "min" => 60e6,
        _ => return None,
    };
    let duration = Duration::try_from_secs_f64((number * microseconds_per_unit).round() / 1e6).ok()?;
    (duration > Duration::ZERO && duration <= MAX_LENGTH).then_some(duration)
}

/// A size in PostgreSQL's units, which are powers of 1024.
fn read_size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let bytes = match unit.trim() {
        "MB" => number.parse::<u64>().ok()?.checked_mul(1 << 20)?,
        "GB" => number.parse::<u64>().ok()?.checked_mul(1 << 30)?,
        _ => return None,
    };
    (MIN_DISK_BYTES..=MAX_DISK_BYTES).contains(&bytes).then_some(bytes)
}

/// `5%` or `0.05`; above 0, at most 1.
fn read_share(text: &str) -> Option<f64> {
    let share = match split_unit(text)? {
        (number, "%") => number / 100.0,
        (number, "") => number,
        _ => return None,
    };
    (share > 0.0 && share <= 1.0).then_some(share)
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// The entry in full, which can be read back.
impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.kind.info();
        f.write_str(info.name)?;
        if self.argument != Argument::None {
            write!(f, "={}", self.argument)?;
        }
        let Count::Strikes(count) = self.count else { return Ok(()) };
        if info.stays() && !matches!(info.argument, ArgumentKind::Length(_)) {
            write!(f, "@{}", Argument::Duration(self.hold))?;
        }
        write!(f, ":{count}")
    }
}

/// As plans write it: in the largest unit that makes it a whole number.
impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => Ok(()),
            Self::Duration(length) => match length.as_micros() {
                us if us % 1_000_000 == 0 => write!(f, "{}s", us / 1_000_000),
                us if us % 1_000 == 0 => write!(f, "{}ms", us / 1_000),
                us => write!(f, "{us}us"),
            },
            Self::Bytes(bytes) if bytes % (1 << 30) == 0 => write!(f, "{}GB", bytes >> 30),
            Self::Bytes(bytes) => write!(f, "{}MB", bytes >> 20),
            Self::Share(share) => {
                // In percent only where that loses nothing.
                let percent = (share * 100.0).round();
                if (percent / 100.0).to_bits() == share.to_bits() {
                    write!(f, "{percent}%")
                } else {
                    write!(f, "{share}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(text: &str) -> FaultPlan {
        text.parse().unwrap_or_else(|error: PlanError| panic!("{text}: {error}; {}", error.hint()))
    }

    #[test]
    fn a_plan_names_faults_with_arguments_holds_and_counts() {
        let plan = plan(" kill-postmaster:100, slow-fsync=5ms@500ms:3 ,net-delay=20ms,");
        let expected = [
            (FaultKind::KillPostmaster, Argument::None, Duration::ZERO, Count::Strikes(100)),
            (
                FaultKind::SlowFsync,
                Argument::Duration(Duration::from_millis(5)),
                Duration::from_millis(500),
                Count::Strikes(3),
            ),
            (
                FaultKind::NetDelay,
                Argument::Duration(Duration::from_millis(20)),
                Duration::from_secs(2),
                Count::WholeRun,
            ),
        ];
        let found: Vec<_> = plan.faults.iter().map(|f| (f.kind, f.argument, f.hold, f.count)).collect();
        assert_eq!(found, expected);
        assert_eq!(plan.strikes(), 103);
    }

    #[test]
    fn what_a_plan_does_not_say_comes_from_the_catalogue() {
        for info in &CATALOGUE {
            assert_eq!(plan(info.name).faults, [PlannedFault::usual(info.kind)], "{}", info.name);
        }
        assert!(plan("").is_empty());
        assert_eq!(plan("slow-fsync@1s").faults[0].count, Count::Strikes(1));
        assert_eq!(plan("pause=30ms").faults[0].hold, Duration::from_millis(30));
    }

    #[test]
    fn an_unknown_fault_is_answered_with_the_nearest_and_all_names() {
        let error = "kill-postmaser:3".parse::<FaultPlan>().expect_err("misspelt");
        assert_eq!(
            error,
            PlanError::UnknownFault { name: "kill-postmaser".to_owned(), nearest: Some("kill-postmaster") }
        );
        let hint = error.hint();
        assert!(hint.starts_with("did you mean `kill-postmaster`?"), "{hint}");
        for info in &CATALOGUE {
            assert!(hint.contains(info.name), "{hint}");
        }
        let strange = "meteor".parse::<FaultPlan>().expect_err("unknown");
        assert_eq!(strange, PlanError::UnknownFault { name: "meteor".to_owned(), nearest: None });
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (text, message) in [
            ("kill-postmaster=5ms", "`kill-postmaster` takes nothing after `=`, not `5ms`"),
            ("slow-fsync=5", "`slow-fsync` takes a length of time up to 10 min after `=`, not `5`"),
            ("slow-fsync=0ms", "`slow-fsync` takes a length of time up to 10 min after `=`, not `0ms`"),
            ("slow-fsync=-1ms", "`slow-fsync` takes a length of time up to 10 min after `=`, not `-1ms`"),
            ("net-delay=11min", "`net-delay` takes a length of time up to 10 min after `=`, not `11min`"),
            ("disk-full=1MB", "`disk-full` takes a size from 96MB to 64GB after `=`, not `1MB`"),
            ("duplicate-request=101%", "`duplicate-request` takes a share from 0% to 100% after `=`, not `101%`"),
            ("kill-backend@1s", "`@1s` cannot be said of `kill-backend`: it does not stay"),
            ("pause@1s", "`@1s` cannot be said of `pause`: say how long after `=`"),
            ("pause:0", "`:0` cannot be said of `pause`: not a number from 1 to 100000"),
            ("pause:many", "`:many` cannot be said of `pause`: not a number from 1 to 100000"),
            (
                "duplicate-request:3",
                "`:3` cannot be said of `duplicate-request`: it has no strikes to count; its argument says how often",
            ),
            ("pause,net-cut,pause:2", "the fault `pause` is named twice"),
        ] {
            let error = text.parse::<FaultPlan>().expect_err(text);
            assert_eq!(error.to_string(), message);
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn every_share_reads_back_as_itself() {
        for per_mille in 1..=1000 {
            let share = Argument::Share(f64::from(per_mille) / 1000.0);
            let fault = PlannedFault { argument: share, ..PlannedFault::usual(FaultKind::DuplicateRequest) };
            assert_eq!(fault.to_string().parse(), Ok(fault), "{share}");
        }
    }

    fn any_fault() -> impl Strategy<Value = PlannedFault> {
        (0..CATALOGUE.len(), 1u64..600_000_000, 1u64..600_000_000, 96u64..4096, 1u32..=1000, 1..=MAX_STRIKES).prop_map(
            |(index, argument_us, hold_us, megabytes, per_mille, strikes)| {
                let info = &CATALOGUE[index];
                let mut fault = PlannedFault::usual(info.kind);
                fault.argument = match info.argument {
                    ArgumentKind::None => Argument::None,
                    ArgumentKind::Delay(_) | ArgumentKind::Length(_) => {
                        Argument::Duration(Duration::from_micros(argument_us))
                    }
                    ArgumentKind::Size(_) => Argument::Bytes(megabytes << 20),
                    ArgumentKind::Share(_) => Argument::Share(f64::from(per_mille) / 1000.0),
                };
                if info.count != DefaultCount::Uncounted {
                    fault.count = Count::Strikes(strikes);
                }
                match (info.argument, fault.argument) {
                    (ArgumentKind::Length(_), Argument::Duration(length)) => fault.hold = length,
                    _ if info.stays() => fault.hold = Duration::from_micros(hold_us),
                    _ => {}
                }
                fault
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_fault(fault in any_fault()) {
            prop_assert_eq!(fault.to_string().parse::<PlannedFault>(), Ok(fault));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = text.parse::<FaultPlan>();
        }
    }
}
