//! Private servers for people, and attached ones.

use crate::{Home, parts, text};

#[test]
fn a_server_is_started_asked_and_stopped_and_leaves_nothing() {
    let home = Home::new();
    let (status, url, stderr) = parts(&home.run(&["pg", "start", "shop"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(url.starts_with("postgresql://"), "{url}");

    let asked = home.run(&["pg", "psql", "shop", "--", "-Atc", "select 40 + 2"]);
    assert_eq!(text(&asked.stdout).trim(), "42", "{}", text(&asked.stderr));

    let again = home.run(&["pg", "start", "shop"]);
    assert!(text(&again.stdout).contains("already running"), "{}", text(&again.stdout));

    attached_runs_need_permission_and_clear_up(&home, url.trim());

    let (status, _, stderr) = parts(&home.run(&["pg", "stop", "shop"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(home.processes(), Vec::<u32>::new());
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
    assert_eq!(home.run(&["pg", "stop", "shop"]).status.code(), Some(2));
}

fn attached_runs_need_permission_and_clear_up(home: &Home, url: &str) {
    let schemas = || {
        let sql = "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^pg_'";
        text(&home.run(&["pg", "psql", "shop", "--", "-Atc", sql]).stdout)
    };
    let before = schemas();
    let run = |write: &[&str]| {
        let mut arguments = vec!["run", "flash-sale", "--arms", "conditional", "--preset", "ci", "--database-url", url];
        arguments.extend(write);
        home.run(&arguments)
    };
    let (status, _, stderr) = parts(&run(&[]));
    assert_eq!(status, Some(3), "{stderr}");
    assert!(stderr.contains("--allow-write"), "{stderr}");
    assert_eq!(schemas(), before, "nothing was changed without permission");

    let (status, _, stderr) = parts(&run(&["--allow-write"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(schemas(), before, "what the run made is gone");
}

#[test]
fn the_doctor_finds_a_server_that_starts() {
    let home = Home::new();
    let (status, stdout, stderr) = parts(&home.run(&["doctor"]));
    assert_eq!(status, Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("fsync=on"), "{stdout}");
    let json: serde_json::Value = serde_json::from_slice(&home.run(&["doctor", "--json"]).stdout).expect("JSON");
    assert!(json.as_array().is_some_and(|findings| findings.len() > 4));
    assert!(!home.run(&["pg", "list"]).stdout.is_empty());
}
