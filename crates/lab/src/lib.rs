//! How anything is measured and judged: studies, load, faults, invariants, comparison, records.
//!
//! A system implements [`study::Study`] and says only what to build, what one client does and what must be
//! true afterwards. Connections, pacing, retries, faults, statistics and reports belong here, once for all.
//! This crate knows no case and prints nothing.

pub mod archive;
pub mod history;
pub mod load;
pub mod machine;
pub mod record;
pub mod report;
pub mod retry;
pub mod site;
pub mod study;
