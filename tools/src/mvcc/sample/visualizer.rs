//! What `mvcc_visualizer` tells where plain SQL cannot: pages for roles that may not read them raw, exact snapshots, all waits, the
//! conflicts of serializable transactions, and judgements inside the server.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pgstrata_pg::sql::Row;
use pgstrata_timeline::{
    Blocker, Conflict, Item, Line, LineState, Origin, Page, SerializableTransaction, TransactionState, Wait,
};
use pgstrata_tuple::{ItemPointer, Knowledge as _, Tuple, TupleHeader};
use pgstrata_units::{Snapshot, Xid};
use serde_json::Value;

use super::knowledge::Known;
use super::snapshots::Sight;
use super::table::{Columns, Leaf};
use super::versions::{self, Found, Opened, key_text};
use super::{Picture, bigint, count, limit};
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::watch::Limits;

const LIVE: &str = include_str!("../sql/ext_live.sql");
const PAGES: &str = include_str!("../sql/ext_pages.sql");
const HEADERS: &str = include_str!("../sql/ext_headers.sql");
const ROW_BLOCKS: &str = include_str!("../sql/ext_row_blocks.sql");
const VERDICTS: &str = include_str!("../sql/ext_verdicts.sql");
const WAITS: &str = include_str!("../sql/ext_waits.sql");
const RING: &str = include_str!("../sql/ext_ring.sql");
const SERIALIZABLE: &str = include_str!("../sql/ext_serializable.sql");
const CONFLICTS: &str = include_str!("../sql/ext_conflicts.sql");

/// Serializable transactions shown, at most, and conflicts between them.
const SERIALIZABLE_MOST: usize = 300;
const CONFLICTS_MOST: usize = 2_000;

/// Ended waits taken from the ring in one look, at most.
const RING_MOST: usize = 1_000;

/// The bits of `t_infomask` and `t_infomask2` by their names (`src/include/access/htup_details.h`).
const FLAGS: [(&str, u16, u16); 19] = [
    ("HEAP_HASNULL", 0x0001, 0),
    ("HEAP_HASVARWIDTH", 0x0002, 0),
    ("HEAP_HASEXTERNAL", 0x0004, 0),
    ("HEAP_HASOID_OLD", 0x0008, 0),
    ("HEAP_XMAX_KEYSHR_LOCK", 0x0010, 0),
    ("HEAP_COMBOCID", 0x0020, 0),
    ("HEAP_XMAX_EXCL_LOCK", 0x0040, 0),
    ("HEAP_XMAX_LOCK_ONLY", 0x0080, 0),
    ("HEAP_XMIN_COMMITTED", 0x0100, 0),
    ("HEAP_XMIN_INVALID", 0x0200, 0),
    ("HEAP_XMAX_COMMITTED", 0x0400, 0),
    ("HEAP_XMAX_INVALID", 0x0800, 0),
    ("HEAP_XMAX_IS_MULTI", 0x1000, 0),
    ("HEAP_UPDATED", 0x2000, 0),
    ("HEAP_MOVED_OFF", 0x4000, 0),
    ("HEAP_MOVED_IN", 0x8000, 0),
    ("HEAP_KEYS_UPDATED", 0, 0x2000),
    ("HEAP_HOT_UPDATED", 0, 0x4000),
    ("HEAP_ONLY_TUPLE", 0, 0x8000),
];

/// What each session sees, as it says itself. A read-committed session between two statements will take a new snapshot: `now`.
pub(crate) async fn sights(
    connection: &mut Connection,
    running: &BTreeSet<i32>,
    now: &Snapshot,
    known: &mut Known,
) -> Result<BTreeMap<i32, Sight>, Trouble> {
    let mut sights = BTreeMap::new();
    for row in connection.rows(LIVE, &[]).await? {
        let pid: i32 = row.get("pid");
        let own = row.get::<_, Option<i64>>("own").map(|xid| Xid(xid.cast_unsigned())).filter(|xid| xid.is_normal());
        if let Some(top) = own {
            let subs: Option<Vec<i64>> = row.get("subxids");
            known.join(top, subs.unwrap_or_default().into_iter().map(|xid| Xid(xid.cast_unsigned())));
        }
        let is_current = row.get::<_, Option<bool>>("is_current").unwrap_or(false);
        let held = row.get::<_, Option<&str>>("snapshot").and_then(|text| text.parse::<Snapshot>().ok());
        let sight = match held {
            Some(snapshot) if is_current => Sight {
                candidates: vec![snapshot],
                is_own: true,
                own,
                // Idle, it looks next with a command after all it has done.
                command: row
                    .get::<_, Option<i64>>("command")
                    .and_then(|command| u32::try_from(command).ok())
                    .filter(|_| running.contains(&pid)),
                is_suboverflowed: row.get("is_suboverflowed"),
            },
            Some(_) => Sight::new_one(now.clone(), own),
            None if own.is_some() => Sight::new_one(now.clone(), own),
            None => continue,
        };
        sights.insert(pid, sight);
    }
    Ok(sights)
}

