//! One connection on which the server sends its log as it is flushed.
//!
//! Source: PostgreSQL documentation, "Streaming Replication Protocol". Nothing is sent before the server has flushed it,
//! so changes of a transaction that has not committed may come late: the log's writer flushes every `wal_writer_delay`.

use bytes::{Buf as _, Bytes};
use pgstrata_units::Lsn;
use pgstrata_wal::{SegmentSize, Timeline};

use super::error::ReplicationError;
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::simple::{Copied, Reply, Rows, SimpleSession};

/// What the server says of itself on a replication connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerIdentity {
    /// The number that initdb gave the cluster.
    pub system: u64,
    /// Its present timeline.
    pub timeline: Timeline,
    /// Up to where its log was flushed.
    pub flushed: Lsn,
    /// Bytes of a segment of its log.
    pub segment_size: SegmentSize,
    /// `server_version_num`, as 150018.
    pub version_num: u32,
    /// Whether it logs changes of hints too: checksums, or `wal_log_hints`.
    pub logs_hints: bool,
    /// How long it waits for a sign of life, milliseconds; 0 is for ever.
    pub patience_ms: u64,
}

/// What comes on a stream.
#[derive(Debug)]
pub enum Sent {
    /// Bytes of the log.
    Log {
        /// The position of the first.
        lsn: Lsn,
        /// The bytes.
        bytes: Bytes,
        /// Up to where the server's log was flushed when it sent them.
        flushed: Lsn,
        /// When that was by the server's clock, microseconds since 2000-01-01.
        time_us: i64,
    },
    /// There is nothing new.
    Keepalive {
        /// Up to where the log was sent.
        flushed: Lsn,
        /// When that was by the server's clock, microseconds since 2000-01-01.
        time_us: i64,
        /// Whether the server waits for an answer.
        wants_answer: bool,
    },
    /// The timeline has ended here; the log goes on in another.
    NextTimeline {
        /// Which.
        timeline: Timeline,
        /// From where.
        from: Lsn,
    },
}

/// A replication connection, before and while the log comes.
#[derive(Debug)]
pub struct PhysicalStream {
    session: SimpleSession,
    identity: ServerIdentity,
    /// From where the log was asked for.
    from: Lsn,
}

impl PhysicalStream {
    /// Connects and asks the server who it is. Needs a role with the attribute `REPLICATION`, and `wal_level` above
    /// `minimal` to start.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let mut session = SimpleSession::connect_for_replication(endpoint).await?;
        let identity = identify(&mut session).await?;
        let from = identity.flushed;
        Ok(Self { session, identity, from })
    }

    /// Who the server is.
    #[must_use]
    pub const fn identity(&self) -> &ServerIdentity {
        &self.identity
    }

    /// Makes a slot that keeps the log from being removed as long as this connection lasts.
    pub async fn keep_log(&mut self, slot: &str) -> Result<(), Error> {
        let name = crate::quote::quote_identifier(slot);
        rows(&mut self.session, &format!("CREATE_REPLICATION_SLOT {name} TEMPORARY PHYSICAL RESERVE_WAL"))
            .await
            .map(drop)
    }

    /// Lets the server send its log from a position on.
    pub async fn start(&mut self, from: Lsn, timeline: Timeline, slot: Option<&str>) -> Result<(), Error> {
        self.from = from;
        let slot = slot.map_or_else(String::new, |name| format!("SLOT {} ", crate::quote::quote_identifier(name)));
        let command = format!("START_REPLICATION {slot}PHYSICAL {from} TIMELINE {timeline}");
        match self.session.start_copy(&command).await? {
            None => Ok(()),
            Some(refusal) => Err(failed("follow the log", refused(from, refusal))),
        }
    }

    /// What the server sends next. Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Result<Sent, Error> {
        const TRIED: &str = "follow the log";
        let unreadable = || failed(TRIED, ReplicationError::Answer { command: "START_REPLICATION" });
        match self.session.next_copied().await? {
            Copied::Data(data) => sent(data).ok_or_else(unreadable),
            Copied::Done => {
                self.session.finish_copying().await?;
                let rows = last_rows(&mut self.session).await?;
                next_timeline(rows.as_ref()).ok_or_else(unreadable)
            }
            Copied::Error(message) => Err(failed(TRIED, refused(self.from, *message))),
            Copied::Closed => Err(failed(TRIED, ReplicationError::Ended)),
        }
    }

    /// The part of the log, or the sign of life, that has come already, if one has.
    pub async fn next_at_once(&mut self) -> Result<Option<Sent>, Error> {
        let unreadable = || failed("follow the log", ReplicationError::Answer { command: "START_REPLICATION" });
        let Some(data) = self.session.data_at_once().await? else { return Ok(None) };
        sent(data).map(Some).ok_or_else(unreadable)
    }

    /// Tells the server how far we are. `flushed` moves a slot on, and makes us count as a standby where
    /// `synchronous_standby_names` names us; `None` does neither.
    pub async fn report(&mut self, written: Lsn, flushed: Option<Lsn>) -> Result<(), Error> {
        let mut message = vec![b'r'];
        message.extend(written.0.to_be_bytes());
        message.extend(flushed.unwrap_or_default().0.to_be_bytes());
        // Nothing is applied; our clock, which the server only shows; no answer is wanted.
        message.extend([0; 8]);
        message.extend([0; 8]);
        message.push(0);
        self.session.send_copied(&message).await
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.session.close().await;
    }
}

