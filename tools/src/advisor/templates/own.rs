//! A user's own program as a plan, so that it can be written in every language: names that each of them takes, and types
//! for what one statement finds and another uses.
//!
//! A program in statements becomes its statements in their order. A function of the database has branches and loops, which
//! a plan has not: it is called. What the application computes between statements is not in the SQL, and so not in the plan.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_sqltext::{Access, Origin, Program, Schema, Statement, Term, quoted};
use pgstrata_units::Isolation;

use super::Language;
use super::plan::{Expect, Kind, Parameter, Plan, Step, identifier, returns_rows};

/// Words that one of the languages keeps for itself and that a column may well be called.
const KEPT_WORDS: &[&str] = &[
    "abstract",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "boolean",
    "break",
    "byte",
    "case",
    "cast",
    "catch",
    "chan",
    "char",
    "class",
    "client",
    "connection",
    "const",
    "continue",
    "crate",
    "ctx",
    "cursor",
    "def",
    "default",
    "defer",
    "del",
    "do",
    "double",
    "else",
    "enum",
    "except",
    "export",
    "extends",
    "false",
    "final",
    "float",
    "fn",
    "for",
    "from",
    "func",
    "function",
    "global",
    "go",
    "goto",
    "if",
    "impl",
    "import",
    "in",
    "int",
    "interface",
    "is",
    "key",
    "lambda",
    "let",
    "long",
    "loop",
    "map",
    "match",
    "mod",
    "move",
    "mut",
    "new",
    "none",
    "not",
    "null",
    "or",
    "package",
    "pass",
    "private",
    "protected",
    "pub",
    "public",
    "raise",
    "range",
    "ref",
    "return",
    "row",
    "select",
    "self",
    "short",
    "statement",
    "static",
    "struct",
    "super",
    "switch",
    "this",
    "throw",
    "trait",
    "transaction",
    "true",
    "try",
    "tx",
    "type",
    "unsafe",
    "use",
    "var",
    "void",
    "where",
    "while",
    "with",
    "yield",
];

/// The plan of a program at the level that was found for it, as a language can write it.
pub(super) fn plan(schema: &Schema, program: &Program, level: Isolation, language: Language) -> Plan {
    let parameters: Vec<Parameter> = program.parameters.iter().map(parameter).collect();
    let is_function = program.origin != Origin::Statements;
    let steps = if is_function { vec![call(program)] } else { steps(schema, program, language) };
    let name = snake(&program.name);
    let about = if is_function {
        format!("Calls the function {}, at {level}.", program.name)
    } else {
        format!("The program {}, at {level}.", program.name)
    };
    // A function of the same name is there already.
    let name = if is_function { format!("call_{name}") } else { name };
    Plan { name, about, level, parameters, steps, schema: String::new() }
}

fn parameter(parameter: &pgstrata_sqltext::Parameter) -> Parameter {
    Parameter {
        name: free(&parameter.name),
        kind: Kind::of(parameter.type_name.as_deref().unwrap_or("text")),
        example: parameter.example.clone().unwrap_or_else(|| "null".to_owned()),
    }
}

fn call(program: &Program) -> Step {
    let arguments: Vec<String> = program.parameters.iter().map(|parameter| free(&parameter.name)).collect();
    let places: Vec<String> = (1..=arguments.len()).map(|place| format!("${place}")).collect();
    let name: Vec<String> = program.name.split('.').map(quoted).collect();
    let sql = format!("select {}({})", name.join("."), places.join(", "));
    Step { sql, arguments, expect: Expect::Anything, keeps: Vec::new(), returns_rows: true }
}

