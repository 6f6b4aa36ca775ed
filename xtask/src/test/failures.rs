//! The tests that failed and what they said, from what the runners leave behind: for the closing lines, which are all that
//! some readers of a long log are shown.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::report::Failure;

/// Where nextest puts its account, below the tree's root: `[store]` and `[profile.default.junit]` in its settings.
pub const OF_NEXTEST: &str = "target/nextest/default/junit.xml";

/// Reads nextest's account in the form of `JUnit`, which it keeps stable for other programs.
pub fn of_nextest(xml: &str) -> Result<Vec<Failure>> {
    let document = roxmltree::Document::parse(xml).context("reading nextest's account")?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let failures = cases.filter_map(|case| {
        let why = case.children().find(|node| node.has_tag_name("failure") || node.has_tag_name("error"))?;
        let binary = case.attribute("classname").unwrap_or_default();
        let test = case.attribute("name").unwrap_or_default();
        let said = |tag| case.children().find(|node| node.has_tag_name(tag)).and_then(|node| node.text());
        let parts = [why.attribute("type"), said("system-out"), said("system-err")];
        let words: Vec<&str> = parts.into_iter().flatten().map(str::trim).filter(|part| !part.is_empty()).collect();
        let again = format!("cargo nextest run -E 'binary_id({binary}) & test(={test})'");
        Some(Failure { name: format!("{binary} {test}"), said: words.join("\n"), again: Some(again) })
    });
    Ok(failures.collect())
}

/// Reads what cargo test prints: a section `---- name stdout ----` for each test that failed.
pub fn of_cargo_test(output: &str) -> Vec<Failure> {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    let mut of = None;
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            of = Some(said.entry(name.to_owned()).or_default());
        } else if line == "failures:" || line.starts_with("test result: ") {
            of = None;
        } else if let Some(text) = &mut of {
            text.push_str(line);
            text.push('\n');
        }
    }
    said.into_iter().map(|(name, said)| Failure { name, said, again: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_said_is_taken_from_nextests_account() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="nextest-run" tests="3" failures="2" errors="0">
              <testsuite name="pgstrata::cli" tests="3">
                <testcase name="runs::one" classname="pgstrata::cli" time="1.0"></testcase>
                <testcase name="runs::two" classname="pgstrata::cli" time="1.0">
                  <failure type="test failure with exit code 101" message="x">thread</failure>
                  <system-out>running 1 test</system-out>
                  <system-err>panicked at a.rs: left &lt; right</system-err>
                </testcase>
                <testcase name="runs::three" classname="pgstrata::cli" time="300"><failure type="test timeout"/></testcase>
              </testsuite>
            </testsuites>"#;
        let failures = of_nextest(xml).expect("XML");
        let names: Vec<&str> = failures.iter().map(|failure| failure.name.as_str()).collect();
        assert_eq!(names, ["pgstrata::cli runs::two", "pgstrata::cli runs::three"]);
        assert_eq!(failures[0].said, "test failure with exit code 101\nrunning 1 test\npanicked at a.rs: left < right");
        assert_eq!(failures[1].said, "test timeout");
        assert!(failures[0].again.as_deref().is_some_and(|again| again.contains("test(=runs::two)")));
        assert!(of_nextest("<testsuites>").is_err(), "a runner that was killed leaves half an account");
    }

    #[test]
    fn what_a_test_said_is_taken_from_cargo_tests_words() {
        let output = "test a ... ok\n\nfailures:\n\n---- b stdout ----\nthread 'b' panicked\n\n---- c stdout ----\nno\n\n\
            failures:\n    b\n    c\n\ntest result: FAILED. 1 passed; 2 failed\n";
        let failures = of_cargo_test(output);
        assert_eq!(failures.len(), 2);
        assert_eq!((failures[0].name.as_str(), failures[0].said.trim()), ("b", "thread 'b' panicked"));
        assert_eq!((failures[1].name.as_str(), failures[1].said.trim()), ("c", "no"));
    }
}
