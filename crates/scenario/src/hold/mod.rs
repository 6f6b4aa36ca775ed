//! Hold points: one server process is stopped at the entry of one exported function, while all others run on.
//!
//! PostgreSQL's own injection points need a server that was built with them; this works on a stock server. A breakpoint is
//! put into the memory of one backend (the kernel gives it a private copy of the page), so no other process and no file is
//! changed. Linux on x86-64; whoever holds must be root or the server's user.
//!
//! **What if we die?** While the breakpoint is in the backend's code, our death kills the backend (`PTRACE_O_EXITKILL`):
//! nobody would be left to take the breakpoint out, and running into it would be worse; the server then recovers as from
//! any crash of a backend. As soon as the backend is held, its code is whole again and the option is taken back: from then
//! on our death lets it run on as if nothing had been.

mod error;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod program;
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "elsewhere.rs")]
mod tracer;

use std::sync::mpsc;
use std::thread::JoinHandle;

pub use error::{HoldError, HoldKind};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};
use tracer::{Command, State};

/// A hold point in one process. Dropping it takes the breakpoint out and lets the process run on.
#[derive(Debug)]
pub struct Hold {
    place: Place,
    commands: Option<mpsc::Sender<Command>>,
    state: watch::Receiver<State>,
    tracer: Option<JoinHandle<()>>,
}

/// Where a hold point is: for whoever reads an error.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    pid: Pid,
    function: String,
}

impl Place {
    fn error(&self, kind: HoldKind) -> HoldError {
        HoldError { pid: self.pid.as_raw(), function: self.function.clone(), kind }
    }
}

/// What became of a process with a hold point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It is stopped at the entry of the function.
    Held,
    /// It has ended.
    Gone,
}

impl Hold {
    /// Puts a hold point at the entry of an exported function of the program that process `pid` runs. The first `skip`
    /// calls pass.
    ///
    /// Errors: [`HoldKind::NotPermitted`], [`HoldKind::AlreadyTraced`], [`HoldKind::NoFunction`], [`HoldKind::NoProcess`],
    /// [`HoldKind::Unsupported`] and others, each with a hint.
    pub async fn set(pid: i32, function: &str, skip: u32) -> Result<Self, HoldError> {
        let place = Place { pid: Pid::from_raw(pid), function: function.to_owned() };
        let (commands, inbox) = mpsc::channel();
        let (report, state) = watch::channel(State::Armed);
        let (armed, is_armed) = oneshot::channel();
        let for_thread = place.clone();
        // The kernel answers to the thread that traces, and to no other of this process: ptrace(2).
        let tracer = std::thread::Builder::new()
            .name("hold".to_owned())
            .spawn(move || tracer::run(&for_thread, skip, &inbox, armed, &report))
            .map_err(|source| place.error(HoldKind::Io { what: "start a thread", source }))?;
        match is_armed.await {
            Ok(Ok(())) => Ok(Self { place, commands: Some(commands), state, tracer: Some(tracer) }),
            Ok(Err(kind)) => Err(place.error(kind)),
            Err(_) => Err(place.error(HoldKind::TracerGone)),
        }
    }

    /// Waits until the process is held or has ended; for how long is the caller's to bound. Safe to cancel.
    pub async fn reached(&mut self) -> Result<Reached, HoldError> {
        let place = self.place.clone();
        let gone = |_| place.error(HoldKind::TracerGone);
        let state = self.state.wait_for(|state| !matches!(state, State::Armed)).await.map_err(gone)?;
        match &*state {
            State::Held | State::Armed => Ok(Reached::Held),
            State::Gone => Ok(Reached::Gone),
            State::Failed(what, errno) => Err(self.place.error(HoldKind::Ptrace { what, errno: *errno })),
        }
    }

    /// Whether the process is held now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(*self.state.borrow(), State::Held)
    }

    /// Lets the process run on, held or not, with its code as it was. Blocks for about a millisecond.
    pub fn release(mut self) -> Result<(), HoldError> {
        self.finish(Command::Release)
    }

    /// Kills the process where it stands, as `kill -9` does. The postmaster then restarts the whole server.
    pub fn kill(mut self) -> Result<(), HoldError> {
        self.finish(Command::Kill)
    }

    fn finish(&mut self, command: Command) -> Result<(), HoldError> {
        if let Some(commands) = self.commands.take() {
            // A tracer that has ended has nothing left to do.
            let _ = commands.send(command);
        }
        if let Some(tracer) = self.tracer.take()
            && tracer.join().is_err()
        {
            return Err(self.place.error(HoldKind::TracerGone));
        }
        match &*self.state.borrow() {
            State::Failed(what, errno) => Err(self.place.error(HoldKind::Ptrace { what, errno: *errno })),
            _ => Ok(()),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Err(error) = self.finish(Command::Release) {
            tracing::warn!(error = %error, cause = %error.kind, "a hold point was not taken back in order");
        }
    }
}
