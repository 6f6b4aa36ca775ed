//! Keeps a log in a file while it grows.
//!
//! A recording that has reached its greatest size or length stops, with a note at its end that says so; what it has is whole. It never
//! drops its beginning: a file that is only appended to survives a crash of its program up to the last second.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgstrata_timeline::file::{Cadence, Encoder, Ending, Header};
use pgstrata_timeline::{Change, Moment};

use crate::mvcc::error::MvccError;

/// How far a recording goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderLimits {
    /// Bytes of the file, at most.
    pub bytes: u64,
    /// Its length, at most.
    pub time: Duration,
}

impl Default for RecorderLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, time: Duration::from_hours(1) }
    }
}

/// What the end of a file takes beside the last block: the note and the index.
const END_BYTES: u64 = 1 << 20;

/// A recording that is being made.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
    encoder: Option<Encoder>,
    limits: RecorderLimits,
    began_us: i64,
    ending: Option<Ending>,
}

impl Recorder {
    /// Begins a recording at a moment of a log.
    ///
    /// # Errors
    /// [`MvccError::Exists`] if the file is there: a recording is never overwritten.
    pub fn create(path: &Path, header: &Header, moment: Moment, limits: RecorderLimits) -> Result<Self, MvccError> {
        let created = File::create_new(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => MvccError::Exists { path: path.to_owned() },
            _ => MvccError::file(path, error),
        });
        let (encoder, bytes) =
            Encoder::begin(header, moment, Cadence::default()).map_err(|error| MvccError::file(path, error))?;
        let mut recorder = Self {
            path: path.to_owned(),
            file: created?,
            encoder: Some(encoder),
            limits,
            began_us: header.began_us,
            ending: None,
        };
        recorder.write(&bytes)?;
        Ok(recorder)
    }

    /// The next change. Returns why the recording has ended, if it has.
    ///
    /// # Errors
    /// If the file cannot be written; [`pgstrata_timeline::file::FileError::OutOfRange`] within, if a change is missing before it.
    pub fn append(&mut self, change: &Change) -> Result<Option<Ending>, MvccError> {
        let Some(encoder) = &mut self.encoder else { return Ok(self.ending) };
        let bytes = encoder.append(change).map_err(|error| MvccError::file(&self.path, error))?;
        let size = encoder.bytes();
        self.write(&bytes)?;
        let length_us = change.at.unix_us.saturating_sub(self.began_us);
        if size + END_BYTES.min(self.limits.bytes / 2) >= self.limits.bytes {
            self.end(Ending::BytesReached)?;
        } else if u64::try_from(length_us).is_ok_and(|us| Duration::from_micros(us) >= self.limits.time) {
            self.end(Ending::TimeReached)?;
        }
        Ok(self.ending)
    }

    /// Writes down what was taken so far, so that another program can read it.
    pub fn flush(&mut self) -> Result<(), MvccError> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let bytes = encoder.flush().map_err(|error| MvccError::file(&self.path, error))?;
        self.write(&bytes)
    }

    /// Ends the recording; why it has ended, if it had before.
    pub fn finish(mut self) -> Result<Ending, MvccError> {
        self.end(Ending::Stopped)
    }

    /// Where it goes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes so far, and the number of the last change.
    #[must_use]
    pub fn progress(&self) -> Option<(u64, u64)> {
        self.encoder.as_ref().map(|encoder| (encoder.bytes(), encoder.last()))
    }

    fn end(&mut self, ending: Ending) -> Result<Ending, MvccError> {
        if let Some(encoder) = self.encoder.take() {
            let bytes = encoder.finish(ending).map_err(|error| MvccError::file(&self.path, error))?;
            self.write(&bytes)?;
            self.file.sync_all().map_err(|error| MvccError::file(&self.path, error))?;
            self.ending = Some(ending);
        }
        Ok(self.ending.unwrap_or(ending))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MvccError> {
        self.file.write_all(bytes).map_err(|error| MvccError::file(&self.path, error))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = self.end(Ending::Stopped) {
            tracing::warn!(error = %error, "a recording could not be closed in order");
        }
    }
}
