//! Tricky statements and their accesses, pinned.

use std::fmt::Write as _;

use pgstrata_sqltext::{Program, Schema, read_sources};

const SCHEMA: &str = include_str!("statements/schema.sql");
const STATEMENTS: &str = include_str!("statements/statements.sql");

fn described(program: &Program) -> String {
    let mut text = String::new();
    for statement in &program.statements {
        let _ = writeln!(text, "{}", statement.text);
        for access in &statement.accesses {
            let _ = writeln!(text, "  {access}");
        }
        for said in &statement.unanalysed {
            let _ = writeln!(text, "  ? {} {}", said.span, said.why);
        }
    }
    text
}

#[test]
fn tricky_statements_do_what_they_are_known_to_do() {
    let schema = Schema::from_ddl(SCHEMA).expect("the schema is SQL");
    assert_eq!(schema.unanalysed, [], "all of the schema is understood");
    let workload = read_sources(&[("statements", STATEMENTS)], &schema).expect("the statements are SQL");
    let texts: Vec<String> = workload.programs.iter().map(described).collect();
    insta::assert_snapshot!("statements", texts.concat());
}
