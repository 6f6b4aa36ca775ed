//! The one call into `libpg_query`'s C that its Rust crate does not offer in full: parsing with the position of an error.
//!
//! The crate `pg_query` links the library and decodes its trees; of errors it keeps the message alone. The two functions
//! and three structs below are those of `pg_query.h` in `pg_query` 18.1.0, to which the workspace is pinned.
#![expect(unsafe_code, reason = "two functions of C, declared here because pg_query keeps its bindings private")]

use std::ffi::{CStr, CString, c_char, c_int};

use pg_query::protobuf;
use prost::Message as _;

/// `PgQueryError` of `pg_query.h`.
#[repr(C)]
struct CError {
    message: *mut c_char,
    funcname: *mut c_char,
    filename: *mut c_char,
    lineno: c_int,
    cursorpos: c_int,
    context: *mut c_char,
}

/// `PgQueryProtobuf` of `pg_query.h`.
#[repr(C)]
struct CBytes {
    len: usize,
    data: *mut c_char,
}

/// `PgQueryProtobufParseResult` of `pg_query.h`.
#[repr(C)]
struct CParsed {
    tree: CBytes,
    stderr: *mut c_char,
    error: *mut CError,
}

unsafe extern "C" {
    fn pg_query_parse_protobuf_opts(input: *const c_char, options: c_int) -> CParsed;
    fn pg_query_free_protobuf_parse_result(result: CParsed);
}

/// Which grammar a text follows; the numbers are `PgQueryParseMode`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Statements.
    Statements = 0,
    /// The right side of an assignment in PL/pgSQL, a condition, an argument: a `select` without the word.
    PlPgSqlExpression = 2,
}

/// What the grammar says against a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// PostgreSQL's words.
    pub message: String,
    /// The character at which it says so, from 0; nothing where it names no place.
    pub character: Option<usize>,
}

impl Refused {
    pub(super) fn anywhere(message: impl Into<String>) -> Self {
        Self { message: message.into(), character: None }
    }
}

/// The tree of a text. The text must hold no NUL.
pub fn parse(text: &str, mode: Mode) -> Result<protobuf::ParseResult, Refused> {
    let input = CString::new(text).map_err(|nul| Refused {
        message: "a NUL character cannot be part of SQL".to_owned(),
        character: text.get(..nul.nul_position()).map(|before| before.chars().count()),
    })?;
    // SAFETY: `input` is a NUL-terminated string that outlives the call. The function initialises the library for this
    // thread, catches its own errors, and returns buffers that it owns until they are freed below.
    let parsed = unsafe { pg_query_parse_protobuf_opts(input.as_ptr(), mode as c_int) };
    // SAFETY: a non-null error points to a PgQueryError that lives until it is freed below.
    let tree = match unsafe { parsed.error.as_ref() } {
        Some(error) => Err(Refused {
            message: text_of(error.message),
            character: usize::try_from(error.cursorpos).ok().and_then(|position| position.checked_sub(1)),
        }),
        None => decode(&parsed.tree),
    };
    // SAFETY: `parsed` came from the parse function and is given back once; nothing borrowed from it is kept.
    unsafe { pg_query_free_protobuf_parse_result(parsed) };
    tree
}

fn decode(tree: &CBytes) -> Result<protobuf::ParseResult, Refused> {
    if tree.data.is_null() || tree.len == 0 {
        return Ok(protobuf::ParseResult::default());
    }
    // SAFETY: without an error the library returns `len` initialised bytes at `data`, which live until they are freed.
    let bytes = unsafe { std::slice::from_raw_parts(tree.data.cast::<u8>(), tree.len) };
    protobuf::ParseResult::decode(bytes).map_err(|error| Refused::anywhere(error.to_string()))
}

fn text_of(message: *const c_char) -> String {
    if message.is_null() {
        return "the grammar gave no reason".to_owned();
    }
    // SAFETY: messages of the library are NUL-terminated strings that live until the result is freed.
    unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
}
