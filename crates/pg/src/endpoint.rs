//! Where a server is and how to log in: everything needed to open a session, and nothing that is open.
//!
//! An [`Endpoint`] is parsed from a URL or derived from another one. Whatever it prints is free of passwords and can be
//! parsed again. There is no TLS in this build: an address that demands it is refused with [`Kind::NoTls`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use crate::error::{Error, Kind};
use crate::session::Session;
use crate::url;
use crate::wire::UnixWire;

/// How long one attempt to open a session may take, name look-up and log-in included, unless the URL says otherwise.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// After this long without traffic the kernel asks whether the server is still there (TCP only).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// How long it waits between such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// After so many without an answer the connection is lost.
const KEEPALIVE_RETRIES: u32 = 3;
/// Bytes sent and not acknowledged by the other machine for this long mean that the connection is lost (TCP only). A
/// stopped server process does not count: its kernel goes on acknowledging.
const TCP_USER_TIMEOUT: Duration = Duration::from_mins(1);

/// The shortest and longest pause between two attempts of [`Endpoint::connect_retry`].
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// What tokio-postgres takes for the idle time when the URL names none; told apart from a wish by being this value.
const LIBRARY_KEEPALIVE_IDLE: Duration = Duration::from_hours(2);

/// The address of one server (or several to try in order), the database and the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    config: Config,
}

