//! What happens now, sent to whoever looks: logs that are made while somebody watches, and the messages they travel in.

mod feed;
mod hub;
mod message;
mod news;
mod source;
mod viewer;

pub use feed::{Next, Reader};
pub use hub::Hub;
pub use message::{ClientMessage, LiveMoment, ServerMessage};
pub use news::News;
pub use source::{Seen, Source, Sources};
pub use viewer::accompany;
