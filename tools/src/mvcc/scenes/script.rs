//! From a scenario file with comments of a certain form to a scene.
//!
//! Before the first step: `# title en: …`, `# title zh: …`, `# about zh: …`, `# moral en: …`, `# moral zh: …`, `# watch: table`,
//! `# row: key`. Before each step: `# en: …` and `# zh: …`. Comments of other forms are for readers of the file.

use std::collections::BTreeMap;

use pgstrata_scenario::language::{Action, Item, Scenario, Step};
use pgstrata_units::Text;

use super::{Act, Scene, SceneError, SceneStep};

/// Comments by what stands before their colon.
type Said = BTreeMap<String, String>;

pub(super) fn read(text: &str) -> Result<Scene, SceneError> {
    let mut scenarios = Scenario::parse_file(text)?;
    let (Some(scenario), true) = (scenarios.pop(), scenarios.is_empty()) else {
        return Err(missing(0, "the file must hold one scenario"));
    };
    let levels = scenario.levels();
    let [level] = levels[..] else { return Err(missing(0, "`levels` must name the one level it is played at")) };
    let mut said = Said::new();
    let mut head = None;
    let mut steps = Vec::new();
    for item in &scenario.items {
        match item {
            Item::Comment(comment) => {
                if let Some((key, words)) = comment.trim().split_once(": ") {
                    said.insert(key.to_owned(), words.trim().to_owned());
                }
            }
            Item::Setup(_) => head = Some(std::mem::take(&mut said)),
            Item::Step(step) => steps.push(scene_step(step, &level.sql().to_lowercase(), &mut said)?),
            _ => {}
        }
    }
    let head = head.ok_or_else(|| missing(0, "it must have a `setup`"))?;
    let get = |key: &str| head.get(key).cloned().ok_or_else(|| missing(0, &format!("`# {key}: …` is not there")));
    Ok(Scene {
        name: scenario.name.clone(),
        title: lasting(get("title en")?, get("title zh")?),
        about: lasting(scenario.about().to_owned(), get("about zh")?),
        moral: lasting(get("moral en")?, get("moral zh")?),
        table: get("watch")?,
        row: head.get("row").cloned(),
        level,
        sessions: scenario.sessions().into_iter().map(ToOwned::to_owned).collect(),
        steps,
        scenario,
    })
}

fn scene_step(step: &Step, level: &str, said: &mut Said) -> Result<SceneStep, SceneError> {
    let mut note = |language: &str| {
        said.remove(language).ok_or_else(|| missing(step.line, &format!("`# {language}: …` is not there")))
    };
    let note = lasting(note("en")?, note("zh")?);
    let act = match &step.action {
        Action::Begin(modes) if modes.is_empty() => Act::Run(format!("begin isolation level {level}")),
        Action::Begin(modes) => Act::Run(format!("begin isolation level {level}, {modes}")),
        Action::Sql { text, hold: None } => Act::Run(text.clone()),
        Action::Resumes => Act::GoesOn,
        Action::Sql { hold: Some(_), .. } | Action::Release | Action::Kill => {
            return Err(missing(step.line, "a scene holds and kills nobody"));
        }
    };
    let expected = step.outcomes.iter().map(|outcome| outcome.what.clone()).collect();
    Ok(SceneStep { session: step.session.clone(), act, note, expected })
}

/// The scenes are read once and live as long as the program, and so do their texts.
fn lasting(en: String, zh: String) -> Text {
    Text { en: en.leak(), zh: zh.leak() }
}

fn missing(line: usize, what: &str) -> SceneError {
    SceneError::Script { line, what: what.to_owned() }
}
