//! The advisor over real sockets: what is asked is answered, what is hostile is refused, what is proved is proved on a
//! real server, and what was kept is there again.

use serde_json::{Value, json};

use crate::support::{Door, Open, Viewer};

/// The question of an example.
async fn example(open: &Open, name: &str) -> Value {
    let examples = open.get("/api/advisor/examples").await.json();
    let list = examples.as_array().expect("a list");
    list.iter().find(|one| one["name"] == name).expect(name)["question"].clone()
}

fn small() -> Value {
    json!({
        "title": "skew",
        "schema": "create table doctor (id int primary key, on_call boolean not null);",
        "sources": [{
            "name": "a.sql",
            "text": "-- pgstrata: program Leave\nbegin;\nselect count(*) from doctor where on_call;\n\
                     update doctor set on_call = false where id = :id;\ncommit;\n"
        }],
    })
}

async fn prover(open: &Open) -> Viewer {
    let origin = format!("http://{}", open.address);
    open.socket_of("/api/advisor/prove", &origin, None).await.expect("the WebSocket is open")
}

/// Reads until the last word; all messages.
async fn rest(viewer: &mut Viewer) -> Vec<Value> {
    let mut messages = Vec::new();
    while let Some(message) = viewer.next().await {
        messages.push(message);
    }
    messages
}

fn outcomes(messages: &[Value]) -> Vec<&str> {
    let compared = messages.iter().filter(|message| message["type"] == "compared");
    compared.map(|message| message["outcome"]["outcome"].as_str().expect("an outcome")).collect()
}

#[tokio::test]
async fn smallbank_gets_the_published_levels_and_a_witness() {
    let open = Open::without_server().await;
    let question = example(&open, "smallbank").await;
    let answer = open.post("/api/advisor/analyse", &question).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["errors"], json!([]));
    let analysis = &answer["analysis"];
    assert_eq!(analysis["asked"]["outcome"], "unsafe");
    // At read committed two of one program may do.
    assert!(analysis["asked"]["witness"]["transactions"].as_array().expect("a list").len() > 1);
    let safe = |level: &str| {
        let all = analysis["uniform"].as_array().expect("a list");
        all.iter().find(|one| one["level"] == level).expect(level)["verdict"]["outcome"].clone()
    };
    assert_eq!([safe("read_committed"), safe("repeatable_read"), safe("serializable")], ["unsafe", "unsafe", "safe"]);
    // Vandevoort et al., PVLDB 2025: everything that Balance, TransactSavings and WriteCheck are not part of may be lower.
    let optimal = &analysis["optimal"];
    assert_eq!(optimal["Balance"], "serializable", "{optimal}");
    assert_eq!(optimal["WriteCheck"], "serializable", "{optimal}");
    open.close().await;
}

#[tokio::test]
async fn the_same_question_has_the_same_hash_whatever_its_spelling() {
    let open = Open::without_server().await;
    let first = open.post("/api/advisor/analyse", &small()).await.json();
    let spelled = serde_json::to_string_pretty(&small()).expect("JSON");
    let headers = ["Content-Type: application/json"];
    let second = open.request("POST", "/api/advisor/analyse", &headers, spelled.as_bytes()).await.json();
    assert_eq!(first["id"], second["id"]);
    let mut other = small();
    other["title"] = json!("another");
    assert_ne!(open.post("/api/advisor/analyse", &other).await.json()["id"], first["id"]);
    open.close().await;
}

#[tokio::test]
async fn a_mistake_in_the_sql_comes_back_with_its_line_and_column() {
    let open = Open::without_server().await;
    let mut question = small();
    question["sources"][0]["text"] = json!("begin;\nselect 1\n  form doctor;\ncommit;");
    let answer = open.post("/api/advisor/analyse", &question).await.json();
    assert_eq!(answer.get("analysis"), None);
    let error = &answer["errors"][0];
    assert_eq!((&error["at"]["source"], &error["at"]["line"]), (&json!("a.sql"), &json!(3)), "{error}");
    assert!(error["message"]["en"].as_str().expect("words").contains("syntax error"), "{error}");
    let refused = open.post("/api/advisor/decisions", &question).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    open.close().await;
}

