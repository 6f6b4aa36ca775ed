//! Scenes: which are open, in which browser, how far they were played. What they are is `pgstrata_tools`'.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pgstrata_tools::mvcc::scenes::{self as engine, Act, Play, SceneError, Stage};
use tokio::sync::Mutex;

use crate::browser::Browser;
use crate::consoles::{pass_on, statement_on_wire};
use crate::ground::Ground;
use crate::limits;
use crate::live::{Hub, News};
use crate::problem::{Code, Problem};
use crate::routes::scenes::{Scene, SceneCard, SceneSession, SceneStep};

/// The open scenes of all browsers.
pub struct Scenes {
    ground: Ground,
    hub: Hub,
    news: News,
    plays: Mutex<HashMap<(Browser, String), Arc<Mutex<Play>>>>,
    opened: AtomicU64,
}

impl Scenes {
    pub fn new(ground: Ground, hub: Hub, news: News) -> Self {
        Self { ground, hub, news, plays: Mutex::default(), opened: AtomicU64::new(0) }
    }

    pub fn list(&self) -> Vec<SceneCard> {
        let obstacle = self.ground.writing().err().map(|problem| problem.detail);
        let card = |scene: &engine::Scene| SceneCard {
            name: scene.name.clone(),
            title: scene.title.into(),
            summary: scene.about.into(),
            sessions: scene.sessions.clone(),
            steps: scene.steps.len(),
            obstacle: obstacle.clone(),
        };
        engine::all().iter().map(card).collect()
    }

    pub async fn show(&self, browser: &Browser, name: &str) -> Result<Scene, Problem> {
        let play = self.find(browser, name).await?;
        let play = play.lock().await;
        Ok(on_wire(&play))
    }

    /// Opens a scene; one that this browser has open begins anew.
    pub async fn open(&self, browser: &Browser, name: &str) -> Result<Scene, Problem> {
        let scene = engine::find(name).ok_or_else(|| Problem::missing(format!("scene {name}")))?;
        let endpoint = self.ground.writing()?;
        let mut plays = self.plays.lock().await;
        let key = (browser.clone(), name.to_owned());
        if let Some(play) = plays.get(&key) {
            let play = Arc::clone(play);
            drop(plays);
            let mut play = play.lock().await;
            play.restart().await?;
            return Ok(on_wire(&play));
        }
        if plays.len() >= limits::SCENES {
            let most = limits::SCENES;
            return Err(
                Problem::new(Code::LimitReached, format!("{most} scenes are open already")).hint("close one of them")
            );
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        // Another pgstrata may play on the same server.
        let process = if self.ground.is_private() { String::new() } else { format!("{}_", std::process::id()) };
        let tag = format!("{}_{process}{number}", name.replace('-', "_"));
        let play = Play::open(scene, Stage::new(endpoint, &tag)).await?;
        let events = play.consoles().subscribe();
        tokio::spawn(pass_on(browser.clone(), events, self.news.clone(), self.hub.clone(), |name| {
            Some(name.to_owned())
        }));
        let shown = on_wire(&play);
        plays.insert(key, Arc::new(Mutex::new(play)));
        Ok(shown)
    }

    pub async fn step(&self, browser: &Browser, name: &str, step: usize) -> Result<Scene, Problem> {
        let play = self.find(browser, name).await?;
        let mut play = play.lock().await;
        if step > play.next() || step >= play.scene().steps.len() {
            let next = play.next();
            return Err(Problem::new(Code::Conflict, format!("step {step} is not the next one, which is {next}")));
        }
        // One that was played already is only shown: the page has asked twice.
        if step == play.next() {
            play.step().await?;
        }
        Ok(on_wire(&play))
    }

    pub async fn close(&self, browser: &Browser, name: &str) -> Result<(), Problem> {
        let key = (browser.clone(), name.to_owned());
        let play = self.plays.lock().await.remove(&key).ok_or_else(|| not_open(name))?;
        close(play).await
    }

    /// Ends all of them.
    pub async fn close_all(&self) {
        for (_, play) in std::mem::take(&mut *self.plays.lock().await) {
            if let Err(problem) = close(play).await {
                tracing::warn!(detail = problem.detail, "a scene could not be cleared up");
            }
        }
    }

    async fn find(&self, browser: &Browser, name: &str) -> Result<Arc<Mutex<Play>>, Problem> {
        let key = (browser.clone(), name.to_owned());
        self.plays.lock().await.get(&key).cloned().ok_or_else(|| not_open(name))
    }
}

fn not_open(name: &str) -> Problem {
    Problem::missing(format!("open scene {name} in this browser")).hint("open it first")
}

async fn close(play: Arc<Mutex<Play>>) -> Result<(), Problem> {
    // A step under way holds it a little longer.
    let mut play = play.lock().await;
    Ok(play.end().await?)
}

fn on_wire(play: &Play) -> Scene {
    let scene = play.scene();
    let session = |session: pgstrata_tools::mvcc::consoles::Console| SceneSession {
        name: session.name,
        pid: session.pid,
        isolation: scene.level.to_string(),
    };
    let step = |(index, step): (usize, &engine::SceneStep)| {
        // A statement that waited then may have ended since.
        let now = play.ends().get(index).map(|end| {
            let now = play.consoles().statement(&step.session, end.statement.number);
            now.unwrap_or_else(|_| end.statement.clone())
        });
        SceneStep {
            session: step.session.clone(),
            sql: match &step.act {
                Act::Run(sql) => sql.clone(),
                Act::GoesOn => "-- …".to_owned(),
            },
            note: step.note.into(),
            statement: now.map(|statement| statement_on_wire(&step.session, &statement)),
        }
    };
    Scene {
        name: scene.name.clone(),
        title: scene.title.into(),
        summary: scene.about.into(),
        sessions: play.sessions().into_iter().map(session).collect(),
        table: play.table(),
        row: scene.row.clone(),
        steps: scene.steps.iter().enumerate().map(step).collect(),
        next: play.next(),
        moral: scene.moral.into(),
    }
}

impl From<SceneError> for Problem {
    fn from(error: SceneError) -> Self {
        let hint = error.hint();
        match error {
            SceneError::Console(source) => source.into(),
            SceneError::Server { source, .. } => source.into(),
            SceneError::StillWaits { .. } => Self { hint, ..Self::new(Code::Conflict, error.to_string()) },
            SceneError::Refused { ref sqlstate, .. } => {
                let sqlstate = Some(sqlstate.clone());
                Self { hint, sqlstate, ..Self::new(Code::Database, error.to_string()) }
            }
            other => Self::internal("play a scene", &other),
        }
    }
}
