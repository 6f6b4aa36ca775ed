//! Recordings: which there are, which are being made. An id is looked up among the files that there are; no path is ever
//! made of one that came from outside.

mod making;
mod shelf;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt as _;
use pgstrata_timeline::file::Ending;
use pgstrata_timeline::{Item, Origin};
use pgstrata_tools::mvcc::{self, Difference, write_html};
use pgstrata_units::Lsn;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;

use crate::assets;
use crate::limits;
use crate::live::{Hub, LiveMoment};
use crate::problem::{Code, Problem};
use crate::routes::recordings::{Changes, Recording, StartRecording};
use making::Making;
use shelf::Shelf;

/// The page in one file, into which a recording is put (`ui/vite.config.ts` makes it).
const SHARED_PAGE: &str = "share.html";

/// The recordings; cheap to clone.
#[derive(Clone)]
pub struct Recordings(Arc<Shared>);

struct Shared {
    hub: Hub,
    /// That recordings are made of.
    database: String,
    shelf: Shelf,
    under_way: Mutex<HashMap<String, Making>>,
}

impl Recordings {
    /// Recordings in this folder, which is made when it is needed.
    pub fn new(folder: PathBuf, database: String, hub: Hub) -> Self {
        Self(Arc::new(Shared { hub, database, shelf: Shelf::new(folder), under_way: Mutex::default() }))
    }

    /// All of them, newest first. One that cannot be read is passed over.
    pub async fn list(&self) -> Result<Vec<Recording>, Problem> {
        let folder = self.0.shelf.clone();
        let mut recordings = blocking(move || folder.list()).await?;
        let making = self.making().await;
        for recording in &mut recordings {
            mark(recording, &making);
        }
        Ok(recordings)
    }

    /// Begins one.
    pub async fn start(&self, wanted: StartRecording) -> Result<Recording, Problem> {
        check_name(&wanted.name)?;
        let bytes = wanted.limit_bytes.unwrap_or(limits::RECORDING_BYTES).min(limits::RECORDING_BYTES);
        let folder = self.0.shelf.clone();
        let path = blocking(move || folder.new_path()).await?;
        let id = shelf::id_of(&path).unwrap_or_default();
        {
            let mut making = self.0.under_way.lock().await;
            making.retain(|_, one| !one.has_ended());
            if making.len() >= limits::RECORDERS {
                return Err(Problem::new(Code::LimitReached, format!("{} recordings are being made", making.len()))
                    .hint("stop one of them"));
            }
            let reader = self.0.hub.read(wanted.watch, None, None).await?;
            making.insert(id.clone(), Making::begin(path, wanted.name, self.0.database.clone(), reader, bytes).await?);
        }
        self.show(&id).await
    }

    /// One of them.
    pub async fn show(&self, id: &str) -> Result<Recording, Problem> {
        let mut recording = self.with(id, |id, recording| Shelf::describe(&id, recording)).await?;
        mark(&mut recording, &self.making().await);
        Ok(recording)
    }

    /// Ends one that is being made; one that has ended stays as it is.
    pub async fn stop(&self, id: &str) -> Result<Recording, Problem> {
        let making = self.0.under_way.lock().await.remove(id);
        if let Some(making) = making {
            making.end().await?;
        }
        self.show(id).await
    }

    /// Removes one.
    pub async fn remove(&self, id: &str) -> Result<(), Problem> {
        self.stop(id).await?;
        let (folder, id) = (self.0.shelf.clone(), id.to_owned());
        blocking(move || folder.remove(&id)).await
    }

    /// Its changes after a number.
    pub async fn changes(&self, id: &str, after: u64, limit: Option<usize>) -> Result<Changes, Problem> {
        let limit = limit.unwrap_or(limits::CHANGES).clamp(1, limits::CHANGES);
        self.with(id, move |_, recording| {
            let (first, last) = recording.range();
            Ok(Changes { changes: recording.changes(after.max(first), limit)?, last })
        })
        .await
    }

    /// All that there was after a change.
    pub async fn moment(&self, id: &str, seq: u64) -> Result<LiveMoment, Problem> {
        self.with(id, move |id, recording| moment(&id, recording, seq)).await
    }

    /// What is different between two moments.
    pub async fn difference(&self, id: &str, first: u64, second: u64) -> Result<Difference, Problem> {
        self.with(id, move |_, recording| Ok(recording.difference(first, second)?)).await
    }

    /// The moment at a point of the server's log.
    pub async fn seen(&self, id: &str, lsn: &str) -> Result<LiveMoment, Problem> {
        let lsn: Lsn = lsn.parse().map_err(|_| {
            Problem::new(Code::BadRequest, "that is no position of the log").hint("write it as 0/1A2B3C")
        })?;
        self.with(id, move |id, recording| seen(&id, recording, lsn)).await
    }

    /// It as one page.
    pub async fn export(&self, id: &str) -> Result<Response, Problem> {
        let page = assets::page_file(SHARED_PAGE).ok_or(mvcc::MvccError::NoPage)?;
        let page = String::from_utf8(page.into_owned()).map_err(|error| Problem::internal("read the page", &error))?;
        let html = self
            .with(id, move |_, recording| {
                let mut html = Vec::new();
                write_html(&page, recording, recording.range(), &mut html)?;
                Ok(html)
            })
            .await?;
        // To be kept, not to be run here: this page may do what that one, which may come from anywhere, must not.
        Ok(download(html, "text/html; charset=utf-8", &format!("{id}.html")))
    }

