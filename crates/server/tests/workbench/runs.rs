//! Runs of studies, on servers of their own.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Open, PATIENCE};

fn short() -> Value {
    json!({"study": "flash-sale", "arms": ["conditional"], "preset": "ci", "clients": 2, "duration_ms": 100, "faults": "none", "seed": 7})
}

/// Asks until the run is in this state.
async fn until(open: &Open, id: &str, state: &str) -> Value {
    let waited = async {
        loop {
            let detail = open.get(&format!("/api/runs/{id}")).await.json();
            let now = detail["run"]["state"].as_str().expect("a state").to_owned();
            if now == state {
                return detail;
            }
            assert!(now == "queued" || now == "running", "it is {state} no more: {detail}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE * 5, waited).await.expect("it comes to that")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_tells_of_itself_and_leaves_a_record() {
    let open = Open::without_server().await;
    let mut viewer = open.viewer().await;
    let answer = open.post("/api/runs", &short()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let run = answer.json();
    let id = run["id"].as_str().expect("an id").to_owned();
    assert!(run["command"].as_str().is_some_and(|command| command.contains("--seed 7")), "{run}");
    let mut states = Vec::new();
    let mut version = None;
    let last = loop {
        let run = viewer.until("run").await["run"].clone();
        assert!(version < run["version"].as_u64(), "news come in order");
        version = run["version"].as_u64();
        let state = run["state"].as_str().expect("a state").to_owned();
        if states.last() != Some(&state) {
            states.push(state);
        }
        if run["ended_us"].is_i64() {
            break run;
        }
    };
    assert_eq!(states, ["queued", "running", "done"], "{last}");
    assert_eq!(last["held"], true, "{last}");
    assert_eq!(last["trials"], last["trials_done"]);
    let record = last["record"].as_str().expect("a record").to_owned();
    let shown = open.get(&format!("/api/records/{record}")).await.json();
    assert_eq!((shown["entry"]["is_own"].as_bool(), shown["seed"].as_u64()), (Some(true), Some(7)));
    let detail = open.get(&format!("/api/runs/{id}")).await.json();
    let pulses = detail["pulses"].as_array().expect("pulses");
    assert!(pulses.iter().any(|pulse| pulse["per_second"].as_f64().is_some_and(|rate| rate > 0.0)), "{pulses:?}");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_and_the_next_one_has_its_turn() {
    let open = Open::without_server().await;
    let mut long = short();
    long["duration_ms"] = json!(600_000);
    let first = open.post("/api/runs", &long).await.json()["id"].as_str().expect("an id").to_owned();
    let second = open.post("/api/runs", &long).await.json()["id"].as_str().expect("an id").to_owned();
    until(&open, &first, "running").await;
    assert_eq!(open.request("DELETE", &format!("/api/runs/{first}"), &[], b"").await.status, 202);
    until(&open, &first, "cancelled").await;
    until(&open, &second, "running").await;
    // The end of the workbench ends what goes on, with its servers.
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_too_many_is_refused_and_one_that_waits_can_be_cancelled() {
    let open = Open::without_server().await;
    let mut long = short();
    long["duration_ms"] = json!(600_000);
    let running = open.post("/api/runs", &long).await.json()["id"].as_str().expect("an id").to_owned();
    until(&open, &running, "running").await;
    let mut waiting = Vec::new();
    for _ in 0..pgstrata_server::limits::QUEUED_RUNS {
        waiting.push(open.post("/api/runs", &long).await.json()["id"].as_str().expect("an id").to_owned());
    }
    let refused = open.post("/api/runs", &long).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("limit-reached")));
    let path = format!("/api/runs/{}", waiting[0]);
    let cancelled = open.request("DELETE", &path, &[], b"").await.json();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(open.post("/api/runs", &long).await.status, 202, "there is a place again");
    open.close().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_started() {
    let open = Open::without_server().await;
    for (change, status) in [
        (json!({"study": "flash-sail"}), 404),
        (json!({"study": "flash-sale", "arms": ["nave"]}), 400),
        (json!({"study": "flash-sale", "clients": 0}), 400),
        (json!({"study": "flash-sale", "faults": "earthquake"}), 400),
        (json!({"study": "flash-sale", "colour": "red"}), 400),
        (json!({}), 400),
    ] {
        let answer = open.post("/api/runs", &change).await;
        assert_eq!(answer.status, status, "{change}: {answer:?}");
        assert!(answer.json()["hint"].is_string(), "{change}");
    }
    assert_eq!(open.get("/api/runs").await.json(), json!([]));
    open.close().await;
}
