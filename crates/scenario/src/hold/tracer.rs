//! The thread that traces one process: sets the breakpoint, waits for it, takes it back.
//!
//! Every request goes through nix's safe wrappers; memory is written in the traced process, never in ours.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, AddressType, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};

use super::Place;
use super::error::{HoldKind, Obstacle, pending_signals, status_field};
use super::program;

/// How often the tracer looks at the process between two looks for commands. Waiting for both at once is not possible
/// with waitpid(2).
const POLL: Duration = Duration::from_micros(300);

/// The instruction `int3`, one byte long.
const BREAKPOINT: i64 = 0xcc;
/// How far the instruction pointer is behind a breakpoint when it was hit.
const BREAKPOINT_LENGTH: u64 = 1;

/// What the tracer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Take the breakpoint out and let the process go.
    Release,
    /// Kill the process.
    Kill,
}

/// What the tracer tells.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// The breakpoint is set, and was not reached yet.
    Armed,
    /// The process stands at the function's entry, its code whole.
    Held,
    /// The process has ended.
    Gone,
    /// A request failed.
    Failed(&'static str, Errno),
}

/// One traced process, in the hands of the thread that traces it.
struct Tracer {
    pid: Pid,
    address: usize,
    /// The eight bytes at the address as the program has them.
    original: i64,
    /// Calls that still pass.
    skip: u32,
    is_held: bool,
}

/// Why tracing ended early.
enum End {
    Gone,
    Failed(&'static str, Errno),
}

type Outcome<T> = Result<T, End>;

/// Turns what a request failed with into an end: a process that is not there has simply ended.
fn end(what: &'static str) -> impl Fn(Errno) -> End {
    move |errno| match errno {
        Errno::ESRCH | Errno::ECHILD => End::Gone,
        _ => End::Failed(what, errno),
    }
}

/// Traces until told to stop or until the process has ended.
pub(super) fn run(
    place: &Place,
    skip: u32,
    inbox: &Receiver<Command>,
    armed: oneshot::Sender<Result<(), HoldKind>>,
    report: &watch::Sender<State>,
) {
    let mut tracer = match Tracer::attach(place, skip) {
        Ok(tracer) => tracer,
        Err(kind) => {
            let _ = armed.send(Err(kind));
            return;
        }
    };
    // If nobody waits any more the inbox is closed too, and the next look at it releases.
    let _ = armed.send(Ok(()));
    match tracer.serve(inbox, report) {
        Ok(()) => {}
        Err(End::Gone) => {
            let _ = report.send(State::Gone);
        }
        Err(End::Failed(what, errno)) => {
            let _ = report.send(State::Failed(what, errno));
        }
    }
}

impl Tracer {
    fn attach(place: &Place, skip: u32) -> Result<Self, HoldKind> {
        let pid = place.pid;
        let address = program::address_of(pid.as_raw(), &place.function)?;
        ptrace::seize(pid, Options::PTRACE_O_EXITKILL).map_err(|errno| seize_failed(pid, errno))?;
        let mut tracer = Self { pid, address, original: 0, skip, is_held: false };
        tracer.arm().map_err(|end| match end {
            End::Gone => HoldKind::NoProcess,
            End::Failed(what, errno) => HoldKind::Ptrace { what, errno },
        })?;
        Ok(tracer)
    }

    fn arm(&mut self) -> Outcome<()> {
        let signal = self.stop()?;
        self.original = ptrace::read(self.pid, self.place()).map_err(end("read the function's first instruction"))?;
        self.set_breakpoint()?;
        self.go_on(signal)
    }

    fn serve(&mut self, inbox: &Receiver<Command>, report: &watch::Sender<State>) -> Outcome<()> {
        loop {
            match inbox.recv_timeout(POLL) {
                Ok(Command::Release) | Err(RecvTimeoutError::Disconnected) => return self.release(),
                Ok(Command::Kill) => return self.kill(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let status = waitpid(self.pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL));
            match status.map_err(end("wait for the process"))? {
                WaitStatus::StillAlive => {}
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Err(End::Gone),
                WaitStatus::Stopped(_, Signal::SIGTRAP) if self.stands_at_breakpoint()? => {
                    self.clear_breakpoint()?;
                    if self.skip > 0 {
                        self.skip -= 1;
                        self.pass_by()?;
                        continue;
                    }
                    // Its code is whole: should we die now, it may live.
                    ptrace::setoptions(self.pid, Options::empty()).map_err(end("let the process outlive us"))?;
                    self.is_held = true;
                    let _ = report.send(State::Held);
                }
                WaitStatus::Stopped(_, signal) => self.go_on(Some(signal))?,
                // An event such as the stop that an interrupt causes.
                _ => self.go_on(None)?,
            }
        }
    }

    /// Executes the function's first instruction without the breakpoint, then puts it back.
    fn pass_by(&mut self) -> Outcome<()> {
        let mut pending = None;
        loop {
            ptrace::step(self.pid, None).map_err(end("execute one instruction"))?;
            match self.wait()? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => break,
                // A signal came first and the instruction was not executed: it gets the signal afterwards.
                WaitStatus::Stopped(_, signal) => pending = Some(signal),
                _ => {}
            }
        }
        self.set_breakpoint()?;
        self.go_on(pending)
    }

