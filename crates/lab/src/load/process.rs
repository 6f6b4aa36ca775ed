//! The clients of a trial in a process of their own, so that they can be killed with `kill -9`.
//!
//! The parent believes only what it has read from the worker's pipe. When the worker is killed, operations that were
//! begun and not answered are unknown, and the next worker asks again under the same keys, as a client that comes
//! back would; those that are still open at the end are reported as unknown.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg::Endpoint;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::arrivals::Clock;
use super::journal::{Began, Frame, Journal, LONGEST, OUTPUT, SAW, SAW_HEAD_BYTES, saw_count};
use super::thread::ThreadLoad;
use super::worker_steps;
use super::{LoadOutput, LoadSpec};
use crate::faults::steps::{Steps, Then};
use crate::history::{Event, Outcome};
use crate::meter::Meter;
use crate::site::{Server, Site};
use crate::study::{Arm, Scale, Study, StudyError};

/// What the parent tells a worker, as one line of JSON on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    study: String,
    arm: String,
    scale: Scale,
    spec: LoadSpec,
    endpoints: Vec<Address>,
    /// Operations that an earlier worker may have had carried out.
    resume: Vec<u64>,
    /// What the trial's clock showed when the worker was started, nanoseconds.
    clock_ns: u64,
    /// How long clients may take to finish, milliseconds.
    drain_ms: u64,
}

/// Where to connect, with what is needed to get in; it goes through a pipe and is never shown.
#[derive(Clone, Serialize, Deserialize)]
struct Address {
    url: String,
    password: Option<String>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.url)
    }
}

/// The hidden command by which the program becomes a worker.
pub const WORKER_COMMAND: &str = "__load";

/// What may be asked of the supervisor of a worker.
enum Request {
    /// Kill the worker and start another; answers with the time of the kill and that of the new worker's readiness.
    Kill(oneshot::Sender<io::Result<(u64, u64)>>),
    /// End arrivals and drain.
    Finish,
}

/// A load whose clients live in another process.
#[derive(Debug)]
pub(super) struct ProcessLoad {
    pub(super) clock: Clock,
    requests: mpsc::Sender<Request>,
    ready: Option<oneshot::Receiver<()>>,
    supervisor: JoinHandle<Result<LoadOutput, StudyError>>,
}

impl ProcessLoad {
    pub(super) fn start(
        study: &Arc<dyn Study>,
        arm: &'static Arm,
        site: &Site,
        scale: Scale,
        spec: LoadSpec,
        drain: Duration,
    ) -> Self {
        let clock = Clock::start();
        let address = |server: &Server| Address {
            url: server.endpoint.to_string(),
            password: server.endpoint.password().map(str::to_owned),
        };
        let job = Job {
            study: study.card().name.to_owned(),
            arm: arm.name.to_owned(),
            scale,
            spec,
            endpoints: site.servers.iter().map(address).collect(),
            resume: Vec::new(),
            clock_ns: 0,
            drain_ms: u64::try_from(drain.as_millis()).unwrap_or(u64::MAX),
        };
        let (requests, inbox) = mpsc::channel(1);
        let (ready_sender, ready) = oneshot::channel();
        let steps = site.steps.clone();
        let supervisor = Supervisor {
            job,
            clock,
            steps,
            meter: site.meter.clone(),
            open: BTreeMap::new(),
            output: LoadOutput::default(),
            next: 0,
        };
        let supervisor = tokio::spawn(supervisor.run(inbox, ready_sender));
        Self { clock, requests, ready: Some(ready), supervisor }
    }

    /// Waits until every client is connected; says whether it came to that.
    pub(super) async fn is_ready(&mut self) -> bool {
        match self.ready.take() {
            Some(ready) => ready.await.is_ok(),
            None => true,
        }
    }

    /// Kills the worker with SIGKILL and starts another: the times of both on the trial's clock, nanoseconds.
    pub(super) async fn kill(&self) -> Result<(u64, u64), StudyError> {
        let (answer, told) = oneshot::channel();
        let failed = |source| StudyError::new("kill the client process", source);
        self.requests.send(Request::Kill(answer)).await.map_err(|_| failed(gone()))?;
        told.await.map_err(|_| failed(gone()))?.map_err(failed)
    }

    /// Kills the worker, and returns when it is gone.
    pub(super) async fn give_up(self) {
        let Self { requests, supervisor, .. } = self;
        // A supervisor whose requests have ended kills its worker.
        drop(requests);
        drop(supervisor.await);
    }

