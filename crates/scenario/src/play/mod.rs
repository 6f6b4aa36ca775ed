//! Plays a scenario once: one level, one order of its steps, on a real server, in a schema of its own.
//!
//! It says what happened. What should have happened is for [`crate::judge`].

mod answer;
mod error;
mod player;
mod record;
mod stage;

pub use answer::Answer;
pub use error::PlayError;
pub use player::play;
pub use record::{Played, Row, StepRecord, TableState, Transaction, TransactionEnd, Why};
pub(crate) use stage::Table;
pub use stage::{Limits, Stage};
