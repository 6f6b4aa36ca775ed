//! A table's columns: from the bytes of a tuple to what the types' own output functions print. TOAST is never fetched.
#![expect(unsafe_code, reason = "types' functions take datums in the server's memory")]

use std::cell::RefCell;
use std::ffi::CStr;

use pgrx::pg_sys;
use pgstrata_tuple::{ColumnLayout, Structure, Tuple, Value, Varlena};

use crate::attempt::attempt;
use crate::knowledge::take_text;
use crate::shim;
use crate::table::Table;

/// A column as the catalog has it.
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its number, from 1.
    pub number: i16,
    /// OID of its type, of its base type if that is a domain.
    pub type_oid: pg_sys::Oid,
    /// Its type modifier.
    pub modifier: i32,
    /// Whether it is shown: it was not dropped, and its values are stored.
    pub is_shown: bool,
    layout: ColumnLayout,
    is_by_value: bool,
    structure: Structure,
    output: RefCell<pg_sys::FmgrInfo>,
    missing: Option<pg_sys::Datum>,
}

/// The columns of a table, dropped ones too.
pub struct Columns {
    columns: Vec<Column>,
    layouts: Vec<ColumnLayout>,
}

/// What is shown of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// SQL's null.
    Null,
    /// As its type prints it.
    Text(String),
    /// Why it is not printed: a JSON object with one key that begins with `$`.
    Instead(String),
}

impl Shown {
    /// As JSON text.
    pub fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) => quoted(text),
            Self::Instead(object) => object.clone(),
        }
    }

    fn damaged(why: &str) -> Self {
        Self::Instead(format!("{{\"$damaged\": {}}}", quoted(why)))
    }
}

/// A text as a JSON string. `jsonb` has no zero character, and no text of the server has one.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('\0', "\u{FFFD}")).to_string()
}

/// Whether values come from the server's own pages, or from bytes that somebody passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Pages of a table: types whose inside is not known here are printed as any `select` would print them.
    Table,
    /// Bytes: such types are not printed.
    Bytes,
}

impl Columns {
    /// The columns of an open table.
    pub fn of(table: &Table) -> Self {
        // SAFETY: the description lives as long as the table is open, which is longer than the borrow.
        let description = unsafe { (*table.as_ptr()).rd_att };
        // SAFETY: as above.
        let count = unsafe { (*description).natts };
        let columns: Vec<Column> = (0..count).filter_map(|index| Column::of(description, index)).collect();
        let layouts = columns.iter().map(|column| column.layout).collect();
        Self { columns, layouts }
    }

    /// The column with a number, from 1.
    pub fn get(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// The values of a tuple, one for each column, as bytes.
    pub fn values<'a>(&self, tuple: &Tuple<'a>) -> Result<Vec<Value<'a>>, String> {
        tuple.row().values(&self.layouts).map_err(|error| error.to_string())
    }

    /// What is shown of each value, with the name of its column; dropped columns are left out.
    pub fn show(&self, values: &[Value<'_>], source: Source, most_bytes: usize) -> Vec<(&Column, Shown)> {
        let shown = self.columns.iter().zip(values).filter(|(column, _)| column.is_shown);
        shown.map(|(column, value)| (column, column.show(*value, source, most_bytes))).collect()
    }
}

