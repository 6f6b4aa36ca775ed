//! Code for a solution: a frame in each language that runs whole transactions again, names requests and survives a commit
//! whose outcome is unknown, and in it the transaction itself.
//!
//! Frames are source files; `cargo xtask templates` compiles what comes out of them, where the machine has the language's
//! tools, and runs it against a server that loses connections during commit.

mod bodies;
mod own;
pub mod plan;
pub mod trial;

use std::fmt;
use std::str::FromStr;

use pgstrata_sqltext::{Program, Schema};
use pgstrata_units::{Isolation, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::solutions::SolutionId;
use plan::Plan;

/// The table that all frames need.
pub const REQUEST_TABLE: &str = include_str!("frames/request.sql");

/// A language, with the library that talks to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AdvisorLanguage)]
pub enum Language {
    /// PL/pgSQL functions.
    Sql,
    /// Rust with tokio-postgres.
    RustTokioPostgres,
    /// Rust with sqlx.
    RustSqlx,
    /// Python with psycopg 3.
    Python,
    /// Java with JDBC.
    Java,
    /// Go with pgx.
    Go,
    /// TypeScript with node-postgres.
    Typescript,
}

impl Language {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Sql, Self::RustTokioPostgres, Self::RustSqlx, Self::Python, Self::Java, Self::Go, Self::Typescript];

    /// Its name on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::RustTokioPostgres => "rust-tokio-postgres",
            Self::RustSqlx => "rust-sqlx",
            Self::Python => "python",
            Self::Java => "java",
            Self::Go => "go",
            Self::Typescript => "typescript",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Sql => "SQL (PL/pgSQL)",
            Self::RustTokioPostgres => "Rust (tokio-postgres)",
            Self::RustSqlx => "Rust (sqlx)",
            Self::Python => "Python (psycopg 3)",
            Self::Java => "Java (JDBC)",
            Self::Go => "Go (pgx 5)",
            Self::Typescript => "TypeScript (node-postgres)",
        }
    }

    /// The file that the code goes into.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Sql => "transaction.sql",
            Self::RustTokioPostgres | Self::RustSqlx => "transaction.rs",
            Self::Python => "transaction.py",
            Self::Java => "Transactions.java",
            Self::Go => "transaction.go",
            Self::Typescript => "transaction.ts",
        }
    }

    const fn frame(self) -> &'static str {
        match self {
            Self::Sql => include_str!("frames/plpgsql.sql"),
            Self::RustTokioPostgres => include_str!("frames/tokio_postgres.rs.txt"),
            Self::RustSqlx => include_str!("frames/sqlx.rs.txt"),
            Self::Python => include_str!("frames/transaction.py"),
            Self::Java => include_str!("frames/Transactions.java"),
            Self::Go => include_str!("frames/transaction.go"),
            Self::Typescript => include_str!("frames/transaction.ts"),
        }
    }

    /// An isolation level as this language's library names it.
    const fn level(self, level: Isolation) -> &'static str {
        match (self, level) {
            (Self::Sql | Self::Typescript | Self::RustSqlx, level) => level.sql(),
            (Self::RustTokioPostgres | Self::Go, Isolation::ReadCommitted) => "ReadCommitted",
            (Self::RustTokioPostgres | Self::Go, Isolation::RepeatableRead) => "RepeatableRead",
            (Self::RustTokioPostgres | Self::Go, Isolation::Serializable) => "Serializable",
            (Self::Python, Isolation::ReadCommitted) => "READ_COMMITTED",
            (Self::Python, Isolation::RepeatableRead) => "REPEATABLE_READ",
            (Self::Python, Isolation::Serializable) => "SERIALIZABLE",
            (Self::Java, Isolation::ReadCommitted) => "TRANSACTION_READ_COMMITTED",
            (Self::Java, Isolation::RepeatableRead) => "TRANSACTION_REPEATABLE_READ",
            (Self::Java, Isolation::Serializable) => "TRANSACTION_SERIALIZABLE",
        }
    }

    /// The placeholder of the level in the frame: the part of a word that stands for it.
    const fn level_marker(self) -> &'static str {
        match self {
            Self::Sql => "LEVEL",
            Self::Typescript | Self::RustSqlx => "isolation level LEVEL",
            Self::RustTokioPostgres => "IsolationLevel::LEVEL",
            Self::Python => "IsolationLevel.LEVEL",
            Self::Java => "Connection.LEVEL",
            Self::Go => "pgx.LEVEL",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that no language has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no code in `{0}`, only in sql, rust-tokio-postgres, rust-sqlx, python, java, go and typescript")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|language| language.name() == name);
        found.ok_or_else(|| UnknownLanguage(name.to_owned()))
    }
}

