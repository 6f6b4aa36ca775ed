//! What to do about a connection that was refused.

use std::io;

/// What to do about a refused connection, by its cause.
pub(crate) fn hint(error: &tokio_postgres::Error) -> &'static str {
    if let Some(state) = error.code() {
        return hint_by_sqlstate(state.code());
    }
    match crate::endpoint::io_cause(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            "nothing listens there: check that the server runs, and its host (or socket directory) and port"
        }
        Some(io::ErrorKind::PermissionDenied) => "this user may not use that socket: check the directory's mode",
        Some(_) => "check host and port, and that the server runs",
        None => "check user name, password and the server's log",
    }
}

/// What to do about a log-in that was refused with this SQLSTATE.
pub(crate) fn hint_by_sqlstate(sqlstate: &str) -> &'static str {
    match sqlstate {
        "28P01" => "check the password",
        "28000" => "the server's pg_hba.conf does not admit this user from here, or only with TLS",
        "3D000" => "name a database that exists; `psql -l` lists them",
        "53300" => "close some sessions, use fewer clients, or raise max_connections",
        "57P03" => "the server is starting, recovering or shutting down: try again in a moment",
        _ => "the server's own message above says why",
    }
}
