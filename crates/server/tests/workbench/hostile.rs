//! Requests that must not get in: each as the bytes that an attacker, or a browser that was led astray, sends.

use std::time::Duration;

use futures_util::SinkExt as _;
use pgstrata_server::Bounds;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::support::{Door, Open, PATIENCE, TOKEN};

#[tokio::test]
async fn a_name_that_was_pointed_here_by_somebody_else_is_refused() {
    let open = Open::without_server().await;
    for host in ["evil.example", "evil.example:7433", "127.0.0.1.evil.example", "10.0.0.1", "localhost@evil.example"] {
        let answer = open.request("GET", "/api/studies", &[&format!("Host: {host}")], b"").await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (421, Some("foreign-host")), "{host}");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]"] {
        let answer = open.request("GET", "/api/studies", &[&format!("Host: {host}")], b"").await;
        assert_eq!(answer.status, 200, "{host}");
    }
    open.close().await;
}

#[tokio::test]
async fn a_request_that_names_no_server_or_two_is_refused() {
    let open = Open::without_server().await;
    let none = open.raw(b"GET /api/studies HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(none.starts_with("HTTP/1.1 4") && !none.contains("flash-sale"), "{none}");
    let two = "GET /api/studies HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(open.raw(two.as_bytes()).await.starts_with("HTTP/1.1 4"));
    let proxied = "GET http://evil.example/api/studies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = open.raw(proxied.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    open.close().await;
}

#[tokio::test]
async fn a_page_of_another_site_can_neither_post_nor_read() {
    let open = Open::without_server().await;
    let own = format!("Origin: http://{}", open.address);
    let run = json!({"study": "no-such-study"}).to_string();
    let json_type = "Content-Type: application/json";
    let answer = open.request("POST", "/api/runs", &[json_type, &own], run.as_bytes()).await;
    assert_eq!(answer.status, 404, "our own page gets as far as the study: {answer:?}");
    let foreign = ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1", "file://"];
    for origin in foreign {
        let answer =
            open.request("POST", "/api/runs", &[json_type, &format!("Origin: {origin}")], run.as_bytes()).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("foreign-origin")), "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    for site in ["cross-site", "same-site"] {
        let answer = open.request("GET", "/api/studies", &[&format!("Sec-Fetch-Site: {site}")], b"").await;
        assert_eq!(answer.status, 403, "an image of another site's: {site}");
        let answer = open.request("GET", "/live", &[&format!("Sec-Fetch-Site: {site}")], b"").await;
        assert_eq!(answer.status, 200, "a link to the page may be anywhere: {site}");
    }
    open.close().await;
}

#[tokio::test]
async fn a_form_of_another_site_cannot_pass_for_json() {
    let open = Open::without_server().await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let content = format!("Content-Type: {media_type}");
        let answer = open.request("POST", "/api/runs", &[&content], b"{\"study\":\"flash-sale\"}").await;
        assert_eq!(answer.status, 415, "{media_type}");
    }
    assert!(open.workbench.runs().list().is_empty());
    open.close().await;
}

#[tokio::test]
async fn a_preflight_is_not_answered_with_permission() {
    let open = Open::without_server().await;
    let headers = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"];
    let answer = open.request("OPTIONS", "/api/runs", &headers, b"").await;
    assert_eq!(answer.status, 403);
    assert!(!answer.head.contains("access-control-allow"), "{answer:?}");
    open.close().await;
}

#[tokio::test]
async fn a_websocket_of_another_site_is_not_opened() {
    let open = Open::without_server().await;
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        assert_eq!(open.viewer_of(origin, None).await.err(), Some(403), "{origin}");
    }
    open.viewer().await;
    open.close().await;
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let open = Open::through(Door { token: Some(TOKEN), is_without_server: true, ..Door::default() }).await;
    for path in [
        "/",
        "/api/studies",
        "/openapi.json",
        "/docs/",
        "/api/nothing",
        "/?token=wrong-but-long-enough",
        "/api/studies?token=0123456789abcdef-token",
    ] {
        let answer = open.get(path).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("token-needed")), "{path}");
        assert!(!answer.head.contains("0123456789abcdef") && !answer.body.contains("0123456789abcdef"), "{answer:?}");
    }
    let cookie = format!("Cookie: pgstrata-{}-token=wrong-but-long-enough", open.address.port());
    for header in ["Authorization: Bearer wrong-but-long-enough", "Authorization: Basic eDp5", &cookie] {
        assert_eq!(open.request("GET", "/api/studies", &[header], b"").await.status, 401, "{header}");
    }
    let origin = format!("http://{}", open.address);
    assert_eq!(open.viewer_of(&origin, None).await.err(), Some(401));
    open.close().await;
}

#[tokio::test]
async fn the_token_in_the_address_becomes_a_cookie_and_leaves_the_address() {
    let open = Open::through(Door { token: Some(TOKEN), is_without_server: true, ..Door::default() }).await;
    let answer = open.get(&format!("/live?a=1&token={TOKEN}&b=2")).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/live?a=1&b=2")));
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let known = open.request("GET", "/api/studies", &[&format!("Cookie: other=1; {cookie}")], b"").await;
    assert_eq!(known.status, 200);
    let program = open.request("GET", "/api/studies", &[&format!("Authorization: Bearer {TOKEN}")], b"").await;
    assert_eq!(program.status, 200);
    let origin = format!("http://{}", open.address);
    assert!(open.viewer_of(&origin, Some(&cookie)).await.is_ok());
    open.close().await;
}

