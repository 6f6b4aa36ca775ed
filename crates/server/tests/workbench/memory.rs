//! What the workbench says of its memory.

use serde_json::{Value, json};

use super::support::Open;

fn bytes(part: &Value) -> u64 {
    part["bytes"].as_u64().expect("a number")
}

/// Whether an item is a version that the update made, and its transaction committed.
fn is_updated_for_good(item: &Value) -> bool {
    let is_updated = item["values"]["note"].as_str().is_some_and(|note| note.ends_with('!'));
    is_updated && item["xmin_state"] == "committed"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_log_is_told_by_what_holds_it_and_within_its_bounds() {
    let open = Open::usual().await;
    let writer = open.session().await;
    let setup = "create table account (id int primary key, note text); \
                 insert into account select n, 'account ' || n from generate_series(1, 2000) n";
    writer.batch_execute(setup).await.expect("a table");
    let none = open.get("/api/memory").await.json();
    assert_eq!(none["logs"], json!([]), "nobody looks");
    let mut viewer = open.viewer().await;
    viewer.send(&json!({"type": "watch", "table": "public.account"})).await;
    viewer.until("moment").await;
    writer.batch_execute("update account set note = note || '!'").await.expect("an update");
    // All of the update is in one commit, which makes its versions committed ones. A viewer that is too slow is told so, and
    // what there is then.
    let is_over = |message: &Value| match message["type"].as_str() {
        Some("change") => message["name"] == "Transaction/COMMIT",
        Some("moment") => message["items"].as_array().is_some_and(|items| items.iter().any(is_updated_for_good)),
        _ => false,
    };
    while !is_over(&viewer.next().await.expect("not closed yet")) {}
    let told = open.get("/api/memory").await.json();
    let [log] = told["logs"].as_array().expect("logs").as_slice() else { panic!("one log: {told}") };
    assert_eq!(log["watch"]["table"], "public.account");
    let parts = log["parts"].as_array().expect("parts");
    for part in parts {
        assert!(part["most"].as_u64().is_none_or(|most| part["count"].as_u64() <= Some(most)), "{part}");
    }
    let part =
        |what: &str| parts.iter().find(|part| part["what"] == what).unwrap_or_else(|| panic!("no {what}: {log}"));
    // The log may still be on its way.
    let versions = part("history.versions");
    let count = versions["count"].as_u64().expect("a number");
    assert!(count > 0 && bytes(versions) > count * 100, "{log}");
    assert!(bytes(part("feed.changes")) > 100_000, "{log}");
    // What is accounted for is in use, and what is in use is resident, but for pages that were never touched.
    let accounted: u64 = parts.iter().map(bytes).sum();
    let (in_use, resident) = (told["in_use_bytes"].as_u64(), told["resident_bytes"].as_u64());
    assert!(in_use.is_none_or(|in_use| accounted < in_use), "{accounted} {told}");
    assert!(resident.is_some_and(|resident| resident > 1 << 20), "{told}");
    open.close().await;
}
