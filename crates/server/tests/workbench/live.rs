//! Logs as viewers get them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pgstrata_server::limits;
use pgstrata_server::live::{Seen, Source, Sources};
use pgstrata_server::problem::Problem;
use pgstrata_timeline::{At, Cause, Item, Origin, Server};
use pgstrata_tools::mvcc::Watch;
use pgstrata_units::Xid;
use serde_json::{Value, json};

use super::support::{Door, Open, Viewer};

/// The page's fold, on the bare JSON.
#[derive(Default)]
struct Picture {
    log: String,
    seq: u64,
    items: BTreeMap<String, Value>,
}

impl Picture {
    /// Takes a message in; panics at a gap or a double.
    fn take(&mut self, message: &Value) {
        match message["type"].as_str() {
            Some("moment") => {
                message["log"].as_str().expect("a log").clone_into(&mut self.log);
                self.seq = message["seq"].as_u64().expect("a number");
                let items = message["items"].as_array().expect("items");
                self.items = items.iter().map(|item| (key(item), item.clone())).collect();
            }
            Some("change") => {
                assert_eq!(message["seq"].as_u64(), Some(self.seq + 1), "a gap or a double");
                self.seq += 1;
                for dropped in message["drop"].as_array().into_iter().flatten() {
                    self.items.remove(dropped.as_str().expect("a key"));
                }
                for item in message["put"].as_array().into_iter().flatten() {
                    self.items.insert(key(item), item.clone());
                }
            }
            _ => {}
        }
    }

    async fn until(&mut self, viewer: &mut Viewer, is_reached: impl Fn(&Self) -> bool) {
        while !is_reached(self) {
            let message = viewer.next().await.expect("not closed");
            self.take(&message);
        }
    }

    fn has_session(&self, name: &str, state: &str) -> bool {
        self.items.values().any(|item| item["kind"] == "session" && item["name"] == name && item["state"] == state)
    }
}

