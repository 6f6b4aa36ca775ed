//! What a row is known by: the key of a table, a key's value as somebody wrote it, and the index entries that lead to it.
#![expect(unsafe_code, reason = "indexes, operators and types are the server's")]

use std::cell::RefCell;
use std::ffi::{CString, c_void};
use std::ptr::NonNull;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgstrata_tuple::{ItemPointer, Value};

use crate::call::Refusal;
use crate::columns::{Columns, Source};
use crate::limits::Limits;
use crate::table::Table;

/// A unique index whose columns a row is known by.
#[derive(Debug, Clone)]
pub struct Key {
    index: pg_sys::Oid,
    rank: Rank,
    /// Numbers of the table's columns, in the index's order.
    pub columns: Vec<i16>,
}

/// Which unique index is preferred, the first one most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Primary,
    ReplicaIdentity,
    Unique,
}

impl Key {
    /// The keys of a table, the preferred one first: unique indexes that hold all rows, by plain columns.
    pub fn all_of(table: &Table) -> Vec<Self> {
        let mut keys: Vec<Self> = indexes(table).into_iter().filter_map(of_index).collect();
        keys.sort_by_key(|key| (key.rank, key.columns.len(), key.index.to_u32()));
        keys
    }

    /// Names of its columns.
    fn names(&self, columns: &Columns) -> Vec<String> {
        self.columns.iter().filter_map(|number| columns.get(*number)).map(|column| column.name.clone()).collect()
    }
}

fn indexes(table: &Table) -> Vec<pg_sys::Oid> {
    // SAFETY: the server's list of the open table's indexes, copied and freed.
    unsafe {
        let list = pg_sys::RelationGetIndexList(table.as_ptr());
        let count = if list.is_null() { 0 } else { usize::try_from((*list).length).unwrap_or(0) };
        let oids = (0..count).map(|at| (*(*list).elements.add(at)).oid_value).collect();
        pg_sys::list_free(list);
        oids
    }
}

/// The key that an index is, if it is one.
fn of_index(index: pg_sys::Oid) -> Option<Key> {
    // SAFETY: the row of the catalog is looked at while it is held, and given back.
    unsafe {
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::INDEXRELID.cast_signed(), index.into());
        let form = pg_sys::GETSTRUCT(NonNull::new(row)?.as_ptr()).cast::<c_void>();
        let form = &*form.cast::<pg_sys::FormData_pg_index>();
        let is_partial =
            !pg_sys::heap_attisnull(row, pg_sys::Anum_pg_index_indpred.cast_signed(), std::ptr::null_mut());
        let count = usize::try_from(form.indnkeyatts).unwrap_or(0);
        let columns = std::slice::from_raw_parts(form.indkey.values.as_ptr(), count).to_vec();
        let rank = match (form.indisprimary, form.indisreplident) {
            (true, _) => Rank::Primary,
            (_, true) => Rank::ReplicaIdentity,
            _ => Rank::Unique,
        };
        // Expressions have the number 0.
        let is_key = form.indisunique && form.indisvalid && !is_partial && columns.iter().all(|number| *number > 0);
        pg_sys::ReleaseSysCache(row);
        is_key.then_some(Key { index, rank, columns })
    }
}

/// A row's key with a value.
pub struct Sought {
    /// Which key.
    pub key: Key,
    parts: Vec<Part>,
}

/// One column of it.
struct Part {
    column: i16,
    collation: pg_sys::Oid,
    equals: RefCell<pg_sys::FmgrInfo>,
    value: pg_sys::Datum,
    operator: Operator,
}

#[derive(Clone, Copy)]
struct Operator {
    strategy: u16,
    subtype: pg_sys::Oid,
    procedure: pg_sys::Oid,
}

