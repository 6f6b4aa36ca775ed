//! Scenes: small plays of several sessions that come with the program, each on a table of its own, stepped through one
//! statement at a time. A scene is a scenario file whose comments say, in both languages, what it is about, what to watch,
//! and what to look at after each step; it can be run by `pgstrata isolation run` like any other.

mod error;
mod play;
mod script;

use std::sync::LazyLock;

use pgstrata_scenario::language::{Scenario, What};
use pgstrata_units::{Isolation, Text};

pub use self::error::SceneError;
pub use self::play::{Play, Stage, StepEnd};

/// A scene.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Its name: `lost-update`.
    pub name: String,
    /// Its title.
    pub title: Text,
    /// What it shows.
    pub about: Text,
    /// What to take away, when it is over.
    pub moral: Text,
    /// The table to watch, by its name in the scene's schema.
    pub table: String,
    /// The key of the row that it is about, if it is about one.
    pub row: Option<String>,
    /// The level at which `begin` begins.
    pub level: Isolation,
    /// Its sessions, in the order in which they first act.
    pub sessions: Vec<String>,
    /// Its steps.
    pub steps: Vec<SceneStep>,
    /// All of it, as it is run without a page.
    pub scenario: Scenario,
}

/// A step of a scene.
#[derive(Debug, Clone)]
pub struct SceneStep {
    /// Whose.
    pub session: String,
    /// What it does.
    pub act: Act,
    /// What to look at afterwards.
    pub note: Text,
    /// What must come of it: the answer, or that it waits.
    pub expected: Vec<What>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Runs this text.
    Run(String),
    /// Waits for the end of the session's statement, which another session has set free.
    GoesOn,
}

/// The scenes' files, in the order in which they are shown.
const FILES: [(&str, &str); 9] = [
    ("lost-update", include_str!("lost-update.scenario")),
    ("write-skew", include_str!("write-skew.scenario")),
    ("deadlock", include_str!("deadlock.scenario")),
    ("long-transaction", include_str!("long-transaction.scenario")),
    ("hot-update", include_str!("hot-update.scenario")),
    ("skip-locked", include_str!("skip-locked.scenario")),
    ("freeze", include_str!("freeze.scenario")),
    ("rolled-back", include_str!("rolled-back.scenario")),
    ("shared-lock", include_str!("shared-lock.scenario")),
];

static SCENES: LazyLock<Vec<Scene>> = LazyLock::new(|| {
    let read = |(name, text)| match script::read(text) {
        Ok(scene) => scene,
        Err(error) => panic!("the program's own scene {name}: {error}"),
    };
    FILES.into_iter().map(read).collect()
});

/// All scenes, in the order in which they are shown.
///
/// # Panics
/// Never: a test reads them all.
#[must_use]
pub fn all() -> &'static [Scene] {
    &SCENES
}

/// The scene of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scene> {
    all().iter().find(|scene| scene.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_can_be_read_and_is_named_as_its_file() {
        let names: Vec<&str> = all().iter().map(|scene| scene.name.as_str()).collect();
        assert_eq!(names, FILES.map(|(name, _)| name));
    }

    #[test]
    fn every_text_is_there_in_both_languages_and_chinese_has_its_own_marks() {
        for scene in all() {
            let notes = scene.steps.iter().map(|step| step.note);
            for text in [scene.title, scene.about, scene.moral].into_iter().chain(notes) {
                assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}: {text:?}", scene.name);
                assert!(text.zh.chars().any(|c| c > '\u{4DFF}' && c < '\u{A000}'), "{}: {text:?}", scene.name);
                assert!(!text.zh.contains([',', ';', '!']), "{}: {}", scene.name, text.zh);
            }
        }
    }

    #[test]
    fn the_files_are_in_the_languages_one_layout() {
        for (scene, (name, text)) in all().iter().zip(FILES) {
            assert_eq!(scene.scenario.to_string(), text, "{name}: run `pgstrata isolation format`");
        }
    }
}
