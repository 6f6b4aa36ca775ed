//! A workbench that is open, and clients that speak to it byte by byte or as a page does.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pgstrata_pg::{AttachPolicy, Cluster, Endpoint, Session, testing};
use pgstrata_server::live::Sources;
use pgstrata_server::{Access, Bounds, Ground, Setting, Token, Workbench, serve_within};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes; it ends a test that would wait for ever.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A token for tests.
pub(crate) const TOKEN: &str = "0123456789abcdef-token";

/// A workbench that is open.
pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    pub(crate) server: Option<Cluster>,
    pub(crate) kept: tempfile::TempDir,
    pub(crate) workbench: Workbench,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// How a workbench is to be opened.
#[derive(Default)]
pub(crate) struct Door {
    pub(crate) bounds: Bounds,
    pub(crate) token: Option<&'static str>,
    pub(crate) is_read_only: bool,
    /// Somebody else's server that may be changed.
    pub(crate) is_attached: bool,
    /// What its administrator has set for all sessions.
    pub(crate) setting: Option<(&'static str, &'static str)>,
    pub(crate) sources: Option<Box<dyn Sources>>,
    /// Without a server: the address is one where nobody listens.
    pub(crate) is_without_server: bool,
    /// What an earlier workbench kept.
    pub(crate) kept: Option<tempfile::TempDir>,
}

impl Open {
    /// On a private server, as `pgstrata serve` opens it.
    pub(crate) async fn usual() -> Self {
        Self::through(Door::default()).await
    }

    /// Without a server: what is asked for never gets so far.
    pub(crate) async fn without_server() -> Self {
        Self::through(Door { is_without_server: true, ..Door::default() }).await
    }

    pub(crate) async fn through(door: Door) -> Self {
        let server = if door.is_without_server { None } else { Some(testing::server().await.expect("a server")) };
        let endpoint = match &server {
            Some(server) => server.endpoint(),
            None => Endpoint::parse("postgresql://nobody:secret@127.0.0.1:1/nothing").expect("a good URL"),
        };
        let endpoint = door.setting.map_or(endpoint.clone(), |(name, value)| endpoint.with_setting(name, value));
        let ground = if door.is_read_only || door.is_attached {
            let policy = if door.is_attached { AttachPolicy::AllowWrite } else { AttachPolicy::ReadOnly };
            Ground::attached(endpoint, policy).await.expect("the server answers")
        } else {
            Ground::private(&endpoint)
        };
        let kept = match door.kept {
            Some(kept) => kept,
            None => tempfile::tempdir().expect("a directory"),
        };
        // The user that runs the history's server passes through it.
        std::fs::set_permissions(kept.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let setting = Setting {
            ground,
            install: pgstrata_pg::find(None, None).ok(),
            published: PathBuf::from("../../record"),
            kept: kept.path().to_owned(),
            history: None,
        };
        let workbench = match door.sources {
            Some(sources) => Workbench::with_sources(setting, sources),
            None => Workbench::new(setting),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let token = door.token.map(|token| Token::of_user(token).expect("long enough"));
        let access = Access::new(address, token, Vec::new());
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (workbench, stop) = (workbench.clone(), stop.clone());
            async move { serve_within(door.bounds, listener, workbench, access, &stop).await }
        });
        Self { address, server, kept, workbench, stop, task }
    }

    /// A session on the server that is looked at.
    pub(crate) async fn session(&self) -> Session {
        let server = self.server.as_ref().expect("there is a server");
        server.endpoint().connect().await.expect("a session")
    }

    /// Closes it in order; everything that it made is gone then, but for what it keeps.
    pub(crate) async fn close(self) -> tempfile::TempDir {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").expect("without a panic");
        self.kept
    }

    /// Sends these bytes, and returns all that comes back until the other side hangs up.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        // The other side may hang up before it has read all of it.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        let _ = read.expect("it hangs up");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// One request with these further header lines.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
            head.extend(["Host: ", &self.address.to_string(), "\r\n"]);
        }
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Answer::of(&self.raw(&bytes).await)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &["Content-Type: application/json"], body.to_string().as_bytes()).await
    }

    /// A viewer, as our own page opens it.
    pub(crate) async fn viewer(&self) -> Viewer {
        let origin = format!("http://{}", self.address);
        self.viewer_of(&origin, None).await.expect("the WebSocket is open")
    }

    /// A viewer from a page of this origin.
    pub(crate) async fn viewer_of(&self, origin: &str, cookie: Option<&str>) -> Result<Viewer, u16> {
        self.socket_of("/api/live", origin, cookie).await
    }

    /// A WebSocket at this path from a page of this origin.
    pub(crate) async fn socket_of(&self, path: &str, origin: &str, cookie: Option<&str>) -> Result<Viewer, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().expect("a request");
        request.headers_mut().insert("origin", origin.parse().expect("a header"));
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse().expect("a header"));
        }
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Viewer { socket }),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("the WebSocket was not answered: {error}"),
        }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A WebSocket to the workbench.
pub(crate) struct Viewer {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Viewer {
    pub(crate) async fn send(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    /// The next message; none when the other side has closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("something comes");
            match message {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    }

    /// Reads until a message of this type; what comes before is passed over.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.expect("not closed yet");
            if message["type"] == kind {
                return message;
            }
        }
    }
}
