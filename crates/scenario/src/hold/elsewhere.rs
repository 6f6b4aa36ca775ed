//! What there is of a tracer on other systems and processors: a refusal that says so.

use std::sync::mpsc::Receiver;

use nix::errno::Errno;
use tokio::sync::{oneshot, watch};

use super::Place;
use super::error::HoldKind;

/// What a tracer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Take the breakpoint out and let the process go.
    Release,
    /// Kill the process.
    Kill,
}

/// What a tracer tells.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// The breakpoint is set, and was not reached yet.
    Armed,
    /// The process stands at the function's entry.
    Held,
    /// The process has ended.
    Gone,
    /// A request failed.
    Failed(&'static str, Errno),
}

/// Refuses.
pub(super) fn run(
    _place: &Place,
    _skip: u32,
    _inbox: &Receiver<Command>,
    armed: oneshot::Sender<Result<(), HoldKind>>,
    _report: &watch::Sender<State>,
) {
    let here = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    let _ = armed.send(Err(HoldKind::Unsupported(here)));
}