impl Endpoint {
    /// Parses `postgresql://user:password@host:port/database?options` or `host=… user=…`, as libpq does.
    ///
    /// Without a host it means the usual Unix socket directory, as for `psql`. Errors are [`Kind::BadUrl`], and
    /// [`Kind::NoTls`] for an `sslmode` that demands encryption; neither repeats the password.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let mut config = url::parse(url)?;
        set_bounds(&mut config);
        Ok(Self { config })
    }

    /// A server on this machine behind the Unix socket `.s.PGSQL.<port>` in a directory; database `postgres`.
    #[must_use]
    pub fn unix(directory: &Path, port: u16, user: &str) -> Self {
        let mut config = Config::new();
        config.host_path(directory).port(port).user(user).dbname("postgres");
        set_bounds(&mut config);
        Self { config }
    }

    /// A server at a host name or address and a TCP port; database `postgres`.
    #[must_use]
    pub fn tcp(host: &str, port: u16, user: &str) -> Self {
        let mut config = Config::new();
        config.host(host).port(port).user(user).dbname("postgres");
        set_bounds(&mut config);
        Self { config }
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        self.changed(|config| config.dbname(name))
    }

    /// The same server and database, another user.
    #[must_use]
    pub fn with_user(&self, name: &str) -> Self {
        self.changed(|config| config.user(name))
    }

    /// The same with a password, which no output ever shows.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        self.changed(|config| config.password(password))
    }

    /// The password, for a process of ours that connects in our place; it must never be shown or written down.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.config.get_password().and_then(|password| std::str::from_utf8(password).ok())
    }

    /// The same under a name that `pg_stat_activity` shows.
    #[must_use]
    pub fn with_application_name(&self, name: &str) -> Self {
        self.changed(|config| config.application_name(name))
    }

    /// The same with further server command-line options (`-c name=value …`); later ones win.
    #[must_use]
    pub fn with_options(&self, options: &str) -> Self {
        let options = match self.config.get_options() {
            Some(present) if !present.is_empty() => format!("{present} {options}"),
            _ => options.to_owned(),
        };
        self.changed(|config| config.options(options))
    }

    /// The same with one server setting for the session, whatever characters its value holds.
    #[must_use]
    pub fn with_setting(&self, name: &str, value: &str) -> Self {
        // The server splits options at white space and takes a backslash as "the next character as it is":
        // pg_split_opts in src/backend/utils/init/postinit.c.
        let mut option = format!("-c {name}=");
        for character in value.chars() {
            if character == '\\' || character.is_ascii_whitespace() {
                option.push('\\');
            }
            option.push(character);
        }
        self.with_options(&option)
    }

    /// The same database and credentials by way of another address, such as a proxy.
    #[must_use]
    pub fn with_tcp(&self, host: &str, port: u16) -> Self {
        let mut config = self.config_without_address();
        config.host(host).port(port);
        Self { config }
    }

    /// The same database and credentials by way of a Unix socket.
    #[must_use]
    pub fn with_unix_socket(&self, directory: &Path, port: u16) -> Self {
        let mut config = self.config_without_address();
        config.host_path(directory).port(port);
        Self { config }
    }

    /// The same with another limit for one attempt to connect.
    #[must_use]
    pub fn with_connect_limit(&self, limit: Duration) -> Self {
        self.changed(|config| config.connect_timeout(limit))
    }

    /// The database, when one is named (the server takes the user's name otherwise).
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.config.get_dbname()
    }

    /// The user, when one is named (the operating system's user otherwise).
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// The first TCP host and port, or `None` when the first address is a Unix socket.
    #[must_use]
    pub fn tcp_address(&self) -> Option<(String, u16)> {
        let port = self.port(0);
        if let Some(address) = self.config.get_hostaddrs().first() {
            return Some((address.to_string(), port));
        }
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => Some((host.clone(), port)),
            _ => None,
        }
    }

    /// The socket file, when the first address is a Unix socket.
    #[must_use]
    pub fn socket_path(&self) -> Option<PathBuf> {
        match self.config.get_hosts().first() {
            Some(Host::Unix(directory)) if self.config.get_hostaddrs().is_empty() => {
                Some(directory.join(format!(".s.PGSQL.{}", self.port(0))))
            }
            _ => None,
        }
    }

    /// Opens a session; one attempt, bounded by [`CONNECT_LIMIT`] or the URL's `connect_timeout`.
    ///
    /// Needs a tokio runtime, on which the connection's task then runs. Every error is of class
    /// [`crate::ErrorClass::NotConnected`].
    pub async fn connect(&self) -> Result<Session, Error> {
        let limit = self.connect_limit();
        self.attempt(limit).await.map_err(|kind| Error::new(format!("connect to {self}"), kind))
    }

    /// Tries again until the server accepts a session, at most for `deadline`.
    ///
    /// A server that is not there yet, is starting, recovering or just going down is tried again; a wrong password, a
    /// missing database or a forbidden socket is an error at once. After the deadline the last refusal is returned.
    pub async fn connect_retry(&self, deadline: Duration) -> Result<Session, Error> {
        let began = Instant::now();
        loop {
            let left = deadline.saturating_sub(began.elapsed());
            let kind = match self.attempt(self.connect_limit().min(left.max(RETRY_PAUSE.0))).await {
                Ok(session) => return Ok(session),
                Err(kind) => kind,
            };
            // A sixteenth of the time waited so far: a server that starts in 20 ms is seen within 2 ms of that, one
            // that recovers for a minute is asked ten times a second.
            let pause = (began.elapsed() / 16).clamp(RETRY_PAUSE.0, RETRY_PAUSE.1);
            if !may_accept_later(&kind) || began.elapsed() + pause >= deadline {
                let waited = began.elapsed().as_millis();
                return Err(Error::new(format!("connect to {self} (tried for {waited} ms)"), kind));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, limit: Duration) -> Result<Session, Kind> {
        match tokio::time::timeout(limit, self.open()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Kind::ConnectTimeout { limit_ms: limit.as_millis() }),
        }
    }

    async fn open(&self) -> Result<Session, Kind> {
        let Some(path) = self.only_socket() else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(Kind::Connect)?;
            return Ok(Session::spawn(client, connection, None));
        };
        let wire = UnixWire::connect(&path).await.map_err(Kind::Socket)?;
        let (client, connection) = self.config.connect_raw(wire, NoTls).await.map_err(Kind::Connect)?;
        Ok(Session::spawn(client, connection, Some(path)))
    }

    /// The socket file, when there is no choice between servers to be made, which the library does otherwise.
    fn only_socket(&self) -> Option<PathBuf> {
        let is_only =
            self.config.get_hosts().len() == 1 && self.config.get_target_session_attrs() == TargetSessionAttrs::Any;
        self.socket_path().filter(|_| is_only)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn connect_limit(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT_LIMIT)
    }

    fn port(&self, index: usize) -> u16 {
        let ports = self.config.get_ports();
        ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432)
    }

    fn changed(&self, change: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        Self { config }
    }

    /// Hosts and ports can only be added to a `Config`, so replacing them means copying everything else.
    fn config_without_address(&self) -> Config {
        let from = &self.config;
        let mut to = Config::new();
        if let Some(user) = from.get_user() {
            to.user(user);
        }
        if let Some(password) = from.get_password() {
            to.password(password);
        }
        if let Some(name) = from.get_dbname() {
            to.dbname(name);
        }
        if let Some(options) = from.get_options() {
            to.options(options);
        }
        if let Some(name) = from.get_application_name() {
            to.application_name(name);
        }
        if let Some(limit) = from.get_connect_timeout() {
            to.connect_timeout(*limit);
        }
        if let Some(limit) = from.get_tcp_user_timeout() {
            to.tcp_user_timeout(*limit);
        }
        if let Some(interval) = from.get_keepalives_interval() {
            to.keepalives_interval(interval);
        }
        if let Some(retries) = from.get_keepalives_retries() {
            to.keepalives_retries(retries);
        }
        to.ssl_mode(from.get_ssl_mode())
            .ssl_negotiation(from.get_ssl_negotiation())
            .keepalives(from.get_keepalives())
            .keepalives_idle(from.get_keepalives_idle())
            .target_session_attrs(from.get_target_session_attrs())
            .channel_binding(from.get_channel_binding())
            .load_balance_hosts(from.get_load_balance_hosts());
        to
    }
}

