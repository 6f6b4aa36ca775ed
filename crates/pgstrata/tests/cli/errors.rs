//! Bad input: one paragraph that says what, where and what to do; the right exit code; nothing left behind.

use crate::{Home, check_in_chinese, parts};

/// Runs, and checks exit code, the words of the error, that there is a hint, and that nothing is left;
/// and the same in Chinese.
fn check(arguments: &[&str], code: i32, words: &[&str]) {
    let home = Home::new();
    let output = home.run(arguments);
    let (status, stdout, stderr) = parts(&output);
    assert_eq!(status, Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments:?} does not say {word:?}:\n{stderr}");
    }
    assert!(stdout.is_empty(), "{stdout}");
    check_in_chinese(&home, arguments, status, &stderr);
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
    assert_eq!(home.processes(), Vec::<u32>::new());
}

#[test]
fn an_unknown_study_is_a_usage_error_that_names_the_near_one() {
    check(&["run", "flash-sail"], 2, &["no study named `flash-sail`", "hint: did you mean `flash-sale`?"]);
}

#[test]
fn an_unknown_arm_is_a_usage_error_that_names_the_arms() {
    check(&["run", "flash-sale", "--arms", "coalesce"], 2, &["no arm named `coalesce`", "did you mean `coalesced`?"]);
}

#[test]
fn an_unknown_fault_is_a_usage_error_that_names_the_faults() {
    check(
        &["run", "flash-sale", "--faults", "kill-postmastr"],
        2,
        &["no fault named `kill-postmastr`", "did you mean `kill-postmaster`?"],
    );
}

#[test]
fn a_rate_of_zero_is_a_usage_error() {
    check(&["run", "flash-sale", "--rate", "0"], 2, &["--rate", "above 0"]);
}

#[test]
fn a_duration_without_sense_is_a_usage_error() {
    check(&["run", "flash-sale", "--duration", "soon"], 2, &["--duration", "500ms, 5s or 1m"]);
}

#[test]
fn binaries_that_are_none_are_an_environment_error_with_a_hint() {
    check(&["run", "flash-sale", "--pg-bin", "/nonexistent/bin"], 3, &["/nonexistent/bin", "hint:", "--pg-bin"]);
}

#[test]
fn an_unreachable_database_is_an_environment_error_with_a_hint() {
    check(
        &["run", "flash-sale", "--database-url", "postgresql://nobody@127.0.0.1:1/none", "--allow-write"],
        3,
        &["127.0.0.1", "hint:"],
    );
}

#[test]
fn a_url_that_is_none_is_a_usage_error() {
    check(&["run", "flash-sale", "--database-url", "http://x"], 2, &["URL", "hint:", "postgresql://"]);
}

#[test]
fn a_report_in_a_missing_directory_is_refused_before_anything_runs() {
    check(&["run", "flash-sale", "--report", "no/such/dir/r.html"], 2, &["--report", "no/such/dir", "hint:"]);
}

#[test]
fn a_record_directory_that_cannot_be_written_is_refused_before_anything_runs() {
    check(&["run", "flash-sale", "--record", "/proc/pgstrata"], 3, &["/proc/pgstrata", "hint:"]);
}

#[test]
fn a_wheel_that_is_not_pinned_is_a_usage_error() {
    check(&["pg", "install", "12"], 2, &["PostgreSQL 12", "hint:", "17"]);
}
