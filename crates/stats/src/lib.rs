//! Histograms and the judgement of noisy measurements.
//!
//! A figure measured on a shared machine is a draw from noise that is strong and autocorrelated: sixty identical
//! one-second windows spread by 32 % of their mean, each resembling the one before it. This crate turns such
//! windows into statements that hold up:
//!
//! * [`schedule`] and [`compare`]: two arms by adjacent windows in random order, with an interval and a [`Verdict`];
//! * [`StoppingRule`]: when there are pairs enough;
//! * [`judge_control`]: an arm against itself, which must show nothing;
//! * [`RunValidity`]: whether the machine stood still;
//! * [`LatencyHistogram`], [`quantile_estimate`]: latencies without a cap, and how well their quantiles are known;
//! * [`trend`]: whether a value rises over time;
//! * [`Claim`]: a number to reach, and whether it was reached.
//!
//! There is no I/O here, no clock, no thread, and no randomness but what the caller seeds. Nothing here knows what
//! was measured.

mod claim;
mod control;
mod histogram;
mod interval;
pub mod noise;
mod pairs;
mod quantiles;
mod sentinel;
mod sequential;
mod student;
mod trend;

pub use claim::{Claim, ClaimVerdict, Measured};
pub use control::{CONTROL_CONFIDENCE, Control, ControlVerdict, judge_control};
pub use histogram::{LatencyHistogram, Percentile, STANDARD_QUANTILES};
pub use interval::Interval;
pub use pairs::{
    Better, CONFIDENCE, Comparison, EQUIVALENCE_MARGIN, Pair, PairOrder, Settings, Unusable, Verdict, compare, schedule,
};
pub use quantiles::{MIN_WINDOWS, QuantileEstimate, quantile_estimate};
pub use sentinel::{
    FOREIGN_CPU_LIMIT, FSYNC_DRIFT_LIMIT, FSYNC_LOAD_LIMIT, InvalidReason, Moment, RunValidity, STEAL_LIMIT,
    SentinelReading, TIMER_OVERSHOOT_LIMIT_US,
};
pub use sequential::{FIRST_LOOK, LOOK_EVERY, Step, StopReason, StoppingRule};
pub use trend::{SECTIONS, Trend, trend};
