//! `pgstrata advise` in its other forms: code in a language, decision records, requirement files.

use std::fs;

use serde_json::Value;

use crate::{Home, parts};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    parts(&Home::new().run(&[&["advise"], arguments].concat()))
}

#[test]
fn code_is_printed_alone_for_each_program_at_its_level() {
    for (language, sign) in [
        ("sql", "--"),
        ("rust-tokio-postgres", "//"),
        ("rust-sqlx", "//"),
        ("python", "#"),
        ("java", "//"),
        ("go", "//"),
        ("typescript", "//"),
    ] {
        let (code, stdout, stderr) = run(&["--example", "smallbank", "--code", language]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.starts_with(&format!("{sign} == request.sql ==")), "{stdout}");
        for program in ["Amalgamate/", "WriteCheck/"] {
            assert!(stdout.contains(&format!("\n{sign} == {program}")), "no {program} in {stdout}");
        }
        assert!(!stdout.contains("dangerous cycle"), "the report is not in it");
    }
    let (code, _, stderr) = run(&["--example", "smallbank", "--code", "cobol"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("typescript") && stderr.contains("python"), "{stderr}");
}

#[test]
fn code_is_written_into_a_directory_beside_the_report() {
    let home = Home::new();
    let (code, stdout, stderr) =
        parts(&home.run(&["advise", "--example", "booking", "--code", "python", "--out", "made/here"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("Should be one transaction"), "{stdout}");
    assert!(stderr.contains("made/here/BookWhole/transaction.py"), "{stderr}");
    let read = |path: &str| fs::read_to_string(home.path().join("made/here").join(path)).expect(path);
    assert!(read("request.sql").contains("create table if not exists request"));
    assert!(read("BookInPieces/transaction.py").contains("def book_in_pieces(cursor, performance, guest)"));
    let (code, _, stderr) =
        parts(&home.run(&["advise", "--example", "booking", "--code", "go", "--out", "made/here/request.sql"]));
    assert_eq!(code, Some(2), "{stderr}");
}

#[test]
fn a_record_has_status_options_code_and_how_it_was_computed() {
    let (code, stdout, stderr) = run(&["--example", "smallbank", "--export", "adr"]);
    assert_eq!(code, Some(0), "{stderr}");
    for part in ["# ", "## Status", "## Context", "## Decision", "## Evidence", "## Options, and why not"] {
        assert!(stdout.contains(part), "no {part} in {stdout}");
    }
    for part in ["## Consequences", "## Proof", "## Code", "## How it was computed", "SHA-256", "40001"] {
        assert!(stdout.contains(part), "no {part} in {stdout}");
    }
    let (_, again, _) = run(&["--example", "smallbank", "--export", "adr"]);
    assert_eq!(stdout, again, "the same question has the same answer");
    let (_, chinese, _) = run(&["--example", "smallbank", "--export", "adr", "--lang", "zh", "--code", "python"]);
    assert!(chinese.contains("## 计算方式") && chinese.contains("```python"), "{chinese}");
    let (_, json, _) = run(&["--example", "smallbank", "--export", "json"]);
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["report"]["optimal"]["WriteCheck"], "serializable");
}

#[test]
fn a_requirement_is_edited_from_its_template() {
    let home = Home::new();
    let (code, template, stderr) = parts(&home.run(&["advise", "--requirement-template"]));
    assert_eq!(code, Some(0), "{stderr}");
    let edited = template.replace("may_retry = true", "may_retry = false");
    assert_ne!(edited, template);
    fs::write(home.path().join("needs.toml"), &edited).expect("written");
    let (code, stdout, stderr) = parts(&home.run(&["advise", "--example", "smallbank", "--requirement", "needs.toml"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("Ways to do it") && !stdout.contains("1. Serializable"), "{stdout}");
}

#[test]
fn mistakes_of_a_requirement_are_told_with_line_field_and_what_is_allowed() {
    let home = Home::new();
    fs::write(home.path().join("needs.toml"), "# ours\nclients = 0\nread_shar = 0.5\naudit = \"none\"\n")
        .expect("written");
    let arguments = ["advise", "--example", "smallbank", "--requirement", "needs.toml"];
    let (code, stdout, stderr) = parts(&home.run(&arguments));
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    for part in
        ["needs.toml:2:1", "`clients` is 0", "between 1 and 100000", "needs.toml:3:1", "did you mean `read_share`?"]
    {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
    assert!(stderr.contains("hint:") && stderr.contains("--requirement-template"), "{stderr}");
    let (code, _, stderr) = parts(&home.run(&["advise", "--example", "smallbank", "--requirement", "no.toml"]));
    assert_eq!(code, Some(2), "{stderr}");
}

#[test]
fn the_file_of_an_example_is_written_and_read_back() {
    let home = Home::new();
    for name in ["smallbank", "tpcc", "doctors-on-call", "flash-sale", "bank-transfer", "job-queue", "booking"] {
        let file = format!("{name}.sql");
        let (code, of_example, stderr) = parts(&home.run(&["advise", "--example", name, "--write-sql", &file]));
        assert_eq!(code, Some(0), "{stderr}");
        let (code, of_file, stderr) = parts(&home.run(&["advise", "--sql", &file]));
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(of_example, of_file, "{name}");
    }
}
