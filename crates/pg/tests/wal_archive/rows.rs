//! Rows out of the log against rows out of SQL.

use std::collections::BTreeSet;

use pgstrata_units::Lsn;
use pgstrata_wal::{
    Alignment, ChangeKind, ColumnLayout, Committed, CommittedTransaction, RelFile, Tuple, Value, Varlena,
};

use crate::support::{any_archived, read_all, session, work};

const LAYOUTS: [ColumnLayout; 5] = [
    ColumnLayout::Fixed { bytes: 8, alignment: Alignment::Double },
    ColumnLayout::Varlena { alignment: Alignment::Int },
    ColumnLayout::Fixed { bytes: 2, alignment: Alignment::Short },
    ColumnLayout::Fixed { bytes: 16, alignment: Alignment::Char },
    ColumnLayout::Fixed { bytes: 8, alignment: Alignment::Double },
];

fn shown(tuple: Tuple<'_>) -> String {
    let values = tuple.values(&LAYOUTS).expect("the columns of the table");
    let show = |value: &Value<'_>| match value {
        Value::Null | Value::NotStored => "null".to_owned(),
        Value::Varlena(Varlena::Plain(text)) => String::from_utf8_lossy(text).into_owned(),
        Value::Varlena(_) => "stored elsewhere".to_owned(),
        Value::Fixed(bytes) => match bytes.len() {
            2 => i16::from_le_bytes((*bytes).try_into().expect("two")).to_string(),
            8 => i64::from_le_bytes((*bytes).try_into().expect("eight")).to_string(),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(),
        },
    };
    values.iter().map(show).collect::<Vec<_>>().join("|")
}

async fn committed(sql: &str) -> (Vec<CommittedTransaction>, Vec<String>) {
    let archived = any_archived().await;
    let session = session(&archived.server).await;
    let create = "create table followed (id bigint, note text, amount smallint, key uuid, at timestamptz)";
    session.batch_execute(create).await.expect("a table");
    let facts = "select pg_relation_filenode('followed'), (select oid from pg_database where datname = current_database()), \
                 'followed'::regclass::oid, pg_current_wal_lsn()::text";
    let row = session.query_one(facts, &[]).await.expect("facts");
    let (file, database, table): (u32, u32, u32) = (row.get(0), row.get(1), row.get(2));
    let from: Lsn = row.get::<_, String>(3).parse().expect("a position");
    work(&session, sql).await;
    let expected = "select concat_ws('|', id, coalesce(note, 'null'), coalesce(amount::text, 'null'), \
                    coalesce(replace(key::text, '-', ''), 'null'), \
                    (extract(epoch from at) * 1000000)::bigint - 946684800000000) from followed order by id";
    let rows = session.query(expected, &[]).await.expect("rows");
    archived.archive.catch_up(&session).await.expect("archived");
    let (records, error) = read_all(&archived.archive);
    assert_eq!(error, None);
    let relation = RelFile { tablespace: 1663, database, file };
    let mut committed = Committed::of(BTreeSet::from([relation]), database, BTreeSet::from([table]));
    let mut transactions = Vec::new();
    for record in records.iter().filter(|record| record.lsn >= from) {
        transactions.extend(committed.take(record).expect("known").filter(|ended| !ended.changes.is_empty()));
    }
    assert_eq!(committed.pending(), 0, "nothing is left of transactions that ended");
    (transactions, rows.iter().map(|row| row.get(0)).collect())
}

fn inserted(transactions: &[CommittedTransaction]) -> Vec<String> {
    let mut rows = Vec::new();
    for change in transactions.iter().flat_map(|transaction| &transaction.changes) {
        if let ChangeKind::Insert { row: Some(row), .. } = &change.kind {
            rows.push(shown(row.tuple()));
        }
    }
    rows
}

#[tokio::test]
async fn rows_of_committed_transactions_are_those_that_sql_shows() {
    let (transactions, expected) = committed(include_str!("rows.sql")).await;
    let mut found = inserted(&transactions);
    found.sort_by_key(|row| row.split('|').next().and_then(|id| id.parse::<i64>().ok()));
    assert_eq!(found, expected);
    let gids: Vec<_> = transactions.iter().filter_map(|transaction| transaction.gid.as_deref()).collect();
    assert_eq!(gids, ["kept"]);
    assert!(transactions.is_sorted_by_key(|transaction| transaction.commit_lsn));
}

#[tokio::test]
async fn updates_deletes_and_truncations_are_told_with_where_the_row_was() {
    let sql = "insert into followed (id) values (1), (2);\nupdate followed set amount = 7 where id = 1;\n\
               delete from followed where id = 2;\ntruncate followed;\ninsert into followed (id, at) values (9, now());\n";
    let (transactions, _) = committed(sql).await;
    let changes: Vec<_> = transactions.iter().flat_map(|transaction| &transaction.changes).collect();
    let [first, second, update, delete, truncation] = changes.as_slice() else { panic!("{changes:#?}") };
    let ChangeKind::Update(from, Some(row)) = &update.kind else { panic!("{update:?}") };
    assert_eq!((*from, shown(row.tuple())), (first.at, "1|null|7|null|null".to_owned()));
    assert_eq!((delete.at, &delete.kind), (second.at, &ChangeKind::Delete));
    assert!(matches!(truncation.kind, ChangeKind::Truncate(_)), "{truncation:?}");
}