impl Column {
    fn of(description: pg_sys::TupleDesc, index: i32) -> Option<Self> {
        // SAFETY: the index is below the number of attributes; the row of the catalog is copied field by field.
        let attribute = unsafe { &*shim::attribute(description, index) };
        let alignment = attribute.attalign.cast_unsigned();
        let layout = ColumnLayout::of_catalog(attribute.attlen, alignment)?;
        // SAFETY: names of catalogs end in a zero byte.
        let name = unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }.to_string_lossy().into_owned();
        let is_shown = !attribute.attisdropped && !is_virtual(attribute);
        let (mut type_oid, mut modifier) = (attribute.atttypid, attribute.atttypmod);
        let mut output = pg_sys::FmgrInfo::default();
        let mut structure = Structure::Flat;
        let mut missing = None;
        if is_shown {
            // SAFETY: the type exists as long as a column of it does; the out parameters are ours.
            unsafe {
                type_oid = pg_sys::getBaseTypeAndTypmod(type_oid, &raw mut modifier);
                let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(type_oid, &raw mut function, &raw mut is_varlena);
                pg_sys::fmgr_info(function, &raw mut output);
            }
            structure = structure_of(type_oid, layout);
            missing = attribute.atthasmissing.then(|| missing_value(description, index)).flatten();
        }
        Some(Self {
            name,
            number: attribute.attnum,
            type_oid,
            modifier,
            is_shown,
            layout,
            is_by_value: attribute.attbyval,
            structure,
            output: RefCell::new(output),
            missing,
        })
    }

    /// What is shown of a value.
    fn show(&self, value: Value<'_>, source: Source, most_bytes: usize) -> Shown {
        match self.datum(value, source, most_bytes) {
            Ok(Some(datum)) => self.print(datum, most_bytes),
            Ok(None) => Shown::Null,
            Err(instead) => instead,
        }
    }

    /// The value as a datum, for the type's own functions: none for null; what to show instead if it may not be given to
    /// them. What the datum points to is in the current memory context.
    pub fn datum(&self, value: Value<'_>, source: Source, most_bytes: usize) -> Result<Option<pg_sys::Datum>, Shown> {
        match value {
            Value::Null => Ok(None),
            Value::NotStored => Ok(self.missing),
            Value::Fixed(bytes) => self.checked(bytes, source).map(|()| Some(self.fixed(bytes))),
            Value::Varlena(Varlena::Plain(bytes)) if self.layout == ColumnLayout::CString => Ok(Some(c_string(bytes))),
            Value::Varlena(Varlena::Plain(bytes)) => {
                self.checked(bytes, source).map(|()| Some(varlena(bytes, Form::Plain)))
            }
            Value::Varlena(Varlena::Compressed(bytes)) => self.decompressed(bytes, source, most_bytes).map(Some),
            Value::Varlena(Varlena::External(pointer)) => Err(toast(pointer)),
        }
    }

    fn checked(&self, bytes: &[u8], source: Source) -> Result<(), Shown> {
        match (self.structure.holds(bytes), source) {
            (Some(true), _) | (None, Source::Table) => Ok(()),
            (Some(false), _) => Err(Shown::damaged("lengths inside the value do not fit it")),
            (None, Source::Bytes) => Err(Shown::Instead(format!("{{\"$bytes\": {}}}", quoted(&hex(bytes))))),
        }
    }

    fn fixed(&self, bytes: &[u8]) -> pg_sys::Datum {
        if !self.is_by_value {
            return copied(bytes);
        }
        // As the server's fetch_att does it: the bytes are a signed number of the machine's order.
        match *bytes {
            [byte] => pg_sys::Datum::from(byte.cast_signed()),
            [a, b] => pg_sys::Datum::from(i16::from_ne_bytes([a, b])),
            [a, b, c, d] => pg_sys::Datum::from(i32::from_ne_bytes([a, b, c, d])),
            _ => pg_sys::Datum::from(bytes.first_chunk::<8>().map_or(0, |bytes| i64::from_ne_bytes(*bytes))),
        }
    }

    /// A value that was compressed in place. Damaged ones are refused by the server's decompression, which is bounded.
    fn decompressed(&self, bytes: &[u8], source: Source, most_bytes: usize) -> Result<pg_sys::Datum, Shown> {
        let Some(head) = bytes.first_chunk::<4>().map(|head| u32::from_ne_bytes(*head)) else {
            return Err(Shown::damaged("a compressed value without its length"));
        };
        // 30 bits of length, 2 of method (`va_tcinfo` in src/include/varatt.h).
        let (raw_bytes, method) = (head & 0x3FFF_FFFF, if head >> 30 == 0 { "pglz" } else { "lz4" });
        if usize::try_from(raw_bytes).map_or(true, |raw| raw > most_bytes) {
            let object = format!("{{\"$compressed\": {{\"raw_bytes\": {raw_bytes}, \"method\": \"{method}\"}}}}");
            return Err(Shown::Instead(object));
        }
        let compressed = varlena(bytes, Form::Compressed);
        // SAFETY: a whole compressed varlena of the current context; the result is another one.
        let raw = attempt(move || unsafe { pg_sys::pg_detoast_datum(compressed.cast_mut_ptr()) })
            .map_err(|message| Shown::damaged(&message))?;
        // SAFETY: the server made it, with its length word.
        let content = unsafe {
            let length = pgrx::varsize_any_exhdr(raw);
            std::slice::from_raw_parts(pgrx::vardata_any(raw).cast::<u8>(), length)
        };
        self.checked(content, source)?;
        Ok(pg_sys::Datum::from(raw))
    }

    fn print(&self, datum: pg_sys::Datum, most_bytes: usize) -> Shown {
        let output = std::panic::AssertUnwindSafe(&self.output);
        let text = attempt(move || {
            let mut output = output.borrow_mut();
            // SAFETY: the type's own output function is given a value of its type that was checked; it returns a C string.
            unsafe { take_text(pg_sys::OutputFunctionCall(&raw mut *output, datum)) }
        });
        match text {
            Ok(text) if text.len() > most_bytes => {
                Shown::Instead(format!("{{\"$long\": {{\"bytes\": {}}}}}", text.len()))
            }
            Ok(text) => Shown::Text(text),
            Err(message) => Shown::damaged(&message),
        }
    }
}

