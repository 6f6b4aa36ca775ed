//! What each scene claims, held against what the server itself says.

use pgstrata_scenario::judge::Complaint;
use pgstrata_scenario::language::Scenario;
use pgstrata_scenario::{play::Stage as ScenarioStage, run};
use pgstrata_tools::mvcc::consoles::ConsoleState;
use pgstrata_tools::mvcc::scenes;
use pgstrata_tuple::HeapPage;

use crate::support::{first_page, line_letters, open, play_to, play_to_the_end, server, session, step_as_told};

#[tokio::test]
async fn every_scene_comes_out_as_it_says_and_begins_anew() {
    let server = server().await;
    for scene in scenes::all() {
        let mut play = open(&server, &scene.name).await;
        play_to_the_end(&mut play).await;
        assert!(play.step().await.expect("no error").is_none(), "{} is over", scene.name);
        if scene.name == "write-skew" {
            play.restart().await.expect("anew");
            assert_eq!(play.next(), 0);
            play_to_the_end(&mut play).await;
        }
        play.close().await.expect("closed");
    }
    let left: i64 = session(&server)
        .await
        .query_one("select count(*) from pg_namespace where nspname like 'pgstrata_scene%'", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(left, 0, "closed scenes leave nothing");
}

#[tokio::test]
async fn every_scene_and_what_was_saved_of_it_can_be_run_as_a_scenario() {
    let server = server().await;
    let stage = ScenarioStage::new(&server.endpoint());
    let version = server.install().version;
    for scene in scenes::all() {
        let mut play = open(&server, &scene.name).await;
        play_to_the_end(&mut play).await;
        let saved = play.scenario().expect("a scenario");
        play.close().await.expect("closed");
        let saved = Scenario::parse_file(&saved).expect("a scenario").remove(0);
        assert_eq!(saved.steps().count(), scene.steps.len(), "{}:\n{saved}", scene.name);
        for scenario in [&scene.scenario, &saved] {
            let outcome = run::run(&stage, scenario, version, &[scene.level]).await.expect("played");
            let plays = outcome.levels.iter().flat_map(|level| &level.plays);
            let mut complaints: Vec<&Complaint> = plays.flat_map(|play| &play.complaints).collect();
            // Who passes over what others hold sees what no order of the transactions shows; that is its purpose.
            complaints.retain(|complaint| scene.name != "skip-locked" || **complaint != Complaint::Unexplained);
            assert!(complaints.is_empty(), "{}: {complaints:?}\n{scenario}", scene.name);
        }
    }
}

#[tokio::test]
async fn the_circle_of_the_deadlock_stands_before_anybody_is_told() {
    let server = server().await;
    let watcher = session(&server).await;
    let mut play = open(&server, "deadlock").await;
    play_to(&mut play, "T3", "update account set balance = balance + 10 where id = 1").await;
    step_as_told(&mut play).await;
    let sessions = play.sessions();
    assert!(sessions.iter().all(|session| session.state() == ConsoleState::Waiting), "{sessions:?}");
    // Asked of the server itself: who waits for whom goes round.
    let mut at = sessions[0].pid;
    let mut round = Vec::new();
    for _ in 0..sessions.len() {
        let row = watcher.query_one("select pg_blocking_pids($1)", &[&at]).await.expect("pids");
        round.push(at);
        at = row.get::<_, Vec<i32>>(0)[0];
    }
    assert_eq!(at, sessions[0].pid);
    round.sort_unstable();
    let mut pids: Vec<i32> = sessions.iter().map(|session| session.pid).collect();
    pids.sort_unstable();
    assert_eq!(round, pids);

    play_to_the_end(&mut play).await;
    let failed: Vec<_> = play.ends().iter().filter_map(|end| end.statement.error.as_ref()).collect();
    assert_eq!(failed.iter().map(|error| error.sqlstate.as_str()).collect::<Vec<_>>(), ["40P01"]);
    play.close().await.expect("closed");
}

#[tokio::test]
async fn vacuum_removes_nothing_while_the_long_transaction_lives_and_all_of_it_afterwards() {
    let server = server().await;
    let watcher = session(&server).await;
    let mut play = open(&server, "long-transaction").await;
    play_to(&mut play, "app", "vacuum").await;
    let before = line_letters(&first_page(&watcher, &play).await);
    assert_eq!(before, "t".repeat(22), "20 rows, two versions more");
    step_as_told(&mut play).await;
    assert_eq!(line_letters(&first_page(&watcher, &play).await), before, "vacuum has removed nothing");
    let kept: i64 = watcher.query_one(KEEPERS, &[&play.sessions()[0].pid]).await.expect("a session").get(0);
    assert_eq!(kept, 1, "the report holds the horizon back");
    play_to(&mut play, "app", "vacuum").await;
    step_as_told(&mut play).await;
    let after = line_letters(&first_page(&watcher, &play).await);
    assert_eq!(after.matches('t').count(), 19, "{after}");
    assert_eq!(after.matches('r').count(), 1, "the first row's line pointer leads on: {after}");
    play.close().await.expect("closed");
}

const KEEPERS: &str = "select count(*) from pg_stat_activity where pid = $1 and backend_xmin is not null";

#[tokio::test]
async fn clicks_are_hot_and_prices_are_not() {
    let server = server().await;
    let watcher = session(&server).await;
    let mut play = open(&server, "hot-update").await;
    play_to(&mut play, "T1", "vacuum").await;
    step_as_told(&mut play).await;
    let page = first_page(&watcher, &play).await;
    assert!(line_letters(&page).starts_with('r'), "the first line pointer is a redirect: {}", line_letters(&page));
    play_to_the_end(&mut play).await;
    let page = first_page(&watcher, &play).await;
    let page = HeapPage::parse(&page).expect("a page");
    let hot = page.tuples().filter(|(_, tuple)| tuple.header.is_heap_only()).count();
    assert_eq!(hot, 2, "the version that vacuum left, and that of the last click");
    // The server's own count; its sessions have told it when they have ended.
    let name = play.table();
    for session in play.sessions() {
        play.consoles().close(&session.name).await.expect("closed");
    }
    let (mut updates, mut hot_updates) = (0_i64, 0_i64);
    for _ in 0..200 {
        let row = watcher.query_one(COUNTS, &[&name]).await.expect("counts");
        (updates, hot_updates) = (row.get(0), row.get(1));
        if updates == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!((updates, hot_updates), (4, 3));
    play.close().await.expect("closed");
}

const COUNTS: &str = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = $1::text::regclass";

#[tokio::test]
async fn a_lock_is_in_the_row_and_makes_no_version() {
    let server = server().await;
    let watcher = session(&server).await;
    let mut play = open(&server, "skip-locked").await;
    play_to(&mut play, "W2", "begin").await;
    let page = first_page(&watcher, &play).await;
    let page = HeapPage::parse(&page).expect("a page");
    let locked: Vec<_> =
        page.tuples().filter(|(_, tuple)| tuple.header.is_xmax_locked_only()).map(|(at, _)| at).collect();
    assert_eq!((locked, page.line_count()), (vec![1], 3));
    play_to_the_end(&mut play).await;
    play.close().await.expect("closed");
}

#[tokio::test]
async fn freezing_sets_both_bits_and_keeps_the_id() {
    let server = server().await;
    let watcher = session(&server).await;
    let mut play = open(&server, "freeze").await;
    let hinted = |page: &[u8]| {
        let page = HeapPage::parse(page).expect("a page");
        page.tuples().map(|(_, tuple)| (tuple.header.is_xmin_committed(), tuple.header.is_frozen())).collect::<Vec<_>>()
    };
    step_as_told(&mut play).await;
    assert_eq!(hinted(&first_page(&watcher, &play).await), [(false, false); 2]);
    step_as_told(&mut play).await;
    assert_eq!(hinted(&first_page(&watcher, &play).await), [(true, false); 2], "a select has written hint bits");
    play_to(&mut play, "T1", "update account set balance = 80").await;
    let page = first_page(&watcher, &play).await;
    assert_eq!(hinted(&page), [(true, true); 2]);
    assert!(HeapPage::parse(&page).expect("a page").tuples().all(|(_, tuple)| tuple.header.xmin > 2));
    play_to_the_end(&mut play).await;
    play.close().await.expect("closed");
}
