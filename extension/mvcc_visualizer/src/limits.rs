//! How much one call may show: settings with bounds, so that a row with a hundred thousand versions is refused clearly
//! instead of filling the server's memory.

use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::call::Refusal;

static MAX_VERSIONS: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static MAX_PAGES: GucSetting<i32> = GucSetting::<i32>::new(1_000);
static MAX_VALUE_BYTES: GucSetting<i32> = GucSetting::<i32>::new(16 << 10);
static MAX_RESULT_BYTES: GucSetting<i32> = GucSetting::<i32>::new(64 << 20);

/// Makes the settings known to the server. Called once, when the library is loaded.
pub fn register() {
    let define = |name, short, long, setting, from, to| {
        GucRegistry::define_int_guc(name, short, long, setting, from, to, GucContext::Userset, GucFlags::default());
    };
    define(
        c"mvcc_visualizer.max_versions",
        c"Most rows that one call of mvcc_show_versions returns.",
        c"More are refused with an error.",
        &MAX_VERSIONS,
        1,
        1_000_000,
    );
    define(
        c"mvcc_visualizer.max_pages",
        c"Most pages that one call of mvcc_show_versions copies.",
        c"More are refused with an error.",
        &MAX_PAGES,
        1,
        100_000,
    );
    define(
        c"mvcc_visualizer.max_value_bytes",
        c"Longest value that is shown, in bytes.",
        c"Of longer ones the length is shown.",
        &MAX_VALUE_BYTES,
        16,
        1 << 20,
    );
    define(
        c"mvcc_visualizer.max_result_bytes",
        c"Most bytes of values that one call shows.",
        c"More are refused with an error.",
        &MAX_RESULT_BYTES,
        1 << 10,
        1 << 30,
    );
}

/// How much one call may show, read from the settings once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows.
    pub versions: usize,
    /// Pages copied.
    pub pages: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Bytes of all values.
    pub result_bytes: usize,
}

impl Limits {
    /// What the settings say now.
    pub fn now() -> Self {
        let read = |setting: &GucSetting<i32>| usize::try_from(setting.get()).unwrap_or(0);
        Self {
            versions: read(&MAX_VERSIONS),
            pages: read(&MAX_PAGES),
            value_bytes: read(&MAX_VALUE_BYTES),
            result_bytes: read(&MAX_RESULT_BYTES),
        }
    }

    /// Refused if there are more rows than one call may show.
    pub fn check_versions(&self, rows: usize) -> Result<(), Refusal> {
        within(rows, self.versions, "versions", "mvcc_visualizer.max_versions")
    }

    /// Refused if more pages would be copied than one call may.
    pub fn check_pages(&self, pages: usize) -> Result<(), Refusal> {
        within(pages, self.pages, "pages", "mvcc_visualizer.max_pages")
    }

    /// Refused if values have more bytes than one call may show.
    pub fn check_bytes(&self, bytes: usize) -> Result<(), Refusal> {
        within(bytes, self.result_bytes, "bytes of values", "mvcc_visualizer.max_result_bytes")
    }
}

fn within(count: usize, most: usize, of_what: &str, setting: &str) -> Result<(), Refusal> {
    if count <= most {
        return Ok(());
    }
    Err(Refusal::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("more than {most} {of_what}"),
        format!("raise {setting}, or look at single pages with mvcc_page"),
    ))
}
