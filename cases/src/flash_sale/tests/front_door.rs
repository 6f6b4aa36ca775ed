//! The contract of the HTTP front door, as a client sees it.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::flash_sale::http_client::{HttpAnswer, HttpConnection};
use crate::flash_sale::service::http;

/// A shop with its door open.
struct Shop {
    ground: Ground,
    connection: HttpConnection,
    address: std::net::SocketAddr,
    closing: CancellationToken,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Shop {
    async fn open(units: i64, settings: ServiceSettings) -> Self {
        let ground = Ground::new(1).await;
        let service = ground.shop(units, &settings).await;
        let listener = http::listen((Ipv4Addr::LOCALHOST, 0).into()).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let closing = CancellationToken::new();
        let serving = tokio::spawn(http::run(listener, service, closing.clone().cancelled_owned()));
        let connection = HttpConnection::open(address).await.expect("a connection");
        Self { ground, connection, address, closing, serving }
    }

    async fn post(&mut self, key: &str, body: &Value) -> HttpAnswer {
        let body = serde_json::to_vec(body).expect("JSON");
        let headers = [("Idempotency-Key", key), ("Content-Type", "application/json")];
        self.connection.request("POST", "/purchases", &headers, &body).await.expect("an answer")
    }

    async fn ask(&mut self, method: &str, path: &str) -> HttpAnswer {
        self.connection.request(method, path, &[], b"").await.expect("an answer")
    }
}

fn body(answer: &HttpAnswer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The status and the problem's last word.
fn problem(answer: &HttpAnswer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body = body(answer);
    assert_eq!(body["status"], answer.status);
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    let reference = body["type"].as_str().expect("a type");
    (answer.status, reference.trim_start_matches("/problems/").to_owned())
}

fn key() -> String {
    Uuid::now_v7().to_string()
}

fn of(status: u16, problem: &str) -> (u16, String) {
    (status, problem.to_owned())
}

#[tokio::test]
async fn a_purchase_can_be_repeated_looked_up_and_paid() {
    let mut shop = Shop::open(5, patient()).await;
    let (key, wanted) = (key(), json!({"product_id": 0, "user_id": 42}));
    let first = shop.post(&key, &wanted).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("location"), Some(format!("/purchases/{key}").as_str()));
    let reservation = body(&first);
    assert_eq!((&reservation["key"], &reservation["user_id"]), (&json!(key), &json!(42)));

    let repeated = shop.post(&key, &wanted).await;
    assert_eq!((repeated.status, &repeated.body), (201, &first.body), "byte for byte");

    let order = body(&shop.ask("GET", &format!("/purchases/{key}")).await);
    assert_eq!((&order["state"], &order["order_id"]), (&json!("reserved"), &reservation["order_id"]));
    let paid = shop.ask("POST", &format!("/purchases/{key}/payment")).await;
    assert_eq!((paid.status, &body(&paid)["state"]), (200, &json!("paid")));
    assert_eq!(shop.ask("POST", &format!("/purchases/{key}/payment")).await.body, paid.body);
    assert_eq!(shop.post(&key, &wanted).await.body, first.body, "also after it was paid");

    let product = body(&shop.ask("GET", "/products/0").await);
    assert_eq!(product, json!({"product_id": 0, "initial": 5, "available": 4}));
    assert_eq!(shop.ask("GET", "/healthz").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused_with_a_reason() {
    let mut shop = Shop::open(1, patient()).await;
    let wanted = |user: i64| json!({"product_id": 0, "user_id": user});
    let winner = key();
    assert_eq!(shop.post(&winner, &wanted(1)).await.status, 201);
    assert_eq!(problem(&shop.post(&winner, &wanted(2)).await), of(422, "key-reused"));
    assert_eq!(problem(&shop.post(&key(), &wanted(1)).await), of(409, "limit-reached"));
    assert_eq!(problem(&shop.post(&key(), &wanted(2)).await), of(409, "sold-out"));
    let elsewhere = json!({"product_id": 77, "user_id": 1});
    assert_eq!(problem(&shop.post(&key(), &elsewhere).await), of(404, "not-found"));
    assert_eq!(problem(&shop.post("not a uuid", &wanted(3)).await), of(400, "bad-key"));
    let no_key = shop.connection.request("POST", "/purchases", &[], b"{}").await.expect("an answer");
    assert_eq!(problem(&no_key), of(400, "bad-key"));
    assert_eq!(problem(&shop.post(&key(), &json!({"product_id": "0"})).await), of(400, "bad-body"));
    assert_eq!(problem(&shop.ask("GET", &format!("/purchases/{}", key())).await), of(404, "not-found"));
    assert_eq!(problem(&shop.ask("POST", &format!("/purchases/{}/payment", key())).await), of(404, "not-found"));
    assert_eq!(problem(&shop.ask("GET", "/products/none").await), of(404, "not-found"));
    assert_eq!(problem(&shop.ask("GET", "/elsewhere").await), of(404, "not-found"));
    assert_eq!(problem(&shop.ask("DELETE", "/purchases").await), of(405, "method-not-allowed"));
    let long = json!({"product_id": 0, "user_id": 1, "note": "x".repeat(5_000)});
    assert_eq!(problem(&shop.post(&key(), &long).await), of(413, "body-too-long"));
}

#[tokio::test]
async fn a_quoted_key_is_the_same_key() {
    let mut shop = Shop::open(2, patient()).await;
    let (key, wanted) = (key(), json!({"product_id": 0, "user_id": 1}));
    let bare = shop.post(&key, &wanted).await;
    assert_eq!(shop.post(&format!("\"{key}\""), &wanted).await.body, bare.body);
}

#[tokio::test]
async fn a_late_payment_is_refused_and_the_unit_is_sold_to_somebody_else() {
    let settings = ServiceSettings {
        hold: Duration::from_millis(100),
        sweep_interval: Duration::from_millis(20),
        latch_window: Duration::from_hours(1),
        ..patient()
    };
    let mut shop = Shop::open(1, settings).await;
    let slow = key();
    assert_eq!(shop.post(&slow, &json!({"product_id": 0, "user_id": 1})).await.status, 201);
    let next = key();
    let mut answers = Vec::new();
    for _ in 0..500 {
        let answer = shop.post(&next, &json!({"product_id": 0, "user_id": 2})).await;
        answers.push(answer.status);
        if answer.status == 201 {
            break;
        }
        assert_eq!(problem(&answer), of(409, "sold-out"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(answers.last(), Some(&201), "the latch opens when the unit comes back");
    let late = shop.ask("POST", &format!("/purchases/{slow}/payment")).await;
    assert_eq!(problem(&late), of(409, "reservation-expired"));
    assert_eq!(shop.ground.violations().await, []);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let sequencer = Settings { queue_limit: 1, batch_limit: 1, ..Settings::default() };
    let shop = Shop::open(100, ServiceSettings { sequencer, ..patient() }).await;
    let holder = shop.ground.hold_the_stock_row().await;
    let mut asking = tokio::task::JoinSet::new();
    let ask = |user: i64| {
        let address = shop.address;
        async move {
            let mut connection = HttpConnection::open(address).await.expect("a connection");
            let (key, body) = (key(), format!("{{\"product_id\":0,\"user_id\":{user}}}"));
            connection.request("POST", "/purchases", &[("Idempotency-Key", &key)], body.as_bytes()).await
        }
    };
    // One is in the flush that stands still; of the next two one has the only place in the queue.
    asking.spawn(ask(1));
    until_a_purchase_waits(&holder).await;
    asking.spawn(ask(2));
    asking.spawn(ask(3));
    let refused = asking.join_next().await.expect("a request").expect("a task").expect("an answer");
    assert_eq!(problem(&refused), of(429, "busy"));
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|s| s >= 1)));
    holder.batch_execute("commit").await.expect("released");
    for answer in asking.join_all().await {
        assert_eq!(answer.expect("an answer").status, 201, "whoever was in the queue is served");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_said_and_resolved_by_the_key() {
    let settings = ServiceSettings {
        sequencer: Settings { reconnect_limit: Duration::from_millis(300), ..Settings::default() },
        ..patient()
    };
    let mut shop = Shop::open(10, settings).await;
    assert_eq!(shop.post(&key(), &json!({"product_id": 0, "user_id": 1})).await.status, 201);
    shop.ground.clusters[0].crash().await.expect("killed");
    let wanted = (key(), json!({"product_id": 0, "user_id": 2}));
    let refused = shop.post(&wanted.0, &wanted.1).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert!(["unavailable", "outcome-unknown"].contains(&problem(&refused).1.as_str()));
    assert_eq!(shop.ask("GET", "/healthz").await.status, 503);
    shop.ground.clusters[0].start().await.expect("back");
    // A minute at most, should the machine do much else.
    for _ in 0..3_000 {
        let answer = shop.post(&wanted.0, &wanted.1).await;
        if answer.status == 201 {
            return;
        }
        assert_eq!(answer.status, 503);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the same request is granted once the server is back");
}

#[tokio::test]
async fn closing_the_door_answers_what_is_under_way() {
    let mut shop = Shop::open(10, patient()).await;
    let holder = shop.ground.hold_the_stock_row().await;
    let closing = shop.closing.clone();
    let (key, wanted) = (key(), json!({"product_id": 0, "user_id": 1}));
    let (answer, ()) = tokio::join!(shop.post(&key, &wanted), async {
        until_a_purchase_waits(&holder).await;
        closing.cancel();
        holder.batch_execute("commit").await.expect("released");
    });
    assert_eq!(answer.status, 201);
    shop.serving.await.expect("ended").expect("in order");
    assert!(HttpConnection::open(shop.address).await.is_err(), "nobody is there any more");
}
