//! The workbench: what the routes share. It owns the parts and does nothing of what they do.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use pgstrata_pg::process::Pid;
use pgstrata_pg::{Endpoint, Install, memory};

use crate::advisor::Advisor;
use crate::browser::Browser;
use crate::consoles::{Consoles, Told};
use crate::decisions::{self, Decisions};
use crate::ground::Ground;
use crate::live::{self, Hub, News, Sources};
use crate::problem::Problem;
use crate::recordings::Recordings;
use crate::records::Records;
use crate::routes::memory::{LogMemory, Memory};
use crate::routes::status::{Limits, Status};
use crate::runs::Runs;
use crate::scenes::Scenes;
use crate::{assets, clock, limits};

/// What the routes share; cheap to clone.
#[derive(Clone)]
pub struct Workbench(Arc<Parts>);

struct Parts {
    started_us: i64,
    ground: Ground,
    hub: Hub,
    news: News,
    consoles: Consoles,
    scenes: Scenes,
    recordings: Recordings,
    advisor: Advisor,
    runs: Runs,
    records: Records,
}

/// What a workbench is made of.
pub struct Setting {
    /// The server that is looked at.
    pub ground: Ground,
    /// Binaries of the servers that runs of studies start; none if there are none.
    pub install: Option<Install>,
    /// Where published records are.
    pub published: PathBuf,
    /// Where records of runs that are made here, and recordings, are kept.
    pub kept: PathBuf,
    /// A database of the user's for the history of decisions, who has allowed it; otherwise it is in a server of our own
    /// with its data below `kept`.
    pub history: Option<Endpoint>,
}

impl Workbench {
    /// A workbench; it makes nothing before it is asked to.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        let sources = crate::observe::Observers::new(setting.ground.clone());
        Self::with_sources(setting, Box::new(sources))
    }

    /// The same with other eyes.
    #[must_use]
    pub fn with_sources(setting: Setting, sources: Box<dyn Sources>) -> Self {
        let news = News::default();
        let records = Records::new(setting.published, setting.kept.join("runs"));
        let history = match setting.history {
            Some(endpoint) => decisions::Place::Named(endpoint),
            None => {
                decisions::Place::Kept { directory: setting.kept.join("history"), install: setting.install.clone() }
            }
        };
        let runs = Runs::new(setting.install, records.clone(), news.clone());
        let hub = Hub::new(sources);
        let told = Told { hub: hub.clone(), news: news.clone() };
        Self(Arc::new(Parts {
            started_us: clock::now_us(),
            ground: setting.ground.clone(),
            recordings: Recordings::new(setting.kept.join("recordings"), setting.ground.database(), hub.clone()),
            hub,
            news,
            consoles: Consoles::new(setting.ground.clone(), told.clone()),
            scenes: Scenes::new(setting.ground.clone(), told),
            advisor: Advisor::new(Decisions::new(history), setting.ground),
            runs,
            records,
        }))
    }

    pub(crate) fn ground(&self) -> &Ground {
        &self.0.ground
    }

    pub(crate) fn consoles(&self) -> &Consoles {
        &self.0.consoles
    }

    pub(crate) fn scenes(&self) -> &Scenes {
        &self.0.scenes
    }

    pub(crate) fn recordings(&self) -> &Recordings {
        &self.0.recordings
    }

    pub(crate) fn advisor(&self) -> &Advisor {
        &self.0.advisor
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.0.runs
    }

    /// How many logs are being made.
    pub async fn logs(&self) -> usize {
        self.0.hub.feeds().await
    }

    pub(crate) fn records(&self) -> &Records {
        &self.0.records
    }

    pub(crate) async fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_us: self.0.started_us,
            now_us: clock::now_us(),
            server: crate::observe::server_status(&self.0.ground).await,
            limits: Limits::of_this_build(),
            has_book: assets::has_book(),
            run: self.0.runs.running(),
        }
    }

    pub(crate) async fn memory(&self) -> Memory {
        let logs = self.0.hub.holds().await.into_iter();
        let logs = logs.map(|(watch, parts)| LogMemory { watch, parts: parts.into_iter().map(Into::into).collect() });
        let allocator = memory::allocator();
        Memory {
            logs: logs.collect(),
            resident_bytes: memory::resident_bytes(Pid::this()).ok(),
            in_use_bytes: allocator.map(|allocator| allocator.in_use_bytes),
            kept_bytes: allocator.map(|allocator| allocator.kept_bytes),
        }
    }

    /// Becomes a viewer's WebSocket.
    pub(crate) fn live(&self, browser: Browser, upgrade: WebSocketUpgrade) -> Result<Response, Problem> {
        let place = self.0.hub.admit()?;
        let workbench = self.clone();
        let upgrade =
            upgrade.max_message_size(limits::VIEWER_MESSAGE_BYTES).max_frame_size(limits::VIEWER_MESSAGE_BYTES);
        Ok(upgrade.on_upgrade(move |socket| async move {
            let parts = &workbench.0;
            live::accompany(socket, parts.hub.clone(), parts.news.clone(), parts.runs.clone(), browser).await;
            drop(place);
        }))
    }

    /// Ends what was made: recordings, consoles, scenes, logs, viewers, runs.
    pub async fn close(&self) {
        self.0.recordings.close().await;
        self.0.consoles.close_all().await;
        self.0.scenes.close_all().await;
        self.0.hub.close();
        self.0.runs.close().await;
        self.0.advisor.close().await;
    }
}