/// A URL without the password, which `psql` and [`Endpoint::parse`] take.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgresql://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{}@", url::percent_encode(user))?;
        }
        let named = self.config.get_hosts();
        let addresses = self.config.get_hostaddrs();
        for index in 0..named.len().max(addresses.len()) {
            if index > 0 {
                write!(f, ",")?;
            }
            let host = match (addresses.get(index), named.get(index)) {
                (Some(address), _) => address.to_string(),
                (None, Some(Host::Tcp(host))) => host.clone(),
                (None, Some(Host::Unix(directory))) => directory.display().to_string(),
                (None, None) => String::new(),
            };
            if host.contains(':') && !host.starts_with('/') {
                write!(f, "[{host}]:{}", self.port(index))?;
            } else {
                write!(f, "{}:{}", url::percent_encode(&host), self.port(index))?;
            }
        }
        if let Some(database) = self.config.get_dbname() {
            write!(f, "/{}", url::percent_encode(database))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl std::str::FromStr for Endpoint {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        Self::parse(url)
    }
}

/// Bounds what the URL leaves unbounded: silence on a TCP connection.
fn set_bounds(config: &mut Config) {
    if config.get_keepalives_idle() == LIBRARY_KEEPALIVE_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TCP_USER_TIMEOUT);
    }
}

/// Whether the same attempt may succeed later without anybody changing anything.
fn may_accept_later(kind: &Kind) -> bool {
    let source = match kind {
        Kind::ConnectTimeout { .. } => return true,
        Kind::Socket(cause) => return is_passing(cause),
        Kind::Connect(source) => source,
        _ => return false,
    };
    if let Some(state) = source.code() {
        // Starting, recovering or shutting down (57P03); terminated during log-in (57P01, 57P02).
        return [SqlState::CANNOT_CONNECT_NOW, SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].contains(state);
    }
    match io_cause(source) {
        Some(cause) => is_passing(cause),
        // Hung up during log-in: the server went down between accepting and answering.
        None => source.is_closed(),
    }
}

/// Whether the operating system refused for a reason that goes away when the server is up.
fn is_passing(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotFound
            | io::ErrorKind::TimedOut
            // A Unix socket whose queue of waiting clients is full.
            | io::ErrorKind::WouldBlock
    )
}

/// The operating system's error behind a client error, if there is one.
pub(crate) fn io_cause(error: &tokio_postgres::Error) -> Option<&io::Error> {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(url: &str) -> Endpoint {
        Endpoint::parse(url).expect("a good URL")
    }

    #[test]
    fn another_address_keeps_everything_but_the_address() {
        let everything = "user=u password=p dbname=d options='-c a=b' application_name=n sslmode=disable host=h hostaddr=10.0.0.1 \
                          port=1 connect_timeout=7 tcp_user_timeout=8 keepalives=0 keepalives_idle=9 keepalives_interval=10 \
                          keepalives_retries=11 target_session_attrs=read-write channel_binding=disable load_balance_hosts=random";
        let endpoint = parsed(everything);
        let there_and_back = endpoint.with_tcp("proxy", 2);
        assert_eq!(there_and_back.tcp_address(), Some(("proxy".to_owned(), 2)));
        let by_hand = parsed(&everything.replace("host=h hostaddr=10.0.0.1 port=1", "host=proxy port=2"));
        assert_eq!(there_and_back, by_hand);
        let socket = endpoint.with_unix_socket(Path::new("/tmp/s"), 3).socket_path();
        assert_eq!(socket, Some(PathBuf::from("/tmp/s/.s.PGSQL.3")));
    }

    #[test]
    fn silence_on_tcp_is_bounded_unless_the_url_says_how() {
        let config = parsed("postgresql://host/db").config;
        assert_eq!(config.get_keepalives_idle(), KEEPALIVE_IDLE);
        assert_eq!(config.get_tcp_user_timeout(), Some(&TCP_USER_TIMEOUT));
        let config = parsed("postgresql://host/db?keepalives_idle=99&tcp_user_timeout=98&connect_timeout=97").config;
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(99));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(98)));
        assert_eq!(Endpoint { config }.connect_limit(), Duration::from_secs(97));
    }

    proptest! {
        #[test]
        fn what_is_shown_names_the_same_server_user_and_database(
            host in "[a-z][a-z0-9.-]{0,20}|/[a-z/ %@:?]{1,20}|::1",
            port: u16,
            user in "[^\0]{1,20}",
            database in "[^\0]{1,20}",
        ) {
            let host = if host.starts_with('/') { host.trim_end() } else { &host };
            let mut original = Endpoint::tcp(host, port, &user).with_database(&database);
            if host.starts_with('/') {
                original = original.with_unix_socket(Path::new(host), port);
            }
            // A user name with a slash is taken for a URL with a stray `@`.
            prop_assume!(!user.contains(['/', '?']));
            let again = parsed(&original.to_string());
            prop_assert_eq!(again, original);
        }
    }
}
