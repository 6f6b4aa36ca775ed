//! PostgreSQL 18's grammar: texts to trees, errors with their place, statements apart.
//!
//! Depth is bounded: `libpg_query` refuses what needs more than 2 MB of its stack ("stack depth limit exceeded"), and all
//! that recurses over trees runs on a thread with [`STACK_BYTES`] ([`deep`]), which is enough for whatever it lets pass.

pub mod meta;
pub mod native;
pub mod read;
pub mod split;

pub use native::{Mode, Refused};

/// Stack of the thread that parses and walks trees, bytes of address space; pages are used only when they are touched.
pub const STACK_BYTES: usize = 512 << 20;

/// Runs something that recurses over trees on a thread with a large stack.
///
/// # Panics
///
/// When `work` does, or when the system has no thread to give.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("sqltext".to_owned()).stack_size(STACK_BYTES);
        let handle = thread.spawn_scoped(scope, work).expect("the system gives a thread");
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The tokens of a text, comments among them.
///
/// `pg_query` 18.1.0 makes a slice of a null pointer when there is no token at all, so it is not asked then. The spaces
/// are those of PostgreSQL's scanner (`src/backend/parser/scan.l`).
pub fn scan(text: &str) -> Result<Vec<pg_query::protobuf::ScanToken>, pg_query::Error> {
    if text.chars().all(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')) {
        return Ok(Vec::new());
    }
    pg_query::scan_tokens(text)
}
