//! The archive of the write-ahead log: a directory of complete segments, filled by the server or by a receiver.
//!
//! It is made, filled, checked for gaps and read; records are `pgstrata_wal`'s business. Nothing is ever overwritten or
//! removed here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use pgstrata_units::Lsn;
use pgstrata_wal::{SegmentName, SegmentSize, Timeline};

use crate::cluster::blocking;
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::install::Install;
use crate::session::Session;
use crate::spawn;
use crate::spec::ClusterSpec;
use crate::user::ServerUser;

const SWITCH: &str = include_str!("wal_archive/switch.sql");
const ARCHIVER: &str = include_str!("wal_archive/archiver.sql");

/// How long the archiver may take for one segment; it retries a failed command every minute.
const ARCHIVE_LIMIT: Duration = Duration::from_mins(3);
/// The pause between two looks at the archive.
const ARCHIVE_PAUSE: Duration = Duration::from_millis(10);
/// How long a receiver may take to end after it was asked to.
const RECEIVER_LIMIT: Duration = Duration::from_secs(10);

/// A directory of segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalArchive {
    directory: PathBuf,
}

/// Segments that are not there although later ones of the timeline are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first that is missing.
    pub from: SegmentName,
    /// The last that is missing.
    pub to: SegmentName,
}

impl WalArchive {
    /// Makes the directory if it is not there, and gives it to the user that runs our servers.
    pub fn create(directory: &Path) -> Result<Self, Error> {
        let fail = |source| Error::of_path("make a directory for the log's archive", directory, source);
        fs::create_dir_all(directory).map_err(fail)?;
        let directory = directory.canonicalize().map_err(fail)?;
        let user = ServerUser::resolve()?;
        user.give(&directory)?;
        user.require_enterable(&directory)?;
        Ok(Self { directory })
    }

    /// An archive that somebody else fills.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let archive = Self { directory: directory.to_owned() };
        archive.segments()?;
        Ok(archive)
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The value of `archive_command` that fills it durably.
    ///
    /// The segment is copied under another name, synced, renamed, and the directory synced, so a segment is there whole or
    /// not at all, and stays. One that is there already is left alone: the command succeeds if it is the same (the
    /// server asks again when it crashed before it noted the success), and fails if it is another one. See the manual,
    /// "Setting Up WAL Archiving".
    #[must_use]
    pub fn command(&self) -> String {
        // `%` is the server's escape; a quote ends the shell's.
        let quoted = self.directory.display().to_string().replace('%', "%%").replace('\'', r"'\''");
        format!(
            "cd '{quoted}' && if test -e %f; then cmp -s \"$OLDPWD\"/%p %f; \
             else cp \"$OLDPWD\"/%p .%f.partial && sync .%f.partial && mv .%f.partial %f && sync .; fi"
        )
    }

    /// The same specification for a server that fills this archive, and logs whole rows.
    #[must_use]
    pub fn filled_by(&self, spec: ClusterSpec) -> ClusterSpec {
        spec.with_setting("wal_level", "logical")
            .with_setting("archive_mode", "on")
            .with_setting("archive_command", self.command())
    }

    /// The complete segments in it, by timeline and position. Other files (histories, backups, partial ones) are not
    /// told.
    pub fn segments(&self) -> Result<Vec<SegmentName>, Error> {
        let fail = |source| Error::of_path("read the log's archive", &self.directory, source);
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            segments.extend(name.to_str().and_then(|name| name.parse::<SegmentName>().ok()));
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// Which segments are missing between the first and the last of each timeline.
    pub fn gaps(&self, size: SegmentSize) -> Result<Vec<Gap>, Error> {
        Ok(gaps_of(&self.segments()?, size))
    }

    /// The bytes of a segment; `None` if it is not there.
    pub fn read(&self, segment: SegmentName) -> Result<Option<Vec<u8>>, Error> {
        let path = self.directory.join(segment.to_string());
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::of_path("read a segment of the log", &path, source)),
        }
    }

    /// Closes the segment that the server is writing, and waits until everything up to it is in the archive. Gives the
    /// position where the next segment begins.
    ///
    /// Needs the right to execute `pg_switch_wal`. Errors: [`Kind::Timeout`], when the archive does not get it in time;
    /// [`Kind::Program`], when the server says that its command fails.
    pub async fn catch_up(&self, session: &Session) -> Result<Lsn, Error> {
        const TRIED: &str = "wait for the log's archive";
        let row = session.query_one(SWITCH, &[]).await?;
        let (name, end): (String, String) = (row.try_get("segment")?, row.try_get("next_segment")?);
        let bad = |what: &str| Error::new(TRIED, Kind::Io(std::io::Error::other(format!("the server named {what}"))));
        let segment: SegmentName = name.parse().map_err(|_| bad(&name))?;
        let end: Lsn = end.parse().map_err(|_| bad(&end))?;
        let began = Instant::now();
        loop {
            if self.directory.join(segment.to_string()).exists() {
                return Ok(end);
            }
            if began.elapsed() >= ARCHIVE_LIMIT {
                return Err(Error::new(TRIED, Kind::Timeout { limit_ms: ARCHIVE_LIMIT.as_millis() }));
            }
            let row = session.query_one(ARCHIVER, &[]).await?;
            if row.try_get("is_failing")? {
                let command: String = row.try_get("command")?;
                let status = "an error (see the server's log)".to_owned();
                return Err(Error::new(TRIED, Kind::Program { program: command, status, output: String::new() }));
            }
            tokio::time::sleep(ARCHIVE_PAUSE).await;
        }
    }
}

