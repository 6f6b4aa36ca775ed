//! Recordings: the log of one server, kept in one file that another machine can open.
//!
//! The bytes are made and read by `pgstrata_timeline::file`; here are the files.

mod html;
mod read;
mod seen;
mod write;

pub use html::{EXPORT_MOST_BYTES, write_html};
pub use read::{Difference, Recording, Summary};
pub use seen::seen_at;
pub use write::{Recorder, RecorderLimits};
