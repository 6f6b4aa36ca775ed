//! A run that was asked for, checked: every name is known and every number within its bounds before anything is started.

use std::sync::Arc;
use std::time::Duration;

use pgstrata_lab::error::{LabError, nearest};
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::machine;
use pgstrata_lab::run::{LoadChoice, RunSpec};
use pgstrata_lab::study::{Arm, Card, DEFAULT_SKEW, Preset, Study};
use rand::RngExt;

use crate::limits;
use crate::problem::Problem;
use crate::routes::runs::{RunPreset, RunRequest};

/// What is injected when nothing is said: one real crash for every arm, as on the command line.
const DEFAULT_FAULTS: &str = "kill-postmaster:1";

/// The shortest window that can be measured: the CPU counters of the kernel tick a hundred times a second.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
/// Clients that a run from the page may have; the servers take 300 connections.
const MOST_CLIENTS: u32 = 65_536;
/// The highest rate, arrivals a second.
const HIGHEST_RATE: f64 = 10_000_000.0;
/// The steepest exponent of Zipf's law.
const STEEPEST_SKEW: f64 = 10.0;
/// A page's numbers are exact up to here, so a seed is drawn below it.
const SEEDS: u64 = 1 << 53;

/// A run that can be made.
pub struct Order {
    /// As it was asked for, with the seed that is used.
    pub request: RunRequest,
    /// For the lab.
    pub spec: RunSpec,
}

impl Order {
    /// The order for a request.
    ///
    /// # Errors
    /// If a name is not known or a number out of bounds.
    pub fn of(mut request: RunRequest) -> Result<Self, Problem> {
        check_numbers(&request)?;
        let study = study_of(&request.study)?;
        let arms = arms_of(study.card(), &request.arms)?;
        let faults = match request.faults.as_deref() {
            Some("none" | "") => FaultPlan::default(),
            text => text.unwrap_or(DEFAULT_FAULTS).parse().map_err(LabError::from)?,
        };
        let seed = *request.seed.get_or_insert_with(|| rand::rng().random_range(0..SEEDS));
        study.card().name.clone_into(&mut request.study);
        let load = match (request.clients, request.rate) {
            (Some(clients), _) => LoadChoice::Clients(clients),
            (None, Some(rate)) => LoadChoice::Rate(rate),
            (None, None) => LoadChoice::OfArm,
        };
        let spec = RunSpec {
            study,
            arms,
            preset: request.preset.into(),
            load,
            duration: request.duration_ms.map(Duration::from_millis),
            faults,
            skew: request.skew.unwrap_or(DEFAULT_SKEW),
            seed,
            command: command_line(&request, seed),
            build: machine::build(env!("CARGO_PKG_VERSION")),
        };
        Ok(Self { request, spec })
    }

    /// How many servers its arms work with.
    pub fn servers(&self) -> u32 {
        self.spec.arms.iter().filter_map(|arm| self.spec.study.servers(arm)).max().unwrap_or(1)
    }

    /// Whether arms were named, so that the violations of a broken one count.
    pub fn has_chosen_arms(&self) -> bool {
        !self.request.arms.is_empty()
    }
}

fn check_numbers(request: &RunRequest) -> Result<(), Problem> {
    let wrong = |problem: &str, hint: String| Err(LabError::usage(problem, hint).into());
    if request.clients.is_some() && request.rate.is_some() {
        return wrong("clients and rate exclude each other", "give one of them".to_owned());
    }
    if request.clients.is_some_and(|clients| !(1..=MOST_CLIENTS).contains(&clients)) {
        return wrong("so many clients are not possible", format!("from 1 to {MOST_CLIENTS}"));
    }
    if request.rate.is_some_and(|rate| !(rate > 0.0 && rate <= HIGHEST_RATE)) {
        return wrong("such a rate is not possible", format!("above 0, at most {HIGHEST_RATE}"));
    }
    if request.skew.is_some_and(|skew| !(0.0..=STEEPEST_SKEW).contains(&skew)) {
        return wrong("such a skew is not possible", format!("from 0 to {STEEPEST_SKEW}"));
    }
    let windows = SHORTEST_WINDOW..=limits::RUN_WINDOW;
    if request.duration_ms.is_some_and(|ms| !windows.contains(&Duration::from_millis(ms))) {
        let hint = format!("from {} to {} ms", SHORTEST_WINDOW.as_millis(), limits::RUN_WINDOW.as_millis());
        return wrong("such a window is not possible", hint);
    }
    Ok(())
}

