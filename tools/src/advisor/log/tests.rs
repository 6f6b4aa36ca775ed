//! Whole logs, short ones, from lines to programs.

use super::*;

/// A log in JSON of these sessions' entries: (session, vxid, severity, message, detail).
fn log(entries: &[(&str, &str, &str, &str, &str)]) -> String {
    let mut text = String::new();
    for (number, (session, vxid, severity, message, detail)) in entries.iter().enumerate() {
        let entry = serde_json::json!({
            "timestamp": format!("2026-11-23 10:50:{:02}.{:03} UTC", number / 1000 % 60, number % 1000),
            "dbname": "bank", "session_id": session, "line_num": number + 1, "vxid": vxid,
            "error_severity": severity, "state_code": if *severity == "ERROR" { "40001" } else { "00000" },
            "message": message, "detail": detail,
        });
        text.push_str(&entry.to_string());
        text.push('\n');
    }
    text
}

fn read(text: &str) -> LogReading {
    let mut reader = LogReader::new(None);
    reader.read(PathBuf::from("a.json"), &mut text.as_bytes()).expect("it is a log");
    reader.finish().expect("it has statements")
}

#[test]
fn sessions_that_are_mixed_in_the_file_are_followed_one_by_one() {
    let reading = read(&log(&[
        ("a", "3/1", "LOG", "statement: begin isolation level serializable", ""),
        ("b", "4/1", "LOG", "statement: begin", ""),
        ("a", "3/1", "LOG", "statement: select balance from accounts where id = 7", ""),
        (
            "b",
            "4/1",
            "LOG",
            "execute <unnamed>: update accounts set balance = $1 where id = $2",
            "parameters: $1 = '5', $2 = '7'",
        ),
        ("a", "3/1", "LOG", "statement: update accounts set balance = 3 where id = 7", ""),
        ("b", "4/1", "LOG", "statement: commit", ""),
        ("a", "3/1", "LOG", "statement: commit", ""),
        ("c", "5/9", "LOG", "statement: select count(*) from accounts", ""),
    ]));
    let found: Vec<(&str, u64)> =
        reading.programs.iter().map(|program| (program.name.as_str(), program.commits)).collect();
    assert_eq!(found, [("update_accounts", 1), ("update_accounts_2", 1), ("read_accounts", 1)]);
    let two = "begin;\nselect balance from accounts where id = :id;\n\
        update accounts set balance = :balance where id = :id_2;\ncommit;\n";
    assert!(reading.programs.iter().any(|program| program.sql == two), "{:#?}", reading.programs);
    assert!(reading.programs.iter().any(|program| program.level() == Some(Isolation::Serializable)));
    assert_eq!(reading.programs[2].sql, "select count(*) from accounts;\n");
    assert_eq!(reading.counts.committed, 3);
}

#[test]
fn failures_and_lost_ends_make_no_programs() {
    let reading = read(&log(&[
        ("a", "3/1", "LOG", "statement: begin", ""),
        ("a", "3/1", "LOG", "statement: update t set a = 1 where id = 1", ""),
        ("a", "3/1", "ERROR", "could not serialize access due to concurrent update", ""),
        ("a", "3/1", "LOG", "statement: rollback", ""),
        ("a", "3/2", "LOG", "statement: update t set a = 1 where id = 1", ""),
        ("b", "4/1", "LOG", "statement: begin", ""),
        ("b", "4/1", "LOG", "statement: delete from t where id = 1", ""),
    ]));
    let (failed, unfinished) = (reading.counts.failed, reading.counts.unfinished);
    assert_eq!((reading.programs.len(), failed, unfinished), (1, 1, 1), "{reading:#?}");
    assert_eq!(reading.failures.get("40001").copied(), Some(1));
}

#[test]
fn values_that_come_back_are_one_parameter_and_values_that_stay_are_constants() {
    let mut entries = Vec::new();
    for number in 0..20 {
        let of = |text: &str| text.replace('7', &number.to_string());
        entries.push(format!("statement: begin; {};", of("select a from t where id = 7 and kind = 'open'")));
        entries.push(of("statement: update t set a = 3 where id = 7; commit"));
    }
    let entries: Vec<_> = entries
        .iter()
        .enumerate()
        .map(|(number, message)| (format!("3/{}", number / 2 + 1), message.as_str()))
        .collect();
    let entries: Vec<_> = entries.iter().map(|(vxid, message)| ("a", vxid.as_str(), "LOG", *message, "")).collect();
    let reading = read(&log(&entries));
    let expected =
        "begin;\nselect a from t where id = :id and kind = 'open';\nupdate t set a = 3 where id = :id;\ncommit;\n";
    assert_eq!(reading.programs.len(), 1, "{reading:#?}");
    assert_eq!(reading.programs[0].sql, expected);
}

#[test]
fn a_loop_of_any_number_of_rounds_is_one_program() {
    let mut entries = vec![];
    for number in 0..12_usize {
        entries.push((format!("3/{number}1"), "statement: begin".to_owned()));
        entries.push((format!("3/{number}1"), format!("statement: select * from orders where id = {number}")));
        for item in 0..=number % 3 {
            let text = format!("statement: update stock set n = n - 1 where item = {}", number * 10 + item);
            entries.push((format!("3/{number}1"), text));
        }
        entries.push((format!("3/{number}1"), "statement: commit".to_owned()));
    }
    let entries: Vec<_> =
        entries.iter().map(|(vxid, message)| ("a", vxid.as_str(), "LOG", message.as_str(), "")).collect();
    let reading = read(&log(&entries));
    assert_eq!(reading.programs.len(), 1, "{reading:#?}");
    let program = &reading.programs[0];
    assert_eq!(program.loops, [(1, 2)]);
    let twice = "-- a loop: two of its rounds\nupdate stock set n = n - 1 where item = :item;\n\
        update stock set n = n - 1 where item = :item_2;\n";
    assert!(program.sql.contains(twice), "{}", program.sql);
}