fn key(item: &Value) -> String {
    item["key"].as_str().expect("a key").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sessions_do_on_a_real_server_arrives_without_gaps_and_folds_to_what_there_is() {
    let open = Open::usual().await;
    let writer = open.session().await;
    let setup = "create table account (id int primary key, balance int); insert into account values (1, 100); \
                 set application_name = 'alice'";
    writer.batch_execute(setup).await.expect("a table");
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch", "table": "public.account"})).await;
    let mut picture = Picture::default();
    picture.until(&mut viewer, |picture| picture.seq > 0).await;
    writer.batch_execute("begin; update account set balance = 90 where id = 1").await.expect("an update");
    picture.until(&mut viewer, |picture| picture.has_session("alice", "idle in transaction")).await;
    writer.batch_execute("commit").await.expect("a commit");
    picture.until(&mut viewer, |picture| picture.has_session("alice", "idle")).await;

    // Whoever comes now is told the same.
    let mut second = open.viewer().await;
    second.send(&json!({"type": "watch", "table": "public.account"})).await;
    let moment = second.until("moment").await;
    assert_eq!(moment["log"].as_str(), Some(picture.log.as_str()), "both share one log");
    let seq = moment["seq"].as_u64().expect("a number");
    picture.until(&mut viewer, |picture| picture.seq >= seq).await;
    let mut other = Picture::default();
    other.take(&moment);
    let goal = picture.seq;
    other.until(&mut second, |picture| picture.seq >= goal).await;
    if other.seq == picture.seq {
        assert_eq!(other.items, picture.items);
    }
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    let open =
        Open::through(Door { sources: Some(Box::new(Counters)), is_without_server: true, ..Door::default() }).await;
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch"})).await;
    let mut picture = Picture::default();
    picture.until(&mut viewer, |picture| picture.seq >= 3).await;
    drop(viewer);
    let mut again = open.viewer().await;
    again.send(&json!({"type": "watch", "log": picture.log, "after": picture.seq})).await;
    let resumed = again.next().await.expect("an answer");
    assert_eq!(resumed, json!({"type": "resumed", "log": picture.log, "after": picture.seq}));
    let goal = picture.seq + 5;
    // `take` panics at a gap or a double.
    picture.until(&mut again, |picture| picture.seq >= goal).await;
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_of_another_log_or_of_the_future_gets_a_moment() {
    let open =
        Open::through(Door { sources: Some(Box::new(Counters)), is_without_server: true, ..Door::default() }).await;
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch"})).await;
    let log = viewer.until("moment").await["log"].clone();
    for stale in [
        json!({"type": "watch", "log": "another", "after": 1}),
        json!({"type": "watch", "log": log, "after": 1_000_000}),
    ] {
        let mut other = open.viewer().await;
        other.send(&stale).await;
        assert_eq!(other.next().await.expect("an answer")["type"], "moment", "{stale}");
    }
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_takes_nothing_holds_up_no_other_and_is_told_that_it_lagged() {
    let open =
        Open::through(Door { sources: Some(Box::new(Counters)), is_without_server: true, ..Door::default() }).await;
    let mut slow = open.viewer().await;
    slow.send(&json!({"type": "watch", "table": "wide"})).await;
    slow.until("moment").await;
    let mut quick = open.viewer().await;
    quick.send(&json!({"type": "watch", "table": "wide"})).await;
    let mut picture = Picture::default();
    // Changes of 64 kB each fill what sockets hold for the slow one long before this.
    let goal = limits::VIEWER_BEHIND as u64 + 200;
    let mut moments = 0;
    while picture.seq < goal {
        let message = quick.next().await.expect("not closed");
        moments += u64::from(message["type"] == "moment");
        picture.take(&message);
    }
    assert_eq!(moments, 1, "the quick one never lagged");
    // Now the slow one looks: after what was on its way comes a moment, and no gap goes untold.
    let mut behind = Picture { seq: 1, ..Picture::default() };
    let mut is_told = false;
    while !is_told {
        let message = slow.next().await.expect("it was not left");
        is_told = message["type"] == "lagged";
        if behind.seq == 1 && message["type"] == "change" {
            behind.seq = message["seq"].as_u64().expect("a number") - 1;
        }
        behind.take(&message);
    }
    assert_eq!(slow.next().await.expect("a message")["type"], "moment");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_ends() {
    let open =
        Open::through(Door { sources: Some(Box::new(Counters)), is_without_server: true, ..Door::default() }).await;
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch"})).await;
    let first = viewer.until("moment").await["log"].clone();
    drop(viewer);
    let ended = async {
        while open.workbench.logs().await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(super::support::PATIENCE, ended).await.expect("it ends");
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch"})).await;
    assert_ne!(viewer.until("moment").await["log"], first);
    open.close().await;
}

/// Sources whose every look differs from the one before: a server's counter goes up. The table `wide` makes big changes,
/// many at each look.
struct Counters;

struct Counter {
    next: u64,
    width: usize,
}

#[async_trait]
impl Sources for Counters {
    async fn open(&self, watch: &Watch) -> Result<Box<dyn Source>, Problem> {
        let width = if watch.table.as_deref() == Some("wide") { 64 * 1024 } else { 0 };
        Ok(Box::new(Counter { next: 0, width }))
    }
}

#[async_trait]
impl Source for Counter {
    async fn look(&mut self, cause: Cause) -> Result<Vec<Seen>, Problem> {
        let count = if self.width > 0 { 4 } else { 1 };
        let event = |_| {
            self.next += 1;
            let server = Server {
                version: "x".repeat(self.width),
                tiers: Vec::new(),
                is_up: true,
                notes: Vec::new(),
                lsn: None,
                next_xid: Xid(self.next),
                sessions: 0,
            };
            let put = vec![Item::Server(server).known(Origin::Sampled).into()];
            let at = At { unix_us: i64::try_from(self.next).unwrap_or(0), lsn: None };
            Seen { put, drop: Vec::new(), at, cause: cause.clone() }
        };
        Ok((0..count).map(event).collect())
    }
}
