//! How the server calls us: arguments of a C function in, rows or a refusal out. Knows nothing of pages.
#![expect(unsafe_code, reason = "arguments arrive as untyped datums behind a pointer")]

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgstrata_units::{Snapshot, Xid};

use crate::knowledge::take_text;
use crate::rows::Rows;

/// Why a function gives no rows; what the caller is told.
#[derive(Debug)]
pub struct Refusal {
    /// The error's SQLSTATE.
    pub code: PgSqlErrorCode,
    /// What was refused, a lowercase fragment.
    pub message: String,
    /// What the caller can do.
    pub hint: String,
}

impl Refusal {
    /// A refusal with a hint.
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into() }
    }

    /// Ends the statement with this as its error.
    fn raise(self) -> ! {
        let report = ErrorReport::new(self.code, self.message, "mvcc_visualizer");
        let report = if self.hint.is_empty() { report } else { report.set_hint(self.hint) };
        report.report(PgLogLevel::ERROR);
        unreachable!("the server does not come back from an error");
    }
}

/// One call of one of our functions.
pub struct Call {
    info: pg_sys::FunctionCallInfo,
}

impl Call {
    /// Carries out a call: what `body` refuses becomes the statement's error, after all that it held was dropped.
    ///
    /// # Safety
    /// `info` must be what the server passed to a function of the version-1 convention, whose arguments have the types
    /// that `body` asks for.
    // SAFETY: see `# Safety`; the frame is read, and not kept beyond the call.
    pub unsafe fn run(
        info: pg_sys::FunctionCallInfo,
        body: fn(&Self, &mut Rows) -> Result<(), Refusal>,
    ) -> pg_sys::Datum {
        let call = Self { info };
        // SAFETY: `info` is the server's, by the contract of this function.
        let mut rows = unsafe { Rows::begin(info) };
        if let Err(refusal) = body(&call, &mut rows) {
            refusal.raise();
        }
        pg_sys::Datum::null()
    }

    /// The argument at `index`, `None` if it is null or was not passed.
    fn datum(&self, index: usize) -> Option<pg_sys::Datum> {
        // SAFETY: the server passes a frame with `nargs` arguments behind it; the index is checked against that.
        let argument = unsafe {
            let frame = &*self.info;
            (index < usize::try_from(frame.nargs).unwrap_or(0)).then(|| *frame.args.as_ptr().add(index))
        };
        argument.filter(|argument| !argument.isnull).map(|argument| argument.value)
    }

    /// An argument of type `regclass` or `oid`.
    pub fn oid(&self, index: usize) -> Option<pg_sys::Oid> {
        // SAFETY: the SQL side declares it as an OID, passed by value.
        self.datum(index).and_then(|datum| unsafe { pg_sys::Oid::from_datum(datum, false) })
    }

    /// An argument of type `bigint`.
    pub fn bigint(&self, index: usize) -> Option<i64> {
        // SAFETY: the SQL side declares it as a bigint, passed by value.
        self.datum(index).and_then(|datum| unsafe { i64::from_datum(datum, false) })
    }

    /// An argument of type `text`.
    pub fn text(&self, index: usize) -> Option<String> {
        // SAFETY: the SQL side declares it as text.
        self.datum(index).and_then(|datum| unsafe { String::from_datum(datum, false) })
    }

    /// An argument of type `bytea`.
    pub fn bytes(&self, index: usize) -> Option<Vec<u8>> {
        // SAFETY: the SQL side declares it as bytea.
        self.datum(index).and_then(|datum| unsafe { Vec::<u8>::from_datum(datum, false) })
    }

    /// An argument of type `jsonb`, as its text.
    pub fn json(&self, index: usize) -> Option<String> {
        let datum = self.datum(index)?;
        // SAFETY: the SQL side declares it as jsonb, which the function prints into a C string of the server's memory.
        unsafe {
            let text = pgrx::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
            Some(take_text(text.cast_mut_ptr()))
        }
    }

    /// An argument of type `xid8`.
    pub fn xid(&self, index: usize) -> Option<Xid> {
        self.datum(index).map(|datum| Xid(datum.value() as u64))
    }

    /// An argument of type `pg_snapshot`, refused if it is none that a server makes.
    pub fn snapshot(&self, index: usize) -> Result<Option<Snapshot>, Refusal> {
        let Some(datum) = self.datum(index) else { return Ok(None) };
        // SAFETY: the SQL side declares it as a pg_snapshot, whose bytes a bytea's reader copies: both are varlenas.
        let bytes = unsafe { Vec::<u8>::from_datum(datum, false) }.unwrap_or_default();
        decode_snapshot(&bytes).map(Some).ok_or_else(|| {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "the snapshot breaks its own order",
                "pass what pg_current_snapshot() returned",
            )
        })
    }
}

/// A `pg_snapshot` without its length word: the number of transactions, xmin, xmax, and the transactions, all in the
/// machine's order (`src/backend/utils/adt/xid8funcs.c`).
fn decode_snapshot(bytes: &[u8]) -> Option<Snapshot> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let mut xids = rest.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok().map(u64::from_ne_bytes).map(Xid));
    let (xmin, xmax) = (xids.next()?, xids.next()?);
    let running: Vec<_> = xids.collect();
    (u32::from_ne_bytes(*count) as usize == running.len()).then_some(())?;
    Snapshot::new(xmin, xmax, running)
}

/// Exports a function to SQL: its name, the name of its calling convention's record, and who answers.
macro_rules! sql_function {
    ($name:ident, $record:ident, $body:path) => {
        #[doc = "Tells the server that the function follows the version-1 calling convention."]
        #[expect(unsafe_code, reason = "the server finds it by its name")]
        // SAFETY: the name is the one that the server's convention prescribes; nothing else has it.
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $record() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[doc = "What SQL calls; see the function of the same name in the extension's script."]
        #[expect(unsafe_code, reason = "the server finds it by its name, and passes a pointer")]
        // SAFETY: the name is the one that the extension's script says; nothing else has it.
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        pub extern "C-unwind" fn $name(info: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: the server calls this, with the arguments that the extension's script declares.
            unsafe { $crate::call::Call::run(info, $body) }
        }
    };
}

pub(crate) use sql_function;