fn steps(schema: &Schema, program: &Program, language: Language) -> Vec<Step> {
    let used: BTreeSet<&str> =
        program.statements.iter().flat_map(|statement| &statement.arguments).map(String::as_str).collect();
    let types = types(schema, program);
    // What a variable is called now: two statements may set the same one, and no language declares a name twice.
    let mut called: BTreeMap<&str, String> = BTreeMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for (number, statement) in program.statements.iter().enumerate() {
        let name = |argument: &String| called.get(argument.as_str()).cloned().unwrap_or_else(|| free(argument));
        let arguments: Vec<String> = statement.arguments.iter().map(name).collect();
        let results = statement.results.iter().filter(|result| used.contains(result.variable.as_str()));
        let mut keeps: Vec<(Parameter, &str)> = Vec::new();
        for result in results {
            let is_taken = called.contains_key(result.variable.as_str());
            let own = free(&result.variable);
            let name = if is_taken { format!("{own}_{}", number + 1) } else { own };
            called.insert(&result.variable, name.clone());
            let kind = Kind::of(types.get(result.variable.as_str()).map_or("text", String::as_str));
            keeps.push((Parameter { name, kind, example: "null".to_owned() }, result.column.as_str()));
        }
        steps.push(step(statement, number, arguments, keeps, language));
    }
    steps
}

fn step(
    statement: &Statement,
    number: usize,
    arguments: Vec<String>,
    keeps: Vec<(Parameter, &str)>,
    language: Language,
) -> Step {
    let sql = &statement.prepared;
    if keeps.is_empty() {
        // PL/pgSQL drops the rows of a query that begins with `select`, and of nothing else.
        let has_rows = returns_rows(sql) && !sql.trim_start().to_ascii_lowercase().starts_with("select");
        if language == Language::Sql && has_rows {
            let count = Parameter { name: format!("rows_{}", number + 1), kind: Kind::Long, example: "0".to_owned() };
            let sql = format!("with found as ({sql}) select count(*) from found");
            return Step { sql, arguments, expect: Expect::Anything, keeps: vec![count], returns_rows: true };
        }
        let returns_rows = returns_rows(sql);
        return Step { sql: sql.clone(), arguments, expect: Expect::Anything, keeps: Vec::new(), returns_rows };
    }
    let is_whole = keeps.len() == statement.results.len();
    let is_read = keeps.iter().all(|(kept, _)| reads(language, &kept.kind));
    let sql = if is_whole && is_read { sql.clone() } else { only(sql, &keeps, language) };
    let keeps = keeps.into_iter().map(|(kept, _)| kept).collect();
    Step { returns_rows: returns_rows(&sql), sql, arguments, expect: Expect::RowElseRefused, keeps }
}

/// Whether a language's library hands out a value of this type as the template takes it. Those of Rust and Go take only
/// text for text.
fn reads(language: Language, kind: &Kind) -> bool {
    !matches!((language, kind), (Language::RustTokioPostgres | Language::RustSqlx | Language::Go, Kind::Cast(_)))
}

/// The statement with the columns that are used and no others, as types that the language takes.
fn only(sql: &str, keeps: &[(Parameter, &str)], language: Language) -> String {
    let columns: Vec<String> = keeps
        .iter()
        .map(|(kept, column)| {
            let column = quoted(column);
            if reads(language, &kept.kind) { column } else { format!("cast({column} as text)") }
        })
        .collect();
    format!("with found as ({sql}) select {} from found", columns.join(", "))
}

/// The types of results, from the columns that they are compared with or written to later, else from the column of the
/// same name that the statement reads.
fn types(schema: &Schema, program: &Program) -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    for (number, statement) in program.statements.iter().enumerate() {
        for result in &statement.results {
            let mut later = program.statements.iter().skip(number + 1).flat_map(|later| &later.accesses);
            let is_it = |term: &Term| matches!(term, Term::Result { statement, column } if *statement == number && *column == result.column);
            let compared = later.find_map(|access| column_type(schema, access, access.column_of(is_it)?));
            let read = || {
                let mut accesses = statement.accesses.iter().filter(|access| access.reads.contains(&result.column));
                accesses.find_map(|access| column_type(schema, access, &result.column))
            };
            if let Some(found) = compared.or_else(read) {
                types.entry(result.variable.clone()).or_insert(found);
            }
        }
    }
    types
}

