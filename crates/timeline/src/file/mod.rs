//! A recording as bytes: one file that another machine can open, that can be cut off anywhere, and in which any moment is
//! found without reading all before it.
//!
//! ```text
//! "PGSTLOG1"                    what this is, and the version of the format
//! frame: header                 who was recorded, as JSON
//! frame: keyframe               the moment at which the recording begins
//! frame: block                  changes, as lines of JSON
//! …                             blocks; a keyframe where enough has changed since the last one
//! frame: end                    why the recording ended, as JSON
//! frame: index                  where the frames are
//! trailer                       where the index is, "PGSTEND1"
//! ```
//!
//! A frame is 56 bytes of head (see [`frame`]) and its payload, with one CRC-32C over both. Payloads are deflated. Files are only
//! ever appended to: what a crash leaves is a file without its last frames, index and trailer, which opens all the same, up to the
//! last whole frame, and says so. The crate makes and reads bytes; whoever owns a file hands them on ([`Source`]).

mod decoder;
mod encoder;
pub(crate) mod frame;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::item::Tier;

pub use decoder::{Recorded, Source, Torn};
pub use encoder::{Cadence, Encoder};

/// The bytes a file begins with.
pub const MAGIC: [u8; 8] = *b"PGSTLOG1";

/// The bytes a file that was closed in order ends with.
pub const END_MAGIC: [u8; 8] = *b"PGSTEND1";

/// The format's version, also in [`MAGIC`].
pub const FORMAT: u32 = 1;

/// Who and what was recorded. Free of any language, of addresses and of credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Header {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The program and its version, as `pgstrata 0.1.0`.
    pub program: String,
    /// The server's version, as it says it.
    pub server: String,
    /// The database.
    pub database: String,
    /// What could be seen when the recording began.
    pub tiers: Vec<Tier>,
    /// The watched table with its schema, if one was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The watched row's key, if one was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// When the recording began, microseconds since 1970.
    pub began_us: i64,
    /// What its maker calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was told to.
    Stopped,
    /// It had reached its greatest size.
    BytesReached,
    /// It had reached its greatest length.
    TimeReached,
    /// It was not closed: the machine or the program ended before.
    Torn,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It begins otherwise.
    #[error("it does not begin like a recording of pgstrata")]
    NotARecording,
    /// It was written by a later program.
    #[error("its format is version {found}, and this program reads up to {FORMAT}")]
    Newer {
        /// The version found.
        found: u32,
    },
    /// Its beginning is damaged.
    #[error("it has no whole {what}")]
    NoBeginning {
        /// `header` or `keyframe`.
        what: &'static str,
    },
    /// A part that is asked for is damaged.
    #[error("the frame at byte {offset} is damaged: {reason}")]
    Damaged {
        /// Where.
        offset: u64,
        /// How, as a lowercase fragment.
        reason: &'static str,
    },
    /// A number outside the recording.
    #[error("change {seq} is not in the recording, which has {first} to {last}")]
    OutOfRange {
        /// What was asked for.
        seq: u64,
        /// The moment it begins with.
        first: u64,
        /// Its last change.
        last: u64,
    },
    /// What should be written has no JSON form, or a payload is not the JSON it should be.
    #[error("a payload is not what it should be")]
    Json(#[from] serde_json::Error),
    /// The bytes could not be had.
    #[error("it cannot be read")]
    Io(#[from] std::io::Error),
}

impl FileError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotARecording | Self::NoBeginning { .. } => {
                "name a file that `pgstrata mvcc record` or the workbench has written"
            }
            Self::Newer { .. } => "open it with the pgstrata that wrote it, or a later one",
            Self::Damaged { .. } | Self::Json(_) => "copy the file again from where it was recorded",
            Self::OutOfRange { .. } => "ask for a number within the recording; `pgstrata mvcc replay` names them",
            Self::Io(_) => "check that the file is there and can be read",
        }
    }
}
