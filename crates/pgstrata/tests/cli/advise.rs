//! `pgstrata advise`: what is printed, and exit codes.
//!
//! The book's texts are made by the commands below, with `> book/guide/isolation-gate/…`.

use std::fs;

use crate::gate::gate;
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
    parts(&home_with(files).run(arguments))
}

/// A directory with these files.
pub(crate) fn home_with(files: &[(&str, &[u8])]) -> Home {
    let home = Home::new();
    for (name, text) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    home
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
fn a_server_that_is_not_there_is_an_environment_error() {
    let files: [(&str, &[u8]); 1] = [("a.sql", LEAVE.as_bytes())];
    let url = "postgresql://nobody@127.0.0.1:1/none";
    let (code, stdout, stderr) = run(&files, &["advise", "--sql", "a.sql", "--database-url", url]);
    assert_eq!(code, Some(3), "{stdout}{stderr}");
    assert!(stdout.is_empty() && stderr.contains("127.0.0.1") && stderr.contains("hint:"), "{stdout}{stderr}");
}