/// The runs of missing numbers within each timeline.
fn gaps_of(segments: &[SegmentName], size: SegmentSize) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for pair in segments.windows(2) {
        let (before, after) = (pair[0].number(size), pair[1].number(size));
        let name = |number| SegmentName::of(pair[0].timeline, number, size);
        if pair[0].timeline == pair[1].timeline && after > before + 1 {
            gaps.push(Gap { from: name(before + 1), to: name(after - 1) });
        }
    }
    gaps
}

/// The newest timeline in an archive; the log of older ones was left behind by a promotion.
#[must_use]
pub fn newest_timeline(segments: &[SegmentName]) -> Option<Timeline> {
    segments.iter().map(|segment| segment.timeline).max()
}

/// A running `pg_receivewal` that fills an archive from a server of which only a connection is had. Ends when dropped.
///
/// It syncs each flush and follows a physical slot, so nothing is lost when it is away for a while; the server keeps its
/// log as long as the slot exists.
pub struct WalReceiver {
    child: Child,
}

impl WalReceiver {
    /// Starts the program beside the server binaries of `install` on the endpoint, with a slot of this name, which it
    /// makes if it is not there.
    ///
    /// Errors: [`Kind::BadInstall`] if the program is missing, with what to configure instead; [`Kind::Program`] if it
    /// refuses.
    pub async fn start(
        install: &Install,
        endpoint: &Endpoint,
        slot: &str,
        archive: &WalArchive,
    ) -> Result<Self, Error> {
        if !install.tools.contains("pg_receivewal") {
            let reason = format!(
                "it has no pg_receivewal; let the server fill the archive itself: archive_mode = on, archive_command = {:?}",
                archive.command()
            );
            return Err(Error::new("receive the log", Kind::BadInstall { path: install.bindir.clone(), reason }));
        }
        let command = || {
            let mut command = spawn::postgres_command(install.program("pg_receivewal"));
            command.args(["--no-password", "--slot", slot]);
            say_where(&mut command, endpoint);
            ServerUser::resolve().map(|user| user.apply(&mut command)).map(|()| command)
        };
        let mut make_slot = command()?;
        make_slot.args(["--create-slot", "--if-not-exists"]);
        let place = archive.directory.clone();
        blocking(move || {
            let fail = |source| Error::new("run pg_receivewal", Kind::Io(source));
            spawn::run(make_slot, RECEIVER_LIMIT).map_err(fail)?.require_success("pg_receivewal", &place)
        })
        .await?;
        let mut receive = command()?;
        receive.arg("--directory").arg(&archive.directory).arg("--synchronous");
        receive.stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            blocking(move || spawn::spawn(receive).map_err(|source| Error::new("run pg_receivewal", Kind::Io(source))));
        Ok(Self { child: child.await?.take() })
    }

    /// Whether it still runs; it tries again by itself when the server is away.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for WalReceiver {
    fn drop(&mut self) {
        // It finishes what it has received on SIGINT; killing it would lose nothing either.
        let _ = kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT);
        let began = Instant::now();
        while self.is_running() && began.elapsed() < RECEIVER_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Host, port, user and password of an endpoint, as libpq's environment has them.
fn say_where(command: &mut std::process::Command, endpoint: &Endpoint) {
    if let Some(path) = endpoint.socket_path()
        && let Some(directory) = path.parent()
    {
        // The socket's name ends in the port: `.s.PGSQL.5432`.
        command.env("PGHOST", directory).env("PGPORT", path.extension().unwrap_or_default());
    } else if let Some((host, port)) = endpoint.tcp_address() {
        command.env("PGHOST", host).env("PGPORT", port.to_string());
    }
    if let Some(user) = endpoint.user() {
        command.env("PGUSER", user);
    }
    if let Some(password) = endpoint.password() {
        command.env("PGPASSWORD", password);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_told_by_timeline() {
        let name = |timeline, number| SegmentName::of(Timeline(timeline), number, SegmentSize::DEFAULT);
        let segments = [name(1, 1), name(1, 2), name(1, 5), name(2, 5), name(2, 6)];
        assert_eq!(gaps_of(&segments, SegmentSize::DEFAULT), [Gap { from: name(1, 3), to: name(1, 4) }]);
        assert_eq!(gaps_of(&segments[3..], SegmentSize::DEFAULT), []);
        assert_eq!(newest_timeline(&segments), Some(Timeline(2)));
    }

    #[test]
    fn the_command_keeps_percent_signs_and_quotes_of_the_path() {
        let archive = WalArchive { directory: "/it's/100%".into() };
        assert!(archive.command().starts_with(r"cd '/it'\''s/100%%' && "), "{}", archive.command());
    }
}
