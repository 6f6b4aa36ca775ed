//! A schema of our own on a server, in which the user's tables are made again, empty; nothing else there is touched.
//!
//! Its name is unique and begins with `pgstrata_proof_`. It is removed by [`Scratch::close`], else when it is dropped, else
//! (after the death of the process) by the next one that is made by the same role: while its owner lives, a session holds an
//! advisory lock that is named after it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgstrata_pg::{Endpoint, Error, Kind, Session, quote_identifier};

use super::bind::without_public;
use super::error::ProofError;
use super::scan::{self, Word, words};
use super::still::still;

/// How long a statement waits for a lock: longer than any witness needs, shorter than a user's patience.
const LOCK_LIMIT: &str = "20s";
/// How long a statement runs.
const STATEMENT_LIMIT: &str = "30s";
/// How long a transaction stays open when nobody says anything to it.
const IDLE_LIMIT: &str = "60s";
/// How soon a server looks for a deadlock, where the role may say so: proofs make many.
const DEADLOCK_LOOK: &str = "20ms";
/// How long removing the schema may take when the owner did not do it in order.
const REMOVAL_LIMIT: Duration = Duration::from_secs(5);
/// How much of a statement is shown in an error, characters.
const SHOWN_MAX: usize = 120;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The schema and the session that holds it.
pub(super) struct Scratch {
    name: String,
    /// As it was given, for a last session that removes the schema.
    server: Endpoint,
    endpoint: Endpoint,
    session: Session,
    schemas: Vec<String>,
    /// Whether rows note who wrote them and queries what they read.
    pub(super) is_noting: bool,
    is_removed: bool,
}

impl Scratch {
    /// Makes the schema; on another machine only when that is allowed.
    pub(super) async fn create(server: &Endpoint, allow_remote: bool) -> Result<Self, ProofError> {
        if !allow_remote && !is_local(server) {
            return Err(ProofError::Remote { server: server.to_string() });
        }
        let server = server.with_application_name("pgstrata proof");
        let session = server.connect().await?;
        sweep(&session).await?;
        let schemas = session.query(include_str!("sql/schemas.sql"), &[]).await.map_err(sql)?;
        let schemas = schemas.iter().map(|row| row.get(0)).collect();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pgstrata_proof_{}_{:x}_{number}", std::process::id(), since.subsec_nanos());
        session.execute(include_str!("sql/lock_name.sql"), &[&name]).await.map_err(sql)?;
        if let Err(error) = session.batch_execute(&creation_of(&name)).await {
            let (message, sqlstate) = words_of(&error);
            return Err(ProofError::Scratch { message, sqlstate });
        }
        let is_superuser = session.query_one("show is_superuser", &[]).await.map_err(sql)?.get::<_, String>(0) == "on";
        let mut endpoint = server
            .with_setting("search_path", &quote_identifier(&name))
            .with_setting("lock_timeout", LOCK_LIMIT)
            .with_setting("statement_timeout", STATEMENT_LIMIT)
            .with_setting("idle_in_transaction_session_timeout", IDLE_LIMIT)
            .with_setting("client_min_messages", "warning")
            // With index scans predicate locks are on what was read and not on whole tables.
            .with_setting("enable_seqscan", "off")
            // Where there is no index to scan, the price of the forbidden plan would make the server compile it.
            .with_setting("jit", "off");
        if is_superuser {
            endpoint = endpoint.with_setting("deadlock_timeout", DEADLOCK_LOOK);
        }
        Ok(Self { name, server, endpoint, session, schemas, is_noting: false, is_removed: false })
    }

    /// The schema's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The schema of the views through which queries read when notes are taken.
    pub(super) fn views(&self) -> String {
        views_of(&self.name)
    }

    /// For sessions that see the schema and nothing else, with limits on how long they wait.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The text with names that are not qualified and clocks that stand still; an error when it names another schema.
    pub(super) fn own(&self, text: &str) -> Result<String, ProofError> {
        let own = without_public(text, |name| self.schemas.iter().any(|schema| schema == name)).map_err(|schema| {
            let what = format!("a name in the schema {schema}");
            ProofError::Foreign { what, statement: shown(text) }
        })?;
        Ok(still(&own))
    }

