//! `pgstrata isolation check`: exit codes, acceptances, baselines, and SARIF against the standard's own schema.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::advise::{LEAVE, SCHEMA, run};

pub(crate) fn gate(programs: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let files: [(&str, &[u8]); 2] = [("schema.sql", SCHEMA.as_bytes()), ("app/leave.sql", programs.as_bytes())];
    let all = [&["isolation", "check", "--sql", "app", "--schema", "schema.sql"], arguments].concat();
    run(&files, &all)
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
fn what_was_not_understood_closes_the_gate_as_what_is_unsafe_does() {
    let text = "-- pgstrata: program Search serializable\nbegin;\nselect find(id) from elsewhere;\ncommit;\n";
    let (code, stdout, _) = gate(text, &["--fail-on", "unsafe"]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("error: ") && stdout.contains("[not-analysed]"), "{stdout}");
    let accepted = text.replace("begin;", "-- pgstrata: accept unsafe: it only reads\nbegin;");
    let (code, stdout, _) = gate(&accepted, &["--fail-on", "unsafe"]);
    assert_eq!(code, Some(0), "{stdout}");
    assert_eq!(gate(text, &["--fail-on", "never"]).0, Some(0));
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

/// What cargo prints when it is run with `arguments` in the folder of this package.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The schema of SARIF 2.1.0 as OASIS publishes it, out of the source of a development dependency that carries it.
fn schema() -> Value {
    // Of the packages for other systems the sources were never fetched, and without the platform they are asked for.
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("the platform");
    let metadata = cargo(&["metadata", "--format-version", "1", "--offline", "--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let carrier = packages.iter().find(|package| package["name"] == "serde-sarif").expect("the development dependency");
    let manifest = PathBuf::from(carrier["manifest_path"].as_str().expect("a path"));
    let path = manifest.with_file_name("src").join("schema.json");
    let text = std::fs::read_to_string(path).expect("the schema is in its source");
    // Two patterns have a bracket too many, which JavaScript takes for itself and others take for a mistake.
    let text = text.replace("-[a-zA-Z]{2}]?$", r"-[a-zA-Z]{2}\\]?$");
    serde_json::from_str(&text).expect("JSON")
}

/// Programs with every kind of finding: a level that is too weak, a split transaction, an unknown table, an acceptance of
/// nothing, and one that is accepted.
const EVERY_KIND: &str = "-- pgstrata: program Leave repeatable read
begin;
select count(*) from duty where on_call;
update duty set on_call = false where doctor = :doctor;
commit;

-- pgstrata: program Split
select on_call from duty where doctor = :doctor \\gset
update duty set on_call = not :on_call::boolean where doctor = :doctor;

-- pgstrata: program Unknown
begin;
select 1 from dutty;
commit;

-- pgstrata: program Quiet
-- pgstrata: accept unsafe: 安静 \"and\" <harmless>
begin;
select 1;
commit;
";

#[test]
fn sarif_is_valid_by_the_schema_of_the_standard_whatever_was_found() {
    let schema = schema();
    assert_eq!(schema["title"], "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let (_, base, _) = gate(LEAVE, &["--format", "sarif"]);
    let accepted = LEAVE.replace("begin;", "-- pgstrata: accept unsafe: one doctor\nbegin;");
    let files: [(&str, &[u8]); 3] =
        [("schema.sql", SCHEMA.as_bytes()), ("a b/查询.sql", EVERY_KIND.as_bytes()), ("base.sarif", base.as_bytes())];
    let check = ["isolation", "check", "--sql", "a b", "--schema", "schema.sql", "--format", "sarif"];
    let with_baseline = [check.as_slice(), &["--baseline", "base.sarif", "--lang", "zh"]].concat();
    let texts = [
        ("one finding", base.clone()),
        ("an accepted finding", gate(&accepted, &["--format", "sarif"]).1),
        ("none", gate(LEAVE, &["--format", "sarif", "--allocation", "serializable"]).1),
        ("all kinds", run(&files, &check).1),
        ("with a baseline", run(&files, &with_baseline).1),
    ];
    for (what, text) in &texts {
        let log: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}\n{text}");
    }
    let all: Value = serde_json::from_str(&texts[3].1).expect("JSON");
    let rules: Vec<&str> = all["runs"][0]["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|one| one["ruleId"].as_str())
        .collect();
    for rule in ["unsafe-level", "split-transaction", "not-analysed", "unused-acceptance"] {
        assert!(rules.contains(&rule), "no {rule} in {rules:?}");
    }
    let mut wrong = all;
    wrong["runs"][0]["results"][0]["level"] = "dreadful".into();
    assert!(!validator.is_valid(&wrong), "the schema refuses what is wrong");
}

/// What GitHub's code scanning asks for beside the schema ("SARIF support for code scanning").
#[test]
fn sarif_has_what_code_scanning_asks_for() {
    let (_, text, _) = gate(LEAVE, &["--format", "sarif"]);
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let driver = &log["runs"][0]["tool"]["driver"];
    assert!(driver["name"].is_string() && driver["semanticVersion"].is_string());
    for rule in driver["rules"].as_array().expect("rules") {
        for field in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[field]["text"].as_str().is_some_and(|text| !text.is_empty() && text.len() <= 1024), "{rule}");
        }
    }
    for result in log["runs"][0]["results"].as_array().expect("results") {
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a path");
        assert!(!uri.starts_with('/') && !uri.contains(".."), "{uri}");
        assert!(place["region"]["startLine"].as_u64() >= Some(1) && place["region"]["endColumn"].as_u64() >= Some(1));
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(!result["partialFingerprints"].as_object().expect("fingerprints").is_empty());
    }
}

#[test]
fn a_finding_stays_the_same_when_its_file_is_moved_renamed_and_laid_out_anew() {
    let fingerprint = |text: &str, name: &str| {
        let files: [(&str, &[u8]); 2] = [("schema.sql", SCHEMA.as_bytes()), (name, text.as_bytes())];
        let (_, text, _) =
            run(&files, &["isolation", "check", "--sql", name, "--schema", "schema.sql", "--format", "json"]);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        value["findings"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned()
    };
    let before = fingerprint(LEAVE, "leave.sql");
    let moved = format!("-- a comment\n\n\n{}", LEAVE.replace(" where", "\n    where"));
    assert_eq!(fingerprint(&moved, "app/other.sql"), before);
    let other = LEAVE.replace("program Leave", "program Depart");
    assert_ne!(fingerprint(&other, "leave.sql"), before, "another program is another finding");
}

#[test]
fn a_baseline_that_is_none_is_refused() {
    let files: [(&str, &[u8]); 2] = [("a.sql", LEAVE.as_bytes()), ("base.json", b"{}")];
    for (file, words) in [("base.json", "neither SARIF"), ("no.json", "no.json"), ("a.sql", "not JSON")] {
        let (code, stdout, stderr) = run(&files, &["isolation", "check", "--sql", "a.sql", "--baseline", file]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(words) && stderr.contains("hint:"), "{stderr}");
    }
}
