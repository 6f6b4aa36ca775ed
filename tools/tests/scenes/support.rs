//! A server, and scenes played on it.

use pgstrata_pg::{Cluster, Session, testing};
use pgstrata_tools::mvcc::scenes::{self, Play, Stage};
use pgstrata_tuple::{HeapPage, LineState};

pub async fn server() -> Cluster {
    let spec = testing::spec().expect("install PostgreSQL to run these tests");
    // A commit that is not yet on disk leaves no hint bits.
    let spec = spec.with_setting("autovacuum", "off").with_setting("synchronous_commit", "on");
    let server = Cluster::create(spec).await.expect("a server");
    session(&server).await.batch_execute("create extension pageinspect").await.expect("pageinspect");
    server
}

pub async fn session(server: &Cluster) -> Session {
    server.endpoint().connect().await.expect("a session")
}

pub async fn open(server: &Cluster, name: &str) -> Play {
    let scene = scenes::find(name).expect("a scene");
    Play::open(scene, Stage::new(&server.endpoint(), name)).await.expect("a play")
}

/// Plays steps up to (and without) one that is named by its session and the beginning of its text.
pub async fn play_to(play: &mut Play, session: &str, text: &str) {
    loop {
        let step = play.scene().steps.get(play.next()).unwrap_or_else(|| panic!("no step `{session}: {text}`"));
        let is_there = step.session == session && matches!(&step.act, scenes::Act::Run(sql) if sql.starts_with(text));
        if is_there {
            return;
        }
        step_as_told(play).await;
    }
}

pub async fn play_to_the_end(play: &mut Play) {
    while play.next() < play.scene().steps.len() {
        step_as_told(play).await;
    }
}

pub async fn step_as_told(play: &mut Play) {
    let (scene, next) = (play.scene(), play.next());
    let end = play.step().await.expect("a step").expect("not over").clone();
    assert_ne!(end.is_as_told, Some(false), "{} step {next} {:?}: {end:?}", scene.name, scene.steps[next].act);
    let waits = scene.steps[next].expected.contains(&pgstrata_scenario::language::What::Blocks);
    assert!(waits || end.statement.has_ended(), "{} step {next} goes on", scene.name);
}

/// The first page of a scene's table.
pub async fn first_page(session: &Session, play: &Play) -> Vec<u8> {
    let row = session.query_one("select get_raw_page($1::text, 0)", &[&play.table()]).await.expect("a page");
    row.get(0)
}

/// Its line pointers, each by a letter: a tuple, a redirect, dead, unused.
pub fn line_letters(page: &[u8]) -> String {
    let page = HeapPage::parse(page).expect("a page");
    page.lines()
        .map(|line| match line.state {
            LineState::Normal { .. } => 't',
            LineState::Redirect(_) => 'r',
            LineState::Dead { .. } => 'd',
            LineState::Unused => 'u',
        })
        .collect()
}
