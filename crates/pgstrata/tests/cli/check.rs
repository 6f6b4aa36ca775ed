//! `pgstrata check`: the verdict on the terminal in both languages, exit codes, what is written, and what bad files are told.

use std::path::{Path, PathBuf};

use crate::{Home, parts};

/// A history of the tree.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories").join(name)
}

/// Checks a fixture, which is copied so that the output names no machine; exit code and output.
fn check(name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let home = Home::new();
    let file = Path::new(name).file_name().and_then(|file| file.to_str()).expect("a name");
    std::fs::copy(fixture(name), home.path().join(file)).expect("the fixture is there");
    let output = home.run(&[&["check", file], arguments].concat());
    let (code, stdout, stderr) = parts(&output);
    (code, format!("{stdout}{stderr}"))
}

/// Every fixture with the model under which it is looked at, and how that ends.
const FIXTURES: &[(&str, &str, i32)] = &[
    ("list-append/serializable.edn", "strict-serializable", 0),
    ("list-append/g0-dirty-write.edn", "read-uncommitted", 1),
    ("list-append/g1a-aborted-read.edn", "read-uncommitted", 0),
    ("list-append/g1a-aborted-read.edn", "read-committed", 1),
    ("list-append/g1b-intermediate-read.edn", "read-committed", 1),
    ("list-append/g1c-circular-information.edn", "read-committed", 1),
    ("list-append/g-single-read-skew.edn", "read-committed", 0),
    ("list-append/g-single-read-skew.edn", "snapshot-isolation", 1),
    ("list-append/lost-update.edn", "snapshot-isolation", 1),
    ("list-append/long-fork.edn", "read-committed", 0),
    ("list-append/long-fork.edn", "snapshot-isolation", 1),
    ("list-append/write-skew.json", "snapshot-isolation", 0),
    ("list-append/write-skew.json", "serializable", 1),
    ("list-append/stale-read.edn", "serializable", 0),
    ("list-append/stale-read.edn", "strict-serializable", 1),
    ("rw-register/serializable.hist.txt", "serializable", 0),
    ("rw-register/write-skew.jsonl", "snapshot-isolation", 0),
    ("rw-register/write-skew.jsonl", "serializable", 1),
    ("rw-register/hidden-cycle-21.hist.txt", "snapshot-isolation", 0),
    ("rw-register/hidden-cycle-21.hist.txt", "serializable", 1),
    ("bank/sound.edn", "serializable", 0),
    ("bank/torn-read.edn", "serializable", 1),
    ("set/lost-element.edn", "serializable", 1),
    ("counter/out-of-bounds.jsonl", "serializable", 1),
];

#[test]
fn every_fixture_ends_as_it_should_under_its_model() {
    for (name, model, expected) in FIXTURES {
        let (code, output) = check(name, &["--model", model]);
        assert_eq!(code, Some(*expected), "{name} {model}\n{output}");
    }
}

#[test]
fn every_fixture_is_looked_at() {
    let mut names: Vec<String> = Vec::new();
    for kind in std::fs::read_dir(fixture("")).expect("the fixtures are there").flatten() {
        for file in std::fs::read_dir(kind.path()).expect("a directory").flatten() {
            names.push(format!("{}/{}", kind.file_name().to_string_lossy(), file.file_name().to_string_lossy()));
        }
    }
    let looked_at =
        |name: &String| FIXTURES.iter().any(|(fixture, ..)| fixture == name) || name == "linearizable/stale-read.edn";
    let forgotten: Vec<&String> = names.iter().filter(|name| !looked_at(name)).collect();
    assert!(forgotten.is_empty() && names.len() > 15, "{forgotten:?}");
}

#[test]
fn a_violation_of_lists_is_explained() {
    insta::assert_snapshot!(check("list-append/g-single-read-skew.edn", &[]).1);
}

#[test]
fn a_violation_of_registers_is_argued_case_by_case() {
    insta::assert_snapshot!(check("rw-register/hidden-cycle-21.hist.txt", &[]).1);
}

#[test]
fn a_violation_is_explained_in_chinese() {
    insta::assert_snapshot!(check("rw-register/hidden-cycle-21.hist.txt", &["--lang", "zh"]).1);
}

