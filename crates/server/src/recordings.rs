//! Recordings: which there are, which are being made.

use axum::body::Body as HttpBody;
use axum::response::Response;

use crate::live::LiveMoment;
use crate::problem::{Code, Problem};
use crate::routes::recordings::{Changes, Recording, StartRecording};

/// The recordings.
pub struct Recordings;

fn later() -> Problem {
    Problem::new(Code::NotSupported, "this build has no recordings yet")
}

#[expect(clippy::unused_async, reason = "the engine behind them is asynchronous")]
impl Recordings {
    pub async fn list(&self) -> Result<Vec<Recording>, Problem> {
        Ok(Vec::new())
    }
    pub async fn start(&self, _: StartRecording) -> Result<Recording, Problem> {
        Err(later())
    }
    pub async fn show(&self, _: &str) -> Result<Recording, Problem> {
        Err(later())
    }
    pub async fn stop(&self, _: &str) -> Result<Recording, Problem> {
        Err(later())
    }
    pub async fn remove(&self, _: &str) -> Result<(), Problem> {
        Err(later())
    }
    pub async fn changes(&self, _: &str, _: u64, _: Option<usize>) -> Result<Changes, Problem> {
        Err(later())
    }
    pub async fn moment(&self, _: &str, _: u64) -> Result<LiveMoment, Problem> {
        Err(later())
    }
    pub async fn seen(&self, _: &str, _: &str) -> Result<LiveMoment, Problem> {
        Err(later())
    }
    pub async fn export(&self, _: &str) -> Result<Response, Problem> {
        Err(later())
    }
    pub async fn file(&self, _: &str) -> Result<Response, Problem> {
        Err(later())
    }
    pub async fn import(&self, _: HttpBody) -> Result<Recording, Problem> {
        Err(later())
    }
}
