//! One connection through the proxy: two pipes between a client and the server, and how they end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};

use super::line::Line;
use super::timer::Timer;
use super::wire::RequestTracker;
use super::{Behaviour, ConnectionId, Flow, Shared, Upstream};

/// How long the server may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long the server may take to finish the request of a client that was disconnected after sending it.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);

/// Bytes read at a time.
const READ_SIZE: usize = 16 << 10;

/// What both pipes of a connection know.
struct Connection {
    shared: Arc<Shared>,
    id: ConnectionId,
    /// Set before the request is passed on after which the client is to be disconnected: from then on no answer passes.
    mute: AtomicBool,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// How a pipe ended.
enum Ending {
    /// The reading side closed, and everything it had sent was passed on.
    Closed,
    /// A side is gone, or a fault says so: both sides are to notice at once.
    Reset,
    /// The request after which the client is to be disconnected has reached the server.
    Sent(oneshot::Sender<ConnectionId>),
}

/// Serves one connection until it ends.
pub(super) async fn run(
    client: TcpStream,
    shared: Arc<Shared>,
    id: ConnectionId,
    behaviour: watch::Receiver<Behaviour>,
) {
    let connection = Connection { shared: Arc::clone(&shared), id, mute: AtomicBool::new(false) };
    match tokio::time::timeout(CONNECT_LIMIT, open(client, &connection, behaviour)).await {
        Ok(Opened::Unix(client, server, behaviour)) => {
            let (read, write) = server.into_split();
            relay(client, read, write, &connection, behaviour).await;
        }
        Ok(Opened::Tcp(client, server, behaviour)) => {
            let (read, write) = server.into_split();
            relay(client, read, write, &connection, behaviour).await;
        }
        Ok(Opened::Refused) | Err(_) => {}
    }
    shared.leave(id);
}

/// Closes with RST instead of FIN, as a host does that knows nothing of the connection.
pub(super) fn reset(stream: TcpStream) {
    // If the option cannot be set, the stream is closed in the ordinary way: the other side still notices.
    let _ = stream.set_zero_linger();
    drop(stream);
}

enum Opened {
    Unix(TcpStream, UnixStream, watch::Receiver<Behaviour>),
    Tcp(TcpStream, TcpStream, watch::Receiver<Behaviour>),
    Refused,
}

/// Connects to the server. A client whose server is not there is reset.
async fn open(client: TcpStream, connection: &Connection, behaviour: watch::Receiver<Behaviour>) -> Opened {
    if behaviour.borrow().flow == Flow::Cut {
        reset(client);
        return Opened::Refused;
    }
    let opened = match &connection.shared.upstream {
        Upstream::Unix(path) => UnixStream::connect(path).await.map(Ok),
        Upstream::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(Err),
    };
    // Without this the kernel holds small messages back until earlier ones are acknowledged (Nagle).
    let no_delay = |stream: &TcpStream| stream.set_nodelay(true);
    match opened.and_then(|server| no_delay(&client).map(|()| server)) {
        Ok(Ok(server)) => Opened::Unix(client, server, behaviour),
        Ok(Err(server)) if no_delay(&server).is_ok() => Opened::Tcp(client, server, behaviour),
        Ok(Err(_)) | Err(_) => {
            reset(client);
            Opened::Refused
        }
    }
}

async fn relay<R, W>(
    mut client: TcpStream,
    mut server_read: R,
    mut server_write: W,
    connection: &Connection,
    behaviour: watch::Receiver<Behaviour>,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let ending = {
        let (client_read, client_write) = client.split();
        let to_server = Pipe::new(Direction::ToServer, client_read, &mut server_write, behaviour.clone());
        let to_client = Pipe::new(Direction::ToClient, &mut server_read, client_write, behaviour);
        let mut to_server = std::pin::pin!(to_server.run(connection));
        let mut to_client = std::pin::pin!(to_client.run(connection));
        tokio::select! {
            // Once the server has closed, there is nobody to send to.
            ending = &mut to_client => ending,
            ending = &mut to_server => match ending {
                // A client may close its sending side and still read.
                Ending::Closed => to_client.await,
                ending => ending,
            }
        }
    };
    match ending {
        Ending::Closed => {}
        Ending::Reset => reset(client),
        Ending::Sent(waiting) => {
            drop(client);
            // Nobody waits any more when the strike was called off in this very moment; then it just happened.
            let _ = waiting.send(connection.id);
            drain(server_read, server_write).await;
        }
    }
}

/// Lets the server finish what it has been sent, as it would if the client's host had died.
async fn drain(mut read: impl AsyncRead + Unpin, mut write: impl AsyncWrite + Unpin) {
    let drained = async {
        write.shutdown().await?;
        let mut buffer = vec![0; READ_SIZE];
        while read.read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    match tokio::time::timeout(DRAIN_LIMIT, drained).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the server went away from a disconnected client"),
        Err(_) => tracing::debug!("the server did not finish the request of a disconnected client in time"),
    }
}

/// One direction of a connection.
struct Pipe<R, W> {
    direction: Direction,
    reader: R,
    writer: W,
    behaviour: watch::Receiver<Behaviour>,
    line: Line,
    timer: Option<Timer>,
    tracker: RequestTracker,
    /// Whether the reading side may still send.
    open: bool,
    /// Whether bytes were lost, so that the stream cannot go on.
    lossy: bool,
    /// Who waits for the request in the line to reach the server.
    waiting: Option<oneshot::Sender<ConnectionId>>,
}

/// What a pipe does next.
enum Step {
    Changed,
    Read(io::Result<usize>),
    Due,
    Written(io::Result<usize>),
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pipe<R, W> {
    fn new(direction: Direction, reader: R, writer: W, behaviour: watch::Receiver<Behaviour>) -> Self {
        Self {
            direction,
            reader,
            writer,
            behaviour,
            line: Line::default(),
            timer: None,
            tracker: RequestTracker::new(),
            open: true,
            lossy: false,
            waiting: None,
        }
    }

    async fn run(mut self, connection: &Connection) -> Ending {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let behaviour = *self.behaviour.borrow_and_update();
            match behaviour.flow {
                Flow::Cut => return Ending::Reset,
                Flow::Pass if self.lossy => return Ending::Reset,
                Flow::Drop => self.lossy |= self.line.lose(),
                Flow::Pass | Flow::HalfOpen => {}
            }
            if self.is_mute(connection) {
                self.line.lose();
            }
            if self.line.is_empty() && behaviour.flow == Flow::Pass {
                if let Some(waiting) = self.waiting.take() {
                    return Ending::Sent(waiting);
                }
                if !self.open {
                    // An error means that the other side is gone already.
                    let _ = self.writer.shutdown().await;
                    return Ending::Closed;
                }
            }
            match self.step(behaviour, &mut buffer).await {
                Step::Changed | Step::Due => {}
                Step::Read(Ok(length)) => {
                    if self.take(&buffer[..length], connection).await.is_err() {
                        return Ending::Reset;
                    }
                }
                Step::Written(Ok(length)) if length > 0 => self.advance(length, connection),
                Step::Read(Err(_)) | Step::Written(_) => return Ending::Reset,
            }
        }
    }

