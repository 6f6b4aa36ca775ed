//! System 11-02, the MVCC debugger: what happens inside a server, as a log that can be followed, kept and played.
//!
//! An [`Observer`] looks at a server and says what there is, as often as [`Pace`] says; [`pgstrata_timeline::Log`] finds what changed;
//! a [`Recorder`] keeps it in a file, a [`Recording`] reads that. The debugger reads and never writes; the pages
//! and charts that show the log are elsewhere.

pub mod capture;
mod connection;
pub mod consoles;
pub mod cost;
mod error;
pub mod exact;
mod follower;
pub mod note;
mod observer;
mod pace;
pub mod proof;
mod recording;
mod sample;
pub mod scenes;
pub mod soak;
mod tables;
mod tiers;
mod tracks;
mod trial_error;
mod watch;

pub use connection::APPLICATION_NAME;
pub use error::MvccError;
pub use follower::Follower;
pub use observer::{Observer, Options, Sample};
pub use pace::Pace;
pub use recording::{Difference, EXPORT_MOST_BYTES, Recorder, RecorderLimits, Recording, Summary, seen_at, write_html};
pub use tables::TableInfo;
pub use tiers::TierState;
pub use tracks::Tracks;
pub use trial_error::TrialError;
pub use watch::{Limits, Viewers, Watch};
