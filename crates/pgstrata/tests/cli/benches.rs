//! Benches give their figures with targets; whether a debug build on a busy machine reaches them is not for a test.

use crate::Home;

#[test]
fn the_bench_of_the_checker_holds_each_figure_against_its_target() {
    let output = Home::new().run(&["bench", "check", "--transactions", "2000", "--rounds", "1", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report as JSON");
    let figures = report["figures"].as_array().expect("figures");
    let with_target: Vec<_> = figures.iter().filter(|figure| figure["held"].is_boolean()).collect();
    assert!(with_target.len() >= 5, "{report:#}");
    assert!(figures.iter().all(|figure| figure["measured"].as_f64().is_some_and(|measured| measured > 0.0)));
    let all_held = with_target.iter().all(|figure| figure["held"] == true);
    assert_eq!(output.status.code(), Some(i32::from(!all_held)), "{report:#}");
}
