//! Faults: what is done to a system while it works, as separate parts that compose with any study.
//!
//! A [`FaultPlan`] says what strikes and how often, a [`FaultKit`] builds the place for it (shim, proxy, small disk),
//! and [`inject()`] carries it out while a load runs. Each fault strikes for real and is healed: the system is whole
//! again when its record is written. Judging what the system did meanwhile is not done here.

pub(crate) mod at_step;
pub mod catalogue;
pub mod disk;
pub mod error;
pub mod fsync;
pub mod inject;
pub mod kit;
mod network;
pub mod notation;
pub mod plan;
mod process;
pub mod proxy;
mod recovery;
mod scratch;
pub mod steps;
mod storage;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use rand_chacha::ChaCha8Rng;

pub use catalogue::{CATALOGUE, FaultInfo, FaultKind, Needs};
pub use error::FaultError;
pub use inject::inject;
pub use kit::{FaultKit, FaultPoints};
pub use notation::PlanError;
pub use plan::{Argument, Count, FaultPlan, LoadFault, PlannedFault};
pub use recovery::RECOVERY_LIMIT;

use crate::site::Server;

/// A fault that can strike a server, again and again.
#[async_trait]
pub trait Fault: Send + Sync {
    /// Strikes once. When this returns, the fault is in force; random choices come from `rng`.
    ///
    /// # Errors
    /// If it could not strike, or had no effect. Then the server is as before, or down and said to be so.
    async fn strike(&self, server: &Server, rng: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError>;
}

/// A fault in force. Dropping it lifts what can be lifted without waiting; [`InForce::heal`] is the orderly way.
#[async_trait]
pub trait InForce: Send {
    /// Lifts the fault, waits until the server is whole again, and says what was achieved.
    ///
    /// # Errors
    /// If the server does not come back within [`RECOVERY_LIMIT`].
    async fn heal(self: Box<Self>) -> Result<String, FaultError>;
}

/// The fault that a plan names; none for those that the load loop carries out, and for those that strike at a step.
#[must_use]
pub fn fault(planned: &PlannedFault) -> Option<Box<dyn Fault>> {
    let length = match planned.argument {
        Argument::Duration(length) => length,
        Argument::None | Argument::Bytes(_) | Argument::Share(_) => std::time::Duration::ZERO,
    };
    Some(match planned.kind {
        FaultKind::KillPostmaster => Box::new(process::KillPostmaster),
        FaultKind::KillBackend => Box::new(process::KillBackend),
        FaultKind::TerminateBackend => Box::new(process::TerminateBackend),
        FaultKind::Pause => Box::new(process::Pause),
        FaultKind::DisconnectAfterSend => Box::new(network::DisconnectAfterSend),
        FaultKind::NetDelay => Box::new(network::Delay(length)),
        FaultKind::NetDrop => Box::new(network::Outage::of(FaultKind::NetDrop, proxy::Flow::Drop)),
        FaultKind::NetCut => Box::new(network::Outage::of(FaultKind::NetCut, proxy::Flow::Cut)),
        FaultKind::NetHalfOpen => Box::new(network::Outage::of(FaultKind::NetHalfOpen, proxy::Flow::HalfOpen)),
        FaultKind::SlowFsync => Box::new(storage::SlowFsync(length)),
        FaultKind::FailingFsync => Box::new(storage::FailingFsync),
        FaultKind::DiskFull => Box::new(storage::DiskFull),
        FaultKind::DuplicateRequest
        | FaultKind::KillClient
        | FaultKind::KillClientAtStep
        | FaultKind::KillPostmasterAtStep
        | FaultKind::KillBackendAtStep
        | FaultKind::DisconnectAtStep => return None,
    })
}