    /// Its file.
    pub async fn file(&self, id: &str) -> Result<Response, Problem> {
        let (folder, wanted) = (self.0.shelf.clone(), id.to_owned());
        let path = blocking(move || folder.path(&wanted)).await?;
        let file =
            tokio::fs::File::open(&path).await.map_err(|error| Problem::internal("open the recording", &error))?;
        let body = HttpBody::from_stream(shelf::chunks(file));
        Ok(download(body, "application/octet-stream", &format!("{id}.{}", shelf::EXTENSION)))
    }

    /// Takes one in.
    pub async fn import(&self, body: HttpBody) -> Result<Recording, Problem> {
        let folder = self.0.shelf.clone();
        let path = blocking(move || folder.new_path()).await?;
        let arriving = self.0.shelf.arriving()?;
        let mut file = tokio::fs::File::from_std(arriving.reopen().map_err(|error| cannot_keep(&error))?);
        let mut stream = body.into_data_stream();
        let mut bytes = 0;
        while let Some(chunk) = stream.try_next().await.map_err(|_| broken_off())? {
            bytes += chunk.len();
            if bytes > limits::IMPORT_BYTES {
                return Err(Problem::new(
                    Code::TooLarge,
                    format!("a recording has at most {} bytes", limits::IMPORT_BYTES),
                ));
            }
            file.write_all(&chunk).await.map_err(|error| cannot_keep(&error))?;
        }
        file.flush().await.map_err(|error| cannot_keep(&error))?;
        let id = shelf::id_of(&path).unwrap_or_default();
        let taken = blocking(move || {
            let from = arriving.reopen().map_err(|error| cannot_keep(&error))?;
            let recording = mvcc::Recording::import(from, &path, limits::IMPORT_BYTES as u64).map_err(unfit)?;
            let described = Shelf::describe(&id, &recording);
            // One whose parts cannot be read is of no use.
            if let Err(error) = described.as_ref().map_err(Clone::clone).and_then(|_| readable(&recording)) {
                let _ = std::fs::remove_file(&path);
                return Err(error);
            }
            described
        });
        taken.await
    }

    /// Ends all that are being made.
    pub async fn close(&self) {
        for (_, making) in self.0.under_way.lock().await.drain() {
            if let Err(problem) = making.end().await {
                tracing::warn!(detail = problem.detail, "a recording did not end in order");
            }
        }
    }

    /// What is being made, with its name.
    async fn making(&self) -> HashMap<String, bool> {
        self.0.under_way.lock().await.iter().map(|(id, one)| (id.clone(), !one.has_ended())).collect()
    }

    /// Reads one where waiting for a disk holds up nobody.
    async fn with<T: Send + 'static>(
        &self,
        id: &str,
        read: impl FnOnce(String, &mvcc::Recording) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (folder, id) = (self.0.shelf.clone(), id.to_owned());
        blocking(move || {
            let recording = mvcc::Recording::open(&folder.path(&id)?)?;
            read(id, &recording)
        })
        .await
    }
}

fn moment(id: &str, recording: &mvcc::Recording, seq: u64) -> Result<LiveMoment, Problem> {
    let header = recording.summary()?.header;
    let watch = mvcc::Watch { table: header.table, row: header.row, ..mvcc::Watch::default() };
    Ok(LiveMoment::of(id, &watch, recording.moment_at(seq)?))
}

/// The moment with the viewer that begins there, and its verdicts.
fn seen(id: &str, recording: &mvcc::Recording, lsn: Lsn) -> Result<LiveMoment, Problem> {
    let mut moment = moment(id, recording, recording.seq_at_lsn(lsn)?)?;
    if let Some((_, viewer, verdicts)) = recording.seen_at(lsn)? {
        let verdicts = verdicts.into_iter().map(Item::Verdict);
        moment.items.extend(verdicts.chain([Item::Viewer(viewer)]).map(|item| item.known(Origin::Inferred).into()));
    }
    Ok(moment)
}

/// Both ends of it can be read.
fn readable(recording: &mvcc::Recording) -> Result<(), Problem> {
    let (first, last) = recording.range();
    recording.moment_at(first)?;
    recording.moment_at(last)?;
    Ok(())
}

/// A file without an end is one that is being made, or one that was torn.
fn mark(recording: &mut Recording, making: &HashMap<String, bool>) {
    recording.is_recording = making.get(&recording.id).copied().unwrap_or(false);
    if recording.is_recording {
        recording.ending = None;
    } else {
        recording.ending.get_or_insert(Ending::Torn);
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > limits::TITLE_CHARACTERS || name.chars().any(char::is_control) {
        let hint = format!("1 to {} characters, none of them control characters", limits::TITLE_CHARACTERS);
        return Err(Problem::new(Code::BadRequest, "that is no name for a recording").hint(hint));
    }
    Ok(())
}

fn cannot_keep(error: &std::io::Error) -> Problem {
    Problem::internal("keep the recording", error)
}

/// Whatever is wrong with a file that was sent is its sender's mistake.
fn unfit(error: mvcc::MvccError) -> Problem {
    let is_of_file = matches!(error, mvcc::MvccError::File { .. });
    let problem = Problem::from(error);
    if is_of_file { Problem::new(Code::BadRequest, problem.detail).hinted(problem.hint) } else { problem }
}

fn broken_off() -> Problem {
    Problem::new(Code::BadRequest, "the recording did not arrive whole")
}

fn download(body: impl IntoResponse, media_type: &'static str, name: &str) -> Response {
    let mut answer = body.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    answer
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Problem::internal("read the recordings", &error)),
    }
}
