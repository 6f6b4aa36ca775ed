//! Rows on their way to the server: cells of Rust become datums of a tuplestore. Knows nothing of what they mean.
#![expect(unsafe_code, reason = "datums are made in the server's memory")]

use std::borrow::Cow;
use std::ffi::CString;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgstrata_tuple::ItemPointer;

/// One value of a row.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Nothing.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `integer`.
    Int(i32),
    /// `bigint`.
    Bigint(i64),
    /// `xid8`.
    Xid(u64),
    /// `pg_lsn`.
    Lsn(u64),
    /// `text`.
    Text(Cow<'static, str>),
    /// `text[]`.
    Texts(Vec<&'static str>),
    /// `integer[]`.
    Ints(Vec<i32>),
    /// `xid8[]`.
    Xids(Vec<u64>),
    /// `pg_snapshot`, from its text.
    Snapshot(String),
    /// `jsonb`, from its text.
    Json(String),
    /// `tid`.
    Tid(ItemPointer),
    /// `timestamptz`, in microseconds since 2000, as the server counts.
    Timestamp(i64),
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<u16> for Cell {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Bigint(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Self::Bigint(value.into())
    }
}

impl From<pgstrata_units::Xid> for Cell {
    fn from(value: pgstrata_units::Xid) -> Self {
        Self::Xid(value.0)
    }
}

impl From<&'static str> for Cell {
    fn from(value: &'static str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl Cell {
    /// As a datum and whether it is null. What it points to lives in the current memory context.
    fn into_datum(self) -> (pg_sys::Datum, bool) {
        let datum = match self {
            Self::Null => None,
            Self::Bool(value) => value.into_datum(),
            Self::Int(value) => value.into_datum(),
            Self::Bigint(value) => value.into_datum(),
            // On the 64-bit machines that pgrx supports, eight bytes are passed by value.
            Self::Xid(value) | Self::Lsn(value) => Some(pg_sys::Datum::from(value)),
            Self::Text(value) => value.as_ref().into_datum(),
            Self::Texts(values) => values.into_datum(),
            Self::Ints(values) => values.into_datum(),
            Self::Xids(values) => Some(xids(&values)),
            Self::Snapshot(text) => CString::new(text).ok().map(|text| {
                // SAFETY: the input function reads a C string and returns a datum in the current context.
                unsafe { pgrx::direct_function_call_as_datum(pg_sys::pg_snapshot_in, &[Some(text.as_ptr().into())]) }
                    .unwrap_or_else(pg_sys::Datum::null)
            }),
            Self::Json(text) => CString::new(text).ok().map(|text| {
                // SAFETY: the input function reads a C string and returns a datum in the current context.
                unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
                    .unwrap_or_else(pg_sys::Datum::null)
            }),
            Self::Tid(place) => {
                let mut tid = pg_sys::ItemPointerData::default();
                pgrx::itemptr::item_pointer_set_all(&mut tid, place.block, place.offset);
                tid.into_datum()
            }
            Self::Timestamp(value) => Some(pg_sys::Datum::from(value)),
        };
        datum.map_or((pg_sys::Datum::null(), true), |datum| (datum, false))
    }
}

/// An array of `xid8`, which pgrx has no type for.
fn xids(values: &[u64]) -> pg_sys::Datum {
    let mut datums: Vec<pg_sys::Datum> = values.iter().copied().map(pg_sys::Datum::from).collect();
    let count = i32::try_from(datums.len()).unwrap_or(0);
    // SAFETY: as many datums as are passed, eight bytes each, by value and aligned to eight, as pg_type says of the type.
    let array =
        unsafe { pg_sys::construct_array(datums.as_mut_ptr(), count, pg_sys::XID8OID, 8, true, b'd'.cast_signed()) };
    pg_sys::Datum::from(array)
}

/// The rows that a call returns.
pub struct Rows {
    result: *mut pg_sys::ReturnSetInfo,
}

impl Rows {
    /// Prepares the caller's tuplestore; the server refuses callers that take no set.
    ///
    /// # Safety
    /// `info` must be what the server passed to a set-returning function that is declared to return a row type.
    // SAFETY: see `# Safety`; the caller's tuplestore is made through it.
    pub unsafe fn begin(info: pg_sys::FunctionCallInfo) -> Self {
        // SAFETY: by the contract of this function; the server's own set-up checks what the caller takes.
        unsafe {
            pg_sys::InitMaterializedSRF(info, 0);
            Self { result: (*info).resultinfo.cast() }
        }
    }

    /// Columns of a row.
    fn width(&self) -> usize {
        // SAFETY: `begin` made the description, and it lives as long as the call.
        unsafe { usize::try_from((*(*self.result).setDesc).natts).unwrap_or(0) }
    }

    /// Adds a row, which must have a cell for each column that the function declares.
    pub fn push(&mut self, cells: Vec<Cell>) {
        assert_eq!(cells.len(), self.width(), "a row must fit the columns of its function");
        // SAFETY: as many values as columns, which is checked above; their memory is given back once they are stored.
        unsafe {
            let context = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"mvcc_visualizer row".as_ptr(),
                0,
                8 << 10,
                8 << 20,
            );
            let before = pg_sys::MemoryContextSwitchTo(context);
            let (mut values, mut nulls): (Vec<_>, Vec<_>) = cells.into_iter().map(Cell::into_datum).unzip();
            pg_sys::tuplestore_putvalues(
                (*self.result).setResult,
                (*self.result).setDesc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextDelete(context);
        }
    }
}
