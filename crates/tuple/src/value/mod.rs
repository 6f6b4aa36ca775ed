//! Column bytes as the text that their type prints, for the types that PostgreSQL comes with. Settings are those of a
//! dump: ISO dates, UTC, `intervalstyle = postgres`, `extra_float_digits = 1`, `bytea_output = hex`.
//!
//! What it cannot print it shows as what it is: a value out of line as a pointer, an unknown type as bytes.

mod array;
mod builtin;
mod datetime;
mod decompress;
mod jsonb;
mod numeric;

use self::decompress::{Method, decompress};
pub use self::decompress::{lz4, pglz};
use crate::bytes::u32_at;
use crate::error::TupleError;
use crate::row::{ColumnLayout, Row, Value, Varlena};

/// A column as `pg_attribute` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// OID of its type; for a domain, of its base type.
    pub type_oid: u32,
    /// How it is stored.
    pub layout: ColumnLayout,
    /// Whether it was dropped: it still takes room in older rows, and is not shown.
    pub is_dropped: bool,
    /// What rows have that are older than the column (`attmissingval`), as text; `None` for null.
    pub missing: Option<String>,
}

/// A column's value, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// SQL's null.
    Null,
    /// As the type prints it.
    Text(String),
    /// Stored out of line, and not fetched.
    Toast {
        /// Its id in the TOAST table.
        value_id: u32,
        /// OID of that table.
        table: u32,
        /// Its bytes once fetched and decompressed.
        raw_bytes: u32,
        /// Its bytes there.
        stored_bytes: u32,
    },
    /// Compressed in place, and not read: damaged, of an unknown method, or of more than a megabyte.
    Compressed {
        /// Its bytes once decompressed.
        raw_bytes: u32,
        /// The method: `pglz`, `lz4` or `unknown`.
        method: &'static str,
    },
    /// A type that is not known here, or bytes that are no value of theirs: all bytes, in hexadecimal.
    Bytes(String),
}

/// The values of a row by the names of its columns; dropped columns are left out.
pub fn print_row(row: &Row<'_>, columns: &[Column]) -> Result<Vec<(String, Printed)>, TupleError> {
    let layouts: Vec<ColumnLayout> = columns.iter().map(|column| column.layout).collect();
    let values = row.values(&layouts)?;
    let shown = columns.iter().zip(values).filter(|(column, _)| !column.is_dropped);
    Ok(shown
        .map(|(column, value)| {
            let printed = match (value, &column.missing) {
                (Value::NotStored, Some(missing)) => Printed::Text(missing.clone()),
                (value, _) => print(column.type_oid, value),
            };
            (column.name.clone(), printed)
        })
        .collect())
}

/// One value as the type with this OID prints it.
#[must_use]
pub fn print(type_oid: u32, value: Value<'_>) -> Printed {
    match value {
        Value::Null | Value::NotStored => Printed::Null,
        Value::Fixed(bytes) | Value::Varlena(Varlena::Plain(bytes)) => plain(type_oid, bytes),
        Value::Varlena(Varlena::Compressed(bytes)) => compressed(type_oid, bytes),
        Value::Varlena(Varlena::External(bytes)) => external(bytes).unwrap_or_else(|| Printed::Bytes(hex(bytes))),
    }
}

fn plain(type_oid: u32, bytes: &[u8]) -> Printed {
    builtin::text(type_oid, bytes).map_or_else(|| Printed::Bytes(hex(bytes)), Printed::Text)
}

fn compressed(type_oid: u32, bytes: &[u8]) -> Printed {
    match decompress(bytes) {
        Some((_, _, Some(value))) => plain(type_oid, &value),
        Some((raw_bytes, method, None)) => {
            let method = match method {
                Some(Method::Pglz) => "pglz",
                Some(Method::Lz4) => "lz4",
                None => "unknown",
            };
            Printed::Compressed { raw_bytes, method }
        }
        None => Printed::Bytes(hex(bytes)),
    }
}

/// `varatt_external`: the value's whole length with its 4 bytes of header, its stored length, and where it is.
fn external(bytes: &[u8]) -> Option<Printed> {
    const LENGTH_BYTES: u32 = 4;
    Some(Printed::Toast {
        raw_bytes: u32_at(bytes, 0)?.saturating_sub(LENGTH_BYTES),
        stored_bytes: u32_at(bytes, 4)? & 0x3FFF_FFFF,
        value_id: u32_at(bytes, 8)?,
        table: u32_at(bytes, 12)?,
    })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 0xF)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
