//! Runs that people make: the broken arm is convicted, sound arms survive, everything can be read again.

use pgstrata_lab::record::Record;

use crate::{Home, parts, text};

fn record(stdout: &[u8]) -> Record {
    serde_json::from_slice(stdout).unwrap_or_else(|error| panic!("{error}: {}", text(stdout)))
}

#[test]
fn the_naive_arm_exits_with_1_and_shows_that_it_oversold() {
    let home = Home::new();
    let arguments = ["run", "flash-sale", "--arms", "naive", "--preset", "ci", "--faults", "none", "--seed", "7"];
    let (status, stdout, stderr) = parts(&home.run(&arguments));
    assert_eq!(status, Some(1), "{stdout}\n{stderr}");
    assert!(stdout.contains("I1") || stdout.contains("I7"), "{stdout}");
    assert!(stdout.contains("--seed 7"), "the command to get it again: {stdout}");
}

#[test]
fn all_arms_side_by_side_under_a_crash_hold_and_the_broken_one_is_caught() {
    let home = Home::new();
    let output = home.run(&["run", "flash-sale", "--preset", "ci", "--json", "--report", "r.html", "--record", "kept"]);
    let (status, _, stderr) = parts(&output);
    let record = record(&output.stdout);
    let violated: Vec<&str> =
        record.arms.iter().filter(|arm| arm.violations().next().is_some()).map(|arm| arm.arm.as_str()).collect();
    assert_eq!(violated, ["naive"], "{stderr}");
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(record.servers[0].settings["fsync"], "on");
    for arm in &record.arms {
        let crashes =
            arm.trials.iter().flat_map(|trial| &trial.faults).filter(|fault| fault.fault == "kill-postmaster");
        assert_eq!(crashes.count(), 1, "{}", arm.arm);
        assert!(arm.trials.iter().any(|trial| trial.counts.ok > 0), "{} sold nothing", arm.arm);
    }

    let report = std::fs::read_to_string(home.path().join("r.html")).expect("a report");
    assert!(report.contains("<svg") && report.contains("coalesced") && !report.contains("http://localhost"));

    let listed = home.run(&["record", "list", "--dir", "kept", "--json"]);
    let entries: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let path = entries[0]["path"].as_str().expect("a path").to_owned();
    let shown = home.run(&["record", "show", &path]);
    assert!(shown.status.success() && text(&shown.stdout).contains("coalesced"), "{}", text(&shown.stderr));
    let compared = home.run(&["record", "compare", &path, &path]);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
}

#[test]
fn a_client_process_that_is_killed_loses_and_doubles_nothing() {
    let home = Home::new();
    let output = home.run(&[
        "run",
        "flash-sale",
        "--arms",
        "conditional,coalesced",
        "--preset",
        "ci",
        "--faults",
        "kill-client:2,duplicate-request=5%",
        "--json",
    ]);
    let (status, _, stderr) = parts(&output);
    assert_eq!(status, Some(0), "{stderr}\n{}", text(&output.stdout));
    for arm in &record(&output.stdout).arms {
        let kills = arm.trials.iter().flat_map(|trial| &trial.faults).filter(|fault| fault.fault == "kill-client");
        assert_eq!(kills.count(), 2, "{}", arm.arm);
    }
}

#[test]
fn several_servers_share_the_products() {
    let home = Home::new();
    let output = home.run(&[
        "run",
        "flash-sale",
        "--arms",
        "coalesced",
        "--servers",
        "2",
        "--preset",
        "ci",
        "--faults",
        "none",
        "--json",
    ]);
    let (status, _, stderr) = parts(&output);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(record(&output.stdout).servers.len(), 2);
}

#[test]
fn the_list_names_the_case_in_both_languages_and_as_json() {
    let home = Home::new();
    assert!(text(&home.run(&["list"]).stdout).contains("flash-sale"));
    assert!(text(&home.run(&["--lang", "zh", "list"]).stdout).contains("秒杀"));
    let json: serde_json::Value = serde_json::from_slice(&home.run(&["list", "--json"]).stdout).expect("JSON");
    assert_eq!(json[0]["name"], "flash-sale");
    assert!(text(&home.run(&["list", "--faults"]).stdout).contains("kill-postmaster"));
}

#[test]
fn shells_and_manuals_are_served() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&home.run(&["completions", shell]).stdout).contains("flash") || shell != "none");
        assert!(home.run(&["completions", shell]).stdout.len() > 1000, "{shell}");
    }
    assert!(text(&home.run(&["man"]).stdout).starts_with(".ie"));
    assert!(text(&home.run(&["__reference", "cli"]).stdout).contains("## `pgstrata run`"));
}

#[test]
fn a_study_without_a_record_is_shown_with_how_to_make_one() {
    let home = Home::new();
    let shown = |part: &str, lang: &str| text(&home.run(&["__reference", part, "flash-sale", "--lang", lang]).stdout);
    assert!(shown("table", "en").contains("`pgstrata run flash-sale --preset full --record` makes one"));
    assert!(shown("table", "zh").contains("还没有运行记录"));
    assert!(shown("throughput", "en").starts_with("<svg "));
}
