//! Scenes: which are open, in which browser, how far they were played.

use crate::browser::Browser;
use crate::problem::{Code, Problem};
use crate::routes::scenes::{Scene, SceneCard};

/// The open scenes of all browsers.
pub struct Scenes;

fn later() -> Problem {
    Problem::new(Code::NotSupported, "this build has no scenes yet")
}

#[expect(clippy::unused_async, reason = "the engine behind them is asynchronous")]
impl Scenes {
    pub fn list(&self) -> Vec<SceneCard> {
        Vec::new()
    }
    pub async fn show(&self, _: &Browser, _: &str) -> Result<Scene, Problem> {
        Err(later())
    }
    pub async fn open(&self, _: &Browser, _: &str) -> Result<Scene, Problem> {
        Err(later())
    }
    pub async fn step(&self, _: &Browser, _: &str, _: usize) -> Result<Scene, Problem> {
        Err(later())
    }
    pub async fn close(&self, _: &Browser, _: &str) -> Result<(), Problem> {
        Err(later())
    }
}
