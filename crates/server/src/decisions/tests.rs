//! The history on real servers: what was acknowledged is there again, whoever is killed; what was kept is never changed.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use pgstrata_pg::{Endpoint, testing};
use serde_json::{Value, json};

use super::*;

/// Tells the second process that it is to keep decisions until it is killed, and where.
const KEEPER: &str = "PGSTRATA_TEST_KEEPER";
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);

fn place(directory: &Path) -> Place {
    let install = pgstrata_pg::find(None, None).expect("install PostgreSQL 14 to 18 to run these tests");
    Place::Kept { directory: directory.join("history"), install: Some(install) }
}

/// A directory that the server's user can enter.
fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("chmod");
    directory
}

fn question(number: usize) -> Value {
    json!({ "title": format!("question {number}"), "schema": "create table a (b int)", "sources": [] })
}

async fn save(decisions: &Decisions, number: usize) -> String {
    decisions.save(&question(number), &json!({ "summary": { "number": number } })).await.expect("it is kept")
}

async fn postmaster(decisions: &Decisions) -> i32 {
    let open = decisions.0.open.lock().await;
    let server = open.as_ref().and_then(Open::server).expect("its server runs");
    server.postmaster().expect("it runs").as_raw()
}

#[tokio::test]
async fn the_same_question_is_kept_once_under_the_hash_of_its_content() {
    let directory = open_directory();
    let decisions = Decisions::new(place(directory.path()));
    let id = save(&decisions, 1).await;
    let same: Value = serde_json::from_str(r#"{"sources":[], "schema":"create table a (b int)","title":"question 1"}"#)
        .expect("JSON");
    assert_eq!(decisions.save(&same, &json!({ "summary": { "number": 1 } })).await.expect("it is kept"), id);
    assert_eq!(id, content_id(&canonical(&question(1))));
    let kept = decisions.show(&id).await.expect("it is there");
    assert_eq!((kept.question, kept.answers.len()), (question(1), 1));
    decisions.save(&question(1), &json!({ "summary": "another" })).await.expect("it is kept");
    save(&decisions, 2).await;
    let list = decisions.list(None, 10).await.expect("a list");
    let seen: Vec<_> = list.iter().map(|entry| (entry.title.as_str(), entry.answers)).collect();
    assert_eq!(seen, [("question 2", 1), ("question 1", 2)]);
    assert_eq!(list[1].summary, Some(json!("another")));
    let older = decisions.list(Some(list[0].number), 10).await.expect("a list");
    assert_eq!(older.len(), 1);
    decisions.close().await;
}

#[tokio::test]
async fn a_note_is_kept_once_for_each_key() {
    let directory = open_directory();
    let decisions = Decisions::new(place(directory.path()));
    let id = save(&decisions, 1).await;
    for _ in 0..2 {
        decisions.note(&id, "k1", "agreed with the team").await.expect("it is kept");
    }
    let kept = decisions.note(&id, "k2", "rolled out").await.expect("it is kept");
    let notes: Vec<&str> = kept.notes.iter().map(|note| note.body.as_str()).collect();
    assert_eq!(notes, ["agreed with the team", "rolled out"]);
    let missing = decisions.note(&content_id("nothing"), "k", "x").await.expect_err("there is none");
    assert_eq!(missing.code, Code::NotFound);
    for id in ["", "../../etc/passwd", "' or true --", &"a".repeat(100_000)] {
        assert_eq!(decisions.show(id).await.expect_err("no id").code, Code::NotFound);
    }
    decisions.close().await;
}

#[tokio::test]
async fn an_acknowledged_decision_survives_the_death_of_the_postmaster() {
    let directory = open_directory();
    let decisions = Decisions::new(place(directory.path()));
    for number in 0..5 {
        let id = save(&decisions, number).await;
        let pid = nix::unistd::Pid::from_raw(postmaster(&decisions).await);
        kill(pid, Signal::SIGKILL).expect("kill the postmaster");
        let kept = decisions.show(&id).await.expect("its server is started again");
        assert_eq!(kept.question, question(number));
    }
    assert_eq!(decisions.list(None, 100).await.expect("a list").len(), 5);
    decisions.close().await;
}

#[tokio::test]
async fn the_history_is_there_again_after_an_orderly_end() {
    let directory = open_directory();
    for number in 0..3 {
        let decisions = Decisions::new(place(directory.path()));
        assert_eq!(decisions.list(None, 10).await.expect("a list").len(), number);
        save(&decisions, number).await;
        decisions.close().await;
    }
}

/// In the second process: keeps one decision after the other, and writes down each that was acknowledged.
async fn keep_until_killed(directory: &Path) {
    let decisions = Decisions::new(place(directory));
    for number in 0.. {
        let id = save(&decisions, number).await;
        let line = format!("{} {id}\n", postmaster(&decisions).await);
        let file = fs::OpenOptions::new().create(true).append(true).open(directory.join("told")).expect("a file");
        std::io::Write::write_all(&mut &file, line.as_bytes()).expect("written");
    }
}

fn told(directory: &Path) -> Vec<(i32, String)> {
    let text = fs::read_to_string(directory.join("told")).unwrap_or_default();
    // The last line may be torn: then nobody was told.
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    whole
        .map(|line| line.split_once(' ').expect("two words"))
        .map(|(pid, id)| (pid.parse().expect("a pid"), id.to_owned()))
        .collect()
}

#[tokio::test]
async fn every_acknowledged_decision_survives_the_death_of_program_and_postmaster() {
    if let Some(directory) = env::var_os(KEEPER) {
        return keep_until_killed(Path::new(&directory)).await;
    }
    let test = "decisions::tests::every_acknowledged_decision_survives_the_death_of_program_and_postmaster";
    let directory = open_directory();
    for round in 1..=3 {
        let before = told(directory.path()).len();
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--exact", test, "--nocapture"]).env(KEEPER, directory.path());
        let mut keeper = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run this program again");
        let began = Instant::now();
        while told(directory.path()).len() < before + 3 {
            assert!(began.elapsed() < PATIENCE, "nothing was kept in round {round}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // In the middle of whatever it does: the postmaster first in one round, the program first in the next.
        let pid = nix::unistd::Pid::from_raw(told(directory.path()).last().expect("a line").0);
        if round % 2 == 0 {
            kill(pid, Signal::SIGKILL).expect("kill the postmaster");
        }
        keeper.kill().expect("kill the program");
        keeper.wait().expect("reap it");
    }
    let decisions = Decisions::new(place(directory.path()));
    let ids: Vec<String> = told(directory.path()).into_iter().map(|(_, id)| id).collect();
    assert!(ids.len() >= 9, "{}", ids.len());
    for id in &ids {
        decisions.show(id).await.expect("what was acknowledged is there");
    }
    decisions.close().await;
}

async fn named() -> (pgstrata_pg::Cluster, Endpoint) {
    let server = testing::server().await.expect("a server");
    let endpoint = server.endpoint();
    (server, endpoint)
}

#[tokio::test]
async fn many_programs_may_open_one_named_history_at_a_time() {
    let (_server, endpoint) = named().await;
    let histories: Vec<Decisions> = (0..6).map(|_| Decisions::new(Place::Named(endpoint.clone()))).collect();
    let saves: Vec<_> = histories
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, decisions)| tokio::spawn(async move { save(&decisions, number % 3).await }))
        .collect();
    for save in saves {
        save.await.expect("no panic");
    }
    assert_eq!(histories[0].list(None, 10).await.expect("a list").len(), 3);
}

#[tokio::test]
async fn a_history_of_a_newer_program_or_of_a_changed_one_is_refused() {
    let (_server, endpoint) = named().await;
    save(&Decisions::new(Place::Named(endpoint.clone())), 1).await;
    let session = endpoint.connect().await.expect("connect");
    let newer = "insert into pgstrata_history.migration (version, name, checksum) values (99, 'future', 'x')";
    session.batch_execute(newer).await.expect("planted");
    let problem = Decisions::new(Place::Named(endpoint.clone())).list(None, 1).await.expect_err("refused");
    assert!(problem.detail.contains("newer pgstrata: migration 99"), "{problem:?}");
    let changed = "delete from pgstrata_history.migration where version = 99; \
                   update pgstrata_history.migration set checksum = 'y' where version = 1";
    session.batch_execute(changed).await.expect("planted");
    let problem = Decisions::new(Place::Named(endpoint.clone())).list(None, 1).await.expect_err("refused");
    assert_eq!(problem.code, Code::Conflict);
    assert!(problem.detail.contains("migration 1 (decisions) is not the one"), "{problem:?}");
}

#[tokio::test]
async fn nothing_that_is_kept_can_be_changed_or_forged() {
    let (_server, endpoint) = named().await;
    let id = save(&Decisions::new(Place::Named(endpoint.clone())), 1).await;
    let session = endpoint.connect().await.expect("connect");
    for forbidden in [
        "update pgstrata_history.decision set question = '{}'",
        "delete from pgstrata_history.answer",
        "truncate pgstrata_history.note",
        "truncate pgstrata_history.decision cascade",
        "insert into pgstrata_history.decision (id, question) values (repeat('0', 64), '{}')",
    ] {
        session.batch_execute(forbidden).await.expect_err(forbidden);
    }
    let other = Decisions::new(Place::Named(endpoint));
    assert_eq!(other.show(&id).await.expect("still there").question, question(1));
}

#[tokio::test]
async fn without_binaries_the_history_says_what_to_do() {
    let nowhere = Place::Kept { directory: PathBuf::from("unused"), install: None };
    let problem = Decisions::new(nowhere).list(None, 1).await.expect_err("nothing to start");
    assert_eq!(problem.code, Code::NotSupported);
    assert!(problem.hint.expect("a hint").contains("--history-url"));
}
