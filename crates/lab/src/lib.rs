//! How anything is measured and judged: studies, load, faults, invariants, comparison, records.
//!
//! A system implements [`study::Study`] and says only what to build, what one client does and what must be
//! true afterwards. Connections, pacing, retries, faults, statistics and reports belong here, once for all.
//! This crate knows no case and prints nothing.

pub mod archive;
pub mod calibration;
pub mod chinese;
pub mod error;
pub mod faults;
pub mod history;
pub mod invariants;
pub mod load;
pub mod machine;
pub mod meter;
pub mod observe;
pub mod record;
pub mod report;
pub mod retry;
pub mod run;
pub mod sampler;
pub mod sentinel;
pub mod site;
pub mod study;
pub mod trial;
