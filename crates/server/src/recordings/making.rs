//! A recording that is being made: a patient reader of a log, and the file that it is written to.

use std::path::PathBuf;

use pgstrata_timeline::file::{FORMAT, Header};
use pgstrata_timeline::{Item, Moment};
use pgstrata_tools::mvcc::{Recorder, RecorderLimits};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::live::{Next, Reader};
use crate::problem::{Code, Problem};

/// How long the first look may take.
const FIRST_LOOK: std::time::Duration = std::time::Duration::from_secs(10);

/// A recording that is being made.
pub struct Making {
    stop: CancellationToken,
    task: JoinHandle<Result<(), Problem>>,
}

impl Making {
    /// Begins a recording at the log's present moment.
    pub async fn begin(
        path: PathBuf,
        name: String,
        database: String,
        reader: Reader,
        bytes: u64,
    ) -> Result<Self, Problem> {
        let mut reader = reader.patient();
        let first = tokio::time::timeout(FIRST_LOOK, reader.next()).await;
        let first = first.map_err(|_| Problem::new(Code::ServerAway, "the server did not answer in time"))??;
        let Next::Moment { moment, .. } = first else {
            return Err(Problem::new(Code::Internal, "a log begins with a moment"));
        };
        let header = header(&reader, &moment, name, database);
        let most = RecorderLimits { bytes, ..RecorderLimits::default() };
        let recorder = tokio::task::spawn_blocking(move || {
            let mut recorder = Recorder::create(&path, &header, moment, most)?;
            recorder.flush()?;
            Ok::<_, Problem>(recorder)
        });
        let recorder = recorder.await.map_err(|error| Problem::internal("begin the recording", &error))??;
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(reader, recorder, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Whether it ended by itself: it reached its greatest size or length, or could not be written.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it.
    pub async fn end(self) -> Result<(), Problem> {
        self.stop.cancel();
        self.task.await.map_err(|error| Problem::internal("end the recording", &error))?
    }
}

fn header(reader: &Reader, moment: &Moment, name: String, database: String) -> Header {
    let server = moment.items.values().find_map(|put| match &put.item {
        Item::Server(server) => Some(server.clone()),
        _ => None,
    });
    let (version, tiers) = server.map(|server| (server.version, server.tiers)).unwrap_or_default();
    let watch = reader.feed().watch();
    Header {
        format: FORMAT,
        program: format!("pgstrata {}", env!("CARGO_PKG_VERSION")),
        server: version,
        database,
        tiers,
        table: watch.table.clone(),
        row: watch.row.clone(),
        began_us: moment.at.map_or_else(crate::clock::now_us, |at| at.unix_us),
        title: Some(name),
    }
}

async fn keep(mut reader: Reader, mut recorder: Recorder, stop: CancellationToken) -> Result<(), Problem> {
    let mut flushes = tokio::time::interval(limits::RECORDING_FLUSH);
    flushes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = tokio::select! {
            next = reader.next() => next?,
            _ = flushes.tick() => {
                recorder = written(recorder, |recorder| recorder.flush().map_err(Problem::from))?;
                continue;
            }
            () = stop.cancelled() => break,
        };
        let Next::Changes(changes) = next else {
            // More changes than are kept came while the disk was busy; what is there is whole.
            tracing::warn!("a recording ended: the disk is too slow for what happens");
            break;
        };
        let mut has_ended = false;
        recorder = written(recorder, |recorder| {
            for change in changes {
                if recorder.append(&change)?.is_some() {
                    has_ended = true;
                    break;
                }
            }
            Ok(())
        })?;
        if has_ended {
            return Ok(());
        }
    }
    let finished = tokio::task::spawn_blocking(move || recorder.finish().map(drop).map_err(Problem::from));
    finished.await.map_err(|error| Problem::internal("end the recording", &error))?
}

/// Writes where waiting for a disk holds up nobody else's log: changes are small, and the file is only appended to.
fn written(
    mut recorder: Recorder,
    write: impl FnOnce(&mut Recorder) -> Result<(), Problem>,
) -> Result<Recorder, Problem> {
    let outcome = tokio::task::block_in_place(|| write(&mut recorder));
    outcome.map(|()| recorder)
}
