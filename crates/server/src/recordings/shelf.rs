//! The folder with the recordings' files.

use std::io;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use futures_util::Stream;
use pgstrata_tools::mvcc;
use rand::RngExt;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;

use crate::clock;
use crate::limits;
use crate::problem::{Code, Problem};
use crate::routes::recordings::Recording;

/// What the files' names end with.
pub const EXTENSION: &str = "pgstrata";

/// Bytes of a file that are sent at a time.
const CHUNK: usize = 64 * 1024;

/// The folder; cheap to clone.
#[derive(Clone)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// All that can be read, newest first.
    pub fn list(&self) -> Result<Vec<Recording>, Problem> {
        let mut recordings = Vec::new();
        for path in self.paths()? {
            let Some(id) = id_of(&path) else { continue };
            match mvcc::Recording::open(&path).map_err(Problem::from).and_then(|open| Self::describe(&id, &open)) {
                Ok(recording) => recordings.push(recording),
                Err(problem) => tracing::warn!(id, detail = problem.detail, "a recording cannot be read"),
            }
        }
        recordings.sort_by(|a, b| (b.began_us, &b.id).cmp(&(a.began_us, &a.id)));
        Ok(recordings)
    }

    /// Where the recording of this id is.
    pub fn path(&self, id: &str) -> Result<PathBuf, Problem> {
        let found = self.paths()?.into_iter().find(|path| id_of(path).as_deref() == Some(id));
        found.ok_or_else(|| {
            Problem::missing(format!("there is no recording {id}")).hint("`GET /api/recordings` lists them")
        })
    }

    /// Where a new one goes.
    pub fn new_path(&self) -> Result<PathBuf, Problem> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| Problem::internal("make the folder of recordings", &error))?;
        if self.paths()?.len() >= limits::RECORDINGS {
            return Err(Problem::new(
                Code::LimitReached,
                format!("{} recordings are kept already", limits::RECORDINGS),
            )
            .hint("remove some that are not needed any more"));
        }
        let name = format!("{:016x}-{:08x}.{EXTENSION}", clock::now_us(), rand::rng().random::<u32>());
        Ok(self.folder.join(name))
    }

    /// A file for one that arrives, which is gone when it is dropped.
    pub fn arriving(&self) -> Result<NamedTempFile, Problem> {
        NamedTempFile::new_in(&self.folder).map_err(|error| Problem::internal("take a recording in", &error))
    }

    /// Removes one.
    pub fn remove(&self, id: &str) -> Result<(), Problem> {
        std::fs::remove_file(self.path(id)?).map_err(|error| Problem::internal("remove the recording", &error))
    }

    /// What a recording is about.
    pub fn describe(id: &str, recording: &mvcc::Recording) -> Result<Recording, Problem> {
        let summary = recording.summary()?;
        let header = summary.header;
        let name = header.title.or_else(|| header.table.clone()).unwrap_or_else(|| header.database.clone());
        Ok(Recording {
            id: id.to_owned(),
            name,
            is_recording: false,
            table: header.table,
            row: header.row,
            database: header.database,
            server_version: header.server,
            tiers: header.tiers,
            began_us: summary.first_us,
            ended_us: summary.last_us,
            first: summary.first,
            last: summary.last,
            bytes: summary.bytes,
            ending: Some(summary.ending),
        })
    }

    fn paths(&self) -> Result<Vec<PathBuf>, Problem> {
        let failed = |error: io::Error| Problem::internal("list the recordings", &error);
        let found = match std::fs::read_dir(&self.folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let paths = found.map(|entry| entry.map(|entry| entry.path()).map_err(failed));
        paths.filter(|path| path.as_ref().map_or(true, |path| id_of(path).is_some())).collect()
    }
}

/// The id of a recording's file, if it is one.
pub fn id_of(path: &Path) -> Option<String> {
    let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
    let stem = path.file_stem()?.to_str()?;
    is_ours.then(|| stem.to_owned())
}

/// A file as it is sent.
pub fn chunks(file: tokio::fs::File) -> impl Stream<Item = io::Result<Bytes>> {
    futures_util::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })
}
