//! What is served beside the API: the page or its placeholder, the book, the description.

use super::support::Open;

#[tokio::test]
async fn every_address_of_the_page_is_the_page_and_files_that_are_not_there_are_missing() {
    let open = Open::without_server().await;
    for path in ["/", "/live", "/timeline/some/where", "/?lang=zh"] {
        let answer = open.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(answer.body.contains("pgstrata"), "{path}: the page, or the placeholder that says how to get it");
    }
    assert_eq!(open.get("/assets/none.js").await.status, 404);
    let post = open.request("POST", "/live", &[], b"").await;
    assert_eq!(post.status, 405);
    let docs = open.get("/docs").await;
    assert_eq!((docs.status, docs.header("location")), (308, Some("/docs/")));
    open.close().await;
}

#[tokio::test]
async fn the_description_that_is_served_is_the_one_that_is_committed() {
    let open = Open::without_server().await;
    let served = open.get("/openapi.json").await.json();
    let committed: serde_json::Value =
        serde_json::from_str(include_str!("../../openapi.json")).expect("the committed file is JSON");
    assert_eq!(served, committed, "`cargo xtask gen` makes crates/server/openapi.json anew");
    open.close().await;
}

#[tokio::test]
async fn a_client_that_takes_gzip_gets_it() {
    let open = Open::without_server().await;
    let answer = open.request("GET", "/openapi.json", &["Accept-Encoding: gzip"], b"").await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
    open.close().await;
}
