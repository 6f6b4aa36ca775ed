//! Consoles and scenes on real sessions.

use serde_json::{Value, json};

use super::support::{Answer, Door, Open, PATIENCE};

/// A browser that keeps its cookie.
struct Browser {
    cookie: String,
}

impl Browser {
    async fn new(open: &Open) -> Self {
        let answer = open.get("/api/consoles").await;
        let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().expect("a value").to_owned();
        Self { cookie: format!("Cookie: {cookie}") }
    }

    async fn get(&self, open: &Open, path: &str) -> Answer {
        open.request("GET", path, &[&self.cookie], b"").await
    }

    async fn post(&self, open: &Open, path: &str, body: &Value) -> Answer {
        let headers = [self.cookie.as_str(), "Content-Type: application/json"];
        open.request("POST", path, &headers, body.to_string().as_bytes()).await
    }

    async fn console(&self, open: &Open, name: &str) -> String {
        let answer = self.post(open, "/api/consoles", &json!({"key": format!("open-{name}"), "name": name})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn run(&self, open: &Open, console: &str, key: &str, sql: &str) -> Value {
        let body = json!({"key": key, "sql": sql, "wait_ms": 20_000});
        let answer = self.post(open, &format!("/api/consoles/{console}/run"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// A statement when it has ended. One that waits for somebody is told of at once, so it is asked for again.
    async fn ended(&self, open: &Open, console: &str, number: u64) -> Value {
        let path = format!("/api/consoles/{console}/statements/{number}?wait_ms=20000");
        let asking = async {
            loop {
                let statement = self.get(open, &path).await.json();
                if statement["state"] != "running" {
                    return statement;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the statement ends")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consoles_wait_for_each_other_on_real_sessions_and_all_of_it_is_told() {
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let (alice, bob) = (browser.console(&open, "alice").await, browser.console(&open, "bob").await);
    browser.run(&open, &alice, "1", "create table account (id int primary key, balance int)").await;
    browser.run(&open, &alice, "row", "insert into account values (1, 100)").await;
    browser.run(&open, &alice, "2", "begin; update account set balance = 1").await;
    let blocked = browser.run(&open, &bob, "1", "update account set balance = 2").await;
    assert_eq!(blocked["state"], "running");
    assert_eq!(blocked["waits_for"].as_array().map(Vec::len), Some(1), "{blocked}");
    let commit = browser.run(&open, &alice, "3", "commit").await;
    assert_eq!(commit["answers"][0]["tag"], "COMMIT");
    let ended = browser.ended(&open, &bob, 1).await;
    assert_eq!(
        (&ended["state"], &ended["has_waited"], &ended["answers"][0]["tag"]),
        (&json!("done"), &json!(true), &json!("UPDATE 1"))
    );
    let wrong = browser.run(&open, &bob, "2", "select 1/0").await;
    assert_eq!((wrong["state"].as_str(), wrong["error"]["sqlstate"].as_str()), (Some("failed"), Some("22012")));
    let scenario = browser.get(&open, "/api/consoles/scenario").await.json();
    let text = scenario["text"].as_str().expect("a text");
    assert!(text.contains("alice") && text.contains("update account set balance = 2"), "{text}");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_opens_nothing_and_sends_nothing_a_second_time() {
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let first = browser.console(&open, "alice").await;
    assert_eq!(browser.console(&open, "alice").await, first);
    browser.run(&open, &first, "make", "create table counted (n int); insert into counted values (0)").await;
    for _ in 0..3 {
        let statement = browser.run(&open, &first, "once", "update counted set n = n + 1").await;
        assert_eq!(statement["number"], 2);
    }
    let row = browser.run(&open, &first, "look", "select n from counted").await;
    assert_eq!(row["answers"][0]["rows"], json!([["1"]]));
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_belongs_to_its_browser_and_its_end_rolls_back() {
    let open = Open::usual().await;
    let (owner, other) = (Browser::new(&open).await, Browser::new(&open).await);
    let console = owner.console(&open, "alice").await;
    owner.run(&open, &console, "1", "create table kept (n int)").await;
    owner.run(&open, &console, "2", "begin; insert into kept values (1)").await;
    let run = json!({"key": "x", "sql": "commit"});
    for (method, path) in [("POST", "run"), ("POST", "cancel"), ("GET", "statements/1"), ("DELETE", "")] {
        let path = format!("/api/consoles/{console}/{path}");
        let headers = [other.cookie.as_str(), "Content-Type: application/json"];
        let answer = open.request(method, path.trim_end_matches('/'), &headers, run.to_string().as_bytes()).await;
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
    }
    assert_eq!(other.get(&open, "/api/consoles").await.json(), json!([]));
    let gone = open.request("DELETE", &format!("/api/consoles/{console}"), &[&owner.cookie], b"").await;
    assert_eq!(gone.status, 204);
    let rows = open.session().await.query("select n from kept", &[]).await.expect("the table is there");
    assert!(rows.is_empty(), "what was not committed is rolled back");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_cut_and_says_so_and_a_statement_that_is_too_long_is_refused() {
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let console = browser.console(&open, "alice").await;
    let many = browser.run(&open, &console, "1", "select generate_series(1, 700)").await;
    let answer = &many["answers"][0];
    assert_eq!(
        (answer["rows"].as_array().map(Vec::len), &answer["is_cut"], &answer["left_out"]),
        (Some(500), &json!(true), &json!(200))
    );
    let long = format!("select '{}'", "x".repeat(70_000));
    let refused = browser.post(&open, &format!("/api/consoles/{console}/run"), &json!({"key": "2", "sql": long})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (413, Some("too-large")));
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_statement_ends_and_the_seventeenth_console_is_refused() {
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let console = browser.console(&open, "c0").await;
    let body = json!({"key": "1", "sql": "select pg_sleep(600)"});
    let running = browser.post(&open, &format!("/api/consoles/{console}/run"), &body).await.json();
    assert_eq!(running["state"], "running");
    assert_eq!(browser.post(&open, &format!("/api/consoles/{console}/cancel"), &json!({})).await.status, 204);
    let ended = browser.get(&open, &format!("/api/consoles/{console}/statements/1?wait_ms=20000")).await.json();
    assert_eq!(ended["error"]["sqlstate"], "57014", "{ended}");
    for number in 1..16 {
        browser.console(&open, &format!("c{number}")).await;
    }
    let refused = browser.post(&open, "/api/consoles", &json!({"key": "more", "name": "more"})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("limit-reached")));
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_that_may_only_be_read_consoles_and_scenes_refuse_with_a_hint() {
    let open = Open::through(Door { is_read_only: true, ..Door::default() }).await;
    let browser = Browser::new(&open).await;
    for (path, body) in
        [("/api/consoles", json!({"key": "1", "name": "alice"})), ("/api/scenes/lost-update/open", json!({}))]
    {
        let answer = browser.post(&open, path, &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("read-only")), "{path}");
        assert!(answer.json()["hint"].as_str().is_some_and(|hint| hint.contains("--allow-write")), "{path}");
    }
    let scenes = open.get("/api/scenes").await.json();
    assert!(scenes.as_array().expect("scenes").iter().all(|scene| scene["obstacle"]["zh"].is_string()));
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_left_alone_on_somebody_elses_server_is_ended_by_that_server() {
    let limit = "idle_in_transaction_session_timeout";
    for (setting, expected) in [(None, "15min"), (Some((limit, "1min")), "1min"), (Some((limit, "2h")), "15min")] {
        let open = Open::through(Door { is_attached: true, setting, ..Door::default() }).await;
        let browser = Browser::new(&open).await;
        let console = browser.console(&open, "alice").await;
        let shown = browser.run(&open, &console, "1", &format!("show {limit}")).await;
        assert!(shown.to_string().contains(&format!("\"{expected}\"")), "{setting:?}: {shown}");
        if setting.is_none() {
            browser.run(&open, &console, "2", &format!("set {limit} = '10ms'; begin")).await;
            let lost = async {
                while browser.get(&open, "/api/consoles").await.json()[0]["is_lost"] != json!(true) {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(PATIENCE, lost).await.expect("the server ends it, and the page is told");
        }
        open.close().await;
    }
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let console = browser.console(&open, "alice").await;
    let shown = browser.run(&open, &console, "1", &format!("show {limit}")).await;
    assert!(shown.to_string().contains("\"0\""), "a private server is there for that: {shown}");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scene_plays_to_its_end_as_it_is_told() {
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let scenes = open.get("/api/scenes").await.json();
    let names: Vec<&str> =
        scenes.as_array().expect("scenes").iter().filter_map(|scene| scene["name"].as_str()).collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let opened = browser.post(&open, &format!("/api/scenes/{name}/open"), &json!({})).await;
        assert_eq!(opened.status, 201, "{name}: {opened:?}");
        let mut scene = opened.json();
        let steps = scene["steps"].as_array().expect("steps").len();
        for step in 0..steps {
            assert_eq!(scene["next"], json!(step), "{name}");
            let early = browser.post(&open, &format!("/api/scenes/{name}/step"), &json!({"step": step + 1})).await;
            assert_eq!(early.status, 409, "{name}: {early:?}");
            let (path, body) = (format!("/api/scenes/{name}/step"), json!({"step": step}));
            let played = tokio::time::timeout(PATIENCE, browser.post(&open, &path, &body)).await.expect("it ends");
            assert_eq!(played.status, 200, "{name} {step}: {played:?}");
            scene = played.json();
            assert_ne!(scene["steps"][step]["is_as_told"], json!(false), "{name}: {}", scene["steps"][step]);
        }
        assert_eq!(scene["next"], json!(steps), "{name}");
        // A step that was played is not played again.
        let again = browser.post(&open, &format!("/api/scenes/{name}/step"), &json!({"step": 0})).await;
        assert_eq!((again.status, &again.json()["next"]), (200, &json!(steps)), "{name}");
        assert_eq!(browser.post(&open, &format!("/api/scenes/{name}/close"), &json!({})).await.status, 204);
        assert_eq!(browser.get(&open, &format!("/api/scenes/{name}")).await.status, 404);
    }
    let left = "select nspname from pg_namespace where nspname like 'pgstrata_scene_%'";
    assert!(
        open.session().await.query(left, &[]).await.expect("an answer").is_empty(),
        "a closed scene leaves nothing"
    );
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_console_does_is_in_the_log_of_whoever_watches() {
    let open = Open::usual().await;
    let browser = Browser::new(&open).await;
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch"})).await;
    viewer.until("moment").await;
    let console = browser.console(&open, "alice").await;
    browser.run(&open, &console, "1", "select 42 as answer").await;
    let mut causes = Vec::new();
    while !causes.contains(&"answer".to_owned()) {
        let change = viewer.until("change").await;
        if change["console"] == "alice" {
            causes.push(change["cause"].as_str().expect("a cause").to_owned());
        }
    }
    assert_eq!(causes, ["statement", "answer"]);
    open.close().await;
}
