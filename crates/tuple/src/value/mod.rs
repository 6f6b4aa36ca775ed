//! Column bytes as the text that their type prints, for the types that PostgreSQL comes with. Settings are those of a
//! dump: ISO dates, UTC, `intervalstyle = postgres`, `extra_float_digits = 1`, `bytea_output = hex`.
//!
//! What it cannot print it shows as what it is: a value out of line as a pointer, an unknown type as bytes.

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
    /// Compressed in place by a method that is not read here.
    Compressed {
        /// Its bytes once decompressed.
        raw_bytes: u32,
        /// The method: `lz4`, or a number.
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
    let bytes = match value {
        Value::Null | Value::NotStored => return Printed::Null,
        Value::Fixed(bytes) | Value::Varlena(Varlena::Plain(bytes)) => bytes,
        Value::Varlena(Varlena::Compressed(bytes) | Varlena::External(bytes)) => return Printed::Bytes(hex(bytes)),
    };
    let _ = type_oid;
    Printed::Bytes(hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 0xF)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
