//! `pgstrata advise` and `pgstrata isolation check`: what is printed, and exit codes.
//!
//! The book's texts are made by the commands below, with `> book/guide/isolation-gate/…`.

use std::fs;

use serde_json::Value;

use crate::{Home, parts};

pub(crate) const SCHEMA: &str = "create table duty (doctor int primary key, on_call boolean not null);\n";

/// Two doctors leave at once: write skew at repeatable read.
pub(crate) const LEAVE: &str = "-- pgstrata: program Leave repeatable read
begin;
select count(*) from duty where on_call;
update duty set on_call = false where doctor = :doctor;
commit;
";

/// A directory with these files, and the program run in it.
pub(crate) fn run(files: &[(&str, &[u8])], arguments: &[&str]) -> (Option<i32>, String, String) {
    let home = Home::new();
    for (name, text) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    parts(&home.run(arguments))
}

fn gate(programs: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let files: [(&str, &[u8]); 2] = [("schema.sql", SCHEMA.as_bytes()), ("app/leave.sql", programs.as_bytes())];
    let all = [&["isolation", "check", "--sql", "app", "--schema", "schema.sql"], arguments].concat();
    run(&files, &all)
}

#[test]
fn the_book_shows_what_the_program_prints() {
    for (arguments, status, shown) in [
        (
            &["advise", "--example", "smallbank", "--lang", "en"][..],
            0,
            include_str!("../../../../book/guide/isolation-gate/smallbank.en.txt"),
        ),
        (
            &["advise", "--example", "smallbank", "--lang", "zh"],
            0,
            include_str!("../../../../book/guide/isolation-gate/smallbank.zh.txt"),
        ),
    ] {
        let (code, stdout, stderr) = run(&[], arguments);
        assert_eq!(code, Some(status), "{stderr}");
        assert_eq!(stdout, shown, "the book shows something else; make its file again with this command");
    }
    for (language, shown) in [
        ("en", include_str!("../../../../book/guide/isolation-gate/check.en.txt")),
        ("zh", include_str!("../../../../book/guide/isolation-gate/check.zh.txt")),
    ] {
        let (code, stdout, stderr) = gate(LEAVE, &["--lang", language]);
        assert_eq!(code, Some(1), "{stderr}");
        assert_eq!(stdout, shown, "the book shows something else; make its file again with this command");
    }
}

#[test]
fn the_gate_closes_on_write_skew_and_opens_at_serializable() {
    let (code, stdout, stderr) = gate(LEAVE, &[]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("app/leave.sql:3:1: error: ") && stdout.contains("[unsafe-level]"), "{stdout}");
    let (code, stdout, _) = gate(LEAVE, &["--allocation", "serializable"]);
    assert_eq!(code, Some(0), "{stdout}");
    let (code, stdout, _) = gate(LEAVE, &["--fail-on", "never"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn a_finding_is_accepted_with_a_reason_and_an_acceptance_of_nothing_is_found() {
    let accepted = LEAVE.replace("begin;", "-- pgstrata: accept unsafe: one ward, one doctor\nbegin;");
    let (code, stdout, stderr) = gate(&accepted, &[]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("accepted: one ward, one doctor"), "{stdout}");
    let unused = accepted.replace("Leave repeatable read", "Leave serializable");
    let (code, stdout, _) = gate(&unused, &[]);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("[unused-acceptance]"), "{stdout}");
    let without = LEAVE.replace("begin;", "-- pgstrata: accept unsafe:\nbegin;");
    let (code, _, stderr) = gate(&without, &[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("app/leave.sql:2:1") && stderr.contains("reason"), "{stderr}");
}

#[test]
fn sarif_has_places_rules_flows_and_suppressions_and_serves_as_a_baseline() {
    let accepted = LEAVE.replace("begin;", "-- pgstrata: accept unsafe: one doctor\nbegin;");
    let (_, text, _) = gate(&accepted, &["--format", "sarif"]);
    let log: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let (run_, result) = (&log["runs"][0], &log["runs"][0]["results"][0]);
    let rule = result["ruleIndex"].as_u64().and_then(|at| usize::try_from(at).ok()).expect("an index");
    assert_eq!(run_["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "app/leave.sql");
    assert_eq!(place["region"]["startLine"], 4);
    assert_eq!(result["suppressions"][0]["justification"], "one doctor");
    let flow = &result["codeFlows"][0]["threadFlows"][0]["locations"];
    assert!(flow.as_array().is_some_and(|steps| steps.len() >= 6), "{flow}");

    let (code, _, _) = gate(LEAVE, &[]);
    assert_eq!(code, Some(1));
    let files: [(&str, &[u8]); 3] =
        [("schema.sql", SCHEMA.as_bytes()), ("app/leave.sql", LEAVE.as_bytes()), ("base.sarif", text.as_bytes())];
    let check = ["isolation", "check", "--sql", "app", "--schema", "schema.sql", "--baseline", "base.sarif"];
    let (code, stdout, stderr) = run(&files, &check);
    assert_eq!(code, Some(0), "the finding moved by a line and is known\n{stdout}{stderr}");
}

#[test]
fn a_server_that_is_not_there_is_an_environment_error() {
    let files: [(&str, &[u8]); 1] = [("a.sql", LEAVE.as_bytes())];
    let url = "postgresql://nobody@127.0.0.1:1/none";
    let (code, stdout, stderr) = run(&files, &["advise", "--sql", "a.sql", "--database-url", url]);
    assert_eq!(code, Some(3), "{stdout}{stderr}");
    assert!(stdout.is_empty() && stderr.contains("127.0.0.1") && stderr.contains("hint:"), "{stdout}{stderr}");
}
