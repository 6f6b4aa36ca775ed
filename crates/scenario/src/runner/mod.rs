//! Runs a specification on a real server, as PostgreSQL's own isolation tester does, and prints what it prints.
//!
//! The rules of who is looked at when, and of what counts as waiting and as completed, are those of
//! `src/test/isolation/isolationtester.c` (PostgreSQL 15 to 18, which do not differ in them); the output can be compared
//! with the files in `src/test/isolation/expected`. What differs: waits are bounded by [`Limits`], and a run also returns
//! what each session was answered, for the judge in `crate::serial`.

mod performance;
mod print;

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use pgstrata_pg::simple::{Reply, TransactionStatus};
use pgstrata_pg::{Endpoint, Error};

use crate::session::{Seat, Sessions};
use crate::spec::{Permutation, Spec, StepId};
use performance::Performance;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A step that has neither answered nor blocked after this long is cancelled; after twice this long the run ends.
    pub step: Duration,
    /// Set-up and tear-down.
    pub setup: Duration,
}

impl Default for Limits {
    /// PostgreSQL's tester waits 300 s (360 s from 17 on) for a step, on machines of any speed.
    fn default() -> Self {
        Self { step: Duration::from_mins(5), setup: Duration::from_mins(5) }
    }
}

/// A specification being run: its sessions are open.
#[derive(Debug)]
pub struct Run<'a> {
    spec: &'a Spec,
    sessions: Sessions,
    limits: Limits,
}

/// One permutation that was run.
#[derive(Clone, Debug)]
pub struct Performed {
    /// What is printed of it.
    pub text: String,
    /// What each session was given and answered, in the order in which it was begun.
    pub calls: Vec<Call>,
    /// Why the run cannot go on after it, as the tester would say; the text ends with it.
    pub stopped: Option<String>,
    /// The steps that the server said are waiting, in the order in which it was asked. What a marker makes the tester
    /// print as waiting is not among them.
    pub waits: Vec<FoundWaiting>,
}

/// A step that the server said is waiting for another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundWaiting {
    /// The server process.
    pub backend_pid: i32,
    /// Before the server was asked; the step had begun.
    pub from: SystemTime,
    /// After it had answered.
    pub until: SystemTime,
}

/// Something that a session was given, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who.
    pub session: Seat,
    /// What.
    pub part: Part,
    /// What it was answered. Notices that came before the first answer are not among it.
    pub replies: Vec<Reply>,
    /// The transaction status before and after.
    pub status: (TransactionStatus, TransactionStatus),
    /// When it was seen to be complete: a number that grows with each call.
    pub completed: usize,
}

/// Which part of a session's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What it runs before each permutation.
    Setup,
    /// A step.
    Step(StepId),
    /// What it runs after each permutation.
    Teardown,
}

impl<'a> Run<'a> {
    /// Opens the sessions. The name of the specification becomes part of theirs.
    pub async fn open(spec: &'a Spec, name: &str, endpoint: &Endpoint, limits: Limits) -> Result<Self, Error> {
        let sessions = Sessions::open(endpoint, name, &spec.session_names()).await?;
        Ok(Self { spec, sessions, limits })
    }

    /// What is printed before the first permutation.
    #[must_use]
    pub fn heading(&self) -> String {
        let mut text = String::new();
        for name in &self.spec.unused_steps {
            print::line(&mut text, &format!("unused step name: {name}"));
        }
        let _ = writeln!(text, "Parsed test spec with {} sessions", self.spec.sessions.len());
        text
    }

    /// Runs one permutation, with set-up and tear-down.
    ///
    /// `before_teardown` is called when all sessions are done, before the tables go: see `crate::serial`.
    ///
    /// Errors: only those of the connection to a server that is not there any more. What goes wrong in the script is
    /// part of what is printed.
    pub async fn perform(
        &mut self,
        permutation: &Permutation,
        before_teardown: impl AsyncFnOnce(),
    ) -> Result<Performed, Error> {
        let performance = Performance::new(self.spec, &mut self.sessions, permutation, self.limits);
        performance.perform(before_teardown).await
    }

    /// The sessions, to look at between permutations.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.sessions.close().await;
    }
}
