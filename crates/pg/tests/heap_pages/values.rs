//! Values against what the types print themselves.

use std::collections::BTreeMap;

use pgstrata_pg::Session;
use pgstrata_tuple::value::{Column, Printed, print_row};
use pgstrata_tuple::{ColumnLayout, ItemPointer};

use crate::support::{installs, parsed, raw_pages, server, session};

/// Rows that are filled by lot.
const ROWS: &str = "1500";

async fn columns(session: &Session, table: &str) -> Vec<Column> {
    let rows = session.query(include_str!("columns.sql"), &[&table]).await.expect("columns");
    rows.iter()
        .map(|row| Column {
            name: row.get(0),
            type_oid: row.get(1),
            layout: ColumnLayout::of_catalog(row.get(2), row.get::<_, i8>(3).cast_unsigned()).expect("a layout"),
            is_dropped: row.get(4),
            missing: row.get(5),
        })
        .collect()
}

#[tokio::test]
async fn values_are_printed_as_their_types_print_them() {
    for install in installs() {
        let version = install.version.to_string();
        let server = server(install).await;
        let session = session(&server).await;
        // Long texts are compressed with LZ4 at first, where the server was built with it.
        let has_lz4 = session.batch_execute("set default_toast_compression = lz4").await.is_ok();
        session.batch_execute(&include_str!("values.sql").replace("$rows", ROWS)).await.expect("rows");
        session.batch_execute("set default_toast_compression = pglz").await.expect("pglz");
        session.batch_execute(include_str!("values_again.sql")).await.expect("rows");

        let columns = columns(&session, "everything").await;
        let rows = session.query(include_str!("values_seen.sql"), &[]).await.expect("rows");
        let mut truth: BTreeMap<String, Vec<Option<String>>> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let (mut compared, mut toasted) = (0, 0);
        for (block, bytes) in (0..).zip(raw_pages(&session, "everything").await) {
            let Some(page) = parsed(&bytes) else { continue };
            for (offset, tuple) in page.tuples() {
                let place = ItemPointer { block, offset }.to_string();
                let Some(expected) = truth.remove(&place) else { continue };
                let printed = print_row(&tuple.row(), &columns).expect("the server's own tuple");
                assert_eq!(printed.len(), expected.len());
                for ((name, printed), expected) in printed.into_iter().zip(expected) {
                    match (printed, expected) {
                        (Printed::Null, None) => {}
                        (Printed::Text(printed), Some(expected)) => {
                            assert_eq!(printed, expected, "{version} {place} {name}");
                        }
                        (Printed::Toast { raw_bytes, stored_bytes, value_id, table }, Some(expected)) => {
                            let is_text = name == "big";
                            assert!(!is_text || usize::try_from(raw_bytes).expect("small") == expected.len());
                            assert!(stored_bytes <= raw_bytes && value_id > 0 && table > 0);
                            toasted += 1;
                        }
                        (printed, expected) => panic!("{version} {place} {name}: {printed:?}, not {expected:?}"),
                    }
                    compared += 1;
                }
            }
        }
        assert!(truth.is_empty(), "{version}: rows that are on no page: {truth:?}");
        assert!(toasted >= 5, "{version}: {toasted} values out of line, lz4: {has_lz4}");
        assert!(compared > 60_000, "{version}: only {compared} values");
    }
}
