//! What `pgstrata advise` says to input that is wrong: where, why, what to do, and nothing on standard output.

use crate::advise::{LEAVE, SCHEMA, home_with, run};
use crate::{check_in_chinese, parts};

/// Runs `advise`; it must be refused as usage, with these words; and in Chinese likewise.
fn refuse(files: &[(&str, &[u8])], arguments: &[&str], words: &[&str]) {
    let home = home_with(files);
    let arguments = [&["advise"], arguments].concat();
    let (code, stdout, stderr) = parts(&home.run(&arguments));
    assert_eq!(code, Some(2), "{arguments:?}\n{stdout}{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    for word in words.iter().chain(&["hint:"]) {
        assert!(stderr.contains(word), "no {word:?} in:\n{stderr}");
    }
    check_in_chinese(&home, &arguments, code, &stderr);
}

#[test]
fn what_is_wrong_is_told_in_chinese_to_who_reads_it() {
    let told = |files: &[(&str, &[u8])], arguments: &[&str]| run(files, &[arguments, &["--lang", "zh"]].concat());
    let (code, _, stderr) = told(&[], &["advise", "--sql", "nothing.sql"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "错误：没有文件 nothing.sql\n提示：请指定 SQL 文件，或存放这类文件的目录\n");
    let (_, _, stderr) =
        told(&[("a.sql", LEAVE.as_bytes())], &["isolation", "check", "--sql", "a.sql", "--baseline", "b"]);
    assert!(
        stderr.starts_with("错误：无法读取基线 b：No such file") && stderr.contains("提示：请指定以前"),
        "{stderr}"
    );
    let (_, _, stderr) = told(&[("need.toml", b"clint = 3\nclients = 0\n")], &["advise", "--requirement", "need.toml"]);
    assert!(stderr.contains("need.toml:1:1: 没有字段 `clint`（是不是想写 `clients`？）"), "{stderr}");
    assert!(stderr.contains("need.toml:2:1: `clients` 的值是 0（必须是 1 与 100000 之间的整数）"), "{stderr}");
    let wrong: [(&str, &[u8]); 1] = [("a.sql", b"begin;\nselect a form t;\ncommit;\n")];
    let (_, _, stderr) = told(&wrong, &["advise", "--sql", "a.sql"]);
    assert!(stderr.contains("a.sql:2:15: syntax error at or near \"t\"\n  2 | select a form t;"), "{stderr}");
    let url = "postgresql://nobody@127.0.0.1:1/none";
    let (code, _, stderr) = told(&[("a.sql", LEAVE.as_bytes())], &["advise", "--sql", "a.sql", "--database-url", url]);
    assert_eq!(code, Some(3));
    assert!(stderr.starts_with("错误：无法连接 ") && stderr.contains("提示：那里没有程序在监听"), "{stderr}");
}

#[test]
fn wrong_sql_points_at_its_line_and_column_with_the_line_and_a_mark() {
    let marked = "a.sql:2:15: syntax error at or near \"t\"\n  2 | select a form t;\n    |               ^";
    refuse(&[("a.sql", b"begin;\nselect a form t;\ncommit;\n")], &["--sql", "a.sql"], &[marked]);
    let chinese = "select '选择' form t u;\n".as_bytes();
    refuse(&[("a.sql", chinese)], &["--sql", "a.sql"], &["  1 | select '选择' form t u;\n    |                    ^"]);
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let files: [(&str, &[u8]); 2] = [("d/a.sql", b"selekt 1;"), ("d/b.sql", b"select 1;\nupdate t where;")];
    refuse(&files, &["--sql", "d"], &["d/a.sql:1:1", "d/b.sql:2:10"]);
}

#[test]
fn files_that_cannot_be_read_are_told_in_one_paragraph() {
    refuse(&[("empty/readme.txt", b"x")], &["--sql", "empty"], &["no .sql file in empty"]);
    refuse(&[], &["--sql", "nothing.sql"], &["nothing.sql"]);
    refuse(&[("a.sql", b"select 1;\nselect '\xff';")], &["--sql", "a.sql"], &["a.sql:2:9", "UTF-8", "iconv"]);
    refuse(&[], &[], &["nothing to analyse"]);
    refuse(
        &[("a.sql", LEAVE.as_bytes())],
        &["--sql", "a.sql", "--allocation", "Leav=rc"],
        &["Leav", "did you mean `Leave`?"],
    );
    refuse(&[("a.sql", LEAVE.as_bytes())], &["--sql", "a.sql", "--report", "no/such/r.md"], &["--report", "no/such"]);
}

#[test]
fn logs_that_are_none_are_told_what_to_set() {
    refuse(
        &[("a.log", b"2026-11-23 10:50:00.123 UTC [7] LOG:  statement: select 1\n")],
        &["--log", "a.log"],
        &["jsonlog"],
    );
    refuse(&[("a.log", b"\x1f\x8b\x08")], &["--log", "a.log"], &["compressed", "zcat"]);
    refuse(&[("a.log", b"hello")], &["--log", "a.log"], &["no log of PostgreSQL"]);
}

#[test]
fn what_is_no_text_is_told_apart_from_what_is_in_another_encoding() {
    refuse(&[("a.sql", b"PGDMP\x01\x0e\x00\x04")], &["--sql", "a.sql"], &["a.sql is no text", "pg_restore"]);
    refuse(&[("a.sql", b"\x7fELF\x02\x01\xff")], &["--sql", "a.sql"], &["a.sql:1:", "UTF-8"]);
    refuse(&[("d/readme.txt", b"x"), ("d/.git/a.sql", b"x")], &["--sql", "d"], &["no .sql file in d"]);
    refuse(&[("s.sql", SCHEMA.as_bytes())], &["--sql", "s.sql"], &["no transaction in the SQL"]);
    refuse(&[("a.sql", b" \n\n")], &["--sql", "a.sql"], &["no transaction in the SQL"]);
    refuse(&[("a.sql", b"-- nothing\n")], &["--sql", "a.sql"], &["no transaction in the SQL"]);
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let files: [(&str, &[u8]); 2] =
        [("s.sql", SCHEMA.as_bytes()), ("a.sql", b"\xef\xbb\xbfbegin;\nselect * from duty;\ncommit;\n")];
    let (code, _, stderr) = run(&files, &["advise", "--sql", "a.sql", "--schema", "s.sql"]);
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_parsed() {
    let large = [LEAVE.as_bytes(), &b"-- a dump\n".repeat(1_700_000)].concat();
    refuse(&[("a.sql", &large)], &["--sql", "a.sql"], &["a.sql is larger than 16 MB"]);
    let many: Vec<(String, Vec<u8>)> =
        (0..5).map(|number| (format!("d/{number}.sql"), b"-- a dump\n".repeat(1_500_000))).collect();
    let files: Vec<(&str, &[u8])> = many.iter().map(|(name, text)| (name.as_str(), text.as_slice())).collect();
    refuse(&files, &["--sql", "d"], &["MB together"]);
}

#[test]
fn an_unknown_table_is_told_the_name_that_was_meant_and_counts_as_unsafe() {
    let wrong = LEAVE.replace("from duty", "from dutty");
    let files: [(&str, &[u8]); 2] = [("s.sql", SCHEMA.as_bytes()), ("a.sql", wrong.as_bytes())];
    let (code, stdout, stderr) =
        run(&files, &["advise", "--sql", "a.sql", "--schema", "s.sql", "--fail-on", "unknown"]);
    assert_eq!(code, Some(1), "{stderr}");
    for part in ["a.sql:3:22", "relation \"dutty\" does not exist", "did you mean \"duty\"?"] {
        assert!(stdout.contains(part), "no {part} in {stdout}");
    }
}

#[test]
fn dynamic_sql_is_said_at_its_place_and_counts_as_unsafe() {
    let function = "create function clean(name text) returns void language plpgsql as $$\nbegin\n\
        execute 'delete from ' || name;\nend $$;\n";
    let files: [(&str, &[u8]); 2] = [("s.sql", SCHEMA.as_bytes()), ("a.sql", function.as_bytes())];
    let arguments = ["--sql", "a.sql", "--schema", "s.sql"];
    let (code, stdout, stderr) = run(&files, &[&["advise"], arguments.as_slice()].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("a.sql:3:") && stdout.contains("dynamic SQL"), "{stdout}");
    assert!(!stdout.contains("levels they ask for: serializable"), "{stdout}");
    let (code, stdout, _) = run(&files, &[&["isolation", "check"], arguments.as_slice()].concat());
    assert_eq!(code, Some(1), "{stdout}");
}
