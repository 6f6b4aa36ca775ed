//! Random work by several sessions, one statement at a time, so that after each the server is at rest.
//!
//! Statements may fail (locks that are not to be had, keys that exist): then the transaction goes back to its last
//! savepoint or ends. The same seed does the same on the same server, but for which pages rows land on.

use futures_util::SinkExt as _;
use pgstrata_pg::{Cluster, Session};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{session, work};

/// How many sessions take turns.
const SESSIONS: usize = 4;
/// Savepoints of one transaction at most.
const SAVEPOINTS_MAX: usize = 5;

/// One session with what it has open.
struct Worker {
    session: Session,
    savepoints: Vec<usize>,
    is_open: bool,
}

/// Sessions at work.
pub struct Workload {
    workers: Vec<Worker>,
    utility: Session,
    random: ChaCha8Rng,
    prepared: Vec<String>,
    counter: usize,
}

impl Workload {
    /// Makes the tables, and sessions.
    pub async fn begin(server: &Cluster, seed: u64) -> Self {
        let utility = session(server).await;
        work(&utility, include_str!("schema.sql")).await;
        let mut workers = Vec::new();
        for _ in 0..SESSIONS {
            let session = session(server).await;
            session.batch_execute("set lock_timeout = '5ms'").await.expect("a setting");
            workers.push(Worker { session, savepoints: Vec::new(), is_open: false });
        }
        Self { workers, utility, random: ChaCha8Rng::seed_from_u64(seed), prepared: Vec::new(), counter: 0 }
    }

    /// One statement of one session; returns what was done, for messages of failed tests.
    pub async fn step(&mut self) -> String {
        self.counter += 1;
        if self.random.random_range(0..25) == 0 {
            return self.upkeep().await;
        }
        let number = self.random.random_range(0..SESSIONS);
        let statement = if self.workers[number].is_open { self.inside(number) } else { self.outside(number) };
        let outcome = if statement.starts_with("copy") {
            copy(&self.workers[number].session, &statement, self.counter).await
        } else {
            self.workers[number].session.batch_execute(&statement).await
        };
        let told = format!("session {number}: {statement}");
        match outcome {
            Ok(()) => told,
            Err(error) => {
                let undo = self.workers[number].recover(&statement).await;
                self.prepared.retain(|gid| statement != format!("prepare transaction '{gid}'"));
                format!("{told} -> {error}, {undo}")
            }
        }
    }

    /// Ends all that is open.
    pub async fn finish(&mut self) {
        for worker in &mut self.workers {
            worker.session.batch_execute("commit").await.expect("an end");
            worker.is_open = false;
        }
        for gid in self.prepared.drain(..) {
            self.utility.batch_execute(&format!("commit prepared '{gid}'")).await.expect("an end");
        }
    }

    async fn upkeep(&mut self) -> String {
        let prepared = self.prepared.pop();
        let statement = match (self.random.random_range(0..8), prepared) {
            (..4, Some(gid)) => format!("commit prepared '{gid}'"),
            (4.., Some(gid)) => format!("rollback prepared '{gid}'"),
            (0 | 1, None) => "vacuum account".to_owned(),
            (2, None) => "vacuum (freeze) account".to_owned(),
            (3, None) => "vacuum (freeze, index_cleanup off) account".to_owned(),
            (4, None) => "checkpoint".to_owned(),
            (5, None) => "vacuum parted".to_owned(),
            (_, None) => "select count(*) from account".to_owned(),
        };
        self.utility.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        statement
    }

    fn outside(&mut self, number: usize) -> String {
        if self.random.random_range(0..3) == 0 {
            return self.change();
        }
        self.workers[number].is_open = true;
        "begin".to_owned()
    }

    fn inside(&mut self, number: usize) -> String {
        let worker = &mut self.workers[number];
        let name = self.counter;
        match self.random.random_range(0..20) {
            0 | 1 if worker.savepoints.len() < SAVEPOINTS_MAX => {
                worker.savepoints.push(name);
                format!("savepoint s{name}")
            }
            2 => match worker.savepoints.last() {
                Some(savepoint) => format!("rollback to s{savepoint}"),
                None => "rollback and chain".to_owned(),
            },
            3 => match worker.savepoints.pop() {
                Some(savepoint) => format!("release s{savepoint}"),
                None => "select 1".to_owned(),
            },
            4 | 5 => worker.end("commit"),
            6 => worker.end("rollback"),
            7 if self.prepared.len() < 3 => {
                let gid = format!("gid {name}");
                let statement = worker.end(&format!("prepare transaction '{gid}'"));
                self.prepared.push(gid);
                statement
            }
            _ => self.change(),
        }
    }

    /// A statement that changes or locks rows.
    fn change(&mut self) -> String {
        let (id, other, number) = (self.random.random_range(1..60), self.random.random_range(1..60), self.counter);
        let lock = ["for update", "for no key update", "for share", "for key share"][self.random.random_range(0..4)];
        let length = self.random.random_range(1..300);
        match self.random.random_range(0..20) {
            0 | 1 => {
                format!(
                    "insert into account (id, amount, note) values ({id}, {number}, repeat('x', {length})) on conflict do nothing"
                )
            }
            2 => format!(
                "insert into account (id, amount, note) values ({id}, {number}, 'up') on conflict (id) do update set was = account.ctid, amount = {number}"
            ),
            3 => format!("insert into account (id, amount, note) values ({id}, {number}, 'plain')"),
            4..8 => format!("update account set was = ctid, amount = amount + 1 where id = {id}"),
            8 => format!(
                "update account set was = ctid, note = note || repeat('y', {length}) where id = {id} and length(note) < 900"
            ),
            9 => format!(
                "update account set was = ctid, note = 'n{number}' || repeat(md5('{number}'), {length} / 10) where id = {id}"
            ),
            10 => format!("update account set was = ctid, id = {other} where id = {id}"),
            11 => format!("delete from account where id = {id}"),
            12..16 => format!("select from account where id = {id} {lock}"),
            16 => format!("update parted set part = 3 - part where id = {}", id % 20),
            17 => "copy account (id, amount, note) from stdin".to_owned(),
            18 => format!("update account set was = ctid, amount = {number} where id between {id} and {id} + 5"),
            _ => format!("select sum(amount) from account where id < {id}"),
        }
    }
}

impl Worker {
    fn end(&mut self, statement: &str) -> String {
        self.is_open = false;
        self.savepoints.clear();
        statement.to_owned()
    }

    /// After an error: back to the last savepoint, or to no transaction. A transaction that could not be prepared is gone.
    async fn recover(&mut self, statement: &str) -> String {
        if !self.is_open {
            // The error comes before the server has taken the transaction off its list; another answer comes after that.
            self.session.batch_execute("").await.expect("nothing is done");
            return format!("{statement} was alone");
        }
        let undo = match self.savepoints.last() {
            Some(savepoint) => format!("rollback to s{savepoint}"),
            None => self.end("rollback"),
        };
        self.session.batch_execute(&undo).await.unwrap_or_else(|error| panic!("{undo}: {error:?}"));
        undo
    }
}

/// Several rows by one `copy`: those are logged together.
async fn copy(session: &Session, statement: &str, number: usize) -> Result<(), tokio_postgres::Error> {
    let mut sink = Box::pin(session.copy_in::<_, bytes::Bytes>(statement).await?);
    let rows: Vec<String> = (0..7).map(|row| format!("{}\t{row}\tcopied {number}", 1000 + number * 10 + row)).collect();
    sink.send(bytes::Bytes::from(rows.join("\n") + "\n")).await?;
    sink.as_mut().finish().await.map(drop)
}
