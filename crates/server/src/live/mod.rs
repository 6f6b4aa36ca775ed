//! What happens now, sent to whoever looks: logs that are made while somebody watches, and the messages they travel in.

mod message;

pub use message::{ClientMessage, LiveMoment, ServerMessage, Watch};

/// The logs that are being made, by what they watch.
pub struct Hub;
