//! The sessions of one script on a real server: started without waiting, and looked at until they answer or block.
//!
//! This is the ground of both kinds of scripts, PostgreSQL's specification files and our own scenarios. It knows no
//! script: who acts next, what is printed and what must come of it are decided above. Nothing here runs in the
//! background: what a session has said is what was looked at, so a script's outcome does not depend on which of two
//! sessions' words reached us first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgstrata_pg::simple::{Reply, ServerMessage, TransactionStatus};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Endpoint, Error, Kind, Session, SimpleSession, quote_literal};

use crate::spec::Step;

/// How often a session that has not answered is asked about at the control connection. PostgreSQL's own tester takes
/// the same, and some of its expected outputs depend on a statement having a few milliseconds before it is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How many sessions a script may have; PostgreSQL's own have at most 8.
pub const SESSIONS_MAX: usize = 64;

const BLOCKED: &str = include_str!("blocked.sql");
const BLOCKERS: &str = include_str!("blockers.sql");

/// What fails when the watcher cannot ask.
const WATCHING: &str = "ask who waits for whom";

/// One session of a script, by its place in the list it was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat(pub usize);

/// The sessions of a script, one for the control of it, and one that watches who waits for whom.
#[derive(Debug)]
pub struct Sessions {
    watcher: Session,
    /// Asked so often that it is prepared.
    blocked: Statement,
    control: SimpleSession,
    actors: Vec<Actor>,
    backend_pids: Vec<i32>,
    look_every: Duration,
}

/// One session of a script.
#[derive(Debug)]
struct Actor {
    name: String,
    session: SimpleSession,
    /// Its answers to what it was given, as far as they were heard, until [`Sessions::finish`] has them all.
    answers: Vec<Reply>,
    /// Notifications that came before the end of what it was given.
    notifications: Vec<Reply>,
    /// As the server last said.
    status: TransactionStatus,
    /// What its steps have kept for later ones.
    variables: BTreeMap<String, Option<String>>,
}

/// What a session was found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It has answered: a statement of what it was given has completed or failed, or the connection has ended.
    Answered,
    /// It waits for another session of the script, and will go on doing so until that one does something.
    Blocked,
    /// It has done neither within the limit.
    Busy,
}

/// Whether a look at a session may end with "it waits for another one".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// It may.
    Allowed,
    /// The look goes on until the session answers, or the limit is over.
    Ignored,
}

impl Sessions {
    /// Opens the sessions, named `isolation/<script>/<name>` in `pg_stat_activity`.
    ///
    /// Errors: those of a connection. At most [`SESSIONS_MAX`] names.
    ///
    /// # Panics
    /// When there are more names than that.
    pub async fn open(endpoint: &Endpoint, script: &str, names: &[&str]) -> Result<Self, Error> {
        assert!(names.len() <= SESSIONS_MAX, "a script of more than {SESSIONS_MAX} sessions");
        let called = |name: &str| endpoint.with_application_name(&format!("isolation/{script}/{name}"));
        let control = SimpleSession::connect(&called("control connection")).await?;
        let watcher = called("watcher").connect().await?;
        let blocked = watcher.prepare(BLOCKED).await.map_err(|source| Error::new(WATCHING, Kind::Sql(source)))?;
        let mut actors = Vec::new();
        for name in names {
            let session = SimpleSession::connect(&called(name)).await?;
            let status = TransactionStatus::Idle;
            actors.push(Actor {
                name: (*name).to_owned(),
                session,
                answers: Vec::new(),
                notifications: Vec::new(),
                status,
                variables: BTreeMap::new(),
            });
        }
        let backend_pids = actors.iter().map(|actor| actor.session.backend_pid()).collect();
        Ok(Self { watcher, blocked, control, actors, backend_pids, look_every: LOOK_EVERY })
    }

    /// The same with another pause than [`LOOK_EVERY`] before a session that has not answered is asked about. It decides
    /// how soon a wait is seen, never whether: for many short scripts whose output is not compared with a file.
    #[must_use]
    pub fn with_look_every(mut self, pause: Duration) -> Self {
        self.look_every = pause;
        self
    }

