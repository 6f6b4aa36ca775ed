//! The shape of what goes over the wire and into histories: a field that vanishes or changes its name breaks whoever has
//! kept a decision, so it has to be meant.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// The paths of all values in requirements and decisions, as they were when this was last meant to change.
const SHAPE: &str = include_str!("shape.txt");

fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                paths(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for value in values {
                paths(value, &format!("{path}[]"), found);
            }
        }
        // An answer that is absent in one decision is there in another.
        Value::Null => {}
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn the_shape_of_requirements_and_decisions_changes_only_on_purpose() {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    let mut found = BTreeSet::new();
    for case in cases::CASES {
        let requirement = Requirement::from_json(case.answers).expect("a case");
        paths(&serde_json::to_value(&requirement).expect("written"), "requirement", &mut found);
        let decision = engine.decide_on(&requirement, case.findings);
        paths(&serde_json::to_value(decision).expect("written"), "decision", &mut found);
    }
    let now = found.into_iter().collect::<Vec<_>>().join("\n");
    assert_eq!(now.trim(), SHAPE.trim(), "put this into shape.txt if it is meant:\n{now}\n");
}
