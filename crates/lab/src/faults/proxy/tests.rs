//! The proxy against a server of plain sockets: what passes, what does not, and how connections end.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};

use super::*;

/// More than enough for anything here on a busy machine; reached only when a test fails.
const LIMIT: Duration = Duration::from_secs(30);
/// Long enough to see that something does not come.
const SILENCE: Duration = Duration::from_millis(60);

/// A proxy in front of a Unix socket, and the listener behind it.
struct Bench {
    proxy: FaultProxy,
    listener: UnixListener,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).expect("a socket");
        let proxy = FaultProxy::start(Upstream::Unix(path)).expect("a proxy");
        Self { proxy, listener, _directory: directory }
    }

    /// A client and the server's end of its connection, after start-up.
    async fn connect(&self) -> (TcpStream, UnixStream) {
        let mut client = TcpStream::connect(self.proxy.address()).await.expect("the proxy listens");
        let (mut server, _) = within(self.listener.accept()).await.expect("the proxy connects");
        client.write_all(&STARTUP).await.expect("the start-up message can be sent");
        assert_eq!(receive(&mut server, STARTUP.len()).await, STARTUP);
        (client, server)
    }
}

/// A start-up message without parameters, protocol 3.0.
const STARTUP: [u8; 9] = [0, 0, 0, 9, 0, 3, 0, 0, 0];
/// A simple query without text.
const QUERY: [u8; 6] = [b'Q', 0, 0, 0, 5, 0];

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it happens within the limit")
}

async fn receive(stream: &mut (impl AsyncReadExt + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    within(stream.read_exact(&mut bytes)).await.expect("the bytes arrive");
    bytes
}

async fn assert_silent(stream: &mut (impl AsyncReadExt + Unpin)) {
    let read = tokio::time::timeout(SILENCE, stream.read(&mut [0; 16])).await;
    assert!(read.is_err(), "something arrived: {read:?}");
}

/// How the connection ended: `None` for an orderly end.
async fn end(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<ErrorKind> {
    match within(stream.read(&mut [0; 16])).await {
        Ok(0) => None,
        Ok(length) => panic!("{length} bytes arrived"),
        Err(error) => Some(error.kind()),
    }
}

/// The reset may come before the client has noticed that it was connected.
async fn assert_reset_on_arrival(proxy: &FaultProxy) {
    let ended = match TcpStream::connect(proxy.address()).await {
        Ok(mut client) => end(&mut client).await,
        Err(error) => Some(error.kind()),
    };
    assert_eq!(ended, Some(ErrorKind::ConnectionReset));
}

/// The proxy's own book-keeping follows the connections a little later.
async fn until_connections(proxy: &FaultProxy, number: usize) {
    within(async {
        while proxy.connections().len() != number {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn bytes_pass_both_ways_and_an_end_is_passed_on() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"ping").await.expect("sent");
    assert_eq!(receive(&mut server, 4).await, b"ping");
    server.write_all(b"pong").await.expect("sent");
    assert_eq!(receive(&mut client, 4).await, b"pong");
    client.shutdown().await.expect("half closed");
    assert_eq!(end(&mut server).await, None);
    server.write_all(b"last words").await.expect("sent");
    drop(server);
    assert_eq!(receive(&mut client, 10).await, b"last words");
    assert_eq!(end(&mut client).await, None);
    until_connections(&bench.proxy, 0).await;
}

#[tokio::test]
async fn a_megabyte_comes_through_whole_although_the_line_is_shorter() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    bench.proxy.change(|behaviour| behaviour.delay_to_client = Duration::from_micros(300));
    let sent: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    let expected = sent.clone();
    let sender = tokio::spawn(async move { server.write_all(&sent).await.map(|()| server) });
    assert!(receive(&mut client, expected.len()).await == expected, "bytes were changed, lost or reordered");
    within(sender).await.expect("no panic").expect("sent");
}

#[tokio::test]
async fn a_full_line_makes_the_sender_wait() {
    let bench = Bench::new();
    let (client, mut server) = bench.connect().await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::HalfOpen);
    let chunk = vec![0; 1 << 20];
    let mut sent = 0;
    // Only the sockets' own buffers take anything while the proxy reads nothing.
    while let Ok(written) = tokio::time::timeout(SILENCE, server.write(&chunk)).await {
        sent += written.expect("the connection stays open");
        assert!(sent < 64 << 20, "somebody buffers without bound");
    }
    drop(client);
}

#[tokio::test]
async fn the_delay_achieved_is_reported_and_never_less_than_asked() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    let (to_server, to_client) = (Duration::from_micros(700), Duration::from_millis(4));
    bench.proxy.change(|behaviour| {
        behaviour.delay_to_server = to_server;
        behaviour.delay_to_client = to_client;
    });
    for _ in 0..20 {
        let start = Instant::now();
        client.write_all(b"ping").await.expect("sent");
        assert_eq!(receive(&mut server, 4).await, b"ping");
        assert!(start.elapsed() >= to_server);
        server.write_all(b"pong").await.expect("sent");
        assert_eq!(receive(&mut client, 4).await, b"pong");
        assert!(start.elapsed() >= to_server + to_client);
    }
    // The last piece is entered in the book just after it was written.
    let mut achieved = bench.proxy.take_delays();
    within(async {
        while achieved.1.pieces < 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            achieved.1.pieces += bench.proxy.take_delays().1.pieces;
        }
    })
    .await;
    assert_eq!(achieved.0.pieces, 20);
    assert!(achieved.0.least >= to_server && achieved.1.least >= to_client, "{achieved:?}");
    // Without delay nothing is reported.
    bench.proxy.change(|behaviour| *behaviour = Behaviour::default());
    client.write_all(b"ping").await.expect("sent");
    assert_eq!(receive(&mut server, 4).await, b"ping");
    assert_eq!(bench.proxy.take_delays(), (DelayReading::default(), DelayReading::default()));
}

