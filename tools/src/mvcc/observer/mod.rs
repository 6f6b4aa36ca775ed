//! Looks at a server again and again, and says what there is: one whole picture a look.
//!
//! It reads and never writes, hides its own session, and waits for nothing for long. A server that is gone, restarted or hangs is a
//! picture too. What changed between two looks is found by the log ([`pgstrata_timeline::Log`]), how often to look is decided
//! by [`super::Pace`].

mod watched;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgstrata_pg::{Endpoint, Error};
use pgstrata_timeline::{At, Cause, Item, Key, Origin, PutItem, RowVersion, Server, Tier};
use pgstrata_units::memory::{HeapBytes as _, Holding};
use pgstrata_units::{Lsn, Snapshot, Xid};

use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::error::MvccError;
use crate::mvcc::note::note;
use crate::mvcc::sample::knowledge::Known;
use crate::mvcc::sample::sessions::{self, Seen};
use crate::mvcc::sample::snapshots::Sight;
use crate::mvcc::sample::{Picture, now_us, pages, serializable, snapshots, table, visualizer, waits};
use crate::mvcc::tables::{TableInfo, tables};
use crate::mvcc::tiers::{Rights, TierState};
use crate::mvcc::watch::{Limits, Watch};

const SERVER: &str = include_str!("../sql/server.sql");
const SNAPSHOT: &str = include_str!("../sql/snapshot.sql");
const POSITION: &str = include_str!("../sql/position.sql");

/// The pause before another attempt to connect, after the first one that failed at once.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// How long it is said that the server was restarted.
const RESTARTED_FOR: Duration = Duration::from_secs(30);

/// How often rights and extensions are asked for anew: somebody may create one.
const RIGHTS_FOR: Duration = Duration::from_secs(5);

/// How an observer attaches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How much is shown at most.
    pub limits: Limits,
    /// The best tier to use; better ones are left alone. `None`: whatever there is.
    pub best: Option<Tier>,
}

/// What one look saw.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Everything there is.
    pub items: Vec<PutItem>,
    /// When.
    pub at: At,
    /// [`Cause::Sample`], or that the connection was lost, or is back.
    pub cause: Cause,
    /// How long it took, for whoever decides when to look again.
    pub took: Duration,
}

/// Looks at one server.
#[derive(Debug)]
pub struct Observer {
    endpoint: Endpoint,
    options: Options,
    watch: Watch,
    link: Link,
    /// What was seen last, which is shown on while the server is out of sight.
    last: Vec<PutItem>,
    sessions: snapshots::Tracker,
    waits: waits::Tracker,
    table: table::Tracker,
    pages: pages::Cache,
    known: Known,
    removed: BTreeMap<Key, RowVersion>,
    on_disk: BTreeMap<Key, RowVersion>,
}

/// The connection to the server, or why there is none.
#[derive(Debug)]
struct Link {
    connection: Option<Connection>,
    rights: Option<Rights>,
    rights_asked: Option<Instant>,
    /// When the server was started, microseconds since 1970 by its clock.
    started_us: Option<i64>,
    restarted: Option<Instant>,
    /// Since when there is no connection, and whether that was told.
    lost: Option<(String, bool)>,
    tried: Option<Instant>,
    /// The newest number of the ring of waits that was taken in.
    ring: i64,
}

/// The server at the beginning of a look.
struct Now {
    snapshot: Snapshot,
    started_us: i64,
    clock_us: i64,
    next: Xid,
}