#[tokio::test]
async fn hostile_questions_are_refused_and_leave_the_workbench_standing() {
    let open = Open::without_server().await;
    let check = async |question: Value, status: u16| {
        for path in ["/api/advisor/analyse", "/api/advisor/decide", "/api/advisor/decisions"] {
            let answer = open.post(path, &question).await;
            assert_eq!(answer.status, status, "{path} of {question}: {}", answer.body);
            assert_eq!(answer.json()["status"], status);
        }
    };
    check(json!("drop table a"), 400).await;
    check(json!({ "run": "drop table a" }), 400).await;
    check(json!({ "title": "x".repeat(81) }), 400).await;
    check(json!({ "schema": "select '\u{0}'" }), 400).await;
    check(json!({ "sources": [{ "name": "a", "text": "" }, { "name": "a", "text": "" }] }), 400).await;
    check(json!({ "sources": [{ "name": "schema", "text": "" }] }), 400).await;
    check(json!({ "levels": { "A": "read uncommitted" } }), 400).await;
    check(json!({ "requirement": { "conflict_rate": 20 } }), 400).await;
    check(json!({ "requirement": { "surprise": true } }), 400).await;
    check(json!({ "schema": "x".repeat(300_000) }), 413).await;
    let deep = format!("select {}1{};", "(".repeat(60_000), ")".repeat(60_000));
    let answer = open.post("/api/advisor/analyse", &json!({ "sources": [{ "name": "a", "text": deep }] })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(open.post("/api/advisor/analyse", &small()).await.status, 200, "it still answers");
    open.close().await;
}

#[tokio::test]
async fn the_engine_answers_with_every_rule_and_every_rejection() {
    let open = Open::without_server().await;
    let decision = open.post("/api/advisor/decide", &small()).await.json();
    assert!(!decision["ranked"].as_array().expect("a list").is_empty(), "{decision}");
    assert!(decision["trace"].as_array().expect("a list").len() > 10);
    for rejected in decision["rejected"].as_array().expect("a list") {
        assert!(!rejected["because"].as_array().expect("reasons").is_empty(), "{rejected}");
    }
    let form = open.get("/api/advisor/form").await.json();
    assert!(form["questions"].as_array().expect("a list").len() > 15);
    open.close().await;
}

#[tokio::test]
async fn code_is_given_in_every_language_for_a_solution_and_for_a_program() {
    let open = Open::without_server().await;
    // What every language must have said to be that language.
    let languages = [
        ("sql", "begin"),
        ("rust-tokio-postgres", "tokio_postgres"),
        ("rust-sqlx", "sqlx"),
        ("python", "def "),
        ("java", "java.sql"),
        ("go", "func "),
        ("typescript", "async "),
    ];
    for of in [
        json!({ "of": "solution", "solution": "serializable" }),
        json!({ "of": "program", "question": small(), "program": "Leave" }),
    ] {
        for (language, word) in languages {
            let code = open.post("/api/advisor/code", &json!({ "language": language, "of": of })).await;
            assert_eq!(code.status, 200, "{language}: {}", code.body);
            let text = code.json()["code"].as_str().expect("code").to_owned();
            assert!(text.contains(word), "{language}: {text}");
        }
    }
    let missing = json!({ "language": "sql", "of": { "of": "program", "question": small(), "program": "Stay" } });
    assert_eq!(open.post("/api/advisor/code", &missing).await.status, 404);
    open.close().await;
}

#[tokio::test]
async fn a_witness_is_played_on_the_server_and_gone_with_the_fix() {
    let open = Open::usual().await;
    let question = example(&open, "smallbank").await;
    let mut viewer = prover(&open).await;
    viewer.send(&json!({ "type": "prove", "question": question, "show": "witness" })).await;
    let messages = rest(&mut viewer).await;
    assert_eq!(outcomes(&messages).last(), Some(&"anomaly"), "{messages:?}");
    assert_eq!(messages.last().expect("a last word")["type"], "done");
    let mut viewer = prover(&open).await;
    viewer.send(&json!({ "type": "prove", "question": question, "show": "fix" })).await;
    let messages = rest(&mut viewer).await;
    let last = messages.last().expect("a last word");
    assert_eq!((&last["type"], &last["agrees"]), (&json!("done"), &json!(true)), "{last}");
    assert!(outcomes(&messages).contains(&"anomaly"));
    assert_eq!(outcomes(&messages).last(), Some(&"serial"));
    let session = open.session().await;
    let left: i64 = session
        .query_one("select count(*) from pg_namespace where nspname ~ 'pgstrata'", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(left, 0, "the scratch schema is gone");
    // What was shown is kept with the decision.
    let kept = open.post("/api/advisor/decisions", &question).await.json();
    assert_eq!(kept["answers"][0]["summary"]["is_proved"], true, "{kept}");
    open.close().await;
}

#[tokio::test]
async fn what_is_called_safe_is_tried_with_random_schedules_and_kept_beside_what_was_shown() {
    let open = Open::usual().await;
    let mut question = small();
    question["levels"] = json!({ "Leave": "serializable" });
    let show = async |show: Value| {
        let mut viewer = prover(&open).await;
        viewer.send(&json!({ "type": "prove", "question": question, "show": show })).await;
        rest(&mut viewer).await
    };
    // There is no witness against it: a proof that tried nothing claims nothing.
    let nothing = show(json!("witness")).await;
    let last = nothing.last().expect("a last word");
    assert_eq!((&last["type"], last.get("agrees")), (&json!("done"), None), "{last}");
    let kept = open.post("/api/advisor/decisions", &question).await.json();
    assert_eq!(kept["answers"][0]["summary"].get("is_proved"), None, "{kept}");

    let tried = show(json!({ "schedules": { "count": 20 } })).await;
    let last = tried.last().expect("a last word");
    assert_eq!((&last["type"], &last["agrees"]), (&json!("done"), &json!(true)), "{last}");
    let random: Vec<&Value> = tried.iter().filter(|message| message["type"] == "random").collect();
    assert!(random.iter().any(|told| told["of"] == "the recommended levels" && told["schedules"] == 20), "{tried:?}");
    assert!(random.iter().all(|told| told["anomalies"] == 0), "{random:?}");
    let kept = open.post("/api/advisor/decisions", &question).await.json();
    assert_eq!(kept["answers"][0]["summary"]["is_proved"], true, "{kept}");
    open.close().await;
}

#[tokio::test]
async fn the_answer_as_text_is_the_record_of_a_decision_and_keeps_nothing() {
    let open = Open::without_server().await;
    for (language, word) in [("en", "## Decision"), ("zh", "## 决定")] {
        let text = open.post(&format!("/api/advisor/record?lang={language}"), &small()).await;
        assert_eq!(text.status, 200, "{}", text.body);
        assert!(text.body.contains(word) && text.body.contains("Leave"), "{}", text.body);
    }
    assert_eq!(open.get("/api/advisor/decisions").await.json(), json!([]));
    open.close().await;
}

#[tokio::test]
async fn a_proof_wants_our_own_page_a_writable_server_and_a_message_that_is_one() {
    let open = Open::through(Door { is_read_only: true, ..Door::default() }).await;
    let foreign = open.socket_of("/api/advisor/prove", "http://evil.example", None).await;
    assert_eq!(foreign.err(), Some(403));
    assert_eq!(open.get("/api/advisor/prove").await.status, 400);
    let mut viewer = prover(&open).await;
    viewer.send(&json!({ "type": "prove", "question": small(), "show": "witness" })).await;
    assert_eq!(viewer.until("problem").await["problem"]["code"], "read-only");
    for nonsense in [json!("prove"), json!({ "type": "run", "sql": "drop table doctor" }), json!({ "type": "prove" })] {
        let mut viewer = prover(&open).await;
        viewer.send(&nonsense).await;
        assert_eq!(viewer.next().await, None, "{nonsense}");
    }
    open.close().await;
}

#[tokio::test]
async fn pages_that_take_nothing_harm_nobody_and_proofs_are_few_at_a_time() {
    let open = Open::usual().await;
    let mut deaf = Vec::new();
    for _ in 0..2 {
        deaf.push(prover(&open).await);
    }
    let origin = format!("http://{}", open.address);
    assert_eq!(open.socket_of("/api/advisor/prove", &origin, None).await.err(), Some(429));
    for viewer in &mut deaf {
        viewer.send(&json!({ "type": "prove", "question": small(), "show": "fix" })).await;
    }
    assert_eq!(open.post("/api/advisor/analyse", &small()).await.status, 200, "others are answered meanwhile");
    drop(deaf);
    // Their places are given back.
    let began = std::time::Instant::now();
    loop {
        if let Ok(mut viewer) = open.socket_of("/api/advisor/prove", &origin, None).await {
            viewer.send(&json!({ "type": "cancel" })).await;
            assert_eq!(viewer.next().await, None);
            break;
        }
        assert!(began.elapsed() < crate::support::PATIENCE, "the places were never given back");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    open.close().await;
}

#[tokio::test]
async fn what_was_kept_is_listed_noted_exported_and_there_after_a_restart() {
    let open = Open::without_server().await;
    let kept = open.post("/api/advisor/decisions", &small()).await;
    assert_eq!(kept.status, 201, "{}", kept.body);
    let id = kept.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(open.post("/api/advisor/analyse", &small()).await.json()["id"], json!(id));
    let path = format!("/api/advisor/decisions/{id}");
    let noted = open.post(&format!("{path}/notes"), &json!({ "key": "k", "body": "agreed" })).await;
    assert_eq!(noted.status, 201, "{}", noted.body);
    assert_eq!(open.post(&format!("{path}/notes"), &json!({ "key": "k2", "body": " " })).await.status, 400);
    let kept = open.close().await;

    let open = Open::through(Door { is_without_server: true, kept: Some(kept), ..Door::default() }).await;
    let list = open.get("/api/advisor/decisions").await.json();
    assert_eq!((&list[0]["id"], &list[0]["title"], &list[0]["notes"]), (&json!(id), &json!("skew"), &json!(1)));
    assert_eq!(list[0]["summary"]["is_safe"], false);
    let shown = open.get(&path).await.json();
    assert_eq!(shown["notes"][0]["body"], "agreed");
    assert_eq!(shown["question"]["sources"], small()["sources"]);
    for (language, word) in [("en", "## Decision"), ("zh", "## 决定")] {
        let record = open.get(&format!("{path}/export?as=md&lang={language}")).await;
        assert!(record.body.contains(word) && record.body.contains("Leave"), "{}", record.body);
        assert!(record.header("content-disposition").expect("a name").contains("attachment"));
    }
    let whole = open.get(&format!("{path}/export?as=json")).await.json();
    assert_eq!(whole["answers"][0]["document"]["analysis"]["asked"]["outcome"], "unsafe");
    for (path, status) in [("/api/advisor/decisions/xyz", 404), ("/api/advisor/decisions/..%2f..%2fetc", 404)] {
        assert_eq!(open.get(path).await.status, status, "{path}");
    }
    assert_eq!(open.get(&format!("{path}/export?as=exe")).await.status, 400);
    open.close().await;
}

#[tokio::test]
async fn what_is_no_log_is_refused_with_what_to_do_even_when_it_is_large() {
    let open = Open::without_server().await;
    let headers = ["Content-Type: application/octet-stream"];
    let garbage: Vec<u8> =
        (0..10_000_000_u32).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0)).collect();
    for body in [&b""[..], b"hello\n", b"{\"a\": 1}\n", &garbage] {
        let answer = open.request("POST", "/api/advisor/log", &headers, body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.json()["hint"].is_string(), "{}", answer.body);
    }
    open.close().await;
}

/// Entries of a jsonlog: transactions that each move a balance.
fn log_of(transactions: u32) -> String {
    let statements = ["begin", "update account set balance = balance - 1 where id = 7", "commit"];
    let entries = (0..transactions).flat_map(|transaction| {
        statements.iter().zip(1..).map(move |(message, line)| {
            let entry = json!({
                "timestamp": "2026-01-01 00:00:00.000 UTC", "dbname": "shop", "session_id": format!("a.{transaction}"),
                "line_num": line, "vxid": format!("3/{transaction}"), "error_severity": "LOG",
                "message": format!("statement: {message}"), "backend_type": "client backend",
            });
            format!("{entry}\n")
        })
    });
    entries.collect()
}

#[tokio::test]
async fn a_log_of_ten_megabytes_is_read_into_its_programs() {
    let open = Open::without_server().await;
    let headers = ["Content-Type: application/octet-stream"];
    let transactions = 10_000_000 / u32::try_from(log_of(1).len()).expect("a short line") + 1;
    let log = log_of(transactions);
    assert!(log.len() >= 10_000_000, "{}", log.len());
    let answer = open.request("POST", "/api/advisor/log", &headers, log.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!((&answer["transactions"], &answer["garbled"]), (&json!(transactions), &json!(0)), "{answer}");
    assert_eq!(answer["programs"].as_array().expect("a list").len(), 1, "{answer}");
    assert!(answer["sql"].as_str().expect("SQL").contains("update account"), "{answer}");
    open.close().await;
}