    fn release(&mut self) -> Outcome<()> {
        let mut signal = None;
        if !self.is_held {
            signal = self.stop()?;
            self.write(self.original)?;
        }
        ptrace::detach(self.pid, signal).map_err(end("let the process go"))
    }

    fn kill(&mut self) -> Outcome<()> {
        kill(self.pid, Signal::SIGKILL).map_err(end("kill the process"))?;
        loop {
            if let WaitStatus::Exited(..) | WaitStatus::Signaled(..) = self.wait()? {
                return Err(End::Gone);
            }
        }
    }

    /// Stops the process wherever it is. Gives the signal that it was about to get, if that is why it stopped; a breakpoint
    /// that it had just reached is as if it had not been.
    fn stop(&mut self) -> Outcome<Option<Signal>> {
        ptrace::interrupt(self.pid).map_err(end("stop the process"))?;
        let mut status = self.wait()?;
        // Our interruption is told before the signal of a breakpoint that was hit at the same time (`get_signal` in the
        // kernel's signal.c). Let go now, the process would run on behind the breakpoint and die of that signal.
        while matches!(status, WaitStatus::PtraceEvent(..)) && has_pending_trap(self.pid) {
            self.go_on(None)?;
            status = self.wait()?;
        }
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => Err(End::Gone),
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                if self.stands_at_breakpoint()? {
                    self.clear_breakpoint()?;
                }
                Ok(None)
            }
            WaitStatus::Stopped(_, signal) => Ok(Some(signal)),
            _ => Ok(None),
        }
    }

    fn wait(&self) -> Outcome<WaitStatus> {
        waitpid(self.pid, Some(WaitPidFlag::__WALL)).map_err(end("wait for the process"))
    }

    fn go_on(&self, signal: Option<Signal>) -> Outcome<()> {
        ptrace::cont(self.pid, signal).map_err(end("let the process run on"))
    }

    fn set_breakpoint(&self) -> Outcome<()> {
        self.write((self.original & !0xff) | BREAKPOINT)
    }

    /// Makes the code whole again and stands before it.
    fn clear_breakpoint(&self) -> Outcome<()> {
        self.write(self.original)?;
        set_instruction_pointer(self.pid, self.address as u64)
    }

    fn stands_at_breakpoint(&self) -> Outcome<bool> {
        // Before anything was written there is no breakpoint to stand at.
        Ok(self.original != 0 && instruction_pointer(self.pid)? == self.address as u64 + BREAKPOINT_LENGTH)
    }

    fn write(&self, word: i64) -> Outcome<()> {
        ptrace::write(self.pid, self.place(), word).map_err(end("write an instruction"))
    }

    /// The address as ptrace takes it; it means something in the traced process only.
    fn place(&self) -> AddressType {
        std::ptr::without_provenance_mut(self.address)
    }
}

fn instruction_pointer(pid: Pid) -> Outcome<u64> {
    Ok(ptrace::getregs(pid).map_err(end("read the registers"))?.rip)
}

fn set_instruction_pointer(pid: Pid, address: u64) -> Outcome<()> {
    let mut registers = ptrace::getregs(pid).map_err(end("read the registers"))?;
    registers.rip = address;
    ptrace::setregs(pid, registers).map_err(end("write the registers"))
}

/// Whether a trap was raised by what the process executed, and not told to us yet.
fn has_pending_trap(pid: Pid) -> bool {
    /// Its bit in the set of pending signals, which counts them from 1.
    const TRAP: u64 = 1 << (Signal::SIGTRAP as u64 - 1);
    pending_signals(pid.as_raw()).is_some_and(|pending| pending & TRAP != 0)
}

fn seize_failed(pid: Pid, errno: Errno) -> HoldKind {
    match errno {
        Errno::ESRCH => HoldKind::NoProcess,
        Errno::EPERM => match status_field(pid.as_raw(), "TracerPid:") {
            Some(tracer @ 1..) => HoldKind::AlreadyTraced { tracer: tracer.cast_signed() },
            _ => HoldKind::NotPermitted(Obstacle::of(pid.as_raw())),
        },
        _ => HoldKind::Ptrace { what: "trace the process", errno },
    }
}