    /// Empties the schema and makes the objects of a DDL in it.
    pub(super) async fn load(&mut self, ddl: &str) -> Result<(), ProofError> {
        self.is_noting = false;
        let empty = format!("{}; {}", removal_of(&self.name), creation_of(&self.name));
        self.session.batch_execute(&empty).await.map_err(sql)?;
        let session = self.endpoint.connect().await?;
        for statement in scan::statements(ddl) {
            match kind_of(&statement) {
                Of::Schema => {}
                Of::Nothing => continue,
                Of::Elsewhere(what) => return Err(ProofError::Foreign { what, statement: shown(&statement) }),
            }
            if let Err(error) = session.batch_execute(&self.own(&statement)?).await {
                let (message, sqlstate) = words_of(&error);
                return Err(ProofError::Refused { message, sqlstate, statement: shown(&statement) });
            }
        }
        self.own_numbers(&session).await?;
        session.close().await;
        Ok(())
    }

    /// Numbers of the sessions' own in the place of those that sequences give: see `still`.
    async fn own_numbers(&self, session: &Session) -> Result<(), Error> {
        let columns = session.query(include_str!("sql/sequence_columns.sql"), &[&self.name]).await.map_err(sql)?;
        if columns.is_empty() {
            return Ok(());
        }
        session.batch_execute(include_str!("sql/own_numbers.sql")).await.map_err(sql)?;
        for row in columns {
            let (table, column, is_identity): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
            let alter = format!("alter table {} alter column {}", quote_identifier(&table), quote_identifier(&column));
            let drop = if is_identity { format!("{alter} drop identity; ") } else { String::new() };
            let number =
                if row.get(3) { "(lpad(pgstrata_number()::text, 32, '0'))::uuid" } else { "pgstrata_number()" };
            let text = format!("{drop}{alter} set default {number}");
            session.batch_execute(&text).await.map_err(sql)?;
        }
        Ok(())
    }

    /// Removes the schema and says goodbye.
    pub(super) async fn close(mut self) -> Result<(), ProofError> {
        remove(&self.session, &self.name).await?;
        self.is_removed = true;
        Ok(())
    }
}

impl Drop for Scratch {
    /// The future that owned it was given up, or met an error: a last session removes the schema.
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        let removal = async move {
            let session = server.connect().await?;
            // Sessions of a proof that was given up may still be at work in it.
            session.batch_execute("set lock_timeout = '4s'").await?;
            remove(&session, &name).await
        };
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime
                .block_on(async { tokio::time::timeout(REMOVAL_LIMIT, removal).await.map_or(Ok(()), |done| done) })
                .map_err(std::io::Error::other)
        };
        // A thread of its own, as this may be a thread of a runtime, which must not block on another one.
        let thread = std::thread::Builder::new().name("proof removal".to_owned()).spawn(work);
        if let Ok(Ok(Err(error))) = thread.map(std::thread::JoinHandle::join) {
            tracing::warn!(error = %error, schema = self.name, "a scratch schema could not be removed; the next proof will");
        }
    }
}

async fn remove(session: &Session, name: &str) -> Result<(), Error> {
    session.batch_execute(&removal_of(name)).await.map_err(sql)
}

/// The schema of a scratch schema's views.
fn views_of(name: &str) -> String {
    format!("{name}_views")
}

/// What makes a scratch schema and that of its views.
fn creation_of(name: &str) -> String {
    let [name, views] = [name, &views_of(name)].map(quote_identifier);
    format!("create schema {name}; create schema {views}")
}

/// What removes both, if they are there.
fn removal_of(name: &str) -> String {
    let [name, views] = [name, &views_of(name)].map(quote_identifier);
    format!("set client_min_messages = warning; drop schema if exists {views}, {name} cascade")
}

/// Removes schemas whose owners are gone.
async fn sweep(session: &Session) -> Result<(), Error> {
    for row in session.query(include_str!("sql/stale.sql"), &[]).await.map_err(sql)? {
        let (name, key): (String, i64) = (row.get(0), row.get(1));
        let lock = session.query_one(include_str!("sql/try_lock.sql"), &[&key]).await.map_err(sql)?;
        if lock.get(0) {
            remove(session, &name).await?;
            session.execute(include_str!("sql/unlock.sql"), &[&key]).await.map_err(sql)?;
        }
    }
    Ok(())
}

