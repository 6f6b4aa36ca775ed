//! Streaming standbys: a copy of a running server that follows it through a replication slot.
//!
//! The copy is made by the `pg_basebackup` beside the server when there is one (some binary packages leave it out), else
//! over SQL. It makes standbys; promoting one is `select pg_promote()`.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use std::os::unix::fs::PermissionsExt;

use crate::cluster::{Cluster, ERROR_LOG_LINES, SUPERUSER, StopMode, blocking};
use crate::error::{Error, Kind};
use crate::profile::Profile;
use crate::session::Session;
use crate::spawn;
use crate::spec::ClusterSpec;
use crate::tree;

/// How long a base backup may take: gigabytes on a slow disk.
const BACKUP_LIMIT: Duration = Duration::from_mins(10);
/// How long a standby may take from accepting connections to streaming; normally some milliseconds.
const STREAM_LIMIT: Duration = Duration::from_mins(1);
/// The pause between two looks at the state of replication.
const STREAM_PAUSE: Duration = Duration::from_millis(5);

/// Directories whose contents a server makes anew at its start. From the table `excludeDirContents` in
/// src/backend/backup/basebackup.c; `pg_wal` is fetched by replication.
const EMPTY_IN_COPY: [&str; 8] =
    ["pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"];
/// Files that belong to the running server alone. From the table `excludeFiles` in the same place.
const NOT_IN_COPY: [&str; 7] = [
    "postmaster.pid",
    "postmaster.opts",
    "pg_internal.init",
    "backup_label",
    "tablespace_map",
    "backup_manifest",
    "standby.signal",
];

impl Cluster {
    /// Makes a hot standby of this running server and returns when it streams.
    ///
    /// It has the same binaries, profile, settings and password; not the data parent, preloaded library and environment,
    /// which are there to disturb one server. It follows by way of a physical slot called [`Cluster::name`] of the
    /// standby, so this server keeps its log until [`Cluster::drop_standby`]. If the returned future is dropped half-way,
    /// the slot may stay.
    pub async fn standby(&self) -> Result<Self, Error> {
        let fail = |error: Error| error.in_context("make a standby");
        let session = self.endpoint().connect().await.map_err(fail)?;
        let spec = ClusterSpec {
            port: None,
            data_parent: None,
            keep_in: None,
            collected_log: None,
            preload: None,
            environment: Vec::new(),
            ..self.spec().clone()
        };
        let mut standby = blocking(move || Self::prepare(spec)).await?;
        standby.take_password_of(self);
        let slot = standby.name();
        let create = "select pg_create_physical_replication_slot($1, true)";
        session.query_one(create, &[&slot]).await.map_err(|error| fail(error.into()))?;
        let followed = follow(self, &session, &mut standby).await;
        if let Err(error) = followed {
            // It may still be using the slot.
            drop(standby);
            // The first error is the one to tell.
            let _ = drop_slot(&session, &slot).await;
            return Err(fail(error));
        }
        Ok(standby)
    }

    /// Stops and removes a standby of this server, and the slot that kept the log for it.
    pub async fn drop_standby(&self, mut standby: Self) -> Result<(), Error> {
        let slot = standby.name();
        standby.stop(StopMode::Fast).await?;
        drop(standby);
        let session = self.endpoint().connect().await?;
        drop_slot(&session, &slot).await
    }
}

async fn follow(primary: &Cluster, session: &Session, standby: &mut Cluster) -> Result<(), Error> {
    if primary.install().tools.contains("pg_basebackup") {
        copy_by_program(primary, standby).await?;
    } else {
        copy_by_sql(primary, session, standby).await?;
    }
    let endpoint = primary.endpoint();
    let socket = endpoint.socket_path().unwrap_or_default();
    let directory = socket.parent().unwrap_or(Path::new("/"));
    let name = standby.name();
    // Words without blanks or quotes, so the value needs no quoting of its own.
    let primary_conninfo =
        format!("host={} port={} user={SUPERUSER} application_name={name}", directory.display(), primary.port);
    standby.spec.settings.push(("primary_conninfo".to_owned(), primary_conninfo));
    standby.spec.settings.push(("primary_slot_name".to_owned(), name.clone()));
    standby.write_settings()?;
    standby.write_data_file("standby.signal", "")?;
    standby.start().await?;
    wait_until_streaming(session, standby, &name).await
}

