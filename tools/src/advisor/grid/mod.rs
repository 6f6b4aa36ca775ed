//! The measured grid: what each way of keeping transactions serializable achieves, over workloads that differ in how much
//! they read, how unevenly, how long they are and how many clients there are.
//!
//! All strategies of a cell are measured in short slices in an order drawn by lot, several rounds of them, so that their
//! ratios hold also on a machine that does not stand still. The absolute figures are of the machine. A grid that is
//! interrupted goes on where it was ([`Journal`]).

mod measure;
mod plan;
mod record;
mod slice;
mod strategy;
#[cfg(test)]
mod tests;
mod transaction;
mod workload;

pub use measure::{GridSpec, measure};
pub use plan::{Pace, cells};
pub use record::{ArmRecord, CellRecord, GRID_FORMAT, GridRecord, Head, Journal, Sitting, latest};
pub use strategy::{Strategy, UnknownStrategy};
