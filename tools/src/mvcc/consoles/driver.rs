//! The task behind one console: sends what it is given, listens, and asks whom it waits for.

use std::sync::{Arc, Weak};
use std::time::Duration;

use pgstrata_pg::Error;
use pgstrata_pg::simple::{Reply, SimpleSession};
use tokio::sync::{mpsc, oneshot};

use super::{Shared, now_us};
use crate::mvcc::connection::APPLICATION_NAME;

const BLOCKERS: &str = include_str!("blockers.sql");

/// When a statement is first asked about, and how often at first; more seldom the longer it takes.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(400);
/// How long the end of a cancelled statement is waited for before a busy session is left to itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// What a console is to do.
pub(super) enum Order {
    /// Send a text; answered when it is on its way.
    Run { sql: String, sent: oneshot::Sender<()> },
    /// Ask the server to cancel what runs.
    Cancel { done: oneshot::Sender<Result<(), Error>> },
    /// End the session.
    Close { done: oneshot::Sender<()> },
}

pub(super) struct Driver {
    session: SimpleSession,
    name: String,
    /// Weak, so that dropped consoles end their sessions.
    shared: Weak<Shared>,
    replies: Vec<Reply>,
    pause: Duration,
}

impl Driver {
    pub(super) fn new(session: SimpleSession, name: &str, shared: Weak<Shared>) -> Self {
        Self { session, name: name.to_owned(), shared, replies: Vec::new(), pause: FIRST_LOOK }
    }

    pub(super) async fn drive(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                biased;
                reply = self.session.next_reply(), if !self.session.is_closed() => self.hear(reply),
                order = orders.recv() => match order {
                    Some(Order::Run { sql, sent }) => {
                        self.start(&sql).await;
                        let _ = sent.send(());
                    }
                    Some(Order::Cancel { done }) => {
                        let _ = done.send(self.session.cancel().await);
                    }
                    Some(Order::Close { done }) => {
                        self.end().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return self.end().await,
                },
                () = tokio::time::sleep(self.pause), if self.session.is_busy() => self.look().await,
            }
        }
    }

    async fn start(&mut self, sql: &str) {
        self.replies.clear();
        self.pause = FIRST_LOOK;
        if let Err(error) = self.session.start(sql).await {
            tracing::debug!(error = %error, "a console's statement could not be sent");
            self.hear(Ok(Reply::Closed));
        }
    }

    fn hear(&mut self, reply: Result<Reply, Error>) {
        let reply = reply.unwrap_or_else(|error| {
            tracing::debug!(error = %error, "a console's connection was lost");
            Reply::Closed
        });
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.state();
        let super::State { slots, journal } = &mut *state;
        let Some(slot) = slots.get_mut(&self.name) else { return };
        let is_end = matches!(reply, Reply::Ready(_) | Reply::Closed);
        match &reply {
            Reply::Ready(status) => slot.console.transaction = *status,
            Reply::Closed => slot.console.is_lost = true,
            _ => {}
        }
        let Some(statement) = slot.console.statement.as_mut().filter(|statement| !statement.has_ended()) else {
            return;
        };
        statement.take(&reply, shared.limits.notices);
        self.replies.push(reply);
        if !is_end {
            return;
        }
        statement.end(now_us());
        journal.ended(&self.name, statement, &self.replies);
        let statement = statement.clone();
        drop(state);
        shared.tell(&self.name, self.session.backend_pid(), &statement);
    }

    /// Asks whom the session waits for. A server that does not answer leaves that open.
    async fn look(&mut self) {
        self.pause = (self.pause * 3 / 2).min(LOOK_AT_LEAST_EVERY);
        let Some(shared) = self.shared.upgrade() else { return };
        let waits_for = blockers(&shared, self.session.backend_pid()).await;
        let mut state = shared.state();
        let ours: Vec<i32> = state.slots.values().map(|slot| slot.console.pid).collect();
        let super::State { slots, journal } = &mut *state;
        let Some(statement) = slots.get_mut(&self.name).and_then(|slot| slot.console.statement.as_mut()) else {
            return;
        };
        if statement.has_ended() || statement.waits_for == waits_for {
            return;
        }
        if waits_for.iter().any(|pid| ours.contains(pid)) {
            journal.blocked(&self.name, statement.number);
        }
        statement.has_waited |= !waits_for.is_empty();
        statement.waits_for = waits_for;
        let statement = statement.clone();
        drop(state);
        shared.tell(&self.name, self.session.backend_pid(), &statement);
    }

    /// Ends the session. A server that is busy for it would go on, and hold its locks: it is cancelled first.
    async fn end(mut self) {
        if self.session.is_busy() && self.session.cancel().await.is_ok() {
            let _ = tokio::time::timeout(CLOSE_LIMIT, async {
                while self.session.is_busy() {
                    let reply = self.session.next_reply().await;
                    let is_over = reply.is_err();
                    self.hear(reply);
                    if is_over {
                        return;
                    }
                }
            })
            .await;
        }
        self.session.close().await;
    }
}

async fn blockers(shared: &Arc<Shared>, pid: i32) -> Vec<i32> {
    let mut watcher = shared.watcher.lock().await;
    if watcher.as_ref().is_none_or(|session| session.is_closed()) {
        let endpoint = shared.endpoint.with_application_name(APPLICATION_NAME);
        *watcher = endpoint.connect().await.inspect_err(|error| tracing::debug!(error = %error, "no watcher")).ok();
    }
    let Some(session) = watcher.as_ref() else { return Vec::new() };
    let row = session.query_one(BLOCKERS, &[&pid]).await;
    let mut pids: Vec<i32> = row.and_then(|row| row.try_get(0)).unwrap_or_default();
    pids.sort_unstable();
    pids.dedup();
    pids
}
