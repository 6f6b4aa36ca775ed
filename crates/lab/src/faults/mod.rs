//! Faults.
pub mod catalogue;
pub mod nearest;
pub mod plan;
pub use plan::FaultPlan;
/// x
pub fn inject() {}
