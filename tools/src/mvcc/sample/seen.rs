//! What plain SQL can say of the watched table: the versions that a transaction sees that begins now, by their system columns. Dead
//! versions, and those that others have not committed, cannot be seen so.

use pgstrata_pg::quote_identifier;
use pgstrata_pg::sql::Row;
use pgstrata_timeline::{Fate, Item, Key, Origin, RowVersion, TransactionState, Verdict, XmaxKind};
use pgstrata_units::Xid;
use serde_json::{Map, Value};

use super::table::{Columns, Tracker, Watched};
use super::versions::{key_text, wanted_row};
use super::{Picture, full, limit};
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::watch::{Viewers, Watch};

const ROWS: &str = include_str!("../sql/rows_seen.sql");
const ROW: &str = include_str!("../sql/row_seen.sql");

/// Puts the versions that are seen now, at most `most`.
pub(crate) async fn put(
    connection: &mut Connection,
    watch: &Watch,
    watched: &Watched,
    tracker: &mut Tracker,
    next: Xid,
    most: usize,
    picture: &mut Picture,
) -> Result<(), Trouble> {
    picture.note(
        "versions-by-sql",
        "only versions that are visible now are seen, by their system columns; reading them may prune pages",
    );
    let mut left = most;
    for leaf in &watched.leaves {
        let columns = tracker.columns(connection, leaf.oid).await;
        let columns = picture.or_note("columns-refused", columns)?;
        let asked = limit(left.saturating_add(1));
        let rows = match (&watch.row, columns.key.as_slice()) {
            (Some(row), [(name, type_name)]) => {
                let sql = ROW
                    .replace("{table}", &leaf.name)
                    .replace("{key}", &quote_identifier(name))
                    .replace("{type}", type_name);
                connection.rows_of(&sql, &[&asked, row]).await
            }
            _ => connection.rows_of(&ROWS.replace("{table}", &leaf.name), &[&asked]).await,
        };
        for row in picture.or_note("table-refused", rows)? {
            if left == 0 {
                picture.note("versions-cut", format_args!("the first {most} versions are shown"));
                return Ok(());
            }
            let version = version(&row, leaf.oid, &columns, next);
            let wanted = watch.row.as_ref().map(|row| wanted_row(row, &columns.key));
            let place = format!("({},{})", version.block, version.offset);
            if wanted.is_some_and(|wanted| version.row.as_ref() != Some(&wanted) && place != wanted) {
                continue;
            }
            left -= 1;
            if watch.viewers != Viewers::None {
                picture.put(Origin::Sampled, Item::Verdict(seen_now(version.key())));
            }
            picture.put(Origin::Sampled, Item::Version(version));
        }
    }
    Ok(())
}

/// That it was returned is the proof that a transaction sees it that begins now.
fn seen_now(version: Key) -> Verdict {
    Verdict { viewer: "new".to_owned(), version, is_visible: Some(true), reason: "maker-committed-before".to_owned() }
}

fn version(row: &Row, relation: u32, columns: &Columns, next: Xid) -> RowVersion {
    let values: Option<Map<String, Value>> = match row.get("row_values") {
        Value::Object(values) => Some(values),
        _ => None,
    };
    let xmin = full(row.get("xmin"), next).unwrap_or_default();
    // Whether it locks, deletes or replaces cannot be told from the number.
    let xmax = full(row.get("xmax"), next);
    let block = u32::try_from(row.get::<_, i64>("block")).unwrap_or(0);
    let offset = u16::try_from(row.get::<_, i32>("line")).unwrap_or(0);
    RowVersion {
        xmin_state: TransactionState::Committed,
        is_frozen: !xmin.is_normal(),
        xmax,
        xmax_kind: if xmax.is_some() { XmaxKind::Lock } else { XmaxKind::None },
        row: values.as_ref().and_then(|values| key_text(values, &columns.key)),
        values,
        fate: Fate::Live,
        ..RowVersion::bare(relation, block, offset, xmin)
    }
}