#[test]
fn plans_beside_the_statements_are_not_counted_twice_and_plans_alone_make_programs() {
    let plan = |text: &str| format!("duration: 0.1 ms  plan:\nQuery Text: {text}\nSeq Scan on t  (cost=0.00..1.00)");
    let (one, two) = (plan("select * from t where id = 1"), plan("update t set a = 1 where id = 1"));
    let beside = read(&log(&[
        ("a", "3/1", "LOG", "statement: select * from t where id = 1", ""),
        ("a", "3/1", "LOG", &one, ""),
    ]));
    assert_eq!((beside.programs[0].commits, beside.counts.plans_beside), (1, 1));
    let alone = read(&log(&[("a", "3/1", "LOG", &one, ""), ("a", "3/1", "LOG", &two, "")]));
    assert_eq!(alone.programs[0].statements, 2);
}

#[test]
fn what_cannot_be_read_is_counted() {
    let whole = log(&[("a", "3/1", "LOG", "statement: select 1 from t", "")]);
    let mut bytes = b"cut off\"}\n".to_vec();
    bytes.extend_from_slice(whole.as_bytes());
    bytes.extend_from_slice(&whole.as_bytes()[..40]);
    let mut reader = LogReader::new(None);
    let mut bytes = bytes.as_slice();
    reader.read(PathBuf::from("a.json"), &mut bytes).expect("it is a log");
    let reading = reader.finish().expect("it has a statement");
    assert_eq!((reading.counts.entries, reading.counts.garbled), (1, 2));
}

#[test]
fn a_log_without_statements_says_what_to_do() {
    let text = log(&[("a", "", "LOG", "checkpoint starting: time", "")]);
    let mut reader = LogReader::new(None);
    reader.read(PathBuf::from("a.json"), &mut text.as_bytes()).expect("it is a log");
    let error = reader.finish().expect_err("it has no statement");
    assert!(error.hint().contains("log_statement"), "{error}");
}

/// So many transactions of one statement each, and a few of another kind by a session that made the table.
fn with_a_load(times: usize) -> String {
    let mut entries = vec![
        (
            "l".to_owned(),
            "3/1".to_owned(),
            "statement: create table accounts (id int primary key, balance int)".to_owned(),
        ),
        ("l".to_owned(), "3/2".to_owned(), "statement: copy accounts from stdin".to_owned()),
        ("l".to_owned(), "3/3".to_owned(), "statement: insert into accounts values (1, 1), (2, 2)".to_owned()),
        ("m".to_owned(), "5/1".to_owned(), "statement: delete from accounts where balance = 0".to_owned()),
    ];
    entries.extend((0..times).map(|number| {
        let text = format!("statement: update accounts set balance = {number} where id = {number}");
        ("a".to_owned(), format!("4/{number}1"), text)
    }));
    let entries: Vec<_> = entries
        .iter()
        .map(|(session, vxid, text)| (session.as_str(), vxid.as_str(), "LOG", text.as_str(), ""))
        .collect();
    log(&entries)
}

fn names(programs: &[super::LoggedProgram]) -> Vec<&str> {
    programs.iter().map(|program| program.name.as_str()).collect()
}

#[test]
fn what_only_loads_data_is_left_out_and_listed() {
    let reading = read(&with_a_load(5));
    assert_eq!(names(&reading.programs), ["update_accounts", "delete_accounts"], "{:#?}", reading.left_out);
    assert_eq!(reading.left_out.len(), 2);
    assert!(reading.left_out.iter().all(|program| program.is_load));
    assert!(reading.sql().contains("-- LEFT OUT"), "{}", reading.sql());
}

#[test]
fn in_a_long_log_what_was_seen_once_is_left_out_unless_all_is_asked_for() {
    let text = with_a_load(120);
    let reading = read(&text);
    assert_eq!((names(&reading.programs), reading.least), (vec!["update_accounts"], 2));
    assert!(names(&reading.left_out).contains(&"delete_accounts"));
    let of = |least: u64| {
        let mut reader = LogReader::new(None).with_least(Some(least));
        reader.read(PathBuf::from("a.json"), &mut text.as_bytes()).expect("it is a log");
        reader.finish()
    };
    let all = of(1).expect("it has programs");
    assert_eq!((all.programs.len(), all.left_out.len()), (4, 0));
    let error = of(1000).expect_err("none is that frequent");
    assert!(error.to_string().contains("1000") && error.to_string().contains("120"), "{error}");
}

#[test]
fn a_log_of_slow_statements_alone_is_recognised() {
    let timed = |milliseconds: usize, text: &str| format!("duration: {milliseconds}.250 ms  statement: {text}");
    let of = |least: usize| {
        let texts: Vec<String> =
            (0..30).map(|number| timed(least + number, "update t set a = 1 where id = 2")).collect();
        let vxids: Vec<String> = (0..30).map(|number| format!("3/{number}1")).collect();
        let entries: Vec<_> =
            texts.iter().zip(&vxids).map(|(text, vxid)| ("a", vxid.as_str(), "LOG", text.as_str(), "")).collect();
        read(&log(&entries)).counts.only_slow_us()
    };
    assert_eq!(of(500), Some(500_250));
    assert_eq!(of(0), None, "with log_min_duration_statement = 0 some are quick");
}