    pub(super) async fn finish(self) -> Result<LoadOutput, StudyError> {
        // A supervisor that has ended has its reason in its result.
        let _ = self.requests.send(Request::Finish).await;
        match self.supervisor.await {
            Ok(output) => output,
            Err(error) => Err(StudyError::new("join the supervisor of the client process", error)),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client process has ended")
}

/// Looks after one worker at a time.
struct Supervisor {
    job: Job,
    clock: Clock,
    /// What faults wait for; the worker is told, and stands still when it comes there.
    steps: Steps,
    meter: Meter,
    /// Operations begun and not answered.
    open: BTreeMap<u64, Began>,
    output: LoadOutput,
    /// The first number that no worker has used.
    next: u64,
}

/// A worker process and its pipes.
struct Worker {
    child: Child,
    orders: ChildStdin,
    /// What it says; a task of its own reads whole frames, so that waiting for one may be given up at any time.
    said: mpsc::Receiver<Said>,
}

/// What a worker says.
enum Said {
    Frame(Frame),
    /// The counts at its end.
    Output(Box<LoadOutput>),
}

/// How long a new client process may find no server.
const SUCCESSOR_LIMIT: Duration = Duration::from_mins(1);

/// The pause before the next attempt.
const SUCCESSOR_PAUSE: Duration = Duration::from_millis(100);

/// How many frames may wait for the supervisor.
const FRAMES_WAITING: usize = 4096;

impl Supervisor {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Request>,
        ready: oneshot::Sender<()>,
    ) -> Result<LoadOutput, StudyError> {
        let failed = |source: io::Error| StudyError::new("run the client process", source);
        let mut worker = self.start_worker().await.map_err(failed)?;
        // Nobody listening means that the trial was given up.
        let _ = ready.send(());
        // Where the worker stands, and what it is told to do then; gone with the worker.
        let mut standing: Option<oneshot::Receiver<Then>> = None;
        loop {
            tokio::select! {
                // Not before the worker was told what to do where it stands: it takes one thing at a time.
                () = self.steps.next_wish(), if standing.is_none() => worker_steps::send_awaited(&mut worker.orders, &self.steps).await,
                then = worker_steps::answer(&mut standing) => worker_steps::send_then(&mut worker.orders, then).await,
                said = worker.said.recv() => match said {
                    Some(Said::Frame(Frame::Reached(reached))) => {
                        standing = Some(worker_steps::stand(&self.steps, reached));
                    }
                    Some(Said::Frame(frame)) => self.note(frame),
                    Some(Said::Output(_)) | None => return Err(failed(gone())),
                },
                request = inbox.recv() => match request {
                    Some(Request::Kill(answer)) => {
                        standing = None;
                        let outcome = self.replace(&mut worker).await;
                        let _ = answer.send(outcome);
                    }
                    Some(Request::Finish) => break,
                    None => {
                        worker.child.kill().await.map_err(failed)?;
                        return Ok(self.output);
                    }
                },
            }
        }
        self.drain(worker).await.map_err(failed)
    }

    /// Starts a worker and waits until its clients are connected.
    async fn start_worker(&mut self) -> io::Result<Worker> {
        self.job.clock_ns = self.clock.now_ns();
        self.job.spec.first_operation = self.next;
        self.job.resume = self.open.keys().copied().collect();
        let mut child = Command::new(std::env::current_exe()?)
            .arg(WORKER_COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut orders), Some(pipe)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker without pipes"));
        };
        let mut line = serde_json::to_vec(&self.job)?;
        line.push(b'\n');
        orders.write_all(&line).await?;
        let (sender, mut said) = mpsc::channel(FRAMES_WAITING);
        tokio::spawn(read(BufReader::new(pipe), sender));
        match said.recv().await {
            Some(Said::Frame(Frame::Ready)) => {
                worker_steps::send_awaited(&mut orders, &self.steps).await;
                Ok(Worker { child, orders, said })
            }
            _ => Err(gone()),
        }
    }

    async fn replace(&mut self, worker: &mut Worker) -> io::Result<(u64, u64)> {
        worker.child.kill().await?;
        let killed_ns = self.clock.now_ns();
        // What it wrote before it died is in the pipe; a frame torn by the kill was not acted upon.
        while let Some(Said::Frame(frame)) = worker.said.recv().await {
            self.note(frame);
        }
        *worker = self.start_successor().await?;
        Ok((killed_ns, self.clock.now_ns()))
    }

    /// Starts a worker where another one was. A fault may have the server down at this moment, and then no client can
    /// connect: it is tried again.
    async fn start_successor(&mut self) -> io::Result<Worker> {
        let began = Instant::now();
        loop {
            match self.start_worker().await {
                Err(error) if began.elapsed() < SUCCESSOR_LIMIT => {
                    tracing::debug!(error = %error, "the next client process could not begin");
                    tokio::time::sleep(SUCCESSOR_PAUSE).await;
                }
                started => return started,
            }
        }
    }

    fn note(&mut self, frame: Frame) {
        match frame {
            Frame::Ready | Frame::Reached(_) => {}
            Frame::Began(began) => {
                self.next = self.next.max(began.operation + 1);
                self.open.entry(began.operation).or_insert(began);
            }
            Frame::Saw(observation) => self.output.observations.push(observation),
            Frame::Ended(event) => {
                // An operation that an earlier worker began is as old as its first beginning.
                let began = self.open.remove(&event.operation);
                let (intended_ns, sent_ns) =
                    began.map_or((event.intended_ns, event.sent_ns), |began| (began.intended_ns, began.sent_ns));
                let event = Event { intended_ns, sent_ns, ..event };
                self.meter.note(&event);
                self.output.events.push(event);
            }
        }
    }