    /// How many sessions there are, the control connection not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// All seats in order.
    pub fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        (0..self.actors.len()).map(Seat)
    }

    /// The session's name.
    #[must_use]
    pub fn name(&self, seat: Seat) -> &str {
        &self.actors[seat.0].name
    }

    /// The process id of the server process behind a session.
    #[must_use]
    pub fn backend_pid(&self, seat: Seat) -> i32 {
        self.backend_pids[seat.0]
    }

    /// Whose server process this is, if it is one of the script's.
    #[must_use]
    pub fn seat_of(&self, backend_pid: i32) -> Option<Seat> {
        self.backend_pids.iter().position(|pid| *pid == backend_pid).map(Seat)
    }

    /// Whether the session is in a transaction, as the server said when it was last ready.
    #[must_use]
    pub fn status(&self, seat: Seat) -> TransactionStatus {
        self.actors[seat.0].status
    }

    /// Whether the session has been given something and [`Self::finish`] has not ended it.
    #[must_use]
    pub fn is_active(&self, seat: Seat) -> bool {
        let actor = &self.actors[seat.0];
        !actor.answers.is_empty() || actor.session.is_busy()
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self, seat: Seat) -> bool {
        self.actors[seat.0].session.is_closed()
    }

    /// Gives a session one or more statements, without waiting for an answer.
    ///
    /// # Panics
    /// When the session is still active.
    pub async fn start(&mut self, seat: Seat, sql: &str) -> Result<(), Error> {
        assert!(!self.is_active(seat), "a session was given work before it was ready");
        self.actors[seat.0].session.start(sql).await
    }

    /// Gives a session a step, with the values of its variables in place.
    ///
    /// # Panics
    /// When the session is still active.
    pub async fn start_step(&mut self, seat: Seat, step: &Step) -> Result<(), Error> {
        if step.uses.is_empty() {
            return self.start(seat, &step.sql).await;
        }
        let mut sql = step.sql.clone();
        for name in &step.uses {
            let value = self.actors[seat.0].variables.get(name).and_then(Option::as_deref);
            let literal = value.map_or_else(|| "null".to_owned(), quote_literal);
            sql = sql.replace(&format!(":'{name}'"), &literal);
        }
        self.start(seat, &sql).await
    }

    /// Keeps what later steps of the session use of a step's answer.
    pub fn remember(&mut self, seat: Seat, step: &Step, replies: &[Reply]) {
        if step.takes.is_empty() {
            return;
        }
        let rows = replies.iter().rev().find_map(|reply| match reply {
            Reply::Complete { rows: Some(rows), .. } => Some(rows),
            _ => None,
        });
        let first = rows.and_then(|rows| rows.rows.first());
        for taken in &step.takes {
            let value = first.and_then(|row| row.get(taken.index)).cloned().flatten();
            self.actors[seat.0].variables.insert(taken.variable.clone(), value);
        }
    }

    /// Looks at a session until it answers, is found waiting for another session of the script, or the limit is over.
    ///
    /// Notices that come before the answer are added to `heard`, in their order. A session that has answered already
    /// is not looked at again.
    pub async fn settle(
        &mut self,
        seat: Seat,
        blocking: Blocking,
        limit: Duration,
        heard: &mut Vec<ServerMessage>,
    ) -> Result<Settled, Error> {
        let began = Instant::now();
        loop {
            if self.actors[seat.0].listen(self.look_every, heard).await? {
                return Ok(Settled::Answered);
            }
            if blocking == Blocking::Allowed && self.is_blocked(seat).await? {
                // Asking took time, in which it may have said something after all.
                let answered = self.actors[seat.0].listen_at_once(heard)?;
                return Ok(if answered { Settled::Answered } else { Settled::Blocked });
            }
            if began.elapsed() >= limit {
                return Ok(Settled::Busy);
            }
        }
    }

    /// Whether a session waits for another session of the script, asked at the control connection.
    pub async fn is_blocked(&self, seat: Seat) -> Result<bool, Error> {
        let row = self.watcher.query_one(&self.blocked, &[&self.backend_pids[seat.0], &self.backend_pids]).await;
        row.and_then(|row| row.try_get(0)).map_err(|source| Error::new(WATCHING, Kind::Sql(source)))
    }

    /// Which sessions of the script a session waits for, those in front of it in a queue included; none when it does not.
    pub async fn blockers(&self, seat: Seat) -> Result<Vec<Seat>, Error> {
        let row = self.watcher.query_one(BLOCKERS, &[&self.backend_pids[seat.0]]).await;
        let pids = row.and_then(|row| row.try_get::<_, Vec<i32>>(0));
        let pids = pids.map_err(|source| Error::new(WATCHING, Kind::Sql(source)))?;
        Ok(pids.into_iter().filter_map(|pid| self.seat_of(pid)).collect())
    }

    /// Takes everything a session answers, until the server is ready for more or has hung up: results, errors and
    /// notices in the order in which they came, and behind them the notifications that have come by then.
    ///
    /// A text of several statements may have answered only its first; the rest may take at most `limit`, after which
    /// this is an error of [`Kind::Timeout`]; what has been heard is kept for the next time.
    pub async fn finish(&mut self, seat: Seat, limit: Duration) -> Result<Vec<Reply>, Error> {
        let actor = &mut self.actors[seat.0];
        match tokio::time::timeout(limit, actor.finish()).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                format!("finish what session {} was given", actor.name),
                Kind::Timeout { limit_ms: limit.as_millis() },
            )),
        }
    }

    /// Gives a session statements and takes everything it answers, at most for `limit`.
    pub async fn run(&mut self, seat: Seat, sql: &str, limit: Duration) -> Result<Vec<Reply>, Error> {
        self.start(seat, sql).await?;
        self.finish(seat, limit).await
    }

    /// The same on the control connection, for set-up, tear-down and looking at the outcome.
    pub async fn run_on_control(&mut self, sql: &str, limit: Duration) -> Result<Vec<Reply>, Error> {
        match tokio::time::timeout(limit, self.control.run(sql)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                "run a statement on the control connection",
                Kind::Timeout { limit_ms: limit.as_millis() },
            )),
        }
    }

    /// The session that watches the others; for looking at the catalogue with parameters.
    #[must_use]
    pub fn watcher(&self) -> &Session {
        &self.watcher
    }

    /// Asks the server to cancel what a session runs.
    pub async fn cancel(&self, seat: Seat) -> Result<(), Error> {
        self.actors[seat.0].session.cancel().await
    }

    /// Says goodbye to all.
    pub async fn close(self) {
        for actor in self.actors {
            actor.session.close().await;
        }
        self.control.close().await;
        self.watcher.close().await;
    }
}

