//! A second look: every relation that a statement's tree names must have been looked at.
//!
//! The rules walk the tree by the kinds of its nodes; this walks its shape, knowing nothing of kinds but the one that
//! names a relation. What the rules passed over is said.

use pg_query::NodeEnum;
use serde_json::Value;

use super::builder::Builder;

/// Says which relations of the tree the walk has not come by.
pub fn check(builder: &mut Builder<'_>, tree: &NodeEnum) {
    let Ok(shape) = serde_json::to_value(tree) else {
        builder.say(-1, "a statement that is not understood", None);
        return;
    };
    let mut missed = Vec::new();
    relations(&shape, &mut missed);
    for (location, name) in missed {
        if !builder.seen.contains(&location) {
            builder.say(location, format!("what is done to \"{name}\" here is not understood"), None);
        }
    }
}

fn relations(value: &Value, found: &mut Vec<(i32, String)>) {
    match value {
        Value::Object(fields) => {
            if let (Some(name), Some(location)) = (fields.get("relname"), fields.get("location")) {
                let location = location.as_i64().and_then(|at| i32::try_from(at).ok()).unwrap_or(-1);
                found.push((location, name.as_str().unwrap_or_default().to_owned()));
            }
            fields.values().for_each(|inside| relations(inside, found));
        }
        Value::Array(items) => items.iter().for_each(|item| relations(item, found)),
        _ => {}
    }
}
