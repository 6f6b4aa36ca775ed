//! Consoles: who owns which, what they were sent, what came back.

use crate::browser::Browser;
use crate::problem::{Code, Problem};
use crate::routes::consoles::{Console, OpenConsole, RunStatement, Scenario, Statement};

/// The consoles of all browsers.
pub struct Consoles;

fn later() -> Problem {
    Problem::new(Code::NotSupported, "this build has no consoles yet")
}

#[expect(clippy::unused_async, reason = "the engine behind them is asynchronous")]
impl Consoles {
    pub async fn list(&self, _: &Browser) -> Vec<Console> {
        Vec::new()
    }
    pub async fn open(&self, _: &Browser, _: &OpenConsole) -> Result<Console, Problem> {
        Err(later())
    }
    pub async fn run(&self, _: &Browser, _: &str, _: &RunStatement) -> Result<Statement, Problem> {
        Err(later())
    }
    pub async fn statement(&self, _: &Browser, _: &str, _: u64, _: u64) -> Result<Statement, Problem> {
        Err(later())
    }
    pub async fn cancel(&self, _: &Browser, _: &str) -> Result<(), Problem> {
        Err(later())
    }
    pub async fn close(&self, _: &Browser, _: &str) -> Result<(), Problem> {
        Err(later())
    }
    pub async fn scenario(&self, _: &Browser) -> Result<Scenario, Problem> {
        Err(later())
    }
}
