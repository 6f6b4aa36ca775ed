//! Work that may fail without failing the statement: inside a subtransaction of our own, as PL/pgSQL's exception blocks
//! do it. It gets no transaction id, as long as nothing is written.
#![expect(unsafe_code, reason = "subtransactions and memory contexts are the server's")]

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

/// Carries out `body`; if it fails, what it held of the server's is given back, and the error's message is returned.
/// Cancellation, shutdown and exhausted memory end the statement all the same.
pub fn attempt<T>(body: impl FnOnce() -> T + std::panic::UnwindSafe + std::panic::RefUnwindSafe) -> Result<T, String> {
    // SAFETY: the context and the owner of now are restored on both ways out.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let body = std::panic::AssertUnwindSafe(std::cell::Cell::new(Some(body)));
    PgTryBuilder::new(move || {
        let value = body.take().map(|body| body());
        // SAFETY: ends the subtransaction that was begun above.
        unsafe {
            pg_sys::ReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        }
        value.ok_or_else(String::new)
    })
    .catch_others(move |error| {
        let report = match &error {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
            CaughtError::RustPanic { .. } => error.rethrow(),
        };
        if must_end_the_statement(report.sql_error_code()) {
            error.rethrow();
        }
        let message = report.message().to_owned();
        // SAFETY: rolls back the subtransaction that was begun above, in which the error was.
        unsafe {
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        }
        Err(message)
    })
    .execute()
}

fn must_end_the_statement(code: PgSqlErrorCode) -> bool {
    matches!(
        code,
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED
            | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
            | PgSqlErrorCode::ERRCODE_STATEMENT_TOO_COMPLEX
    )
}