    /// Lets the worker finish and takes what it has counted.
    async fn drain(mut self, mut worker: Worker) -> io::Result<LoadOutput> {
        // The end of its input is the order to finish.
        drop(worker.orders);
        while let Some(said) = worker.said.recv().await {
            match said {
                Said::Frame(frame) => self.note(frame),
                Said::Output(last) => {
                    let LoadOutput { events, observations, .. } = self.output;
                    self.output = LoadOutput { events, observations, ..*last };
                }
            }
        }
        worker.child.wait().await?;
        let now_ns = self.clock.now_ns();
        let unknown = |began: Began| Event {
            operation: began.operation,
            intended_ns: began.intended_ns,
            sent_ns: began.sent_ns,
            finished_ns: now_ns,
            value: 0,
            client: began.client,
            attempts: 1,
            outcome: Outcome::Unknown,
        };
        self.output.events.extend(self.open.into_values().map(unknown));
        Ok(self.output)
    }
}

/// Reads what a worker says until its end; a frame torn by a kill was not acted upon and is dropped.
async fn read(mut pipe: BufReader<ChildStdout>, sender: mpsc::Sender<Said>) {
    loop {
        let said = match read_next(&mut pipe).await {
            Ok(said) => said,
            Err(error) => {
                tracing::debug!(error = %error, "the client process says no more");
                return;
            }
        };
        if sender.send(said).await.is_err() {
            return;
        }
    }
}

async fn read_next(pipe: &mut BufReader<ChildStdout>) -> io::Result<Said> {
    let tag = pipe.read_u8().await?;
    if tag == OUTPUT {
        let mut json = Vec::new();
        pipe.read_to_end(&mut json).await?;
        return Ok(Said::Output(Box::new(serde_json::from_slice(&json)?)));
    }
    if tag == SAW {
        return read_seen(pipe).await.map(Said::Frame);
    }
    read_frame(pipe, tag).await.map(Said::Frame)
}

async fn read_frame(pipe: &mut BufReader<ChildStdout>, tag: u8) -> io::Result<Frame> {
    let mut bytes = [0; LONGEST];
    let length = Frame::length(tag).ok_or_else(|| io::Error::other("an unknown frame"))?;
    pipe.read_exact(&mut bytes[..length]).await?;
    Frame::decode(tag, &bytes[..length])
}

/// Reads the one kind of frame that says its own length.
async fn read_seen(pipe: &mut BufReader<ChildStdout>) -> io::Result<Frame> {
    let mut bytes = vec![0; SAW_HEAD_BYTES];
    pipe.read_exact(&mut bytes).await?;
    let (_, count) = bytes.split_last_chunk::<4>().ok_or_else(|| io::Error::other("a frame without its count"))?;
    let count = saw_count(*count)?;
    bytes.resize(SAW_HEAD_BYTES + 8 * count, 0);
    pipe.read_exact(&mut bytes[SAW_HEAD_BYTES..]).await?;
    Frame::decode(SAW, &bytes)
}

/// Is a worker: reads its job from standard input, runs the clients, and reports on standard output until the
/// parent closes the input.
///
/// # Errors
/// If the job cannot be read or the clients cannot be run.
pub async fn serve_worker(studies: &[Arc<dyn Study>]) -> Result<(), StudyError> {
    let failed = |source: io::Error| StudyError::new("serve as the client process", source);
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(failed)?;
    let job: Job = serde_json::from_str(&line).map_err(|error| failed(error.into()))?;
    let study = studies.iter().find(|study| study.card().name == job.study);
    let (Some(study), Some(arm)) = (study, study.and_then(|study| study.card().arm(&job.arm))) else {
        return Err(failed(io::Error::other("an unknown study or arm")));
    };
    let servers = job.endpoints.iter().map(server).collect::<Result<Vec<_>, _>>()?;
    let journal = Arc::new(Journal::new(io::stdout()));
    let clock = Clock::started_before(Instant::now(), job.clock_ns);
    let mut site = Site::of_servers(servers);
    site.steps = Steps::named(study.steps(arm));
    let steps = site.steps.clone();
    let mut load = ThreadLoad::start(
        Arc::clone(study),
        arm,
        site,
        job.scale,
        job.spec,
        clock,
        Some((Arc::clone(&journal), job.resume)),
    )?;
    if load.is_ready().await {
        // The parent closes our input to end the load; its death closes it too.
        worker_steps::obey(&steps, &journal).await;
    }
    let mut output = load.finish(Duration::from_millis(job.drain_ms)).await?;
    // They went through the journal one by one.
    output.events.clear();
    let json = serde_json::to_vec(&output).map_err(|error| failed(error.into()))?;
    let mut stdout = io::stdout();
    io::Write::write_all(&mut stdout, &[OUTPUT]).map_err(failed)?;
    io::Write::write_all(&mut stdout, &json).map_err(failed)?;
    io::Write::flush(&mut stdout).map_err(failed)
}

fn server(address: &Address) -> Result<Server, StudyError> {
    let mut endpoint = Endpoint::parse(&address.url)?;
    if let Some(password) = &address.password {
        endpoint = endpoint.with_password(password);
    }
    Ok(Server::plain(endpoint))
}
