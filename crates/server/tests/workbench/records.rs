//! Records of runs.

use super::support::Open;

#[tokio::test]
async fn a_published_record_is_listed_shown_drawn_and_compared() {
    let open = Open::without_server().await;
    let list = open.get("/api/records").await.json();
    let of_sale =
        list.as_array().expect("a list").iter().find(|entry| entry["study"] == "flash-sale").expect("one").clone();
    let id = of_sale["id"].as_str().expect("an id").to_owned();
    assert_eq!(of_sale["is_own"], false);

    let record = open.get(&format!("/api/records/{id}")).await.json();
    let arms = record["arms"].as_array().expect("arms");
    let naive = arms.iter().find(|arm| arm["name"] == "naive").expect("the broken arm");
    assert!(!naive["broken"].as_array().expect("a list").is_empty(), "it was convicted: {naive}");
    assert!(arms.iter().any(|arm| arm["per_second"].as_f64().is_some_and(|rate| rate > 0.0)));

    for chart in record["charts"].as_array().expect("charts") {
        let chart = chart.as_str().expect("a name");
        let svg = open.get(&format!("/api/records/{id}/charts/{chart}?lang=zh")).await;
        assert_eq!((svg.status, svg.header("content-type")), (200, Some("image/svg+xml")), "{chart}");
    }
    assert_eq!(open.get(&format!("/api/records/{id}/charts/pie")).await.status, 400);

    let report = open.get(&format!("/api/records/{id}/report")).await;
    let policy = report.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("sandbox allow-scripts") && !policy.contains("allow-same-origin"), "{policy}");

    let compared = open.get(&format!("/api/records/compare?before={id}&after={id}")).await.json();
    assert_eq!(compared["arms"].as_array().expect("arms").len(), arms.len());
    assert_eq!(compared["changes"].as_array().map(Vec::len), Some(0), "a record does not differ from itself");
    open.close().await;
}

#[tokio::test]
async fn records_of_two_studies_are_not_compared() {
    let open = Open::without_server().await;
    let list = open.get("/api/records").await.json();
    let id = |study: &str| {
        let entry = list.as_array().expect("a list").iter().find(|entry| entry["study"] == study).expect("one");
        entry["id"].as_str().expect("an id").to_owned()
    };
    let path = format!("/api/records/compare?before={}&after={}", id("flash-sale"), id("ledger"));
    let answer = open.get(&path).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["hint"].is_string());
    open.close().await;
}
