//! The workbench: what the routes share. It owns the parts and nothing of what they do.

use std::sync::Arc;

use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::Response;

use crate::browser::Browser;
use crate::clock;
use crate::consoles::Consoles;
use crate::ground::Ground;
use crate::live::Hub;
use crate::problem::{Code, Problem};
use crate::recordings::Recordings;
use crate::records::Records;
use crate::routes::status::{Limits, ServerStatus, Status};
use crate::routes::tables::Tables;
use crate::runs::Runs;
use crate::scenes::Scenes;

/// What the routes share; cheap to clone.
#[derive(Clone)]
pub struct Workbench(Arc<Parts>);

struct Parts {
    started_us: i64,
    ground: Ground,
    hub: Hub,
    consoles: Consoles,
    scenes: Scenes,
    recordings: Recordings,
    runs: Runs,
    records: Records,
}

impl Workbench {
    pub(crate) fn consoles(&self) -> &Consoles {
        &self.0.consoles
    }
    pub(crate) fn scenes(&self) -> &Scenes {
        &self.0.scenes
    }
    pub(crate) fn recordings(&self) -> &Recordings {
        &self.0.recordings
    }
    pub(crate) fn runs(&self) -> &Runs {
        &self.0.runs
    }
    pub(crate) fn records(&self) -> &Records {
        &self.0.records
    }

    pub(crate) async fn status(&self) -> Status {
        let ground = &self.0.ground;
        let server = ServerStatus {
            address: ground.address(),
            database: ground.database(),
            version: String::new(),
            is_private: ground.is_private(),
            is_writable: ground.is_writable(),
            is_up: true,
            tiers: Vec::new(),
            notes: Vec::new(),
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_us: self.0.started_us,
            now_us: clock::now_us(),
            server,
            limits: Limits::of_this_build(),
            has_book: false,
            run: None,
        }
    }

    pub(crate) fn live(
        &self,
        _: Browser,
        _: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ) -> Result<Response, Problem> {
        Err(Problem::new(Code::NotSupported, "not yet"))
    }

    /// Ends what was made.
    pub async fn close(&self) {}

    pub(crate) async fn tables(&self) -> Result<Tables, Problem> {
        Ok(Tables { tables: Vec::new(), is_cut: false })
    }
}
