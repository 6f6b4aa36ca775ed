//! The load generator: all clients of one trial, on a thread of ours or in a process that can be killed.
//!
//! The loop sleeps when there is nothing to do; it never polls: on a small machine a spinning generator makes
//! durable commits many times slower.

mod arrivals;
mod client;
mod journal;
mod process;
mod thread;
mod worker_steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::history::{Event, Observation};
use crate::record::LoadShape;
use crate::retry::{RetryCounts, RetryPolicy};
use crate::site::Site;
use crate::study::{Arm, Figure, Scale, Study, StudyError};

pub use process::{WORKER_COMMAND, serve_worker};

use arrivals::Clock;
use process::ProcessLoad;
use thread::ThreadLoad;

/// What load to offer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct LoadSpec {
    /// Closed or open loop.
    pub shape: LoadShape,
    /// The seed of operations and arrivals.
    pub seed: u64,
    /// The number of the first operation; a worker that takes over goes on counting.
    pub first_operation: u64,
    /// The share of operations that two clients send at the same time with the same key, 0 to 1.
    pub duplicates: f64,
    /// Bounds of retrying.
    pub retry: RetryPolicy,
}

/// Where the clients live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientHome {
    /// On a thread of this process: cheapest, and what is measured.
    Thread,
    /// In a process of their own, which [`Load::kill_clients`] kills.
    Process,
}

/// What the load generator saw.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LoadOutput {
    /// Every operation that was started, warm-up included.
    pub events: Vec<Event>,
    /// What clients saw.
    pub observations: Vec<Observation>,
    /// Retries by class.
    pub retries: RetryCounts,
    /// Arrivals of an open loop that never got a client.
    pub dropped: u64,
    /// The first error texts of operations that failed for good, with how often each was seen.
    pub failures: Vec<(String, u64)>,
    /// The study's own figures.
    pub figures: Vec<Figure>,
}

/// A load under way.
#[derive(Debug)]
pub struct Load {
    driver: Driver,
    drain: Duration,
}

#[derive(Debug)]
enum Driver {
    Thread(ThreadLoad),
    Process(ProcessLoad),
}

impl Load {
    /// Starts the clients of `arm` and waits until every one of them is connected.
    ///
    /// After the end, clients get `drain` to finish what they have in hand.
    ///
    /// # Errors
    /// Whatever kept the rig or a client from being built.
    pub async fn start(
        study: &Arc<dyn Study>,
        arm: &'static Arm,
        site: &Site,
        scale: Scale,
        spec: LoadSpec,
        home: ClientHome,
        drain: Duration,
    ) -> Result<Self, StudyError> {
        let mut driver = match home {
            ClientHome::Thread => Driver::Thread(ThreadLoad::start(
                Arc::clone(study),
                arm,
                site.clone(),
                scale,
                spec,
                Clock::start(),
                None,
            )?),
            ClientHome::Process => Driver::Process(ProcessLoad::start(study, arm, site, scale, spec, drain)),
        };
        let is_ready = match &mut driver {
            Driver::Thread(load) => load.is_ready().await,
            Driver::Process(load) => load.is_ready().await,
        };
        let load = Self { driver, drain };
        if is_ready {
            return Ok(load);
        }
        match load.finish().await {
            Ok(_) => Err(StudyError::new("start the clients", "the load ended before it was ready")),
            Err(error) => Err(error),
        }
    }

    /// Nanoseconds since the load started, on the clock of its events.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.clock().now_ns()
    }

    /// The instant that event times count from.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.clock().origin()
    }

    fn clock(&self) -> Clock {
        match &self.driver {
            Driver::Thread(load) => load.clock,
            Driver::Process(load) => load.clock,
        }
    }

    /// Kills the process that the clients live in and starts another, which asks again for what was open.
    ///
    /// Returns when it was killed and when the next one's clients were connected, nanoseconds on the load's clock.
    ///
    /// # Errors
    /// If the clients live on a thread, or the process cannot be replaced.
    pub async fn kill_clients(&self) -> Result<(u64, u64), StudyError> {
        match &self.driver {
            Driver::Process(load) => load.kill().await,
            Driver::Thread(_) => Err(StudyError::new("kill the clients", "they live on a thread of this process")),
        }
    }

    /// Ends the load at once; returns when nothing of it is left.
    pub async fn give_up(self) {
        match self.driver {
            Driver::Thread(load) => load.give_up().await,
            Driver::Process(load) => load.give_up().await,
        }
    }

    /// Ends arrivals, lets the clients finish, settles the rig and returns what was seen.
    ///
    /// Operations still in hand after the drain limit are reported as unknown.
    ///
    /// # Errors
    /// If the rig cannot be settled or the load died.
    pub async fn finish(self) -> Result<LoadOutput, StudyError> {
        match self.driver {
            Driver::Thread(load) => load.finish(self.drain).await,
            Driver::Process(load) => load.finish().await,
        }
    }
}
