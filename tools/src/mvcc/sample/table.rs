//! The watched table: whether it is there, what of it can be looked at, and what has become of it since the last look.

use std::time::{Duration, Instant};

use pgstrata_pg::sql::Row;
use pgstrata_tuple::ColumnLayout;
use pgstrata_tuple::value::Column;

use super::{Picture, count, limit};
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::watch::Limits;

const WATCHED: &str = include_str!("../sql/watched.sql");
const COLUMNS: &str = include_str!("../sql/columns.sql");

/// How long columns are taken to be what they were.
const COLUMNS_FOR: Duration = Duration::from_secs(1);

/// How long it is said that a table was rewritten.
const REWRITTEN_FOR: Duration = Duration::from_secs(10);

/// A table on disk: the watched one, or one of its partitions.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub oid: u32,
    /// With its schema, quoted where it must be.
    pub name: String,
    /// Its file, which is another one after a rewrite.
    pub file: i64,
    pub pages: u32,
}

/// The watched table as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub oid: u32,
    pub name: String,
    /// What can be looked at.
    pub leaves: Vec<Leaf>,
    /// Whether reading it must wait for somebody, so that the last look has to do.
    pub is_locked: bool,
}

/// The columns of a table and its key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub columns: Vec<Column>,
    /// Names of the key's columns with their types, in order.
    pub key: Vec<(String, String)>,
}

impl Columns {
    /// The OID of a column's type, 0 if there is no such column.
    pub fn type_of(&self, name: &str) -> u32 {
        let column = self.columns.iter().find(|column| !column.is_dropped && column.name == name);
        column.map_or(0, |column| column.type_oid)
    }
}

/// Follows the table from look to look.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// What it was when it was first seen.
    known: Option<u32>,
    files: Vec<(u32, i64)>,
    rewritten: Option<Instant>,
    columns: Vec<(u32, Instant, Columns)>,
}

impl Tracker {
    /// The table that is called so; `None`, with a note, if there is none (any more).
    pub async fn look(
        &mut self,
        connection: &mut Connection,
        name: &str,
        limits: &Limits,
        picture: &mut Picture,
    ) -> Result<Option<Watched>, Trouble> {
        let rows = connection.rows(WATCHED, &[&name, &limit(limits.partitions)]).await;
        let rows = picture.or_note("table-refused", rows)?;
        let Some(first) = rows.first() else {
            match self.known {
                Some(_) => picture.note("table-dropped", format_args!("the table {name} is gone")),
                None => picture.note("table-missing", format_args!("there is no table {name}")),
            }
            return Ok(None);
        };
        let mut watched =
            Watched { oid: oid(first.get("root")), name: first.get("root_name"), leaves: Vec::new(), is_locked: false };
        if self.known.is_some_and(|known| known != watched.oid) {
            picture.note("table-made-anew", format_args!("{name} is another table than before"));
        }
        self.known = Some(watched.oid);
        let total = count(first.get("total"));
        if total > rows.len() as u64 {
            picture.note("partitions-cut", format_args!("{} of {total} partitions are shown", rows.len()));
        }
        for row in &rows {
            take(row, &mut watched, picture);
        }
        self.note_rewrite(&watched, picture);
        Ok(Some(watched))
    }

    fn note_rewrite(&mut self, watched: &Watched, picture: &mut Picture) {
        let files: Vec<_> = watched.leaves.iter().map(|leaf| (leaf.oid, leaf.file)).collect();
        let is_rewritten =
            self.files.iter().any(|(oid, file)| files.iter().any(|(now, other)| now == oid && other != file));
        if is_rewritten {
            self.rewritten = Some(Instant::now());
            self.columns.clear();
        }
        self.files = files;
        if self.rewritten.is_some_and(|when| when.elapsed() < REWRITTEN_FOR) {
            let why = "was rewritten (vacuum full, cluster, truncate, alter table): all places in it are new";
            picture.note("table-rewritten", format_args!("{} {why}", watched.name));
        }
    }

    /// The columns of a table.
    pub async fn columns(&mut self, connection: &mut Connection, table: u32) -> Result<Columns, Trouble> {
        self.columns.retain(|(_, when, _)| when.elapsed() < COLUMNS_FOR);
        if let Some((_, _, columns)) = self.columns.iter().find(|(oid, ..)| *oid == table) {
            return Ok(columns.clone());
        }
        let rows = connection.rows(COLUMNS, &[&i64::from(table)]).await?;
        let mut columns = Columns::default();
        let mut key = Vec::new();
        for row in &rows {
            // Virtual columns (PostgreSQL 18) are stored as nulls.
            if let Some(column) = column(row) {
                columns.columns.push(column);
            }
            if let Some(position) = row.get::<_, Option<i32>>("key_position") {
                key.push((position, row.get("name"), row.get("type_name")));
            }
        }
        key.sort();
        columns.key = key.into_iter().map(|(_, name, type_name)| (name, type_name)).collect();
        self.columns.push((table, Instant::now(), columns.clone()));
        Ok(columns)
    }

    /// Forgets what the table was: another one is watched.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Takes one table in, if it can be looked at.
fn take(row: &Row, watched: &mut Watched, picture: &mut Picture) {
    let name: String = row.get("name");
    let refusal = if row.get("is_temp_of_another") {
        Some(("table-temporary", "is a temporary table of another session, whose pages are in that session's memory"))
    } else if !matches!(row.get("kind"), "r" | "m" | "t") || !row.get::<_, bool>("is_heap") {
        Some(("table-no-heap", "has no heap: it is no ordinary table"))
    } else if row.get("hides_rows") {
        Some(("table-row-security", "has row-level security for this role, and dead versions would leak past it"))
    } else if !row.get::<_, bool>("may_read") {
        Some(("table-denied", "may not be read by this role"))
    } else {
        None
    };
    if let Some((code, why)) = refusal {
        picture.note(code, format_args!("{name} {why}"));
        return;
    }
    let pages: Option<i64> = row.get("pages");
    if row.get("is_locked") {
        watched.is_locked = true;
        picture
            .note("table-locked", format_args!("{name} is locked exclusively, or about to be: it is shown as it was"));
    }
    let pages = pages.unwrap_or_else(|| row.get("planner_pages"));
    let pages = u32::try_from(pages).unwrap_or(u32::MAX);
    watched.leaves.push(Leaf { oid: oid(row.get("oid")), name, file: row.get("file"), pages });
}

fn column(row: &Row) -> Option<Column> {
    let alignment = u8::try_from(row.get::<_, i32>("alignment")).ok()?;
    let missing: Option<String> = row.get("missing");
    Some(Column {
        name: row.get("name"),
        type_oid: oid(row.get("type_oid")),
        layout: ColumnLayout::of_catalog(row.get("length"), alignment)?,
        is_dropped: row.get::<_, bool>("is_dropped") || row.get::<_, bool>("is_virtual"),
        // An array of one element, as the catalog keeps it.
        missing: missing.map(|text| text.trim_start_matches('{').trim_end_matches('}').trim_matches('"').to_owned()),
    })
}

fn oid(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