/// Where a value that was moved out of line is: `varatt_external` (`src/include/varatt.h`).
fn toast(pointer: &[u8]) -> Shown {
    let word = |at: usize| {
        pointer.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |word| u32::from_ne_bytes(*word))
    };
    let (raw, stored, value, table) = (word(0), word(4) & 0x3FFF_FFFF, word(8), word(12));
    Shown::Instead(format!(
        "{{\"$toast\": {{\"value_id\": {value}, \"table\": {table}, \"raw_bytes\": {raw}, \"stored_bytes\": {stored}}}}}"
    ))
}

/// Bytes as `bytea` prints them.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn structure_of(type_oid: pg_sys::Oid, layout: ColumnLayout) -> Structure {
    if !matches!(layout, ColumnLayout::Varlena { .. }) {
        return if type_oid == pg_sys::NAMEOID { Structure::Name } else { Structure::Flat };
    }
    // SAFETY: asks the catalogs.
    let element = unsafe { pg_sys::get_element_type(type_oid) };
    if element == pg_sys::InvalidOid {
        return Structure::of_varlena(type_oid.to_u32());
    }
    let (mut length, mut is_by_value, mut alignment) = (0, false, 0);
    // SAFETY: asks the catalogs; the out parameters are ours.
    unsafe {
        pg_sys::get_typlenbyvalalign(element, &raw mut length, &raw mut is_by_value, &raw mut alignment);
    }
    // SAFETY: asks the catalogs.
    let base = unsafe { pg_sys::getBaseType(element) };
    ColumnLayout::of_catalog(length, alignment.cast_unsigned()).map_or(Structure::Unknown, |layout| Structure::Array {
        of: element.to_u32(),
        layout,
        structure: Box::new(structure_of(base, layout)),
    })
}

#[cfg(feature = "pg18")]
fn is_virtual(attribute: &pg_sys::FormData_pg_attribute) -> bool {
    attribute.attgenerated.cast_unsigned() == b'v'
}

#[cfg(not(feature = "pg18"))]
fn is_virtual(_: &pg_sys::FormData_pg_attribute) -> bool {
    false
}

/// What rows have that are older than the column: the server's own copy, which lives as long as the description.
fn missing_value(description: pg_sys::TupleDesc, index: i32) -> Option<pg_sys::Datum> {
    let mut is_null = false;
    // SAFETY: attributes count from 1; the index is one of them.
    let datum = unsafe { pg_sys::getmissingattr(description, index + 1, &raw mut is_null) };
    (!is_null).then_some(datum)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Compressed,
}

/// A value of variable length with a length word of four bytes, aligned as any type may ask.
fn varlena(content: &[u8], form: Form) -> pg_sys::Datum {
    let length = u32::try_from(content.len() + 4).unwrap_or(u32::MAX >> 2);
    let word = length << 2 | if form == Form::Compressed { 0b10 } else { 0 };
    let mut bytes = Vec::with_capacity(content.len() + 4);
    bytes.extend(word.to_le_bytes());
    bytes.extend(content);
    copied(&bytes)
}

fn c_string(content: &[u8]) -> pg_sys::Datum {
    let mut bytes = content.to_vec();
    bytes.push(0);
    copied(&bytes)
}

/// A copy in the current memory context.
fn copied(bytes: &[u8]) -> pg_sys::Datum {
    // SAFETY: as many bytes are allocated as are copied; the server's allocations are aligned to eight bytes.
    unsafe {
        let copy = pg_sys::palloc(bytes.len().max(1)).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        pg_sys::Datum::from(copy)
    }
}
