//! A page of bytes as what the log calls it: the page, its line pointers, its versions with their makers, enders and parents.

use std::collections::BTreeSet;

use pgstrata_timeline::{
    Command, Fate, Key, Line, LineState, LockMode, Member, Origin, Page, RowVersion, TransactionState, XmaxKind,
};
use pgstrata_tuple::chain::{Chains, Evidence};
use pgstrata_tuple::value::{Printed, print_row};
use pgstrata_tuple::{CommandField, HeapPage, ItemPointer, Knowledge, Next, Status, Tuple, TupleHeader, fate, page};
use pgstrata_units::Xid;
use serde_json::{Map, Value, json};

use super::table::{Columns, Leaf};

/// A version with what it is judged by.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub version: RowVersion,
    pub header: TupleHeader,
    pub place: ItemPointer,
    /// Whether vacuum may remove it is decided by this.
    pub fate: pgstrata_tuple::Fate,
}

/// A page taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub page: Page,
    pub lines: Vec<Line>,
    pub found: Vec<Found>,
}

/// The transactions and multixacts that the tuples of a page name.
pub(crate) fn names(
    page: &HeapPage<'_>,
    knowledge: &impl Knowledge,
    xids: &mut BTreeSet<Xid>,
    multixacts: &mut BTreeSet<u32>,
) {
    for (offset, tuple) in page.tuples() {
        let header = &tuple.header;
        xids.extend(knowledge.full(header.xmin));
        let place = ItemPointer { block: 0, offset };
        if header.xmax_kind(place) == pgstrata_tuple::XmaxKind::None {
            continue;
        }
        if header.is_xmax_multi() {
            multixacts.insert(header.xmax);
        } else {
            xids.extend(knowledge.full(header.xmax));
        }
    }
}

/// Takes a page apart.
pub(crate) fn open(
    leaf: &Leaf,
    block: u32,
    page: &HeapPage<'_>,
    columns: &Columns,
    knowledge: &impl Knowledge,
) -> Opened {
    let mut chains = Chains::of(page, block, knowledge);
    let mut found: Vec<Found> = page
        .tuples()
        .map(|(offset, tuple)| version(leaf, ItemPointer { block, offset }, &tuple, columns, knowledge))
        .collect();
    let row_of = |offset: u16| {
        // Tuples come in the order of their line pointers.
        let index = found.binary_search_by_key(&offset, |found| found.place.offset).ok()?;
        found[index].version.row.clone()
    };
    chains.infer_parents(page, knowledge, row_of);
    let keys: Vec<(u16, Key)> = found.iter().map(|found| (found.place.offset, found.version.key())).collect();
    let key_of = |offset: u16| {
        let index = keys.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        Some(keys[index].1.clone())
    };
    for version in &mut found {
        let link = chains.link_of(version.place.offset).unwrap_or_default();
        if let Some(parent) = link.parent {
            version.version.parent = key_of(parent.offset);
            version.version.parent_origin = version.version.parent.is_some().then_some(match parent.evidence {
                Evidence::Linked => Origin::Sampled,
                Evidence::Inferred => Origin::Inferred,
            });
        }
        // Without a key a row is known by where its chain begins.
        let root = link.root.unwrap_or(version.place.offset);
        version.version.row.get_or_insert_with(|| format!("({block},{root})"));
    }
    let lines = page.lines().map(|pointer| line(leaf, block, pointer, &chains, key_of(pointer.offset))).collect();
    Opened { page: page_item(leaf, block, page, knowledge), lines, found }
}

/// The page itself.
pub(crate) fn page_item(leaf: &Leaf, block: u32, page: &HeapPage<'_>, knowledge: &impl Knowledge) -> Page {
    let header = page.header();
    Page {
        relation: leaf.oid,
        block,
        lsn: header.lsn,
        lower: header.lower,
        upper: header.upper,
        special: header.special,
        prune_xid: knowledge.full(header.prune_xid).unwrap_or_default(),
        is_all_visible: Some(header.is_all_visible()),
        is_all_frozen: None,
    }
}