#[test]
fn simple_objects_are_explained() {
    let told: Vec<String> = ["bank/torn-read.edn", "set/lost-element.edn", "counter/out-of-bounds.jsonl"]
        .iter()
        .map(|name| check(name, &[]).1)
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_stale_read_of_a_register_is_not_linearizable() {
    let (code, output) = check("linearizable/stale-read.edn", &["--type", "linearizable"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(output);
}

#[test]
fn json_has_the_verdict_and_the_names_of_keys() {
    let (code, output) = check("rw-register/write-skew.jsonl", &["--json"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(output);
}

#[test]
fn the_total_of_a_bank_can_be_told() {
    assert_eq!(check("bank/sound.edn", &["--total", "100"]).0, Some(0));
    assert_eq!(check("bank/sound.edn", &["--total", "101"]).0, Some(1));
}

#[test]
fn a_witness_shows_the_violation_by_itself_in_every_format() {
    for (name, witness) in [
        ("list-append/long-fork.edn", "w.edn"),
        ("list-append/write-skew.json", "w.json"),
        ("list-append/stale-read.edn", "w.pgshist"),
        ("rw-register/hidden-cycle-21.hist.txt", "w.txt"),
        ("rw-register/write-skew.jsonl", "w.pgshist"),
        ("bank/torn-read.edn", "w.edn"),
        ("set/lost-element.edn", "w.edn"),
        ("counter/out-of-bounds.jsonl", "w.jsonl"),
    ] {
        let home = Home::new();
        let file = fixture(name);
        let file = file.to_str().expect("a path");
        let model = ["--model", "strict-serializable"];
        let (code, stdout, stderr) = parts(&home.run(&[&["check", file, "--witness", witness][..], &model].concat()));
        assert_eq!(code, Some(1), "{name}\n{stdout}{stderr}");
        let (again, stdout, stderr) = parts(&home.run(&[&["check", witness][..], &model].concat()));
        assert_eq!(again, Some(1), "{name} {witness}\n{stdout}{stderr}");
    }
}

#[test]
fn a_decision_beyond_the_bound_is_no_verdict() {
    let (code, output) = check("rw-register/hidden-cycle-21.hist.txt", &["--decide-most", "20"]);
    assert_eq!(code, Some(3), "{output}");
    assert!(output.contains("undecided") && output.contains("--inferred"), "{output}");
    let (code, output) = check("rw-register/hidden-cycle-21.hist.txt", &["--inferred"]);
    assert_eq!(code, Some(0), "nothing is certain there:\n{output}");
}

/// Checks a file of this text; it must be refused as usage, with these words.
fn refuse(text: &[u8], arguments: &[&str], words: &[&str]) {
    let home = Home::new();
    std::fs::write(home.path().join("history"), text).expect("a file");
    let (code, stdout, stderr) = parts(&home.run(&[&["check", "history"], arguments].concat()));
    assert_eq!(code, Some(2), "{stdout}{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    for word in words.iter().chain(&["hint:"]) {
        assert!(stderr.contains(word), "no {word:?} in:\n{stderr}");
    }
}

#[test]
fn bad_files_are_refused_in_one_paragraph_with_line_and_column() {
    refuse(b"", &[], &["history", "expected a history"]);
    refuse(b"hello\n", &[], &["line 1, column 1", "`hello`"]);
    refuse(
        b"{:type :ok, :value [[:append x 1]]}\n{:type :ok, :value [[:append x oops]]}",
        &[],
        &["line 2, column 32", "`oops]]}`"],
    );
    refuse(b"w(1,1,0,0)\nw(1;2,0,0)", &[], &["line 2, column 10", "`,` after the session"]);
    refuse(b"\xff\xfe", &[], &["UTF-8"]);
    refuse(b"pgshist\nxxxxxxxx", &[], &["cannot read the history"]);
    refuse(b"w(1,1,0,0)\nr(1,1,0,0)", &["--type", "linearizable"], &["no single read or write"]);
    refuse(b"w(1,1,0,0)", &["--format", "edn"], &["line 1"]);
    refuse(b"{:type :ok, :f :add, :value 1}", &["--type", "bank"], &["bank history"]);
}

#[test]
fn a_file_that_is_not_there_and_a_model_that_is_none_are_usage_errors() {
    let home = Home::new();
    let (code, _, stderr) = parts(&home.run(&["check", "nothing.edn"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("nothing.edn") && stderr.contains("hint:"), "{stderr}");
    let (code, _, stderr) = parts(&home.run(&["check", "nothing.edn", "--model", "eventual"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("snapshot-isolation"), "{stderr}");
}