/// What stands above code that was made for a user's own programs.
pub const OWN_PROGRAMS: Text = Text {
    en: "What the application computes between the statements was not in the SQL: put it there.",
    zh: "应用在语句之间的计算不在 SQL 中：请自行补上。",
};

/// The example of a solution in a language.
#[must_use]
pub fn code(solution: SolutionId, language: Language) -> String {
    render(language, plan::example(solution))
}

/// A user's program in a language, at the level that was found for it. What the application computes between its
/// statements was not in the SQL ([`OWN_PROGRAMS`]). A function of the database is called.
#[must_use]
pub fn code_of(schema: &Schema, program: &Program, level: Isolation, language: Language) -> String {
    render(language, &own::plan(schema, program, level, language))
}

/// Puts a transaction into the frame.
#[must_use]
pub fn render(language: Language, plan: &Plan) -> String {
    let marker = language.level_marker();
    let named = marker.replace("LEVEL", language.level(plan.level));
    let comment = match language {
        Language::Python => "# BODY",
        Language::Sql => "-- BODY",
        _ => "// BODY",
    };
    let framed = language.frame().replace(marker, &named).replacen("ABOUT", &plan.about, 1);
    let indent = if language == Language::Java { "    " } else { "" };
    let body = bodies::body(language, plan);
    let body: Vec<String> =
        body.lines().map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") }).collect();
    let code = framed.replacen(&format!("{indent}{comment}"), &body.join("\n"), 1);
    format!("{}\n", code.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_solution_has_code_in_every_language_without_marks_of_the_frame() {
        for solution in SolutionId::ALL {
            for language in Language::ALL {
                let code = code(*solution, language);
                for mark in ["LEVEL;", ".LEVEL", "::LEVEL", "level LEVEL", "ABOUT", "BODY"] {
                    assert!(!code.contains(mark), "{solution:?} {language}: {mark}\n{code}");
                }
                let name = plan::example(*solution).name.replace('_', "");
                assert!(code.to_lowercase().replace('_', "").contains(&name), "{solution:?} {language}");
            }
        }
    }

    #[test]
    fn the_level_is_named_as_the_library_names_it() {
        for (language, expect) in [
            (Language::Python, "IsolationLevel.SERIALIZABLE"),
            (Language::Java, "Connection.TRANSACTION_SERIALIZABLE"),
            (Language::Go, "IsoLevel: pgx.Serializable"),
            (Language::RustTokioPostgres, "IsolationLevel::Serializable"),
            (Language::RustSqlx, "set transaction isolation level serializable"),
            (Language::Typescript, "begin isolation level serializable"),
        ] {
            assert!(code(SolutionId::Serializable, language).contains(expect), "{language}");
        }
    }

    #[test]
    fn a_language_is_read_from_its_name() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
            assert_eq!(serde_json::to_value(language).expect("a name"), language.name());
        }
        assert!("cobol".parse::<Language>().is_err());
    }

    #[tokio::test]
    async fn every_example_does_its_work_once_for_a_key_on_a_real_server() {
        let cluster = pgstrata_pg::testing::server().await.expect("a server");
        let session = cluster.endpoint().connect().await.expect("a session");
        for solution in plan::examples() {
            let plan = plan::example(solution);
            let made = [include_str!("clear.sql"), plan.schema.as_str(), REQUEST_TABLE, &code(solution, Language::Sql)];
            for text in made {
                session.batch_execute(text).await.unwrap_or_else(|error| panic!("{solution:?}: {error:?}\n{text}"));
            }
            let key = "'0198f6f2-0000-7000-8000-000000000001'".to_owned();
            let values: Vec<String> =
                std::iter::once(key).chain(plan.parameters.iter().map(|one| one.example.clone())).collect();
            let call = format!("select {}({})", plan.name, values.join(", "));
            for expected in [true, false] {
                session.batch_execute(&format!("begin isolation level {}", plan.level)).await.expect("begun");
                let row = session.query_one(&call, &[]).await.unwrap_or_else(|error| panic!("{solution:?}: {error:?}"));
                session.batch_execute("commit").await.expect("committed");
                assert_eq!(row.get::<_, bool>(0), expected, "{solution:?}");
            }
        }
    }
}
