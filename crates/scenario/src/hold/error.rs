//! Why a process cannot be held, and what to do about it.

use std::fmt;
use std::fs;
use std::io;

use nix::errno::Errno;

/// A hold point that could not be set, reached or taken back.
#[derive(Debug)]
pub struct HoldError {
    /// The process.
    pub pid: i32,
    /// The function.
    pub function: String,
    /// The cause.
    pub kind: HoldKind,
}

/// The causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldKind {
    /// Neither Linux on x86-64.
    #[error("hold points work on Linux on x86-64, and this is {0}")]
    Unsupported(String),
    /// There is no such process.
    #[error("the process has ended")]
    NoProcess,
    /// The kernel does not let us.
    #[error("the kernel does not let this process trace the server's ({0})")]
    NotPermitted(Obstacle),
    /// A debugger, or another hold point, is there already.
    #[error("process {tracer} is tracing it already")]
    AlreadyTraced {
        /// Who.
        tracer: i32,
    },
    /// The program exports no such function.
    #[error("the server's program exports no function of this name{}", similar_words(similar))]
    NoFunction {
        /// Some that it exports whose names hold this one.
        similar: Vec<String>,
    },
    /// The program's file cannot be understood.
    #[error("the server's program cannot be read as an ELF file")]
    Program(#[source] object::Error),
    /// The operating system refused something else.
    #[error("could not {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Its reason.
        #[source]
        source: io::Error,
    },
    /// A request to the traced process failed.
    #[error("could not {what}: {errno}")]
    Ptrace {
        /// What was tried.
        what: &'static str,
        /// The kernel's reason.
        errno: Errno,
    },
    /// The tracing thread ended without a word: a defect of ours.
    #[error("the tracing thread ended")]
    TracerGone,
}

/// What stands between us and the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// It runs as another user, and we are not root.
    #[error("it runs as user {server}, we as {ours}")]
    OtherUser {
        /// The server's user.
        server: u32,
        /// Ours.
        ours: u32,
    },
    /// The Yama security module restricts tracing: `/proc/sys/kernel/yama/ptrace_scope`.
    #[error("kernel.yama.ptrace_scope is {0}")]
    Yama(u8),
    /// Root without the capability, as in a container.
    #[error("the capability CAP_SYS_PTRACE is missing, or a seccomp filter forbids ptrace")]
    Container,
}

impl Obstacle {
    /// Looks at what the kernel goes by, in the order in which it does (`__ptrace_may_access` in kernel/ptrace.c, then the
    /// security modules).
    pub(super) fn of(pid: i32) -> Self {
        let ours = nix::unistd::geteuid().as_raw();
        if let Some(server) = status_field(pid, "Uid:")
            && ours != 0
            && server != ours
        {
            return Self::OtherUser { server, ours };
        }
        let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
        match scope.and_then(|text| text.trim().parse().ok()) {
            Some(scope @ 1..) => Self::Yama(scope),
            _ => Self::Container,
        }
    }
}

/// The first number of a line of `/proc/<pid>/status`.
pub(super) fn status_field(pid: i32, name: &str) -> Option<u32> {
    status_word(pid, name)?.parse().ok()
}

/// The signals that wait for a process's first thread, a bit each: proc(5).
pub(super) fn pending_signals(pid: i32) -> Option<u64> {
    u64::from_str_radix(&status_word(pid, "SigPnd:")?, 16).ok()
}

fn status_word(pid: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

impl HoldError {
    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.kind {
            HoldKind::NotPermitted(Obstacle::OtherUser { .. }) => {
                "run pgstrata as root or as the server's user, or let it start a private server of its own"
            }
            HoldKind::NotPermitted(Obstacle::Yama(3)) => {
                "this kernel allows no tracing until it is restarted; scenarios without `hold` run as they are"
            }
            HoldKind::NotPermitted(Obstacle::Yama(_)) => {
                "run pgstrata as root, or allow tracing among one user's processes: sysctl kernel.yama.ptrace_scope=0"
            }
            HoldKind::NotPermitted(Obstacle::Container) => {
                "start the container with --cap-add=SYS_PTRACE (and, where a seccomp profile forbids ptrace, one that \
                 allows it)"
            }
            HoldKind::AlreadyTraced { .. } => "end the debugger or the other run that holds this process",
            HoldKind::NoFunction { .. } => "`nm -D --defined-only` on the server's program lists what it exports",
            HoldKind::Unsupported(_) => "run scenarios with `hold` on Linux on x86-64; all others run anywhere",
            _ => return None,
        })
    }
}

fn similar_words(similar: &[String]) -> String {
    if similar.is_empty() { String::new() } else { format!("; it exports {}", similar.join(", ")) }
}

impl fmt::Display for HoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not hold process {} at {}", self.pid, self.function)
    }
}

impl std::error::Error for HoldError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}