fn study_of(name: &str) -> Result<Arc<dyn Study>, Problem> {
    let studies = pgstrata_cases::studies();
    if let Some(study) = studies.iter().find(|study| study.card().name == name || study.card().id.as_str() == name) {
        return Ok(Arc::clone(study));
    }
    let names: Vec<&str> = studies.iter().map(|study| study.card().name).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the studies are {}", names.join(", ")),
    };
    Err(Problem::missing(format!("there is no study named `{name}`")).hint(hint))
}

fn arms_of(card: &'static Card, names: &[String]) -> Result<Vec<&'static Arm>, Problem> {
    if let Some(unknown) = names.iter().find(|name| card.arm(name).is_none()) {
        let known: Vec<&str> = card.arms.iter().map(|arm| arm.name).collect();
        let problem = format!("{} has no arm named `{unknown}`", card.name);
        return Err(LabError::usage(problem, format!("the arms are {}", known.join(", "))).into());
    }
    let is_wanted = |arm: &&Arm| names.is_empty() || names.iter().any(|name| name == arm.name);
    Ok(card.arms.iter().filter(is_wanted).collect())
}

/// The command line that makes the same run.
fn command_line(request: &RunRequest, seed: u64) -> String {
    let mut words = vec!["pgstrata run".to_owned(), request.study.clone()];
    let mut option = |name: &str, value: Option<String>| words.extend(value.map(|value| format!("--{name} {value}")));
    option("arms", (!request.arms.is_empty()).then(|| request.arms.join(",")));
    option(
        "preset",
        match request.preset {
            RunPreset::Smoke => None,
            RunPreset::Ci => Some("ci".to_owned()),
            RunPreset::Full => Some("full".to_owned()),
        },
    );
    option("clients", request.clients.map(|clients| clients.to_string()));
    option("rate", request.rate.map(|rate| rate.to_string()));
    option("duration", request.duration_ms.map(|ms| format!("{ms}ms")));
    option("faults", request.faults.clone());
    option("skew", request.skew.map(|skew| skew.to_string()));
    option("seed", Some(seed.to_string()));
    words.join(" ")
}

impl From<RunPreset> for Preset {
    fn from(preset: RunPreset) -> Self {
        match preset {
            RunPreset::Smoke => Self::Smoke,
            RunPreset::Ci => Self::Ci,
            RunPreset::Full => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(study: &str) -> RunRequest {
        RunRequest {
            study: study.to_owned(),
            arms: Vec::new(),
            preset: RunPreset::Ci,
            clients: None,
            rate: None,
            faults: None,
            duration_ms: None,
            skew: None,
            seed: None,
        }
    }

    fn order(asked: RunRequest) -> Order {
        Order::of(asked).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn an_order_says_the_command_line_that_makes_the_same_run() {
        let asked = RunRequest {
            arms: vec!["naive".to_owned(), "coalesced".to_owned()],
            clients: Some(8),
            duration_ms: Some(500),
            faults: Some("none".to_owned()),
            seed: Some(7),
            ..request("09-01")
        };
        let order = order(asked);
        let expect = "pgstrata run flash-sale --arms naive,coalesced --preset ci --clients 8 --duration 500ms --faults none --seed 7";
        assert_eq!(order.spec.command, expect);
        assert!(order.spec.faults.is_empty());
        assert_eq!(order.spec.arms.len(), 2);
    }

    #[test]
    fn a_seed_that_is_drawn_survives_a_browser() {
        let order = order(request("flash-sale"));
        assert!(order.request.seed.expect("drawn") < SEEDS);
        assert!(!order.spec.faults.is_empty(), "one crash is the default, as on the command line");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_hint() {
        let bad = [
            request("flash-sail"),
            RunRequest { arms: vec!["nave".to_owned()], ..request("flash-sale") },
            RunRequest { clients: Some(0), ..request("flash-sale") },
            RunRequest { clients: Some(1), rate: Some(1.0), ..request("flash-sale") },
            RunRequest { rate: Some(f64::NAN), ..request("flash-sale") },
            RunRequest { duration_ms: Some(u64::MAX), ..request("flash-sale") },
            RunRequest { skew: Some(-1.0), ..request("flash-sale") },
            RunRequest { faults: Some("earthquake".to_owned()), ..request("flash-sale") },
        ];
        for request in bad {
            let problem = Order::of(request.clone()).err().expect("refused");
            assert!(problem.hint.is_some(), "{request:?}: {problem:?}");
            assert!(problem.status < 500, "{problem:?}");
        }
    }
}