fn failed(tried: &str, error: ReplicationError) -> Error {
    Error::new(tried, Kind::Replication(error))
}

/// `undefined_file` is what the server says of a segment that it has removed.
fn refused(wanted: Lsn, message: crate::simple::ServerMessage) -> ReplicationError {
    if message.sqlstate == "58P01" {
        ReplicationError::Removed { wanted }
    } else {
        ReplicationError::Refused(Box::new(message))
    }
}

/// A message of the server while it sends its log.
fn sent(mut data: Bytes) -> Option<Sent> {
    let kind = data.try_get_u8().ok()?;
    match kind {
        b'w' => {
            let (lsn, flushed) = (Lsn(data.try_get_u64().ok()?), Lsn(data.try_get_u64().ok()?));
            Some(Sent::Log { lsn, flushed, time_us: data.try_get_i64().ok()?, bytes: data })
        }
        b'k' => {
            let (flushed, time_us) = (Lsn(data.try_get_u64().ok()?), data.try_get_i64().ok()?);
            Some(Sent::Keepalive { flushed, time_us, wants_answer: data.try_get_u8().ok()? != 0 })
        }
        _ => None,
    }
}

fn next_timeline(rows: Option<&Rows>) -> Option<Sent> {
    let row = rows?.rows.first()?;
    let (timeline, from) = (row.first()?.as_ref()?.parse().ok()?, row.get(1)?.as_ref()?.parse().ok()?);
    Some(Sent::NextTimeline { timeline: Timeline(timeline), from })
}

async fn identify(session: &mut SimpleSession) -> Result<ServerIdentity, Error> {
    const TRIED: &str = "ask the server who it is";
    let row = rows(session, "IDENTIFY_SYSTEM").await?.rows.into_iter().next().unwrap_or_default();
    let answer = || failed(TRIED, ReplicationError::Answer { command: "IDENTIFY_SYSTEM" });
    let column = |index: usize| row.get(index).cloned().flatten().ok_or_else(answer);
    let (system, timeline, flushed) = (column(0)?, column(1)?, column(2)?);
    let size = setting(session, "SHOW wal_segment_size").await?;
    let hints = setting(session, "SHOW wal_log_hints").await? == "on";
    let checksums = setting(session, "SHOW data_checksums").await? == "on";
    Ok(ServerIdentity {
        system: system.parse().map_err(|_| answer())?,
        timeline: Timeline(timeline.parse().map_err(|_| answer())?),
        flushed: flushed.parse().map_err(|_| answer())?,
        segment_size: segment_size(&size).ok_or_else(answer)?,
        version_num: setting(session, "SHOW server_version_num").await?.parse().map_err(|_| answer())?,
        logs_hints: hints || checksums,
        patience_ms: milliseconds(&setting(session, "SHOW wal_sender_timeout").await?).ok_or_else(answer)?,
    })
}

/// `16MB` or `1GB`.
fn segment_size(text: &str) -> Option<SegmentSize> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let factor = match unit {
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        _ => return None,
    };
    SegmentSize::new(number.parse::<u32>().ok()?.checked_mul(factor)?)
}

/// `1min`, `90s`, `500ms`, `2h`, `1d`, or `0`.
fn milliseconds(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

async fn setting(session: &mut SimpleSession, command: &'static str) -> Result<String, Error> {
    let row = rows(session, command).await?.rows.into_iter().next().unwrap_or_default();
    let answer = || failed("ask for a setting", ReplicationError::Answer { command: "SHOW" });
    row.into_iter().next().flatten().ok_or_else(answer)
}

/// The rows of one command.
async fn rows(session: &mut SimpleSession, command: &str) -> Result<Rows, Error> {
    session.start(command).await?;
    let none = || failed("run a replication command", ReplicationError::Answer { command: "a command" });
    last_rows(session).await?.ok_or_else(none)
}

async fn last_rows(session: &mut SimpleSession) -> Result<Option<Rows>, Error> {
    const TRIED: &str = "run a replication command";
    let (mut found, mut refusal) = (None, None);
    loop {
        match session.next_reply().await? {
            Reply::Complete { rows: Some(rows), .. } => found = Some(rows),
            Reply::Error(message) => refusal = Some(message),
            Reply::Ready(_) => break,
            Reply::Closed => return Err(failed(TRIED, ReplicationError::Ended)),
            _ => {}
        }
    }
    match refusal {
        Some(message) => Err(failed(TRIED, ReplicationError::Refused(Box::new(message)))),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_with_their_units() {
        assert_eq!(segment_size("16MB"), Some(SegmentSize::DEFAULT));
        assert_eq!(segment_size("1GB"), SegmentSize::new(1 << 30));
        assert_eq!(segment_size("16"), None);
        let check = |text, expected| assert_eq!(milliseconds(text), expected, "{text}");
        check("1min", Some(60_000));
        check("0", Some(0));
        check("1500ms", Some(1500));
        check("never", None);
    }

    #[test]
    fn a_message_that_is_cut_short_is_refused() {
        let log = [&[b'w'][..], &[0, 0, 0, 0, 0, 0, 0, 8], &[0; 16], b"abc"].concat();
        assert!(
            matches!(sent(Bytes::from(log.clone())), Some(Sent::Log { lsn: Lsn(8), bytes, .. }) if &bytes[..] == b"abc")
        );
        assert!(sent(Bytes::copy_from_slice(&log[..20])).is_none());
        assert!(sent(Bytes::from_static(b"x")).is_none());
        assert!(sent(Bytes::new()).is_none());
    }
}
