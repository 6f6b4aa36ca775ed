//! What the book shows of isolation is what the program prints, and each end has its exit code.
//!
//! The files are made by the commands below, with `> book/concepts/isolation/…`.

use std::fs;

use pgstrata_pg::{Dirs, PgVersion, packages};

use crate::{Home, parts, text};

const BUGS: [&str; 4] = ["isolation", "run", "on-conflict-write-skew", "empty-btree-endpoint"];

/// Makes sure that a release is to be had; it is found in the cache by the program then.
fn release(minor: u32) -> String {
    let version = PgVersion { major: 15, minor };
    let install = packages::ensure(&Dirs::resolve().binaries(), version);
    install.unwrap_or_else(|error| panic!("NOT TESTED: PostgreSQL {version} is not to be had here: {error}"));
    version.to_string()
}

fn prints(arguments: &[&str], status: i32, shown: &str) {
    let home = Home::new();
    let (code, stdout, stderr) = parts(&home.run(arguments));
    assert_eq!(code, Some(status), "{stdout}{stderr}");
    assert_eq!(stdout, shown, "the book shows something else; make its file again with this command");
}

#[test]
fn the_book_shows_both_bugs_as_they_are_convicted() {
    let version = release(18);
    for (language, shown) in [
        ("en", include_str!("../../../../book/concepts/isolation/bugs-15.18.en.txt")),
        ("zh", include_str!("../../../../book/concepts/isolation/bugs-15.18.zh.txt")),
    ] {
        prints(&[&BUGS[..], &["--pg", &version, "--lang", language]].concat(), 1, shown);
    }
}

#[test]
fn the_book_shows_the_repaired_release_as_it_is_cleared() {
    let version = release(20);
    for (language, shown) in [
        ("en", include_str!("../../../../book/concepts/isolation/bugs-15.20.en.txt")),
        ("zh", include_str!("../../../../book/concepts/isolation/bugs-15.20.zh.txt")),
    ] {
        prints(&[&BUGS[..], &["--pg", &version, "--lang", language]].concat(), 0, shown);
    }
}

#[test]
fn the_book_shows_the_matrix_as_it_is_measured() {
    let version = release(20);
    let shown = include_str!("../../../../book/concepts/isolation/matrix.en.txt");
    prints(&["isolation", "matrix", "--pg", &version, "--lang", "en"], 0, shown);
}

#[test]
fn a_hunt_writes_what_it_finds_and_the_file_can_be_played() {
    let home = Home::new();
    // Bounded by the first find; the time is only there for a machine that does much else.
    let hunt = ["isolation", "hunt", "--level", "repeatable read", "--duration", "4m", "--stop-at-first=any"];
    let written = ["--seed", "7", "--json", "--witness-scenario", "found.scenario"];
    let (status, stdout, stderr) = parts(&home.run(&[&hunt[..], &written].concat()));
    let hunted: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(hunted["seed"], 7);
    let finds = hunted["finds"].as_array().expect("finds");
    assert!(!finds.is_empty(), "{stdout}");
    // Chance may find what every release does at this level and should not (see book/guide/scenarios.md): then the hunt
    // says so, and a play of the file convicts the server.
    let is_forbidden = finds.iter().any(|find| find["is_forbidden"] == true);
    assert_eq!(status, Some(i32::from(is_forbidden)), "{stdout}{stderr}");
    let (status, stdout, stderr) = parts(&home.run(&["isolation", "run", "found.scenario"]));
    assert_eq!(status, Some(i32::from(is_forbidden)), "{stdout}{stderr}");
}

#[test]
fn a_mistake_in_a_scenario_is_shown_at_its_place() {
    let home = Home::new();
    fs::write(home.path().join("wrong.scenario"), "scenario \"wrong\"\nT1: select 1 -> error 400\n").expect("written");
    let output = home.run(&["isolation", "run", "wrong.scenario"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("wrong.scenario: line 2, column 23: \"400\" is no SQLSTATE") && said.contains("hint:"),
        "{said}"
    );
    let output = home.run(&["isolation", "run", "no-such-thing"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
