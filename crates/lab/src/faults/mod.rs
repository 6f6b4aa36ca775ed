//! Faults.
pub mod catalogue;
pub mod plan;
pub mod proxy;
pub use plan::FaultPlan;
/// x
pub fn inject() {}