impl Observer {
    /// Attaches to a server and finds out how much of it can be seen.
    ///
    /// # Errors
    /// [`MvccError::Server`] if no session can be opened, [`MvccError::Refused`] if it may not read the catalogs.
    pub async fn attach(endpoint: &Endpoint, options: Options) -> Result<Self, MvccError> {
        let mut connection = Connection::open(endpoint).await?;
        let rights = Rights::ask(&mut connection).await.map_err(|trouble| trouble.error("say what it can do"))?;
        let link = Link {
            connection: Some(connection),
            rights: Some(rights),
            rights_asked: Some(Instant::now()),
            started_us: None,
            restarted: None,
            lost: None,
            tried: None,
            ring: 0,
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            options,
            watch: Watch::default(),
            link,
            last: Vec::new(),
            sessions: snapshots::Tracker::default(),
            waits: waits::Tracker::default(),
            table: table::Tracker::default(),
            pages: pages::Cache::default(),
            known: Known::default(),
            removed: BTreeMap::new(),
            on_disk: BTreeMap::new(),
        })
    }

    /// How much of the server can be seen, and how to see more.
    #[must_use]
    pub fn tiers(&self) -> Vec<TierState> {
        self.link.rights.as_ref().map(Rights::tiers).unwrap_or_default()
    }

    /// The best tier that is used, the log apart.
    #[must_use]
    pub fn tier(&self) -> Tier {
        let tiers = [Tier::Preloaded, Tier::Extension, Tier::Pageinspect];
        let has = |tier: &Tier| {
            self.options.best.is_none_or(|best| *tier <= best)
                && self.link.rights.as_ref().is_some_and(|rights| rights.has(*tier))
        };
        tiers.into_iter().find(has).unwrap_or(Tier::Sql)
    }

    /// The server's version and database.
    #[must_use]
    pub fn server(&self) -> (String, String) {
        self.link.rights.as_ref().map(|rights| (rights.version.clone(), rights.database.clone())).unwrap_or_default()
    }

    /// The tables that can be watched, the biggest first.
    pub async fn tables(&mut self) -> Result<Vec<TableInfo>, MvccError> {
        let Some(connection) = &mut self.link.connection else {
            let reason = self.link.lost.as_ref().map(|(reason, _)| reason.clone()).unwrap_or_default();
            return Err(MvccError::Lost { reason });
        };
        tables(connection).await.map_err(|trouble| trouble.error("list the tables"))
    }

    /// What is watched.
    #[must_use]
    pub fn watched(&self) -> &Watch {
        &self.watch
    }

    /// Watches something else from the next look on.
    pub fn watch(&mut self, watch: Watch) {
        if watch.table != self.watch.table {
            self.table.reset();
        }
        if watch.table != self.watch.table || watch.row != self.watch.row {
            self.pages.reset();
            self.removed.clear();
            self.on_disk.clear();
        }
        self.watch = watch;
    }

    /// Looks once. It always comes back with a picture, within a few seconds at worst.
    pub async fn sample(&mut self) -> Sample {
        let began = Instant::now();
        let cause = match self.connect().await {
            Ok(cause) => cause,
            Err(reason) => return self.out_of_sight(reason, began),
        };
        let Some(mut connection) = self.link.connection.take() else {
            return self.out_of_sight("there is no connection".to_owned(), began);
        };
        match self.look(&mut connection).await {
            Ok((items, lsn, restarted)) => {
                self.link.connection = Some(connection);
                self.link.lost = None;
                self.last.clone_from(&items);
                let cause = if restarted {
                    Cause::Connection { is_up: true, reason: "the server was restarted".to_owned() }
                } else {
                    cause
                };
                Sample { items, at: At { unix_us: now_us(), lsn }, cause, took: began.elapsed() }
            }
            Err(Trouble::Refused { message, .. }) => {
                // Not even the server itself could be asked: it is shutting down, or the role was stripped.
                self.out_of_sight(message, began)
            }
            Err(Trouble::Lost(reason)) => self.out_of_sight(reason, began),
        }
    }

    /// The memory that it takes, by what is bounded.
    #[must_use]
    pub fn holds(&self) -> [Holding; 4] {
        let last = self.last.heap_bytes();
        let gone = self.on_disk.heap_bytes() + self.removed.heap_bytes();
        [
            Holding::new("observer.picture", self.last.len(), last),
            Holding::new("observer.versions", self.on_disk.len() + self.removed.len(), gone),
            self.pages.holds(),
            self.known.holds(),
        ]
    }

    /// Says goodbye to the server.
    pub async fn close(mut self) {
        if let Some(connection) = self.link.connection.take() {
            connection.close().await;
        }
    }

    /// Connects if need be; the cause of the coming sample.
    async fn connect(&mut self) -> Result<Cause, String> {
        if self.link.connection.is_some() {
            return Ok(Cause::Sample);
        }
        if self.link.tried.is_some_and(|tried| tried.elapsed() < RECONNECT_PAUSE) {
            return Err(self.link.lost.as_ref().map(|(reason, _)| reason.clone()).unwrap_or_default());
        }
        self.link.tried = Some(Instant::now());
        let mut connection = Connection::open(&self.endpoint).await.map_err(|error| innermost(&error))?;
        let rights = Rights::ask(&mut connection).await.map_err(|trouble| match trouble {
            Trouble::Lost(reason) => reason,
            Trouble::Refused { message, .. } => message,
        })?;
        self.link.rights = Some(rights);
        self.link.rights_asked = Some(Instant::now());
        self.link.connection = Some(connection);
        Ok(Cause::Connection { is_up: true, reason: "connected again".to_owned() })
    }

    /// The picture while there is no connection: what was seen last, and that it is old.
    fn out_of_sight(&mut self, reason: String, began: Instant) -> Sample {
        if let Some(connection) = self.link.connection.take() {
            drop(connection);
            self.link.tried = Some(Instant::now());
        }
        let is_told = self.link.lost.as_ref().is_some_and(|(_, told)| *told);
        let told = self.link.lost.as_ref().filter(|_| is_told).map_or(reason, |(first, _)| first.clone());
        self.link.lost = Some((told.clone(), true));
        for put in &mut self.last {
            if let Item::Server(server) = &mut put.item {
                server.is_up = false;
                server.notes.retain(|note| !note.starts_with("connection-lost: "));
                server.notes.insert(0, note("connection-lost", format_args!("shown as it was last seen; {told}")));
            }
        }
        let cause = if is_told { Cause::Sample } else { Cause::Connection { is_up: false, reason: told } };
        Sample { items: self.last.clone(), at: At { unix_us: now_us(), lsn: None }, cause, took: began.elapsed() }
    }

    /// Everything there is, where the log is, and whether the server was restarted since the last look.
    async fn look(&mut self, connection: &mut Connection) -> Result<(Vec<PutItem>, Option<Lsn>, bool), Trouble> {
        let mut picture = Picture::default();
        let limits = self.options.limits;
        self.renew_rights(connection).await?;
        let now = now(connection).await?;
        let restarted = self.note_restart(&now, &mut picture);
        let (mut seen, total) = sessions::sessions(connection, &limits, now.next).await?;
        if total > seen.len() as u64 {
            picture.note(
                "sessions-cut",
                format_args!("{} of {total} sessions are shown, waiting and working ones first", seen.len()),
            );
        }
        let running = sessions::running(connection, &limits, &seen, now.next, &mut picture).await?;
        let newest = running.tops.keys().next_back().map_or(now.next, |xid| now.next.max(Xid(xid.0 + 1)));
        self.known.look(newest, &running);
        let after = snapshot(connection).await?;
        let sights = self.look_at_snapshots(connection, &seen, &now.snapshot, &after, &mut picture).await?;
        self.look_at_waits(connection, now.clock_us, &mut picture).await?;
        let by_locks = if self.may_call("mvcc_ssi_graph") && self.may_call("mvcc_ssi_conflicts") {
            let found = visualizer::serializable(connection, &mut picture).await;
            picture.or_note("serializable-refused", found)?
        } else {
            serializable::by_locks(connection, &seen, &mut picture).await?
        };
        self.look_at_table(connection, &sights, &after, &mut picture).await?;
        seen.sort_by_key(|seen| seen.session.pid);
        sessions::put(&mut picture, &seen, &sights, &by_locks);
        running.put(&mut picture);
        let lsn = position(connection).await?;
        self.put_server(lsn, newest, total, &mut picture);
        Ok((picture.items, lsn, restarted))
    }

    /// What each session sees: told where the extension is preloaded, else closed in.
    async fn look_at_snapshots(
        &mut self,
        connection: &mut Connection,
        seen: &[Seen],
        before: &Snapshot,
        after: &Snapshot,
        picture: &mut Picture,
    ) -> Result<BTreeMap<i32, Sight>, Trouble> {
        let mut sights = self.sessions.look(seen, before, after);
        if self.tier() >= Tier::Preloaded {
            let active =
                seen.iter().filter(|seen| seen.session.state == "active").map(|seen| seen.session.pid).collect();
            let told = visualizer::sights(connection, &active, after, &mut self.known).await;
            // What a session says of itself is better than what is closed in.
            sights.extend(picture.or_note("snapshots-refused", told)?);
        }
        Ok(sights)
    }

    /// Who waits: by views, or by the extension, whose ring also has the waits that nobody was there to see.
    async fn look_at_waits(
        &mut self,
        connection: &mut Connection,
        now_us: i64,
        picture: &mut Picture,
    ) -> Result<(), Trouble> {
        let limits = self.options.limits;
        let found = if self.may_call("mvcc_waits") {
            let found = visualizer::waits(connection, &limits, picture).await;
            picture.or_note("waits-refused", found)?
        } else {
            waits::waits(connection, &limits, now_us, picture).await?
        };
        if self.tier() >= Tier::Preloaded && self.may_call("mvcc_wait_ring") {
            let ended = visualizer::ended_waits(connection, &limits, self.link.ring).await;
            let (ended, newest) = picture.or_note("waits-refused", ended)?;
            self.link.ring = self.link.ring.max(newest);
            self.waits.ended(ended);
        }
        self.waits.look(found, now_us, limits.ended_waits_for, picture);
        Ok(())
    }

    /// Whether a function of the extension may be used.
    fn may_call(&self, function: &str) -> bool {
        self.tier() >= Tier::Extension && self.link.rights.as_ref().is_some_and(|rights| rights.may_call(function))
    }

    async fn renew_rights(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        if self.link.rights_asked.is_some_and(|asked| asked.elapsed() < RIGHTS_FOR) {
            return Ok(());
        }
        self.link.rights_asked = Some(Instant::now());
        self.link.rights = Some(Rights::ask(connection).await?);
        Ok(())
    }

    fn note_restart(&mut self, now: &Now, picture: &mut Picture) -> bool {
        let is_restarted = self.link.started_us.is_some_and(|started| started != now.started_us);
        self.link.started_us = Some(now.started_us);
        if is_restarted {
            self.link.restarted = Some(Instant::now());
            self.link.ring = 0;
            self.sessions.reset();
            self.waits.reset();
            self.known.reset();
        }
        if self.link.restarted.is_some_and(|when| when.elapsed() < RESTARTED_FOR) {
            picture.note("server-restarted", "the server was restarted: sessions and waits of before are gone");
        }
        is_restarted
    }

    fn put_server(&self, lsn: Option<Lsn>, next: Xid, sessions: u64, picture: &mut Picture) {
        let Some(rights) = &self.link.rights else { return };
        let best = self.options.best;
        let states = rights.tiers();
        let is_used = |tier: Tier| best.is_none_or(|best| tier <= best);
        let mut notes = std::mem::take(&mut picture.notes);
        notes.extend(states.iter().filter_map(|state| state.lack.clone()));
        if !rights.reads_all_activity {
            notes.push(note("activity-denied", "grant pg_monitor to see what sessions of other roles do"));
        }
        let server = Server {
            version: rights.version.clone(),
            tiers: states
                .iter()
                .filter(|state| state.is_there && is_used(state.tier))
                .map(|state| state.tier)
                .collect(),
            is_up: true,
            notes,
            lsn,
            next_xid: next,
            sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
        };
        picture.put(Origin::Sampled, Item::Server(server));
    }
}

async fn now(connection: &mut Connection) -> Result<Now, Trouble> {
    let row = connection.row(SERVER, &[]).await?;
    let snapshot = parsed(row.get("snapshot"))?;
    Ok(Now { started_us: row.get("started_us"), clock_us: row.get("now_us"), next: snapshot.xmax(), snapshot })
}

async fn snapshot(connection: &mut Connection) -> Result<Snapshot, Trouble> {
    parsed(connection.row(SNAPSHOT, &[]).await?.get("snapshot"))
}

/// Up to where the log may be the cause of what was seen.
async fn position(connection: &mut Connection) -> Result<Option<Lsn>, Trouble> {
    Ok(connection.row(POSITION, &[]).await?.get::<_, Option<&str>>("lsn").and_then(|lsn| lsn.parse().ok()))
}

fn parsed(text: &str) -> Result<Snapshot, Trouble> {
    let unreadable = |_| Trouble::Refused { sqlstate: String::new(), message: format!("unreadable snapshot {text}") };
    text.parse().map_err(unreadable)
}

/// The cause at the bottom of an error, which is what the system or the server said.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