/// The pages that hold versions of a row.
pub(crate) async fn row_blocks(
    connection: &mut Connection,
    leaf: &Leaf,
    row: &str,
    most: usize,
) -> Result<BTreeSet<u32>, Trouble> {
    let rows = connection.rows(ROW_BLOCKS, &[&i64::from(leaf.oid), &row, &limit(most)]).await?;
    Ok(rows.iter().filter_map(|row| u32::try_from(row.get::<_, i64>("block")).ok()).collect())
}

/// Pages of a table, taken apart by the server.
pub(crate) async fn pages(
    connection: &mut Connection,
    leaf: &Leaf,
    blocks: &BTreeSet<u32>,
    columns: &Columns,
    known: &mut Known,
) -> Result<Vec<Opened>, Trouble> {
    let wanted: Vec<i64> = blocks.iter().map(|block| i64::from(*block)).collect();
    let oid = i64::from(leaf.oid);
    let headers = connection.rows(HEADERS, &[&oid, &wanted]).await?;
    let rows = connection.rows(PAGES, &[&oid, &wanted]).await?;
    let tuples: Vec<(ItemPointer, Option<TupleHeader>)> = rows.iter().map(|row| (place(row), header(row))).collect();
    let (mut xids, mut multixacts) = (BTreeSet::new(), BTreeSet::new());
    for header in tuples.iter().filter_map(|(_, header)| *header) {
        xids.extend(known.full(header.xmin));
        if header.is_xmax_multi() && !header.is_xmax_invalid() {
            multixacts.insert(header.xmax);
        } else {
            xids.extend(known.full(header.xmax).filter(|_| !header.is_xmax_invalid()));
        }
    }
    known.learn_members(connection, &multixacts).await?;
    xids.extend(multixacts.iter().filter_map(|id| known.members(*id)).flatten().map(|member| member.xid));
    known.learn(connection, &xids).await?;
    let mut opened: BTreeMap<u32, Opened> = headers.iter().map(|row| page(row, leaf)).collect();
    for (row, (place, header)) in rows.iter().zip(&tuples) {
        let Some(page) = opened.get_mut(&place.block) else { continue };
        let found = header.and_then(|header| found(row, leaf, *place, &header, columns, known));
        page.lines.push(line(row, leaf, *place, found.as_ref()));
        page.found.extend(found);
    }
    let mut opened: Vec<Opened> = opened.into_values().collect();
    for page in &mut opened {
        let keys: HashMap<u16, _> = page.found.iter().map(|found| (found.place.offset, found.version.key())).collect();
        for (row, (place, _)) in rows.iter().zip(&tuples).filter(|(_, (place, _))| place.block == page.page.block) {
            let Some(found) = page.found.iter_mut().find(|found| found.place == *place) else { continue };
            let parent = row.get::<_, Option<i32>>("parent").and_then(|parent| u16::try_from(parent).ok());
            found.version.parent = parent.and_then(|parent| keys.get(&parent).cloned());
            let is_inferred = row.get::<_, Option<bool>>("is_parent_inferred").unwrap_or(false);
            let origin = if is_inferred { Origin::Inferred } else { Origin::Sampled };
            found.version.parent_origin = found.version.parent.is_some().then_some(origin);
        }
    }
    Ok(opened)
}

fn place(row: &Row) -> ItemPointer {
    let number = |name: &str| u32::try_from(row.get::<_, Option<i64>>(name).unwrap_or(0)).unwrap_or(0);
    ItemPointer { block: number("block"), offset: short(row, "line") }
}

