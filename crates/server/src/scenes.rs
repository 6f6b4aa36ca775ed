//! Scenes: which are open, in which browser, how far they were played. The plays themselves are the engine's
//! (`pgstrata_tools::mvcc::scenes`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pgstrata_tools::advisor::Words;
use pgstrata_tools::mvcc::scenes::{self as engine, Act, Play, SceneError, Stage};
use rand::RngExt;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::browser::Browser;
use crate::consoles::{self, Told};
use crate::ground::Ground;
use crate::limits;
use crate::problem::{Code, Problem};
use crate::routes::consoles::Scenario;
use crate::routes::scenes::{Scene, SceneCard, SceneSession, SceneStep};

/// The open scenes of all browsers; cheap to clone.
#[derive(Clone)]
pub struct Scenes(Arc<Shared>);

struct Shared {
    ground: Ground,
    told: Told,
    open: Mutex<HashMap<(Browser, &'static str), Opened>>,
}

struct Opened {
    /// One step at a time; none when it was closed meanwhile.
    play: Arc<Mutex<Option<Play>>>,
    touched: Instant,
}

impl Scenes {
    /// No scene is open yet.
    pub fn new(ground: Ground, told: Told) -> Self {
        Self(Arc::new(Shared { ground, told, open: Mutex::default() }))
    }

