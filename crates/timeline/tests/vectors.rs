//! What the page folds in TypeScript is folded here too: one file of logs with the moments that they come to, read by both.
#![expect(clippy::expect_used, reason = "a test that cannot read its vectors has failed")]

use pgstrata_timeline::{Change, Moment};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../fixtures/timeline/fold.json");

#[test]
fn every_vector_folds_into_its_moment() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("JSON");
    assert!(vectors.len() > 2);
    for vector in vectors {
        let name = vector["name"].as_str().expect("a name");
        let changes: Vec<Change> = serde_json::from_value(vector["changes"].clone()).expect(name);
        let mut moment = Moment::default();
        for change in &changes {
            moment.fold(change);
        }
        assert_eq!(Value::from(moment.seq), vector["moment"]["seq"], "{name}");
        let wanted = vector["moment"]["items"].as_object().expect(name);
        assert_eq!(moment.items.len(), wanted.len(), "{name}");
        for (key, item) in &moment.items {
            let item = serde_json::to_value(item).expect("an item is JSON");
            assert_eq!(Some(&item), wanted.get(&key.0), "{name}: {}", key.0);
        }
    }
}
