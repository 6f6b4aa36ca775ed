//! Group flush for hot rows: coalesce requests, flush once, acknowledge after the commit.
pub mod barrier;
pub mod error;
pub mod figures;
pub mod flush;
mod queue;
pub mod sequencer;
pub mod settings;
mod shard;
mod worker;

pub use barrier::{BarrierKind, DurabilityBarrier, Promise};
pub use error::{AcknowledgeError, StartError, SubmitError, Unknown};
pub use figures::{BarrierFigures, FlushFigures};
pub use flush::Flush;
pub use sequencer::{Handle, Sequencer};
pub use settings::{Settings, Takeover};
pub use shard::Durability;