/// One line pointer.
pub(crate) fn line(leaf: &Leaf, block: u32, pointer: page::LinePointer, chains: &Chains, version: Option<Key>) -> Line {
    let (state, at, bytes, to) = match pointer.state {
        page::LineState::Unused => (LineState::Unused, 0, 0, None),
        page::LineState::Normal { at, bytes } => (LineState::Normal, at, bytes, None),
        page::LineState::Redirect(to) => (LineState::Redirect, 0, 0, Some(to)),
        page::LineState::Dead { at, bytes } => (LineState::Dead, at, bytes, None),
    };
    let root = chains.link_of(pointer.offset).and_then(|link| link.root);
    Line { relation: leaf.oid, block, offset: pointer.offset, state, at, bytes, to, root, version }
}

/// One version by its tuple; parent and row are as far as the tuple itself tells.
pub(crate) fn version(
    leaf: &Leaf,
    place: ItemPointer,
    tuple: &Tuple<'_>,
    columns: &Columns,
    knowledge: &impl Knowledge,
) -> Found {
    let header = tuple.header;
    let fate = fate(&header, place, knowledge);
    let values = print_row(&tuple.row(), &columns.columns).ok().map(|printed| values(printed, columns));
    let (xmax, xmax_kind, xmax_state, members) = ender(&header, place, knowledge);
    let xmin = knowledge.full(header.xmin).unwrap_or(Xid(u64::from(header.xmin)));
    let version = RowVersion {
        relation: leaf.oid,
        block: place.block,
        offset: place.offset,
        xmin,
        xmin_state: maker_state(&header, xmin, knowledge),
        is_frozen: header.is_frozen(),
        xmax,
        xmax_kind,
        xmax_state,
        members,
        command: match header.command_field() {
            CommandField::Id(id) => Some(Command::Id(id)),
            CommandField::Combo(id) => Some(Command::Combo(id)),
            CommandField::MovedBy(_) => None,
        },
        next: match header.next(place) {
            Next::Version(next) => Some((next.block, next.offset)),
            _ => None,
        },
        parent: None,
        parent_origin: None,
        is_hot_updated: header.is_hot_updated(),
        is_heap_only: header.is_heap_only(),
        flags: header.flags().map(str::to_owned).collect(),
        row: values.as_ref().and_then(|values| key_text(values, &columns.key)),
        values,
        bytes: u32::try_from(tuple.bytes().len()).unwrap_or(u32::MAX),
        fate: shown_fate(fate),
        made: None,
        removed: None,
    };
    Found { version, header, place, fate }
}

fn maker_state(header: &TupleHeader, xmin: Xid, knowledge: &impl Knowledge) -> TransactionState {
    if header.is_frozen() || header.is_xmin_committed() {
        TransactionState::Committed
    } else if header.is_xmin_invalid() {
        TransactionState::Aborted
    } else {
        state(knowledge.status(xmin))
    }
}

/// What `xmax` is, what it stands for, how who changed the row stands, and who holds it.
type Ender = (Option<Xid>, XmaxKind, Option<TransactionState>, Vec<Member>);

fn ender(header: &TupleHeader, place: ItemPointer, knowledge: &impl Knowledge) -> Ender {
    use pgstrata_tuple::XmaxKind as Kind;
    let xmax = if header.is_xmax_multi() { Some(Xid(u64::from(header.xmax))) } else { knowledge.full(header.xmax) };
    let status = |xid: Option<Xid>| xid.map(|xid| state(knowledge.status(xid)));
    match header.xmax_kind(place) {
        Kind::None => (None, XmaxKind::None, None, Vec::new()),
        Kind::Lock(mode) => {
            let member = xmax.zip(mode).map(|(xid, mode)| Member {
                xid,
                mode: lock_mode(mode),
                is_change: false,
                state: state(knowledge.status(xid)),
            });
            (xmax, XmaxKind::Lock, None, member.into_iter().collect())
        }
        Kind::Update => (xmax, XmaxKind::Update, status(xmax), Vec::new()),
        Kind::Delete => (xmax, XmaxKind::Delete, status(xmax), Vec::new()),
        Kind::MultiLock | Kind::MultiChange => {
            let members = knowledge.members(header.xmax).unwrap_or_default();
            let changer = members.iter().find(|member| member.is_change).map(|member| member.xid);
            let shown = members.iter().map(|member| Member {
                xid: member.xid,
                mode: lock_mode(member.mode),
                is_change: member.is_change,
                state: state(knowledge.status(member.xid)),
            });
            (xmax, XmaxKind::Multi, status(changer), shown.collect())
        }
    }
}

