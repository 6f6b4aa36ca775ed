//! Follows a server on both tracks, and says what changes as it changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg::Endpoint;
use pgstrata_timeline::file::{FORMAT, Header};
use pgstrata_timeline::{Cause, Change, Item, LogLimits, PutItem, Tier, Verdict, Viewer};
use pgstrata_units::Lsn;
use pgstrata_units::memory::Holding;

use super::error::MvccError;
use super::exact::{Exact, ExactOptions};
use super::note::note;
use super::observer::{Observer, Options};
use super::pace::Pace;
use super::sample::now_us;
use super::tiers::TierState;
use super::tracks::Tracks;
use super::watch::Watch;

/// How long after its loss the exact track is begun anew, at first and at most; twice as long after each failure.
const ANEW_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// How long a beginning may take.
const ANEW_LIMIT: Duration = Duration::from_secs(10);

/// An observer, the server's log where it is to be had, and one log of both.
#[derive(Debug)]
pub struct Follower {
    observer: Observer,
    endpoint: Endpoint,
    exact: Option<Exact>,
    /// Why there is no exact track.
    lack: Option<String>,
    /// When it is begun anew, and the pause before; `None` if there never was one, or there is.
    anew: Option<(Instant, Duration)>,
    /// What is watched.
    watched: Watch,
    tracks: Tracks,
    pace: Pace,
    next_look: Instant,
}

impl Follower {
    /// Attaches to a server, and follows its log if the role may.
    ///
    /// # Errors
    /// Those of [`Observer::attach`]. That the log cannot be followed is none: see [`Follower::lack`].
    pub async fn begin(endpoint: &Endpoint, options: Options, limits: LogLimits) -> Result<Self, MvccError> {
        let observer = Observer::attach(endpoint, options).await?;
        let (exact, lack) = if options.best.is_some_and(|best| best < Tier::Wal) {
            (None, Some("it is not wanted".to_owned()))
        } else {
            match Exact::begin(endpoint, ExactOptions::default()).await {
                Ok(exact) => (Some(exact), None),
                Err(error) => (None, Some(error.to_string())),
            }
        };
        let tracks = Tracks::new(limits);
        Ok(Self {
            observer,
            endpoint: endpoint.clone(),
            exact,
            lack,
            anew: None,
            watched: Watch::default(),
            tracks,
            pace: Pace::default(),
            next_look: Instant::now(),
        })
    }

    /// Why there is no exact track, if there is none.
    #[must_use]
    pub fn lack(&self) -> Option<&str> {
        self.lack.as_deref()
    }

    /// The observer, for questions about tables and tiers.
    #[must_use]
    pub fn observer(&mut self) -> &mut Observer {
        &mut self.observer
    }

    /// The first page of a recording that begins now.
    pub fn header(&mut self, watch: &Watch, title: Option<String>) -> Header {
        let is_exact = self.lack.is_none();
        let (server, database) = self.observer.server();
        let is_there = |state: &TierState| state.is_there && (is_exact || state.tier != Tier::Wal);
        Header {
            format: FORMAT,
            program: format!("pgstrata {}", env!("CARGO_PKG_VERSION")),
            server,
            database,
            tiers: self.observer.tiers().into_iter().filter(is_there).map(|state| state.tier).collect(),
            table: watch.table.clone(),
            row: watch.row.clone(),
            began_us: now_us(),
            title,
        }
    }

    /// The log so far.
    #[must_use]
    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// Watches something else from now on.
    pub async fn watch(&mut self, watch: Watch) -> Vec<Arc<Change>> {
        let mut appended = Vec::new();
        if let Some(exact) = &mut self.exact {
            match exact.watch(watch.table.as_deref()).await {
                Ok(change) => appended = self.tracks.take_exact(change),
                // The observer says what is wrong with the table; a lost log is found out at the next step.
                Err(error) => tracing::debug!(error = %error, "the exact track does not follow this table"),
            }
        }
        self.watched = watch.clone();
        self.observer.watch(watch);
        self.next_look = Instant::now();
        appended
    }

    /// What happens next: returns after each record of the watched table and after each look, often with nothing new. Giving up
    /// the wait loses at most one look.
    pub async fn next(&mut self) -> Vec<Arc<Change>> {
        let next_look = self.next_look;
        tokio::select! {
            appended = self.record() => appended,
            () = tokio::time::sleep_until(next_look.into()) => self.look(Cause::Sample).await,
        }
    }