/// Where a statement of a DDL belongs.
#[derive(Debug, PartialEq, Eq)]
enum Of {
    /// Into the schema.
    Schema,
    /// Settings, owners and rights, which a scratch schema does without.
    Nothing,
    /// Somewhere else, with what it is.
    Elsewhere(String),
}

fn kind_of(statement: &str) -> Of {
    let found: Vec<String> = words(statement)
        .into_iter()
        .filter(|word| !matches!(word, Word::Space(_)))
        .map(|word| word.text().to_ascii_lowercase())
        .collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let is_owner = found.first() == Some(&"alter") && found.windows(2).any(|pair| pair == ["owner", "to"]);
    match found.as_slice() {
        _ if is_owner || is_setting(&found) => Of::Nothing,
        ["create", "or", "replace", what, ..] | ["create" | "alter", what, ..] => match *what {
            "table" | "unlogged" | "index" | "unique" | "view" | "materialized" | "sequence" | "type" | "domain"
            | "function" | "procedure" | "trigger" | "constraint" | "statistics" | "aggregate" | "recursive" => {
                Of::Schema
            }
            what => Of::Elsewhere(format!("{} {what}", found[0])),
        },
        ["insert", ..] | ["select", "pg_catalog", ".", "setval", ..] | ["select", "setval", ..] => Of::Schema,
        [first, ..] => Of::Elsewhere((*first).to_owned()),
        [] => Of::Nothing,
    }
}

/// Whether a statement sets what a scratch schema does without: settings, rights, comments, the schema itself.
fn is_setting(words: &[&str]) -> bool {
    const FIRST: [&str; 9] = ["set", "reset", "grant", "revoke", "comment", "analyze", "begin", "commit", "start"];
    const BEGINNINGS: [&[&str]; 4] = [
        &["select", "pg_catalog", ".", "set_config"],
        &["create", "schema", "public"],
        &["create", "schema", "if", "not", "exists", "public"],
        &["alter", "default", "privileges"],
    ];
    words.first().is_some_and(|first| FIRST.contains(first) || *first == "\\")
        || BEGINNINGS.iter().any(|beginning| words.starts_with(beginning))
}

/// Whether the server is on this machine: a socket, or a loopback address.
pub(super) fn is_local(server: &Endpoint) -> bool {
    // Of several servers any may answer.
    if server.to_string().contains(',') {
        return false;
    }
    match server.tcp_address() {
        None => true,
        Some((host, _)) => {
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn shown(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN_MAX {
        return line;
    }
    line.chars().take(SHOWN_MAX).chain(['…']).collect()
}

/// What the server said, and its code.
pub(super) fn words_of(error: &pgstrata_pg::sql::ClientError) -> (String, String) {
    match error.as_db_error() {
        Some(said) => (said.message().to_owned(), said.code().code().to_owned()),
        None => (error.to_string(), "08006".to_owned()),
    }
}

pub(super) fn sql(source: pgstrata_pg::sql::ClientError) -> Error {
    Error::new("prepare a scratch schema", Kind::Sql(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_recognised() {
        let check = [
            ("postgresql:///x?host=/tmp", true),
            ("postgresql://127.0.0.1/x", true),
            ("postgresql://[::1]:5433/x", true),
            ("postgresql://localhost/x", true),
            ("postgresql://db.example.com/x", false),
            ("postgresql://10.0.0.7/x", false),
            ("postgresql://localhost,db.example.com/x", false),
        ];
        for (url, expect) in check {
            assert_eq!(is_local(&Endpoint::parse(url).expect("an address")), expect, "{url}");
        }
    }

    #[test]
    fn what_does_not_belong_into_a_schema_is_told_apart() {
        assert_eq!(kind_of("-- x\nCREATE TABLE t ()"), Of::Schema);
        assert_eq!(kind_of("create or replace function f() returns int as $$ $$"), Of::Schema);
        assert_eq!(kind_of("SELECT pg_catalog.set_config('search_path', '', false)"), Of::Nothing);
        assert_eq!(kind_of("alter table t owner to x"), Of::Nothing);
        assert_eq!(kind_of("create extension citext"), Of::Elsewhere("create extension".to_owned()));
        assert_eq!(kind_of("drop table t"), Of::Elsewhere("drop".to_owned()));
        assert_eq!(kind_of("copy t to program 'x'"), Of::Elsewhere("copy".to_owned()));
    }
}
