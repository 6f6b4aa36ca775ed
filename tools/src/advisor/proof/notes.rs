//! Notes of who wrote what and of whose version a query has read: what shows a cycle of dependencies where values agree.
//!
//! Each row keeps, by column, the transactions that wrote it, in order (triggers). A plain query reads the tables through
//! views of the same names, in a schema of their own that its search path has first; the views' condition takes a note of
//! every row that the query comes to, and of who wrote those of its columns that the query reads. The last step of a
//! transaction tells its notes, so they are compared with those of serial orders like any other answer.
//!
//! Why this convicts nothing that is serializable: if the dependencies of a run have no cycle, its transactions one after
//! the other in their order find the same versions.
//!
//! Limits. What statements read that lock or write is noted in what they write alone, as they may come to a row twice, by
//! their snapshot and when they have waited for it. A query with `group by` is left alone: it may name the primary key for
//! all columns, and a view has none. A join may come to rows that have no partner, and a view of the user's is not looked
//! through.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::{Error, quote_identifier, quote_literal};
use pgstrata_sqltext::{AccessKind, Statement};

use super::scan::{Word, words};
use super::scratch::{Scratch, sql};
use crate::advisor::robustness::EXISTENCE;

/// What tells the notes of a transaction.
pub(super) const TELL: &str = "; select * from pgstrata_seen()";

/// The number of a statement, beside the tables that it reads.
const NUMBER: &str = "#";

impl Scratch {
    /// Lets each row note who has written which of its columns, in order, and queries whose versions they read.
    pub(super) async fn take_notes(&mut self) -> Result<(), Error> {
        let session = self.endpoint().connect().await?;
        let columns = session.query(include_str!("sql/written_columns.sql"), &[&self.name()]).await.map_err(sql)?;
        let columns: Vec<(String, String)> = columns.iter().map(|row| (row.get(0), row.get(1))).collect();
        session.batch_execute(include_str!("sql/writers.sql")).await.map_err(sql)?;
        let mut last = "";
        for (number, (table, column)) in columns.iter().enumerate() {
            let quoted = quote_identifier(table);
            let trigger = |name: &str, event: &str, of: &str| {
                format!(
                    "create trigger {name} before {event} on {quoted} for each row execute function pgstrata_note({})",
                    quote_literal(of)
                )
            };
            if table != last {
                let add = format!("alter table {quoted} add column pgstrata_writers jsonb not null default '{{}}'");
                let inserted = trigger("pgstrata_inserted", "insert", EXISTENCE);
                session.batch_execute(&format!("{add}; {inserted}")).await.map_err(sql)?;
                last = table;
            }
            let event = format!("update of {}", quote_identifier(column));
            session
                .batch_execute(&trigger(&format!("pgstrata_updated_{number}"), &event, column))
                .await
                .map_err(sql)?;
        }
        session.batch_execute(include_str!("sql/readers.sql")).await.map_err(sql)?;
        for row in session.query(include_str!("sql/read_tables.sql"), &[&self.name()]).await.map_err(sql)? {
            let (table, columns, key): (String, Vec<String>, Vec<String>) = (row.get(0), row.get(1), row.get(2));
            session.batch_execute(&self.view(&table, &columns, &key)).await.map_err(sql)?;
        }
        session.close().await;
        self.is_noting = true;
        Ok(())
    }

    /// The view through which queries read a table.
    fn view(&self, table: &str, columns: &[String], key: &[String]) -> String {
        let [base, views] = [self.name(), &self.views()].map(quote_identifier);
        let list = |names: &[String]| names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
        let identity = if key.is_empty() { "''".to_owned() } else { format!("concat_ws(' ', {})", list(key)) };
        let (quoted, named) = (quote_identifier(table), quote_literal(table));
        format!(
            "create view {views}.{quoted} as select {} from {base}.{quoted} where pgstrata_saw({named}, {identity}, \
             pgstrata_writers)",
            list(columns)
        )
    }

