//! Records of runs, by id: those published with the product and those that were made here.

use axum::response::Response;
use pgstrata_units::Language;

use crate::problem::{Code, Problem};
use crate::routes::records::{ChartName, RecordComparison, RecordDetail, RecordEntry};

/// The records.
pub struct Records;

fn later() -> Problem {
    Problem::new(Code::NotSupported, "this build has no records yet")
}

#[expect(clippy::unused_async, reason = "files are read on another thread")]
impl Records {
    pub async fn list(&self) -> Result<Vec<RecordEntry>, Problem> {
        Ok(Vec::new())
    }
    pub async fn show(&self, _: &str) -> Result<RecordDetail, Problem> {
        Err(later())
    }
    pub async fn file(&self, _: &str) -> Result<Response, Problem> {
        Err(later())
    }
    pub async fn chart(&self, _: &str, _: ChartName, _: Language) -> Result<Response, Problem> {
        Err(later())
    }
    pub async fn report(&self, _: &str, _: Language) -> Result<Response, Problem> {
        Err(later())
    }
    pub async fn compare(&self, _: &str, _: &str) -> Result<RecordComparison, Problem> {
        Err(later())
    }
}