    /// Waits for the next record of the watched table; for ever where the server's log is not followed. Nothing is lost if
    /// the waiting is given up.
    pub async fn record(&mut self) -> Vec<Arc<Change>> {
        let Some(exact) = &mut self.exact else { return std::future::pending().await };
        match exact.next().await {
            Ok(Some(change)) => self.tracks.take_exact(change),
            Ok(None) => self.end_exact("the log ended".to_owned()),
            Err(error) => self.end_exact(error.to_string()),
        }
    }

    /// Looks now, because of `cause`. That the server went or came is worth more than that.
    pub async fn look(&mut self, cause: Cause) -> Vec<Arc<Change>> {
        let mut appended = self.begin_anew().await;
        let mut sample = self.observer.sample().await;
        if let (Some(_), Some(reason)) = (&self.anew, &self.lack) {
            tell_of_loss(&mut sample.items, reason);
        }
        if !matches!(sample.cause, Cause::Connection { .. }) {
            sample.cause = cause;
        }
        let took = sample.took;
        self.pace.saw(sample.items.iter().map(|put| &put.item));
        let told = self.exact.as_ref().map(|exact| exact.history().told());
        appended.extend(self.tracks.take_told(told, now_us()));
        appended.extend(self.tracks.take_sample(sample, now_us()));
        self.next_look = Instant::now() + self.pace.pause(took, !appended.is_empty());
        appended
    }

    /// The track ends when the server has removed a part of its log that was not read yet, as a busy one may.
    fn end_exact(&mut self, reason: String) -> Vec<Arc<Change>> {
        tracing::warn!(reason, "the server's log cannot be followed any more");
        self.exact = None;
        self.lack = Some(reason.clone());
        self.anew = Some((Instant::now() + ANEW_AFTER.0, ANEW_AFTER.0));
        self.tracks.end_exact(reason, now_us())
    }

    /// Begins the exact track anew where it was lost some time ago: with what is on the pages now.
    async fn begin_anew(&mut self) -> Vec<Arc<Change>> {
        let Some((_, pause)) = self.anew.filter(|(at, _)| *at <= Instant::now()) else { return Vec::new() };
        let table = self.watched.table.clone();
        let beginning = async {
            let mut exact = Exact::begin(&self.endpoint, ExactOptions::default()).await?;
            let change = exact.watch(table.as_deref()).await?;
            Ok::<_, MvccError>((exact, change))
        };
        match tokio::time::timeout(ANEW_LIMIT, beginning).await {
            Ok(Ok((exact, mut change))) => {
                let reason = format!("the log is followed from {}", exact.history().told());
                change.cause = Cause::Connection { is_up: true, reason };
                (self.exact, self.lack, self.anew) = (Some(exact), None, None);
                self.tracks.take_exact(change)
            }
            failed => {
                if let Ok(Err(error)) = failed {
                    tracing::debug!(error = %error, "the exact track does not begin anew yet");
                }
                let pause = (pause * 2).min(ANEW_AFTER.1);
                self.anew = Some((Instant::now() + pause, pause));
                Vec::new()
            }
        }
    }

    /// What a transaction begun at a position would have seen, where the server's log is followed and remembered so far back.
    #[must_use]
    pub fn seen_at(&self, lsn: Lsn) -> Option<(Viewer, Vec<Verdict>)> {
        self.exact.as_ref()?.seen_at(lsn)
    }

    /// The memory that it takes, by what is bounded.
    #[must_use]
    pub fn holds(&self) -> Vec<Holding> {
        let mut holds = self.exact.as_ref().map(Exact::holds).unwrap_or_default();
        holds.extend(self.tracks.holds());
        holds.extend(self.observer.holds());
        holds
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.observer.close().await;
        if let Some(exact) = self.exact {
            exact.close().await;
        }
    }
}

/// Says in a picture that the exact track was lost: without it, versions look as they do to whoever has no such right.
fn tell_of_loss(items: &mut [PutItem], reason: &str) {
    for put in items {
        if let Item::Server(server) = &mut put.item {
            server.tiers.retain(|tier| *tier != Tier::Wal);
            let sentence =
                format_args!("versions are only looked at until the server's log can be followed again: {reason}");
            server.notes.push(note("log-lost", sentence));
        }
    }
}
