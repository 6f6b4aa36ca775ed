//! A history's versions and transactions as items of the timeline.

use pgstrata_timeline::{Command, Fate, Key, Origin, RowVersion, Transaction, TransactionState};
use pgstrata_tuple::{Knowledge as _, Tuple};
use pgstrata_units::Xid;
use pgstrata_wal::history::{History, Version, VersionName};

use super::{EPOCH_2000_US, Table};
use crate::mvcc::sample::table::Columns;
use crate::mvcc::sample::versions;

/// How far the first of a row's versions is searched for, to name a row that has no key.
const ANCESTORS_MOST: usize = 1_000;

/// A version as it stands now.
pub(super) fn version(history: &History, version: &Version, table: &Table) -> RowVersion {
    let knowledge = history.as_of(history.told());
    let header = version.latest().and_then(|state| state.header);
    let mut bytes = header.map_or_else(Vec::new, |header| header.to_bytes().to_vec());
    let no_columns = Columns::default();
    let columns = if let Some(row) = &version.row {
        bytes.extend_from_slice(row);
        &table.columns
    } else {
        // The header says what became of it, also while its values are not known.
        bytes.resize(header.map_or(0, |header| usize::from(header.hoff)), 0);
        &no_columns
    };
    let mut item = match Tuple::parse(&bytes) {
        Ok(tuple) => versions::version(&table.leaf, version.at, &tuple, columns, &knowledge).version,
        Err(_) => bare(version, table, |xid| versions::state(knowledge.status(xid))),
    };
    if let Some(xmin) = version.xmin {
        item.xmin = xmin;
    }
    // The log does not tell commands: what a replayed header holds is not one.
    item.command = None::<Command>;
    item.bytes = version.bytes;
    item.made = version.made;
    item.removed = version.removed.map(|removed| removed.lsn);
    if version.removed.is_some() {
        item.fate = Fate::Removed;
    }
    item.parent = version.parent.map(|parent| key_of(&parent, table));
    item.parent_origin = item.parent.is_some().then_some(Origin::Exact);
    item.row.get_or_insert_with(|| first_place(history, version));
    item
}

/// A version of which nothing but its place is known for certain.
fn bare(version: &Version, table: &Table, state: impl Fn(Xid) -> TransactionState) -> RowVersion {
    let xmin = version.xmin.unwrap_or_default();
    RowVersion {
        xmin_state: version.xmin.map_or(TransactionState::Unknown, state),
        bytes: version.bytes,
        ..RowVersion::bare(table.leaf.oid, version.at.block, version.at.offset, xmin)
    }
}

/// The key that a version is filed under, also when it was forgotten meanwhile.
fn key_of(name: &VersionName, table: &Table) -> Key {
    let (relation, xmin) = (table.leaf.oid, name.xmin.unwrap_or_default());
    Key(format!("version/{relation}/{}/{}/{xmin}", name.at.block, name.at.offset))
}

/// Where the first known version of the row is: what a row without a key is known by.
fn first_place(history: &History, version: &Version) -> String {
    let mut first = version.at;
    let mut parent = version.parent;
    for _ in 0..ANCESTORS_MOST {
        let Some(name) = parent else { break };
        first = name.at;
        parent = history.versions().get(name.id).and_then(|version| version.parent);
    }
    first.to_string()
}

/// A transaction as it stands now; `None` if nothing is known of it.
pub(super) fn transaction(history: &History, xid: Xid) -> Option<Transaction> {
    let life = history.transactions().life(xid)?;
    Some(Transaction {
        xid,
        top: life.top,
        state: versions::state(history.transactions().status_at(xid, history.told())),
        pid: None,
        began: life.began,
        ended: life.ended.map(|ended| ended.lsn),
        ended_us: life.ended.and_then(|ended| ended.time_us).map(|time_us| time_us + EPOCH_2000_US),
    })
}
