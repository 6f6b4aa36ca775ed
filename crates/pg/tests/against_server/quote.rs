//! `quote_identifier` against the server's own `quote_ident` and parser.

use pgstrata_pg::{Session, quote_identifier};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::support;

/// What the server's functions say about one name: quoted its way, and ours read back by its parser.
async fn ask(session: &Session, name: &str, ours: &str) -> (String, Vec<String>) {
    let row = session.query_one("select quote_ident($1), parse_ident($2)", &[&name, &ours]).await.expect("an answer");
    (row.get(0), row.get(1))
}

#[test]
fn every_name_reads_back_as_itself_and_is_quoted_as_the_server_quotes() {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(support::server(&[]));
    let session = runtime.block_on(support::session(&server));
    // Any text but NUL, which no identifier can hold; names that look bare; names around the double quote.
    let names = prop_oneof!["[^\0]{1,40}", "[a-z_][a-z0-9_]{0,12}", "[a-z\" .;$A-Z0-9]{1,12}"];
    let law = |name: String| {
        let ours = quote_identifier(&name);
        let (theirs, read_back) = runtime.block_on(ask(&session, &name, &ours));
        prop_assert_eq!(&read_back, std::slice::from_ref(&name));
        // A word that became a keyword in a later version is quoted by us and not by an older server.
        prop_assert!(ours == theirs || ours == format!("\"{theirs}\""), "{} / {}", ours, theirs);
        Ok(())
    };
    TestRunner::default().run(&names, law).expect("the law holds");
}

#[tokio::test]
async fn every_keyword_of_this_server_that_needs_quotes_gets_them() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let differing = "select word, quote_ident(word) from pg_get_keywords() where quote_ident(word) <> word";
    let rows = session.query(differing, &[]).await.expect("the keywords");
    assert!(rows.len() > 100, "PostgreSQL has more than a hundred of them");
    for row in rows {
        let (word, theirs): (String, String) = (row.get(0), row.get(1));
        assert_eq!(quote_identifier(&word), theirs);
    }
}

#[tokio::test]
async fn a_hostile_table_name_stays_a_name() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let name = r#"x"; drop table victim; --"#;
    let quoted = quote_identifier(name);
    session.batch_execute("create table victim ()").await.expect("a table");
    session.batch_execute(&format!("create table {quoted} ()")).await.expect("a table with an odd name");
    let found: i64 = session
        .query_one("select count(*) from pg_class where relname in ('victim', $1)", &[&name])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(found, 2);
}