impl Sought {
    /// A row by the text of its key, which must have one column.
    pub fn of_text(table: &Table, columns: &Columns, keys: &[Key], text: &str) -> Result<Self, Refusal> {
        // The primary key if there is one, else the first that has one column.
        let key =
            keys.iter().find(|key| key.rank == Rank::Primary || key.columns.len() == 1).ok_or_else(|| no_key(table))?;
        if key.columns.len() != 1 {
            let names: Vec<_> = key.names(columns).iter().map(|name| format!("\"{name}\": …")).collect();
            return Err(Refusal::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("the key of {:?} has {} columns", table.name(), key.columns.len()),
                format!("pass them as jsonb: '{{{}}}'::jsonb", names.join(", ")),
            ));
        }
        Self::of_values(table, columns, key, &[text.to_owned()])
    }

    /// A row by its key's columns as a JSON object.
    pub fn of_json(table: &Table, columns: &Columns, keys: &[Key], json: &str) -> Result<Self, Refusal> {
        let invalid = |message: String| {
            let known: Vec<_> = keys.iter().map(|key| format!("({})", key.names(columns).join(", "))).collect();
            Refusal::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                message,
                format!("pass an object with the columns of one key: {}", known.join(" or ")),
            )
        };
        if keys.is_empty() {
            return Err(no_key(table));
        }
        let parsed: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(json).ok();
        let object = parsed.ok_or_else(|| invalid("the row's key is no JSON object".to_owned()))?;
        let has = |key: &&Key| {
            let names = key.names(columns);
            names.len() == object.len() && names.iter().all(|name| object.contains_key(name))
        };
        let key = keys.iter().find(has).ok_or_else(|| invalid("the object has not the columns of a key".to_owned()))?;
        let text_of = |name: &String| match object.get(name) {
            Some(serde_json::Value::String(text)) => Ok(text.clone()),
            Some(serde_json::Value::Null) | None => Err(invalid(format!("{name:?} is null, and no key is"))),
            Some(other) => Ok(other.to_string()),
        };
        let values: Vec<String> = key.names(columns).iter().map(text_of).collect::<Result<_, _>>()?;
        Self::of_values(table, columns, key, &values)
    }

    fn of_values(table: &Table, columns: &Columns, key: &Key, values: &[String]) -> Result<Self, Refusal> {
        let data = key.columns.iter().zip(values).map(|(number, text)| input(columns, *number, text));
        let data = data.collect::<Option<Vec<_>>>().ok_or_else(|| no_key(table))?;
        Self::of_data(key, data)
    }

    /// A row by the values of a version of it. `None` if some are null, or not all there.
    pub fn of_version(columns: &Columns, key: &Key, values: &[Value<'_>]) -> Result<Option<Self>, Refusal> {
        let datum = |number: &i16| {
            let value = values.get(usize::try_from(*number - 1).ok()?)?;
            columns.get(*number)?.datum(*value, Source::Table, KEY_MOST_BYTES).ok()?
        };
        let data: Option<Vec<_>> = key.columns.iter().map(datum).collect();
        data.map(|data| Self::of_data(key, data)).transpose()
    }

    fn of_data(key: &Key, data: Vec<pg_sys::Datum>) -> Result<Self, Refusal> {
        let index = Index::open(key)?;
        let part = |(at, (column, value)): (usize, (&i16, pg_sys::Datum))| index.part(at, *column, value);
        let parts: Option<Vec<_>> = key.columns.iter().zip(data).enumerate().map(part).collect();
        let parts = parts.ok_or_else(|| {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "the key's index has no operator for equality",
                "name the row by its ctid, as '(0,1)'",
            )
        })?;
        Ok(Self { key: key.clone(), parts })
    }

    /// Where index entries of the row lead, dead ones too; each place once.
    pub fn places(&self, table: &Table, limits: &Limits) -> Result<Vec<ItemPointer>, Refusal> {
        Index::open(&self.key)?.scan(table, &self.parts, limits)
    }

    /// Whether these are values of the row. Not if one of them is out of line: it is not fetched.
    pub fn is(&self, columns: &Columns, values: &[Value<'_>]) -> bool {
        self.parts.iter().all(|part| {
            let value = usize::try_from(part.column - 1).ok().and_then(|at| values.get(at));
            let column = columns.get(part.column);
            let datum = value
                .zip(column)
                .and_then(|(value, column)| column.datum(*value, Source::Table, KEY_MOST_BYTES).ok().flatten());
            datum.is_some_and(|datum| {
                let mut equals = part.equals.borrow_mut();
                // SAFETY: the operator of the key's index takes two values of the column's type.
                unsafe { pg_sys::FunctionCall2Coll(&raw mut *equals, part.collation, datum, part.value) }.value() != 0
            })
        })
    }
}

/// Keys are in index entries, which are shorter than a third of a page; compressed, some more fits in.
const KEY_MOST_BYTES: usize = 1 << 20;

fn no_key(table: &Table) -> Refusal {
    Refusal::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("{:?} has no primary key and no unique index over all its rows", table.name()),
        "name the row by its ctid, as '(0,1)'",
    )
}

/// A value from its text, by the type's input function, whose error is the caller's. `None` if there is no such column.
fn input(columns: &Columns, number: i16, text: &str) -> Option<pg_sys::Datum> {
    let column = columns.get(number).filter(|column| column.is_shown)?;
    let text = CString::new(text).ok()?;
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: the type exists as long as its column; its input function is given a C string, which it does not keep.
    unsafe {
        pg_sys::getTypeInputInfo(column.type_oid, &raw mut function, &raw mut parameter);
        Some(pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, column.modifier))
    }
}

/// An index that is open and share-locked.
struct Index {
    relation: pg_sys::Relation,
}