    /// Waits for whatever comes first. Everything here may be given up half-way without losing a byte.
    async fn step(&mut self, behaviour: Behaviour, buffer: &mut [u8]) -> Step {
        let silent = behaviour.flow == Flow::HalfOpen;
        let due = self.line.due().filter(|_| !silent);
        let is_due = due.is_some_and(|due| due <= Instant::now());
        tokio::select! {
            // A change is looked at first, so that nothing sent after it slips through.
            biased;
            changed = self.behaviour.changed() => {
                assert!(changed.is_ok(), "a connection is forgotten only when it has ended");
                Step::Changed
            }
            written = self.writer.write(self.line.first()), if is_due => Step::Written(written),
            read = self.reader.read(buffer), if self.open && !silent && !self.line.is_full() => Step::Read(read),
            () = wait(&mut self.timer, due), if due.is_some() && !is_due => Step::Due,
        }
    }

    /// Passes on what was read: at once when nothing stands in the way, else by the line.
    async fn take(&mut self, bytes: &[u8], connection: &Connection) -> io::Result<()> {
        if bytes.is_empty() {
            self.open = false;
            return Ok(());
        }
        // It may have changed just before the bytes were read.
        let behaviour = *self.behaviour.borrow();
        if behaviour.flow == Flow::Drop {
            self.lossy = true;
            return Ok(());
        }
        if self.is_mute(connection) {
            return Ok(());
        }
        let delay = match self.direction {
            Direction::ToServer => behaviour.delay_to_server,
            Direction::ToClient => behaviour.delay_to_client,
        };
        if self.direction == Direction::ToServer && self.tracker.follow(bytes) && self.waiting.is_none() {
            self.waiting = connection.shared.claim_disconnect();
            if self.waiting.is_some() {
                connection.mute.store(true, Ordering::Relaxed);
            }
        }
        let mut rest = bytes;
        if delay.is_zero() && self.line.is_empty() && behaviour.flow == Flow::Pass {
            rest = &bytes[write_now(&mut self.writer, bytes).await?..];
        }
        if !rest.is_empty() {
            self.line.push(rest, Instant::now(), delay);
        }
        Ok(())
    }

    fn advance(&mut self, written: usize, connection: &Connection) {
        if let Some(achieved) = self.line.advance(written) {
            let delays = &mut connection.shared.state().delays;
            match self.direction {
                Direction::ToServer => delays.0.record(achieved),
                Direction::ToClient => delays.1.record(achieved),
            }
        }
    }

    /// Whether the client is to see nothing any more.
    fn is_mute(&self, connection: &Connection) -> bool {
        self.direction == Direction::ToClient && connection.mute.load(Ordering::Relaxed)
    }
}

/// Waits on a timer that is made when it is first needed.
async fn wait(timer: &mut Option<Timer>, due: Option<Instant>) {
    if let Some(due) = due {
        timer.get_or_insert_with(Timer::new).until(due).await;
    }
}

/// Writes what can be written without waiting; the number of bytes.
async fn write_now(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|context| match Pin::new(&mut *writer).poll_write(context, bytes) {
        Poll::Ready(written) => Poll::Ready(written),
        Poll::Pending => Poll::Ready(Ok(0)),
    })
    .await
}