fn short(row: &Row, name: &str) -> u16 {
    row.get::<_, Option<i32>>(name).and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

/// The header that has these fields and flags; `None` for a line pointer without a tuple.
fn header(row: &Row) -> Option<TupleHeader> {
    let xmin: i64 = row.get::<_, Option<i64>>("xmin")?;
    let flags: Vec<String> = row.get::<_, Option<Vec<String>>>("flags")?;
    let (mut infomask, mut infomask2) = (0, 0);
    for (_, first, second) in FLAGS.iter().filter(|(name, ..)| flags.iter().any(|flag| flag == name)) {
        infomask |= first;
        infomask2 |= second;
    }
    let at = place(row);
    let next = row.get::<_, Option<i64>>("next_block").and_then(|block| u32::try_from(block).ok());
    let ctid = next.map_or(at, |block| ItemPointer { block, offset: short(row, "next_line") });
    let lower = |number: i64| Xid(number.cast_unsigned()).short();
    Some(TupleHeader {
        xmin: lower(xmin),
        xmax: row.get::<_, Option<i64>>("xmax").map_or(0, lower),
        command: row.get::<_, Option<i64>>("command").map_or(0, lower),
        ctid,
        infomask2,
        infomask,
        hoff: 24,
    })
}

fn found(
    row: &Row,
    leaf: &Leaf,
    place: ItemPointer,
    header: &TupleHeader,
    columns: &Columns,
    known: &Known,
) -> Option<Found> {
    // The values come from the server, so the tuple needs none.
    let plain = TupleHeader { infomask: header.infomask & !0x0001, ..*header };
    let mut bytes = plain.to_bytes().to_vec();
    bytes.resize(usize::from(header.hoff), 0);
    let tuple = Tuple::parse(&bytes).ok()?;
    let mut found = versions::version(leaf, place, &tuple, &Columns::default(), known);
    found.header = *header;
    found.version.flags = row.get::<_, Option<Vec<String>>>("flags").unwrap_or_default();
    found.version.bytes = row.get::<_, Option<i32>>("bytes").and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(0);
    found.version.values = match row.get::<_, Option<Value>>("values") {
        Some(Value::Object(values)) => Some(versions::typed(values, columns)),
        _ => None,
    };
    let row_text = found.version.values.as_ref().and_then(|values| key_text(values, &columns.key));
    let root = row.get::<_, Option<i32>>("hot_root").unwrap_or_else(|| i32::from(place.offset));
    found.version.row = row_text.or_else(|| Some(format!("({},{root})", place.block)));
    Some(found)
}

fn page(row: &Row, leaf: &Leaf) -> (u32, Opened) {
    let block = u32::try_from(row.get::<_, i64>("page")).unwrap_or(0);
    let page = Page {
        relation: leaf.oid,
        block,
        lsn: row.get::<_, Option<&str>>("lsn").and_then(|lsn| lsn.parse().ok()).unwrap_or_default(),
        lower: short(row, "lower"),
        upper: short(row, "upper"),
        special: short(row, "special"),
        prune_xid: Xid(row.get::<_, Option<i64>>("prune_xid").unwrap_or(0).cast_unsigned()),
        is_all_visible: row.get("is_all_visible"),
        is_all_frozen: row.get("is_all_frozen"),
    };
    (block, Opened { page, lines: Vec::new(), found: Vec::new() })
}

fn line(row: &Row, leaf: &Leaf, place: ItemPointer, found: Option<&Found>) -> Line {
    Line {
        relation: leaf.oid,
        block: place.block,
        offset: place.offset,
        state: match row.get::<_, Option<&str>>("line_state") {
            Some("normal") => LineState::Normal,
            Some("redirect") => LineState::Redirect,
            Some("dead") => LineState::Dead,
            _ => LineState::Unused,
        },
        // The function says how long a tuple is, not where it lies.
        at: 0,
        bytes: short(row, "bytes"),
        to: Some(short(row, "line_to")).filter(|to| *to != 0),
        root: Some(short(row, "hot_root")).filter(|root| *root != 0),
        version: found.map(|found| found.version.key()),
    }
}

/// What the server says of a viewer and the versions on some pages: by place, whether it sees them and why.
pub(crate) async fn verdicts(
    connection: &mut Connection,
    relation: u32,
    blocks: &[i64],
    sight: &Sight,
) -> Result<BTreeMap<(u32, u16), (Option<bool>, String)>, Trouble> {
    let Some(snapshot) = sight.only().map(ToString::to_string) else { return Ok(BTreeMap::new()) };
    let own = sight.own.map(|xid| xid.to_string());
    // Idle, it looks next with a command after all it has done; the highest one is not one that is ever given.
    let command = sight.own.map(|_| sight.command.map_or(i64::from(u32::MAX - 1), i64::from));
    let rows = connection.rows(VERDICTS, &[&i64::from(relation), &blocks, &snapshot, &own, &command]).await?;
    let verdict = |row: &Row| {
        let place = place(row);
        ((place.block, place.offset), (row.get("visible"), row.get("reason")))
    };
    Ok(rows.iter().map(verdict).collect())
}

/// The waits of this moment.
pub(crate) async fn waits(
    connection: &mut Connection,
    limits: &Limits,
    picture: &mut Picture,
) -> Result<Vec<Wait>, Trouble> {
    let rows = connection.rows(WAITS, &[&limits.wait_threshold.as_secs_f64(), &limit(limits.waits)]).await?;
    let total = rows.first().map_or(0, |row| count(row.get("total")));
    if total > rows.len() as u64 {
        picture.note("waits-cut", format_args!("{} of {total} waits are shown, the longest first", rows.len()));
    }
    Ok(rows.iter().map(wait).collect())
}

/// The waits that ended after number `after` of the ring, and its newest number.
pub(crate) async fn ended_waits(
    connection: &mut Connection,
    limits: &Limits,
    after: i64,
) -> Result<(Vec<Wait>, i64), Trouble> {
    let threshold = limits.wait_threshold.as_secs_f64();
    let rows = connection.rows(RING, &[&after, &threshold, &limit(RING_MOST)]).await?;
    let newest = rows.first().map_or(after, |row| row.get("newest"));
    let shown = rows.iter().filter(|row| row.get("is_shown"));
    Ok((shown.map(wait).collect(), newest))
}

fn wait(row: &Row) -> Wait {
    let pids = |name: &str| row.get::<_, Option<Vec<i32>>>(name).unwrap_or_default();
    let blocker = |holds| move |pid| Blocker { pid, holds };
    let hard = pids("blockers").into_iter().map(blocker(true));
    Wait {
        pid: row.get("pid"),
        since_us: row.get("since_us"),
        until_us: row.get("until_us"),
        lock_type: row.get::<_, Option<String>>("lock_type").unwrap_or_default(),
        mode: row.get::<_, Option<String>>("mode").unwrap_or_default(),
        object: row.get::<_, Option<String>>("object").unwrap_or_default(),
        blockers: hard.chain(pids("soft_blockers").into_iter().map(blocker(false))).collect(),
        is_in_cycle: row.get::<_, Option<bool>>("in_cycle").unwrap_or(false),
    }
}

/// Puts the serializable transactions and their conflicts; returns the processes of those that run.
pub(crate) async fn serializable(connection: &mut Connection, picture: &mut Picture) -> Result<BTreeSet<i32>, Trouble> {
    let rows = connection.rows(SERIALIZABLE, &[&limit(SERIALIZABLE_MOST)]).await?;
    let edges = connection.rows(CONFLICTS, &[&limit(CONFLICTS_MOST)]).await?;
    let mut names: BTreeMap<i32, String> = BTreeMap::new();
    let mut pids = BTreeSet::new();
    for row in &rows {
        let transaction = transaction(row);
        names.insert(row.get("node"), transaction.id.clone());
        if transaction.state == TransactionState::InProgress {
            pids.insert(transaction.pid);
        }
        picture.put(Origin::Sampled, Item::Serializable(transaction));
    }
    let edges: BTreeSet<(i32, i32)> = edges.iter().map(|row| (row.get("reader"), row.get("writer"))).collect();
    for (reader, writer) in &edges {
        let (Some(reader_id), Some(writer_id)) = (names.get(reader), names.get(writer)) else { continue };
        // Two conflicts in a row, over a transaction between them, are what an anomaly needs.
        let goes_on = edges.iter().any(|(next, _)| next == writer);
        let comes_from = edges.iter().any(|(_, last)| last == reader);
        let conflict =
            Conflict { reader: reader_id.clone(), writer: writer_id.clone(), is_dangerous: goes_on || comes_from };
        picture.put(Origin::Sampled, Item::Conflict(conflict));
    }
    Ok(pids)
}

fn transaction(row: &Row) -> SerializableTransaction {
    let node: i32 = row.get("node");
    SerializableTransaction {
        id: row.get::<_, Option<String>>("id").unwrap_or_else(|| format!("node {node}")),
        pid: row.get::<_, Option<i32>>("pid").unwrap_or(0),
        xid: row.get::<_, Option<i64>>("xid").map(|xid| Xid(xid.cast_unsigned())).filter(|xid| bigint(*xid) != 0),
        state: match row.get::<_, Option<&str>>("state") {
            Some("running") => TransactionState::InProgress,
            Some("prepared") => TransactionState::Prepared,
            Some("committed") => TransactionState::Committed,
            Some("aborted") => TransactionState::Aborted,
            _ => TransactionState::Unknown,
        },
        is_doomed: row.get("is_doomed"),
        is_read_only: row.get("is_read_only"),
        is_pivot: row.get("is_pivot"),
    }
}
