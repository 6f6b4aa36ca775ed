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
