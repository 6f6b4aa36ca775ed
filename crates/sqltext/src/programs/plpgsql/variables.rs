//! Which variables a part of a body assigns.

use std::collections::BTreeSet;

use serde_json::Value;

/// The names of all variables that something assigns.
pub fn assigned(function: &Value, value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(function, value, &mut names);
    names
}

fn collect(function: &Value, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inside) in fields {
                if key == "varno" || key == "target" && inside.is_u64() {
                    let datum = inside.as_u64().and_then(|number| usize::try_from(number).ok());
                    let datum = datum.map_or(&Value::Null, |number| &function["datums"][number]);
                    names.extend(name_of(function, datum));
                } else if (key == "target" || key == "var") && inside["PLpgSQL_rec"].is_object() {
                    names.extend(inside["PLpgSQL_rec"]["refname"].as_str().map(str::to_owned));
                }
                collect(function, inside, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(function, item, names)),
        _ => {}
    }
}

/// The variable that a datum is, or is a field of.
fn name_of(function: &Value, datum: &Value) -> Option<String> {
    let own = datum["PLpgSQL_var"]["refname"].as_str().or_else(|| datum["PLpgSQL_rec"]["refname"].as_str());
    let own = own.map(str::to_owned);
    own.or_else(|| {
        let parent = usize::try_from(datum["PLpgSQL_recfield"]["recparentno"].as_u64()?).ok()?;
        let parent = &function["datums"][parent];
        parent["PLpgSQL_rec"]["refname"].as_str().map(str::to_owned)
    })
}