impl Index {
    fn open(key: &Key) -> Result<Self, Refusal> {
        let locked = || {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
                "the key's index is locked exclusively, or somebody waits to lock it so",
                "it may be rebuilt; see pg_locks for who does, and try again",
            )
        };
        let lock = pg_sys::AccessShareLock.cast_signed();
        // SAFETY: takes a lock or does not; an index that is locked can be opened without taking it again.
        unsafe {
            if !pg_sys::ConditionalLockRelationOid(key.index, lock) {
                return Err(locked());
            }
            let relation = pg_sys::try_relation_open(key.index, pg_sys::NoLock.cast_signed());
            if relation.is_null() { Err(locked()) } else { Ok(Self { relation }) }
        }
    }

    /// What compares its column at `at` with a value.
    fn part(&self, at: usize, column: i16, value: pg_sys::Datum) -> Option<Part> {
        // SAFETY: these arrays have an element for each key column; the operator family has the operators that it says.
        unsafe {
            let relation = &*self.relation;
            let (family, subtype) = (*relation.rd_opfamily.add(at), *relation.rd_opcintype.add(at));
            let strategy = pg_sys::BTEqualStrategyNumber.cast_signed().try_into().ok()?;
            let operator = pg_sys::get_opfamily_member(family, subtype, subtype, strategy);
            let procedure = if operator == pg_sys::InvalidOid { operator } else { pg_sys::get_opcode(operator) };
            if procedure == pg_sys::InvalidOid {
                return None;
            }
            let mut equals = pg_sys::FmgrInfo::default();
            pg_sys::fmgr_info(procedure, &raw mut equals);
            Some(Part {
                column,
                collation: *relation.rd_indcollation.add(at),
                equals: RefCell::new(equals),
                value,
                operator: Operator { strategy: strategy.cast_unsigned(), subtype, procedure },
            })
        }
    }

    /// Where the entries with these values lead. All entries, whoever sees them: also those that are known to lead to dead
    /// versions, which an ordinary scan leaves out, and without marking any as such.
    fn scan(&self, table: &Table, parts: &[Part], limits: &Limits) -> Result<Vec<ItemPointer>, Refusal> {
        let mut keys: Vec<pg_sys::ScanKeyData> = Vec::with_capacity(parts.len());
        for (number, part) in (1_i16..).zip(parts) {
            let mut key = pg_sys::ScanKeyData::default();
            let Operator { strategy, subtype, procedure } = part.operator;
            // SAFETY: the entry is ours; the operator is the index's own.
            unsafe {
                pg_sys::ScanKeyEntryInitialize(
                    &raw mut key,
                    0,
                    number,
                    strategy,
                    subtype,
                    part.collation,
                    procedure,
                    part.value,
                );
            }
            keys.push(key);
        }
        let mut places = Vec::new();
        // SAFETY: table and index are open and locked until the scan is ended; the keys live longer than it.
        unsafe {
            let count = i32::try_from(keys.len()).unwrap_or(0);
            let scan = begin_scan(table.as_ptr(), self.relation, count);
            pg_sys::index_rescan(scan, keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
            (*scan).ignore_killed_tuples = false;
            while let Some(tid) = pg_sys::index_getnext_tid(scan, pg_sys::ScanDirection::ForwardScanDirection).as_ref()
            {
                let (block, offset) = pgrx::itemptr::item_pointer_get_both(*tid);
                places.push(ItemPointer { block, offset });
                if places.len() > limits.versions {
                    break;
                }
                pg_sys::check_for_interrupts!();
            }
            pg_sys::index_endscan(scan);
        }
        limits.check_versions(places.len())?;
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened and locked in `open`.
            unsafe { pg_sys::relation_close(self.relation, pg_sys::AccessShareLock.cast_signed()) }
        }
    }
}

/// # Safety
/// Both relations must be open and locked, and `index` must be one of `table`'s.
unsafe fn begin_scan(table: pg_sys::Relation, index: pg_sys::Relation, keys: i32) -> pg_sys::IndexScanDesc {
    // SAFETY: by the contract of this function; the snapshot that sees everything is a constant of the server.
    unsafe {
        let everything = &raw mut pg_sys::SnapshotAnyData;
        #[cfg(feature = "pg18")]
        let scan = pg_sys::index_beginscan(table, index, everything, std::ptr::null_mut(), keys, 0);
        #[cfg(not(feature = "pg18"))]
        let scan = pg_sys::index_beginscan(table, index, everything, keys, 0);
        scan
    }
}

/// A place as `ctid` prints it, `(0,3)`; `None` if the text is none.
pub fn place_of_text(text: &str) -> Option<ItemPointer> {
    let (block, offset) = text.trim().strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    Some(ItemPointer { block: block.trim().parse().ok()?, offset: offset.trim().parse().ok().filter(|at| *at > 0)? })
}
