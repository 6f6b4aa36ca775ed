//! Recordings, made, played, sent and taken in.

use serde_json::{Value, json};

use super::support::{Answer, Open};

/// A recording of a table whose row is updated meanwhile; ended.
async fn recorded(open: &Open) -> Value {
    let session = open.session().await;
    let setup = "create table account (id int primary key, balance int); insert into account values (1, 100)";
    session.batch_execute(setup).await.expect("a table");
    let wanted = json!({"name": "an update", "watch": {"table": "public.account"}});
    let answer = open.post("/api/recordings", &wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let begun = answer.json();
    assert_eq!((begun["is_recording"].as_bool(), begun["name"].as_str()), (Some(true), Some("an update")));
    let id = begun["id"].as_str().expect("an id").to_owned();
    session
        .batch_execute("set application_name = 'bob'; begin; update account set balance = 90")
        .await
        .expect("an update");
    // It goes on until bob has been seen in its transaction.
    let seen = async {
        loop {
            let changes = open.get(&format!("/api/recordings/{id}/changes")).await.body;
            if changes.contains("\"bob\"") && changes.contains("idle in transaction") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(super::support::PATIENCE, seen).await.expect("bob is seen");
    session.batch_execute("commit").await.expect("a commit");
    let ended = open.post(&format!("/api/recordings/{id}/stop"), &json!({})).await.json();
    assert_eq!((ended["is_recording"].as_bool(), ended["ending"].as_str()), (Some(false), Some("stopped")));
    ended
}

async fn import(open: &Open, bytes: &[u8]) -> Answer {
    open.request("POST", "/api/recordings/import", &["Content-Type: application/octet-stream"], bytes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_folds_to_its_moments_and_survives_being_sent_to_another() {
    let open = Open::usual().await;
    let recording = recorded(&open).await;
    let id = recording["id"].as_str().expect("an id");
    let (first, last) = (recording["first"].as_u64().expect("a number"), recording["last"].as_u64().expect("a number"));
    assert!(last > first);
    let part = open.get(&format!("/api/recordings/{id}/changes?after={first}&limit=1")).await.json();
    assert_eq!(part["changes"].as_array().map(Vec::len), Some(1));
    assert_eq!((part["changes"][0]["seq"].as_u64(), part["last"].as_u64()), (Some(first + 1), Some(last)));
    let end = open.get(&format!("/api/recordings/{id}/moment?seq={last}")).await.json();
    let beyond = open.get(&format!("/api/recordings/{id}/moment?seq={}", last + 1)).await;
    assert_eq!(beyond.status, 400);
    let difference = open.get(&format!("/api/recordings/{id}/difference?first={first}&second={last}")).await.json();
    assert!(difference["appeared"].is_array());

    let mut file = Vec::new();
    {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(open.address).await.expect("a connection");
        let request = format!("GET /api/recordings/{id}/file HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        stream.read_to_end(&mut file).await.expect("an answer");
    }
    let at = file.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let bytes = &file[at..];
    assert!(bytes.starts_with(b"PGSTLOG1"));
    let other = Open::without_server().await;
    let taken = import(&other, bytes).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    let taken = taken.json();
    assert_eq!((&taken["name"], &taken["last"]), (&recording["name"], &recording["last"]));
    let there = taken["id"].as_str().expect("an id");
    let same = other.get(&format!("/api/recordings/{there}/moment?seq={last}")).await.json();
    assert_eq!(same["items"], end["items"]);
    assert_eq!(other.request("DELETE", &format!("/api/recordings/{there}"), &[], b"").await.status, 204);
    assert_eq!(other.get("/api/recordings").await.json(), json!([]));
    other.close().await;
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_recording_is_not_taken_in_and_leaves_nothing_behind() {
    let open = Open::without_server().await;
    for bytes in [b"".as_slice(), b"PGSTLOG1", b"PGSTLOG9 and more", &[0xff; 4096], b"<html>"] {
        let answer = import(&open, bytes).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert!(answer.json()["hint"].is_string(), "{answer:?}");
    }
    let folder = open.kept.path().join("recordings");
    let left = std::fs::read_dir(folder).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_without_a_proper_name_or_a_server_is_not_begun() {
    let open = Open::without_server().await;
    for name in ["", " ", "a\nb", &"x".repeat(81)] {
        let answer = open.post("/api/recordings", &json!({"name": name, "watch": {}})).await;
        assert_eq!(answer.status, 400, "{name:?}");
    }
    let answer = open.post("/api/recordings", &json!({"name": "x", "watch": {}})).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("server-away")));
    assert_eq!(open.get("/api/recordings").await.json(), json!([]));
    open.close().await;
}