impl Actor {
    /// Listens for a while; whether there is an answer.
    async fn listen(&mut self, limit: Duration, heard: &mut Vec<ServerMessage>) -> Result<bool, Error> {
        let until = Instant::now() + limit;
        while self.answers.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            match self.session.next_reply_within(left).await? {
                Some(reply) => self.hear(reply, heard),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn listen_at_once(&mut self, heard: &mut Vec<ServerMessage>) -> Result<bool, Error> {
        while self.answers.is_empty() {
            match self.session.next_reply_at_once()? {
                Some(reply) => self.hear(reply, heard),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn hear(&mut self, reply: Reply, heard: &mut Vec<ServerMessage>) {
        match reply {
            Reply::Notice(notice) => heard.push(notice),
            // Those that were sent while it was idle come before the answer.
            reply @ Reply::Notification { .. } => self.notifications.push(reply),
            answer => self.answers.push(answer),
        }
    }

    async fn finish(&mut self) -> Result<Vec<Reply>, Error> {
        while self.session.is_busy() {
            match self.session.next_reply().await? {
                Reply::Ready(status) => self.status = status,
                reply @ Reply::Notification { .. } => self.notifications.push(reply),
                reply => self.answers.push(reply),
            }
        }
        while !self.session.is_closed() {
            match self.session.next_reply_at_once()? {
                Some(reply @ Reply::Notification { .. }) => self.notifications.push(reply),
                // An idle session's last words answer nothing.
                Some(Reply::Error(words) | Reply::Notice(words)) => self.answers.push(Reply::Notice(words)),
                Some(_) | None => break,
            }
        }
        self.answers.append(&mut self.notifications);
        Ok(std::mem::take(&mut self.answers))
    }
}