#[tokio::test]
async fn a_cut_resets_old_and_new_connections_and_ends() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::Cut);
    assert_eq!(end(&mut client).await, Some(ErrorKind::ConnectionReset));
    assert_eq!(end(&mut server).await, None);
    assert_reset_on_arrival(&bench.proxy).await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::Pass);
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"ping").await.expect("sent");
    assert_eq!(receive(&mut server, 4).await, b"ping");
}

#[tokio::test]
async fn one_connection_can_be_cut_alone() {
    let bench = Bench::new();
    let (mut first, _first_server) = bench.connect().await;
    let (mut second, mut second_server) = bench.connect().await;
    let ids = bench.proxy.connections();
    assert_eq!(ids, [ConnectionId(0), ConnectionId(1)]);
    assert!(bench.proxy.change_one(ids[0], |behaviour| behaviour.flow = Flow::Cut));
    assert_eq!(end(&mut first).await, Some(ErrorKind::ConnectionReset));
    second.write_all(b"ping").await.expect("sent");
    assert_eq!(receive(&mut second_server, 4).await, b"ping");
    until_connections(&bench.proxy, 1).await;
    assert!(!bench.proxy.change_one(ids[0], |behaviour| behaviour.flow = Flow::Pass));
}

#[tokio::test]
async fn half_open_is_silent_and_what_was_held_back_passes_afterwards() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::HalfOpen);
    client.write_all(b"ping").await.expect("sent");
    server.write_all(b"pong").await.expect("sent");
    assert_silent(&mut client).await;
    assert_silent(&mut server).await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::Pass);
    assert_eq!(receive(&mut server, 4).await, b"ping");
    assert_eq!(receive(&mut client, 4).await, b"pong");
}

#[tokio::test]
async fn dropped_bytes_never_arrive_and_only_their_connection_is_reset() {
    let bench = Bench::new();
    let (mut loser, mut loser_server) = bench.connect().await;
    let (mut idle, mut idle_server) = bench.connect().await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::Drop);
    loser.write_all(b"lost").await.expect("sent");
    assert_silent(&mut loser_server).await;
    assert_silent(&mut loser).await;
    bench.proxy.change(|behaviour| behaviour.flow = Flow::Pass);
    assert_eq!(end(&mut loser).await, Some(ErrorKind::ConnectionReset));
    assert_eq!(end(&mut loser_server).await, None);
    idle.write_all(b"ping").await.expect("sent");
    assert_eq!(receive(&mut idle_server, 4).await, b"ping");
}

#[tokio::test]
async fn a_disconnect_after_send_passes_the_request_and_not_a_byte_of_the_answer() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    let (mut bystander, mut bystander_server) = bench.connect().await;
    let struck = bench.proxy.disconnect_after_send();
    // Not a request: a Sync alone.
    client.write_all(&[b'S', 0, 0, 0, 4]).await.expect("sent");
    assert_eq!(receive(&mut server, 5).await[0], b'S');
    server.write_all(b"ready").await.expect("sent");
    assert_eq!(receive(&mut client, 5).await, b"ready");
    client.write_all(&QUERY).await.expect("sent");
    assert_eq!(receive(&mut server, QUERY.len()).await, QUERY);
    assert_eq!(within(struck).await, Ok(ConnectionId(0)));
    // The server can still answer, into the void, and sees an orderly end.
    server.write_all(b"answer").await.expect("the server's side stays open");
    assert_eq!(end(&mut server).await, None);
    assert_eq!(end(&mut client).await, None);
    // Once only.
    bystander.write_all(&QUERY).await.expect("sent");
    assert_eq!(receive(&mut bystander_server, QUERY.len()).await, QUERY);
    bystander_server.write_all(b"answer").await.expect("sent");
    assert_eq!(receive(&mut bystander, 6).await, b"answer");
}

#[tokio::test]
async fn a_disconnect_that_was_called_off_strikes_nobody() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.connect().await;
    drop(bench.proxy.disconnect_after_send());
    client.write_all(&QUERY).await.expect("sent");
    assert_eq!(receive(&mut server, QUERY.len()).await, QUERY);
    server.write_all(b"answer").await.expect("sent");
    assert_eq!(receive(&mut client, 6).await, b"answer");
}

#[tokio::test]
async fn without_a_server_clients_are_reset() {
    let proxy = FaultProxy::start(Upstream::Unix(Path::new("/nonexistent/socket").into())).expect("a proxy");
    assert_reset_on_arrival(&proxy).await;
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_thread_and_connections() {
    let bench = Bench::new();
    let address = bench.proxy.address();
    let (mut client, mut server) = bench.connect().await;
    drop(bench.proxy);
    assert_eq!(end(&mut client).await, None);
    assert_eq!(end(&mut server).await, None);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn it_also_leads_to_a_server_on_tcp() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let proxy = FaultProxy::start(Upstream::Tcp("localhost".to_owned(), port)).expect("a proxy");
    let mut client = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
    let (mut server, _) = within(listener.accept()).await.expect("the proxy connects");
    client.write_all(b"ping").await.expect("sent");
    assert_eq!(receive(&mut server, 4).await, b"ping");
}
