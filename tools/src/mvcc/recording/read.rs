//! Opens recordings: any moment of them, the changes between, what is different between two moments.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use pgstrata_timeline::file::{Ending, Header, Recorded, Source};
use pgstrata_timeline::{Change, Moment, PutItem, SharedItem, Verdict, Viewer};
use pgstrata_units::Lsn;
use serde::Serialize;
use utoipa::ToSchema;

use super::seen::seen_at;
use crate::mvcc::error::MvccError;

/// A file that is read where it is asked for.
#[derive(Debug)]
struct OnDisk(File);

impl Source for OnDisk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }
}

/// What a recording is about, without its contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Summary {
    /// Who was recorded.
    #[serde(flatten)]
    pub header: Header,
    /// Number of the moment it begins with.
    pub first: u64,
    /// Number of its last change.
    pub last: u64,
    /// Time of its first moment, microseconds since 1970.
    pub first_us: i64,
    /// Time of its last change.
    pub last_us: i64,
    /// Why it ended.
    pub ending: Ending,
    /// Bytes after its last whole part that a crash left, and that are passed over.
    pub torn_bytes: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What is different between two moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// Only in the second.
    #[schema(value_type = Vec<PutItem>)]
    pub appeared: Vec<SharedItem>,
    /// Only in the first.
    #[schema(value_type = Vec<PutItem>)]
    pub gone: Vec<SharedItem>,
    /// In both, as they are in the first.
    #[schema(value_type = Vec<PutItem>)]
    pub before: Vec<SharedItem>,
    /// The same, as they are in the second.
    #[schema(value_type = Vec<PutItem>)]
    pub after: Vec<SharedItem>,
}

impl Difference {
    /// What is different in `second`.
    #[must_use]
    pub fn of(first: &Moment, second: &Moment) -> Self {
        let mut difference = Self::default();
        for (key, put) in &second.items {
            match first.items.get(key) {
                None => difference.appeared.push(put.clone()),
                Some(before) if before != put => {
                    difference.before.push(before.clone());
                    difference.after.push(put.clone());
                }
                Some(_) => {}
            }
        }
        let gone = first.items.iter().filter(|(key, _)| !second.items.contains_key(*key));
        difference.gone = gone.map(|(_, put)| put.clone()).collect();
        difference
    }
}

/// A recording that is read. Cheap to open: its parts are read when they are asked for.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    recorded: Recorded<OnDisk>,
}

impl Recording {
    /// Opens a recording, also one that is still being made or was not closed.
    pub fn open(path: &Path) -> Result<Self, MvccError> {
        let file = File::open(path).map_err(|error| MvccError::file(path, error))?;
        let recorded = Recorded::open(OnDisk(file)).map_err(|error| MvccError::file(path, error))?;
        Ok(Self { path: path.to_owned(), recorded })
    }

    /// Takes a recording in that somebody sent: at most `most_bytes` are read, and it is kept at `path` only if it can be opened.
    ///
    /// # Errors
    /// [`MvccError::Exists`], [`MvccError::TooBig`], and those of [`Recording::open`].
    pub fn import(from: impl Read, path: &Path, most_bytes: u64) -> Result<Self, MvccError> {
        let mut file = File::create_new(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => MvccError::Exists { path: path.to_owned() },
            _ => MvccError::file(path, error),
        })?;
        let taken = io::copy(&mut from.take(most_bytes.saturating_add(1)), &mut file);
        let opened = match taken {
            Ok(bytes) if bytes > most_bytes => Err(MvccError::TooBig { bytes, most_bytes }),
            Ok(_) => Self::open(path),
            Err(error) => Err(MvccError::file(path, error)),
        };
        if opened.is_err() {
            // It is ours, and of no use to anybody.
            let _ = std::fs::remove_file(path);
        }
        opened
    }

    /// What it is about.
    pub fn summary(&self) -> Result<Summary, MvccError> {
        let (first_us, last_us) = self.recorded.times();
        Ok(Summary {
            header: self.recorded.header().clone(),
            first: self.recorded.first(),
            last: self.recorded.last(),
            first_us,
            last_us,
            ending: self.recorded.ending(),
            torn_bytes: self.recorded.torn().map_or(0, |torn| torn.bytes),
            bytes: self.recorded.source().length().map_err(|error| MvccError::file(&self.path, error))?,
        })
    }

    /// Number of the moment it begins with, and of its last change.
    #[must_use]
    pub fn range(&self) -> (u64, u64) {
        (self.recorded.first(), self.recorded.last())
    }

    /// The moment after change `seq`.
    pub fn moment_at(&self, seq: u64) -> Result<Moment, MvccError> {
        self.recorded.moment_at(seq).map_err(|error| MvccError::file(&self.path, error))
    }

    /// Up to `limit` changes after number `after`.
    pub fn changes(&self, after: u64, limit: usize) -> Result<Vec<Change>, MvccError> {
        self.recorded.changes(after, limit).map_err(|error| MvccError::file(&self.path, error))
    }

    /// Number of the last change that had happened at this time, microseconds since 1970.
    pub fn seq_at(&self, unix_us: i64) -> Result<u64, MvccError> {
        self.recorded.seq_at(unix_us).map_err(|error| MvccError::file(&self.path, error))
    }

    /// Number of the last change that tells the server's log up to `lsn` or less.
    pub fn seq_at_lsn(&self, lsn: Lsn) -> Result<u64, MvccError> {
        self.recorded.seq_at_lsn(lsn).map_err(|error| MvccError::file(&self.path, error))
    }

    /// What a transaction would have seen that began at a position of the server's log: the number of the moment there, the viewer
    /// `lsn:…` and its verdicts. `None` if that moment is empty.
    pub fn seen_at(&self, lsn: Lsn) -> Result<Option<(u64, Viewer, Vec<Verdict>)>, MvccError> {
        let seq = self.seq_at_lsn(lsn)?;
        let seen = seen_at(&self.moment_at(seq)?, &format!("lsn:{lsn}"));
        Ok(seen.map(|(viewer, verdicts)| (seq, viewer, verdicts)))
    }

    /// What is different at `second` from `first`.
    pub fn difference(&self, first: u64, second: u64) -> Result<Difference, MvccError> {
        Ok(Difference::of(&self.moment_at(first)?, &self.moment_at(second)?))
    }
}