    /// What can be opened.
    pub fn list(&self) -> Vec<SceneCard> {
        let obstacle = self.0.ground.writing().err().map(|problem| Words::of(&problem.detail));
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

    /// How a browser's scene stands.
    pub async fn show(&self, browser: &Browser, name: &str) -> Result<Scene, Problem> {
        let play = self.find(browser, name).await?;
        play.as_ref().map(describe).ok_or_else(|| not_open(name))
    }

    /// Opens one, or begins it anew.
    pub async fn open(&self, browser: &Browser, name: &str) -> Result<Scene, Problem> {
        let endpoint = self.0.ground.writing()?;
        let scene = engine::find(name).ok_or_else(|| {
            Problem::missing(format!("there is no scene {name}")).hint("`GET /api/scenes` lists them")
        })?;
        if let Ok(mut known) = self.find(browser, name).await
            && let Some(play) = known.as_mut()
        {
            play.restart().await?;
            return Ok(describe(play));
        }
        let slot = self.room_for(browser, scene).await?;
        let mut place = slot.lock().await;
        let stage = Stage::new(endpoint, &format!("{:08x}", rand::rng().random::<u32>()));
        let play = Play::open(scene, stage).await?;
        consoles::tell(play.consoles(), browser.clone(), self.0.told.clone());
        Ok(describe(place.insert(play)))
    }

    /// Plays the step that comes next; one that was played already is not played again.
    pub async fn step(&self, browser: &Browser, name: &str, step: usize) -> Result<Scene, Problem> {
        let mut place = self.find(browser, name).await?;
        let play = place.as_mut().ok_or_else(|| not_open(name))?;
        let (next, all) = (play.next(), play.scene().steps.len());
        if step > next || step >= all {
            return Err(Problem::new(Code::Conflict, format!("step {step} is not the one that comes next"))
                .hint(format!("{next} of {all} steps were played")));
        }
        if step == next {
            play.step().await?;
        }
        Ok(describe(play))
    }

    /// What was done.
    pub async fn scenario(&self, browser: &Browser, name: &str) -> Result<Scenario, Problem> {
        let place = self.find(browser, name).await?;
        let text = place.as_ref().ok_or_else(|| not_open(name))?.scenario()?;
        Ok(Scenario { file: format!("{name}.scenario"), text })
    }

    /// Ends its sessions and removes its table. One that is not open is closed.
    pub async fn close(&self, browser: &Browser, name: &str) -> Result<(), Problem> {
        let mut place = match self.find(browser, name).await {
            Ok(place) => place,
            Err(problem) if problem.code == Code::NotFound => return Ok(()),
            Err(problem) => return Err(problem),
        };
        self.0.open.lock().await.retain(|(owner, scene), _| owner != browser || *scene != name);
        match place.take() {
            Some(play) => Ok(play.close().await?),
            None => Ok(()),
        }
    }

    /// Closes all.
    pub async fn close_all(&self) {
        let open: Vec<Opened> = self.0.open.lock().await.drain().map(|(_, opened)| opened).collect();
        for opened in open {
            end(&opened.play).await;
        }
    }

    /// A browser's scene, for as long as what is returned is held.
    async fn find(&self, browser: &Browser, name: &str) -> Result<OwnedMutexGuard<Option<Play>>, Problem> {
        let play = {
            let mut open = self.0.open.lock().await;
            let found = open.iter_mut().find(|((owner, scene), _)| owner == browser && *scene == name);
            let (_, opened) = found.ok_or_else(|| not_open(name))?;
            opened.touched = Instant::now();
            Arc::clone(&opened.play)
        };
        play.try_lock_owned().map_err(|_| {
            Problem::new(Code::Conflict, "a step of this scene is being played").hint("wait until it has ended")
        })
    }

    /// A place for one more; one that was left alone makes room.
    async fn room_for(
        &self,
        browser: &Browser,
        scene: &'static engine::Scene,
    ) -> Result<Arc<Mutex<Option<Play>>>, Problem> {
        let mut open = self.0.open.lock().await;
        let place: Arc<Mutex<Option<Play>>> = Arc::default();
        let opened = Opened { play: Arc::clone(&place), touched: Instant::now() };
        let key = (browser.clone(), scene.name.as_str());
        if open.len() >= limits::SCENES && !open.contains_key(&key) {
            let left = open.iter().filter(|(_, opened)| opened.touched.elapsed() > limits::LEFT_ALONE);
            let oldest = left.min_by_key(|(_, opened)| opened.touched).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| open.remove(&key)) else {
                return Err(Problem::new(Code::LimitReached, format!("{} scenes are open", limits::SCENES))
                    .hint("close one of them"));
            };
            end(&gone.play).await;
        }
        open.insert(key, opened);
        Ok(place)
    }
}

async fn end(place: &Mutex<Option<Play>>) {
    if let Some(play) = place.lock().await.take()
        && let Err(error) = play.close().await
    {
        tracing::warn!(error = %error, "a scene was not cleared away");
    }
}

fn describe(play: &Play) -> Scene {
    let scene = play.scene();
    let session = |console: pgstrata_tools::mvcc::consoles::Console| SceneSession {
        name: console.name,
        pid: console.pid,
        isolation: scene.level.to_string(),
    };
    let step = |(number, step): (usize, &engine::SceneStep)| {
        let end = play.ends().get(number);
        SceneStep {
            session: step.session.clone(),
            sql: match &step.act {
                Act::Run(sql) => Some(sql.clone()),
                Act::GoesOn => None,
            },
            note: step.note.into(),
            statement: end.map(|end| consoles::statement(&step.session, &end.statement)),
            is_as_told: end.and_then(|end| end.is_as_told),
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

fn not_open(name: &str) -> Problem {
    Problem::missing(format!("there is no open scene {name} of this browser")).hint("open it first")
}

impl From<SceneError> for Problem {
    fn from(error: SceneError) -> Self {
        let hint = error.hint();
        match error {
            SceneError::Console(error) => error.into(),
            SceneError::Server { source, .. } => source.into(),
            SceneError::Refused { ref sqlstate, .. } => {
                let sqlstate = Some(sqlstate.clone());
                Self { hint, sqlstate, ..Self::new(Code::Database, error.to_string()) }
            }
            SceneError::StillWaits { .. } => Self { hint, ..Self::new(Code::Conflict, error.to_string()) },
            _ => Self::internal("play the scene", &error),
        }
    }
}