#[tokio::test]
async fn no_path_leads_out_of_what_is_served() {
    let open = Open::without_server().await;
    let ways = [
        "/../../etc/passwd",
        "/docs/../../../etc/passwd",
        "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fCargo.toml",
        "/api/records/..%2f..%2fCargo.toml",
        "/api/records/published~..~..%2fCargo/file",
        "/api/recordings/..%2f..%2f..%2fetc%2fpasswd/file",
        "/api/recordings/%2fetc%2fpasswd",
        "/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/docs/%00",
    ];
    for path in ways {
        let answer = open.get(path).await;
        assert!(!answer.body.contains("root:") && !answer.body.contains("[workspace]"), "{path}: {answer:?}");
        let is_page = answer.body.contains("<!doctype html>") || answer.body.contains("<html");
        assert!(answer.status >= 400 || is_page, "{path}: {answer:?}");
        assert!(answer.status < 500, "{path}: {answer:?}");
    }
    open.close().await;
}

#[tokio::test]
async fn a_head_or_a_body_that_is_too_large_is_refused() {
    let open = Open::without_server().await;
    let head = format!("X-Filler: {}", "x".repeat(200 * 1024));
    assert_eq!(open.request("GET", "/api/studies", &[&head], b"").await.status, 431);
    let body = format!("{{\"study\":\"{}\"}}", "x".repeat(300 * 1024));
    let answer = open.request("POST", "/api/runs", &["Content-Type: application/json"], body.as_bytes()).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("too-large")));
    open.close().await;
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_is_left() {
    let bounds = Bounds { head_time: Duration::from_millis(300), ..Bounds::default() };
    let open = Open::through(Door { bounds, is_without_server: true, ..Door::default() }).await;
    let mut stream = TcpStream::connect(open.address).await.expect("a connection");
    stream.write_all(b"GET /api/studies HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.expect("it is sent");
    let drip = async {
        // As slow as it likes: every byte resets a timer of a naive kind.
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drip).await.expect("the connection is closed");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_sockets_keep_nobody_out() {
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit");
    let wanted = hard.min(8_192);
    assert!(wanted >= 2_048, "this test needs 2,048 open files; the limit is {soft}, at most {hard}");
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, wanted.max(soft), hard)
        .expect("a limit");
    let open = Open::without_server().await;
    let mut idle = Vec::new();
    for number in 0..1_000 {
        let mut stream = TcpStream::connect(open.address).await.expect("a connection");
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").await;
        }
        idle.push(stream);
    }
    assert_eq!(open.get("/api/studies").await.status, 200);
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "ping"})).await;
    viewer.until("pong").await;
    // The first of them made room.
    let mut first = idle.swap_remove(0);
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, first.read_to_end(&mut rest)).await.expect("it was closed");
    open.close().await;
}

#[tokio::test]
async fn a_huge_frame_ends_its_own_viewer_and_no_other() {
    let open = Open::without_server().await;
    let mut good = open.viewer().await;
    let mut bad = open.viewer().await;
    let _ = bad.socket.send(Message::text("x".repeat(1 << 20))).await;
    assert_eq!(bad.next().await, None);
    let mut binary = open.viewer().await;
    binary.socket.send(Message::binary(vec![0; 8])).await.expect("it is sent");
    assert_eq!(binary.next().await, None);
    good.send(&json!({"type": "ping"})).await;
    good.until("pong").await;
    open.close().await;
}

#[tokio::test]
async fn nonsense_on_the_websocket_is_answered_with_a_problem() {
    let open = Open::without_server().await;
    let mut viewer = open.viewer().await;
    for text in [
        "",
        "{",
        "[]",
        "{\"type\":\"shout\"}",
        "{\"type\":\"watch\",\"row\":\"1\"}",
        "{\"type\":\"watch\",\"table\":\"\"}",
    ] {
        viewer.socket.send(Message::text(text)).await.expect("it is sent");
        let answer = viewer.until("problem").await;
        assert_eq!(answer["problem"]["code"], "bad-request", "{text}: {answer}");
    }
    open.close().await;
}

#[tokio::test]
async fn one_viewer_too_many_is_told_so_and_has_room_when_another_leaves() {
    let open = Open::without_server().await;
    let mut viewers = Vec::new();
    for _ in 0..pgstrata_server::limits::VIEWERS {
        viewers.push(open.viewer().await);
    }
    let origin = format!("http://{}", open.address);
    assert_eq!(open.viewer_of(&origin, None).await.err(), Some(429));
    drop(viewers.pop());
    let room = async {
        while open.viewer_of(&origin, None).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("a place is free");
    open.close().await;
}

#[tokio::test]
async fn no_answer_holds_a_password_or_a_place_of_this_machine() {
    let open = Open::without_server().await;
    for path in ["/api/status", "/api/tables", "/api/recordings", "/api/records/none", "/api/runs/none"] {
        let answer = open.get(path).await;
        let kept = open.kept.path().to_string_lossy().into_owned();
        for secret in ["secret", "nobody", kept.as_str()] {
            assert!(!answer.body.contains(secret), "{path} tells {secret}: {answer:?}");
        }
    }
    open.close().await;
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_caution() {
    let open = Open::without_server().await;
    for path in ["/", "/api/studies", "/api/nothing", "/docs/", "/openapi.json", "/x.js"] {
        let answer = open.get(path).await;
        let policy = answer.header("content-security-policy").unwrap_or_default().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).expect("said");
        assert!(!scripts.contains("unsafe"), "{path}: {scripts}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    let answer = open.get("/api/studies").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    open.close().await;
}