fn lock_mode(mode: pgstrata_tuple::LockMode) -> LockMode {
    match mode {
        pgstrata_tuple::LockMode::KeyShare => LockMode::KeyShare,
        pgstrata_tuple::LockMode::Share => LockMode::Share,
        pgstrata_tuple::LockMode::NoKeyUpdate => LockMode::NoKeyUpdate,
        pgstrata_tuple::LockMode::Update => LockMode::Update,
    }
}

/// How a transaction stands, in the log's words.
pub(crate) fn state(status: Status) -> TransactionState {
    match status {
        Status::InProgress => TransactionState::InProgress,
        Status::Prepared => TransactionState::Prepared,
        Status::Committed => TransactionState::Committed,
        Status::Aborted => TransactionState::Aborted,
        Status::Unknown => TransactionState::Unknown,
    }
}

fn shown_fate(fate: pgstrata_tuple::Fate) -> Fate {
    match fate {
        pgstrata_tuple::Fate::Live | pgstrata_tuple::Fate::Ending(_) => Fate::Live,
        pgstrata_tuple::Fate::Pending => Fate::Pending,
        pgstrata_tuple::Fate::Aborted => Fate::Aborted,
        pgstrata_tuple::Fate::Replaced(_) => Fate::Replaced,
        pgstrata_tuple::Fate::Deleted(_) => Fate::Deleted,
        pgstrata_tuple::Fate::Unknown => Fate::Unknown,
    }
}

/// Types that JSON has a form of its own for: numbers and truth values.
const NUMBERS: [u32; 7] = [20, 21, 23, 26, 700, 701, 1700];
const BOOLEAN: u32 = 16;
const JSON: [u32; 2] = [114, 3802];

fn values(printed: Vec<(String, Printed)>, columns: &Columns) -> Map<String, Value> {
    printed
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                Printed::Null => Value::Null,
                Printed::Text(text) => of_text(columns.type_of(&name), text),
                Printed::Toast { value_id, raw_bytes, stored_bytes, .. } => {
                    json!({ "$toast": { "value_id": value_id, "raw_bytes": raw_bytes, "stored_bytes": stored_bytes } })
                }
                Printed::Compressed { raw_bytes, method } => {
                    json!({ "$compressed": { "raw_bytes": raw_bytes, "method": method } })
                }
                Printed::Bytes(hex) => json!({ "$bytes": hex }),
            };
            (name, value)
        })
        .collect()
}

/// Values that are all text, as their types have them in JSON.
pub(crate) fn typed(values: Map<String, Value>, columns: &Columns) -> Map<String, Value> {
    let typed = values.into_iter().map(|(name, value)| match value {
        Value::String(text) => {
            let value = of_text(columns.type_of(&name), text);
            (name, value)
        }
        value => (name, value),
    });
    typed.collect()
}

fn of_text(type_oid: u32, text: String) -> Value {
    let parsed = match type_oid {
        BOOLEAN => match text.as_str() {
            "t" | "true" => Some(Value::Bool(true)),
            "f" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
        // A number that JSON would not give back digit for digit stays text.
        _ if NUMBERS.contains(&type_oid) => {
            let number = serde_json::from_str::<Value>(&text).ok().filter(Value::is_number);
            number.filter(|number| {
                let printed = number.to_string();
                printed == text
            })
        }
        _ if JSON.contains(&type_oid) => serde_json::from_str(&text).ok(),
        _ => None,
    };
    parsed.unwrap_or(Value::String(text))
}

/// What a row is known by: the text of its key, or the key's columns as a JSON object; `None` without a key.
pub(crate) fn key_text(values: &Map<String, Value>, key: &[(String, String)]) -> Option<String> {
    match key {
        [] => None,
        [(only, _)] => Some(match values.get(only)? {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }),
        several => {
            let columns: Option<Map<String, Value>> =
                several.iter().map(|(name, _)| Some((name.clone(), values.get(name)?.clone()))).collect();
            Some(Value::Object(columns?).to_string())
        }
    }
}

/// The same text for what a user wrote: a JSON object has its columns put in order.
pub(crate) fn wanted_row(row: &str, key: &[(String, String)]) -> String {
    match serde_json::from_str::<Map<String, Value>>(row) {
        Ok(columns) if key.len() > 1 => key_text(&columns, key).unwrap_or_else(|| row.to_owned()),
        _ => row.to_owned(),
    }
}