fn column_type(schema: &Schema, access: &Access, column: &str) -> Option<String> {
    let name = &schema.relations.get(&access.relation)?.column(column)?.type_name;
    let of_serial =
        [("bigserial", "bigint"), ("serial8", "bigint"), ("serial", "integer"), ("smallserial", "smallint")];
    let plain = of_serial.iter().find(|(serial, _)| serial == name).map_or(name.as_str(), |(_, plain)| plain);
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// A name that no language keeps for itself.
fn free(name: &str) -> String {
    let name = identifier(name);
    if KEPT_WORDS.contains(&name.as_str()) { format!("{name}_") } else { name }
}

/// `WriteCheck` as `write_check`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = None;
    for sign in name.chars() {
        let begins_word = sign.is_ascii_uppercase() && before.is_some_and(|before: char| before.is_ascii_lowercase());
        if begins_word {
            out.push('_');
        }
        out.push(sign);
        before = Some(sign);
    }
    free(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::examples::EXAMPLES;
    use crate::advisor::input::{Input, SourceText};
    use crate::advisor::templates::{REQUEST_TABLE, code_of};
    use crate::advisor::{Options, analyse};

    #[test]
    fn names_are_taken_by_every_language() {
        assert_eq!(snake("WriteCheck"), "write_check");
        assert_eq!(snake("TPCC"), "tpcc");
        assert_eq!((free("from").as_str(), free("1").as_str(), free("a-b").as_str()), ("from_", "p1", "a_b"));
        assert!(KEPT_WORDS.is_sorted(), "an order that a reader can search");
    }

    #[test]
    fn a_result_has_the_type_of_the_column_that_it_is_compared_with_and_unused_columns_are_left_out() {
        let text = "create table a (name text primary key, id bigint not null, note text);
            create table b (id bigint primary key, money numeric);
            begin; select id as found, note from a where name = :name \\gset
            select money from b where id = :found \\gset
            update b set money = :money::numeric + 1 where id = :found; commit;";
        let input = Input { schema: Vec::new(), programs: vec![SourceText::new("a.sql", text)] };
        let read = input.read().expect("it is SQL");
        let of = |language| plan(&read.schema, &read.workload.programs[0], Isolation::RepeatableRead, language);
        let python = of(Language::Python);
        assert_eq!(
            python.steps[0].sql,
            "with found as (select id as found, note from a where name = $1) select found from found"
        );
        assert_eq!(python.steps[0].keeps[0].kind, Kind::Long);
        assert_eq!(python.steps[1].sql, "select money from b where id = $1");
        let go = of(Language::Go);
        assert_eq!(go.steps[1].keeps[0].kind, Kind::Cast("numeric".to_owned()));
        assert!(go.steps[1].sql.ends_with("select cast(money as text) from found"), "{}", go.steps[1].sql);
    }

    #[tokio::test]
    async fn the_programs_of_every_example_are_functions_that_a_real_server_takes_and_runs() {
        let cluster = pgstrata_pg::testing::server().await.expect("a server");
        let session = cluster.endpoint().connect().await.expect("a session");
        for example in &EXAMPLES {
            let read = example.input().read().expect("it is SQL");
            let report = analyse(&read.workload, &read.schema, &Options::default());
            session.batch_execute("begin").await.expect("begun");
            session.batch_execute(REQUEST_TABLE).await.expect("the table of requests");
            session.batch_execute(&read.definitions).await.expect("the example's tables");
            for (number, program) in read.workload.programs.iter().enumerate() {
                let made = code_of(&read.schema, program, report.optimal.level(&program.name), Language::Sql);
                session
                    .batch_execute(&made)
                    .await
                    .unwrap_or_else(|error| panic!("{}: {error:?}\n{made}", program.name));
                let plan = plan(&read.schema, program, Isolation::ReadCommitted, Language::Sql);
                let key = format!("'0198f6f2-0000-7000-8000-{number:012}'");
                let values: Vec<String> =
                    std::iter::once(key).chain(plan.parameters.iter().map(|one| one.example.clone())).collect();
                let call = format!("savepoint one; select {}({}); release one", plan.name, values.join(", "));
                // The tables are empty: what must have been found was not, and so the function refuses, or a foreign key does.
                if let Err(error) = session.batch_execute(&call).await {
                    let said = format!("{error:?}");
                    let is_about_rows = said.contains("refused") || said.contains("E23503");
                    assert!(is_about_rows, "{}: {said}\n{made}", program.name);
                    session.batch_execute("rollback to one").await.expect("rolled back");
                }
            }
            session.batch_execute("rollback").await.expect("rolled back");
        }
    }
}