    /// What goes before a statement, as several statements, so that it notes what it reads, or reads the tables themselves
    /// again; nothing where no notes are taken. `number` tells it from other statements of its transaction.
    pub(super) fn before(&self, statement: &Statement, number: usize) -> Vec<String> {
        let Some(read) = read(statement).filter(|_| self.is_noting) else { return self.as_it_is() };
        let mut reading = serde_json::json!(read);
        reading[NUMBER] = number.into();
        let reading = quote_literal(&reading.to_string());
        vec![path(&[&self.views(), self.name()]), format!("set local pgstrata.reading to {reading}")]
    }

    /// What goes before a statement that reads the tables themselves.
    pub(super) fn as_it_is(&self) -> Vec<String> {
        if self.is_noting { vec![path(&[self.name()])] } else { Vec::new() }
    }
}

/// What looks for tables in these schemas.
fn path(schemas: &[&str]) -> String {
    let quoted: Vec<String> = schemas.iter().map(|schema| quote_identifier(schema)).collect();
    format!("set local search_path to {}", quoted.join(", "))
}

/// Who read what, and what it would have been, where a difference is one of notes: they are answered by the last statement of
/// a transaction, which is not what they are about.
pub(super) fn told(difference: &str) -> Option<(&str, &str, &str)> {
    let (who, rest) = difference.split_once(" was answered ")?;
    let (found, rest) = rest.split_once(" to `")?;
    let (_, instead) = rest.split_once(&format!("{TELL}`, not "))?;
    let is_note = |answer: &str| answer.starts_with("([") || answer == "no rows";
    (is_note(found) && is_note(instead)).then_some((who, found, instead))
}

/// The tables and columns that a plain query reads; nothing of other statements, and of queries that are left alone.
fn read(statement: &Statement) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let is_group = |word: Word<'_>| word.name().is_some_and(|name| name == "group");
    let is_plain = statement.accesses.iter().all(|access| access.kind == AccessKind::Read);
    if !is_plain || !statement.unanalysed.is_empty() || words(&statement.text).into_iter().any(is_group) {
        return None;
    }
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for access in &statement.accesses {
        let columns = read.entry(access.relation.name().to_owned()).or_default();
        columns.insert(EXISTENCE.to_owned());
        columns.extend(access.reads.iter().chain(&access.conditions).cloned());
    }
    (!read.is_empty()).then_some(read)
}

#[cfg(test)]
mod tests {
    use pgstrata_sqltext::Schema;

    use super::*;

    #[test]
    fn a_difference_of_notes_is_told_from_one_of_answers() {
        let text = "T1 was answered ([1] r 2) to `select 1; select * from pgstrata_seen()`, not ([1] r 2 with a by T2)";
        assert_eq!(told(text), Some(("T1", "([1] r 2)", "([1] r 2 with a by T2)")));
        assert_eq!(told("T1 was answered (5) to `select 1; select * from pgstrata_seen()`, not (6)"), None);
        assert_eq!(told("r holds (1,2), not (1,3)"), None);
    }

    #[test]
    fn plain_queries_alone_are_noted_with_the_columns_that_they_read() {
        let schema = Schema::from_ddl("create table t (id int primary key, a int, b int)").expect("tables");
        let reads = |text: &str| {
            let source = format!("-- pgstrata: program p\nbegin;\n{text};\ncommit;");
            let workload = pgstrata_sqltext::read_sources(&[("p.sql", &source)], &schema).expect("a program");
            let found = read(&workload.programs[0].statements[0])?;
            Some(found["t"].iter().cloned().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(reads("select a from t where id = :k").as_deref(), Some("(existence) a id"));
        assert_eq!(reads("select count(*) from t where b > 3").as_deref(), Some("(existence) b"));
        for text in
            ["select a from t where id = :k for share", "update t set a = b", "select b, count(*) from t group by b"]
        {
            assert_eq!(reads(text), None, "{text}");
        }
    }
}