async fn copy_by_program(primary: &Cluster, standby: &Cluster) -> Result<(), Error> {
    let data = standby.data_dir().to_owned();
    let user = standby.user.clone();
    let program = primary.install().program("pg_basebackup");
    let mut command = spawn::postgres_command(&program);
    command.arg("-D").arg(&data).arg("-h").arg(primary.home.sockets()).arg("-p").arg(primary.port.to_string());
    command.args(["-U", SUPERUSER, "--no-password", "--checkpoint=fast", "--wal-method=stream"]);
    command.arg(format!("--slot={}", standby.name()));
    if standby.spec().profile == Profile::FastTest {
        command.arg("--no-sync");
    }
    user.apply(&mut command);
    blocking(move || {
        let fail = |source| Error::of_path("make the directory of a standby", &data, source);
        // The program runs as the server's user, who may write into its own directory alone.
        fs::create_dir(&data).map_err(fail)?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).map_err(fail)?;
        user.give(&data)?;
        let finished = spawn::run(command, BACKUP_LIMIT)
            .map_err(|source| Error::of_path("run pg_basebackup", &program, source))?;
        finished.require_success("pg_basebackup", &data)
    })
    .await
}

/// The same by the low-level interface: documentation, chapter "Making a Base Backup Using the Low Level API".
async fn copy_by_sql(primary: &Cluster, session: &Session, standby: &Cluster) -> Result<(), Error> {
    let before_15 = primary.version().major < 15;
    let start = if before_15 {
        "select pg_start_backup($1, true, false)::text"
    } else {
        "select pg_backup_start($1, true)::text"
    };
    let stop = if before_15 {
        "select labelfile, spcmapfile from pg_stop_backup(false, false)"
    } else {
        "select labelfile, spcmapfile from pg_backup_stop(false)"
    };
    session.query_one(start, &[&standby.name()]).await?;
    let (from, to) = (primary.data_dir().to_owned(), standby.data_dir().to_owned());
    let owner = standby.user.owner();
    let copied = blocking(move || {
        tree::copy(&from, &to, &tree::Rules { owner, skip: Some(&is_left_out), in_use: true })?;
        Ok(())
    })
    .await;
    // The backup mode ends with the session at the latest.
    let row = session.query_one(stop, &[]).await?;
    copied?;
    let (label, tablespaces): (String, Option<String>) = (row.get(0), row.get(1));
    if tablespaces.is_some_and(|map| !map.trim().is_empty()) {
        let source = io::Error::new(io::ErrorKind::Unsupported, "it has tablespaces, which only pg_basebackup copies");
        return Err(Error::of_path("copy the server", primary.data_dir(), source));
    }
    standby.write_data_file("backup_label", &label)?;
    standby.sync_data()
}

fn is_left_out(below: &Path) -> bool {
    let name = below.file_name().unwrap_or_default().to_string_lossy();
    let inside_emptied = below.parent().and_then(Path::to_str).is_some_and(|parent| EMPTY_IN_COPY.contains(&parent));
    inside_emptied || NOT_IN_COPY.contains(&&*name) || name.starts_with("pgsql_tmp")
}

async fn wait_until_streaming(session: &Session, standby: &Cluster, name: &str) -> Result<(), Error> {
    let state = "select count(*) from pg_stat_replication where application_name = $1 and state = 'streaming'";
    let began = Instant::now();
    while began.elapsed() < STREAM_LIMIT {
        if session.query_one(state, &[&name]).await?.get::<_, i64>(0) > 0 {
            return Ok(());
        }
        if let Some(status) = standby.process.as_ref().and_then(crate::server_process::ServerProcess::status) {
            return Err(standby.exited("follow the primary", status));
        }
        tokio::time::sleep(STREAM_PAUSE).await;
    }
    let kind = Kind::Timeout { limit_ms: STREAM_LIMIT.as_millis() };
    Err(Error::new("follow the primary", kind).with_log(standby.log_tail(ERROR_LOG_LINES)))
}

/// Drops a slot as soon as the sender that used it has noticed the end of its standby.
async fn drop_slot(session: &Session, slot: &str) -> Result<(), Error> {
    let inactive = "select count(*) from pg_replication_slots where slot_name = $1 and active";
    let began = Instant::now();
    while began.elapsed() < STREAM_LIMIT && session.query_one(inactive, &[&slot]).await?.get::<_, i64>(0) > 0 {
        tokio::time::sleep(STREAM_PAUSE).await;
    }
    session.query_one("select pg_drop_replication_slot($1)", &[&slot]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_leaves_out_what_belongs_to_the_running_server() {
        let check = |path: &str, left_out: bool| assert_eq!(is_left_out(Path::new(path)), left_out, "{path}");
        check("postmaster.pid", true);
        check("pg_wal", false);
        check("pg_wal/000000010000000000000001", true);
        check("pg_wal/archive_status", true);
        check("base/5/pg_internal.init", true);
        check("base/pgsql_tmp", true);
        check("base/5/1259", false);
        check("global/pg_control", false);
        check("pg_stat", false);
    }
}
