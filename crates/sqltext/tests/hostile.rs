//! Input that means no good: deep, long, broken. Every one gets an answer, and a clear one.

use std::fmt::Write as _;

use pgstrata_sqltext::{Schema, SqlError, Workload, read_sources};

const SCHEMA: &str = "create table t (id bigint primary key, a int, b int);";

fn read(text: &str) -> Result<Workload, Vec<SqlError>> {
    let schema = Schema::from_ddl(SCHEMA).expect("the schema is SQL");
    read_sources(&[("input", text)], &schema)
}

/// Either all is read, or something is said; in no case nothing.
fn is_answered(text: &str) -> bool {
    match read(text) {
        Ok(workload) => !workload.programs.is_empty(),
        Err(errors) => errors.iter().all(|error| !error.message.is_empty()),
    }
}

#[test]
fn deep_nesting_is_read_or_refused_with_a_reason() {
    for depth in [100, 1_000, 20_000, 200_000] {
        let parentheses = format!("select {}1{}", "(".repeat(depth), ")".repeat(depth));
        let sum = format!("select 1{}", " + a".repeat(depth));
        let negation = format!("select {} true", "not ".repeat(depth));
        let union = format!("select 1{}", " union select 1".repeat(depth));
        let join = format!("select 1 from t{}", " join t using (id)".repeat(depth.min(20_000)));
        for text in [parentheses, sum, negation, union, join] {
            assert!(is_answered(&text), "{} of {depth}", &text[..30]);
        }
    }
}

#[test]
fn a_sum_of_two_hundred_columns_is_no_deep_nesting() {
    let workload = read(&format!("select a{} from t where id = $1", " + b".repeat(200))).expect("it is SQL");
    let accesses: Vec<String> = workload.programs[0].statements[0].accesses.iter().map(ToString::to_string).collect();
    assert_eq!(accesses, ["read t[id = $1] reads a, b, id"]);
}

#[test]
fn what_cannot_be_parsed_points_to_its_place_in_text_of_any_length() {
    let long = format!("select '{}';\nselect 1 form t where;", "x".repeat(10_000_000));
    let errors = read(&long).expect_err("the second statement is none");
    assert_eq!(errors[0].span.from.to_string(), "2:15", "{}", errors[0]);
    for text in
        ["select 'a", "select \"a", "/* never", "select $x$ a", "select 1 )", "\u{0}", "select U&'\\zzzz'", "\\x"]
    {
        assert!(is_answered(text) || read(text).is_ok_and(|workload| workload.programs.is_empty()), "{text}");
    }
    assert!(read("select 'a").is_err());
    assert_eq!(read("").map(|workload| workload.programs.len()), Ok(0));
}

#[test]
fn one_line_of_many_statements_is_read_in_time_that_grows_with_its_length() {
    let statements = 2_000;
    let workload = read(&"update t set a = a + 1 where id = $1; ".repeat(statements)).expect("it is SQL");
    assert_eq!(workload.programs[0].statements.len(), statements);
    let last = &workload.programs[0].statements[statements - 1];
    assert_eq!((last.span.from.line, last.span.from.column as usize), (1, 38 * (statements - 1) + 1));
}

#[test]
fn functions_and_views_that_multiply_are_cut_off_and_that_is_said() {
    let mut text = String::from("create view v0 as select id from t;\n");
    for number in 1..20 {
        let before = number - 1;
        let _ = writeln!(text, "create view v{number} as select x.id from v{before} x, v{before} y;");
        let calls = format!("select f{before}(a), f{before}(a), f{before}(a)");
        let body = if number == 1 { "select 1 from t".to_owned() } else { calls };
        let _ = writeln!(text, "create function f{number}(a int) returns int language sql as $$ {body} $$;");
    }
    text.push_str("create function f0(a int) returns int language sql as $$ select f0(a) + f19(a) $$;\n");
    text.push_str("begin; select id from v19; select f19(1) + f0(2); commit;");
    let workload = read(&text).expect("it is SQL");
    let program = workload.programs.iter().find(|program| program.name == "input").expect("the block is a program");
    for statement in &program.statements {
        assert!(!statement.unanalysed.is_empty(), "{}: it is said", statement.text);
    }
}

#[test]
fn a_body_in_plpgsql_that_nests_deeply_gets_an_answer() {
    for depth in [30, 300] {
        let body = format!("{}delete from t;{}", "begin if true then ".repeat(depth), "end if; end;".repeat(depth));
        let text = format!("create function f() returns void language plpgsql as $$ {body} $$;");
        let workload = read(&text).expect("it is SQL");
        let statements = &workload.programs[0].statements;
        let is_said = statements.iter().any(|statement| !statement.unanalysed.is_empty());
        let is_read = statements.iter().any(|statement| !statement.accesses.is_empty());
        assert!(is_said || is_read, "depth {depth}");
    }
}
