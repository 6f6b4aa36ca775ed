//! What the tests share: a private server, and a flush that inserts a row per request and counts them in one hot row.
//!
//! The server has fsync off. What is lost when its processes are killed is the same with and without, since the
//! operating system lives on; only a crash of the machine tells them apart, and no test here does that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Endpoint, Error, Session};
use pgstrata_sequencer::{Flush, Sequencer, Settings};

/// How long a test waits for something that must happen before it fails. No test measures time.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    directory: PathBuf,
    settings: Vec<String>,
    child: Option<Child>,
}

impl Server {
    pub async fn create(settings: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("pgs-").tempdir_in("/tmp").expect("dir").keep();
        chown(&directory, Some(uid().0), Some(uid().1)).expect("chown");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("mode");
        let settings = settings.iter().map(|s| (*s).to_owned()).collect();
        let mut server = Self { directory, settings, child: None };
        let status = server
            .program("initdb")
            .args(["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(server.directory.join("data"))
            .status()
            .expect("initdb");
        assert!(status.success());
        server.start().await;
        server
    }

    pub async fn start(&mut self) {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.directory.join("data")).arg("-k").arg(&self.directory);
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "recovery_init_sync_method=syncfs"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        self.child = Some(command.process_group(0).spawn().expect("postgres"));
        self.session().await;
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(&self.directory, 5432, "postgres")
    }

    pub async fn session(&self) -> Session {
        self.endpoint().connect_retry(PATIENCE).await.expect("a session")
    }

    /// Kills the postmaster and all its children at once.
    pub async fn crash(&mut self) {
        let mut child = self.child.take().expect("running");
        let pid = child.id();
        signal(pid, nix::sys::signal::Signal::SIGSTOP);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("children");
        let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        for child in children.iter().chain([&pid]) {
            signal(*child, nix::sys::signal::Signal::SIGKILL);
        }
        child.wait().expect("wait");
        while children.iter().any(|pid| fs::exists(format!("/proc/{pid}")).unwrap_or(false)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(PathBuf::from("/usr/lib/postgresql/15/bin").join(name));
        command.stdin(Stdio::null()).stdout(Stdio::null()).current_dir(&self.directory);
        command.stderr(fs::File::options().append(true).create(true).open(self.directory.join("log")).expect("log"));
        command.uid(uid().0).gid(uid().1);
        command
    }
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).expect("pid")), signal);
}

fn uid() -> (u32, u32) {
    let user = nix::unistd::User::from_name("postgres").expect("users").expect("postgres");
    (user.uid.as_raw(), user.gid.as_raw())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), nix::sys::signal::Signal::SIGQUIT);
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The subject of these tests: one row per request, and their number in one hot row.
const SCHEMA: &str = "
    create table counter (total bigint not null);
    insert into counter values (0);
    create table hit (
        key bigint primary key,
        amount int not null constraint amount_is_positive check (amount > 0),
        writer text not null,
        place bigint not null
    )";

/// `place` is the value of the hot row that the flush found, so it orders the flushes of all writers.
const FLUSH: &str = "
    with locked as (
        select total from counter for update
    ),
    inserted as (
        insert into hit (key, amount, writer, place)
        select r.key, r.amount, $3, (select total from locked)
        from unnest($1::bigint[], $2::int[]) as r (key, amount)
        on conflict (key) do nothing
        returning 1
    )
    update counter set total = total + (select count(*) from inserted)";

#[derive(Clone, Copy, Debug)]
pub struct Hit {
    pub key: i64,
    pub amount: i32,
}

impl Hit {
    pub fn new(key: i64) -> Self {
        Self { key, amount: 1 }
    }
}

/// The flush of these tests. The answer is the request's key.
#[derive(Clone, Debug)]
pub struct Hits {
    pub writer: &'static str,
}

#[async_trait]
impl Flush for Hits {
    type Request = Hit;
    type Answer = i64;
    type Prepared = Statement;

    async fn prepare(&self, session: &Session) -> Result<Statement, Error> {
        Ok(session.prepare(FLUSH).await?)
    }

    async fn flush(&self, session: &Session, statement: &Statement, batch: &[Hit]) -> Result<Vec<i64>, Error> {
        let keys: Vec<i64> = batch.iter().map(|hit| hit.key).collect();
        let amounts: Vec<i32> = batch.iter().map(|hit| hit.amount).collect();
        session.execute(statement, &[&keys, &amounts, &self.writer]).await?;
        Ok(keys)
    }
}

pub async fn server() -> Server {
    server_with(&[]).await
}

pub async fn server_with(settings: &[&str]) -> Server {
    let server = Server::create(settings).await;
    server.session().await.batch_execute(SCHEMA).await.expect("the schema of the tests");
    server
}

pub async fn start(server: &Server, settings: Settings) -> Sequencer<Hits> {
    Sequencer::start(server.endpoint(), Hits { writer: "first" }, settings).await.expect("a sequencer")
}

/// What is in the table: key, and how often (always once; the primary key says so).
pub async fn stored(session: &Session) -> BTreeSet<i64> {
    let rows = session.query("select key from hit", &[]).await.expect("the rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The hot row agrees with the rows it counts.
pub async fn assert_consistent(session: &Session) {
    let row = session
        .query_one("select (select total from counter) = (select count(*) from hit)", &[])
        .await
        .expect("the totals");
    assert!(row.get::<_, bool>(0), "the counter equals the number of rows");
}

/// First and last place of each writer.
pub async fn places(session: &Session) -> BTreeMap<String, (i64, i64)> {
    let rows =
        session.query("select writer, min(place), max(place) from hit group by writer", &[]).await.expect("rows");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

/// Waits until a query answers true.
pub async fn eventually(session: &Session, query: &str) {
    let wait = async {
        while !session.query_one(query, &[]).await.expect("a query").get::<_, bool>(0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never true: {query}"));
}
