//! The faults there are: their names, what they do, what can be said about them in a plan, what they need.
//!
//! Only descriptions. How a fault strikes is in the file of its family; how a plan is written is in `notation.rs`.

use std::time::Duration;

use pgstrata_units::Text;

use super::plan::Argument;

/// A fault, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// kill -9 of the postmaster.
    KillPostmaster,
    /// kill -9 of one server process that serves a client.
    KillBackend,
    /// `pg_terminate_backend` of one session.
    TerminateBackend,
    /// SIGSTOP of the whole server for a while.
    Pause,
    /// A client loses its connection right after its request reached the server.
    DisconnectAfterSend,
    /// Every byte between clients and server takes longer.
    NetDelay,
    /// Bytes vanish for a while, then the connections that lost some are cut.
    NetDrop,
    /// All connections are reset, and new ones too for a while.
    NetCut,
    /// Silence both ways for a while; connections stay open.
    NetHalfOpen,
    /// Each fsync of the server takes longer.
    SlowFsync,
    /// Each fsync of the server fails with EIO for a while.
    FailingFsync,
    /// The server's file system has no space left for a while.
    DiskFull,
    /// The load loop sends some operations twice.
    DuplicateRequest,
    /// The load loop kills a client process in the middle of its work.
    KillClient,
    /// The load loop kills the client process while it stands at a step.
    KillClientAtStep,
    /// kill -9 of a postmaster while the system stands at a step.
    KillPostmasterAtStep,
    /// kill -9 of the backend that serves a step.
    KillBackendAtStep,
    /// The system loses the connection that it works on at a step.
    DisconnectAtStep,
}

/// What the text after `=` means for a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArgumentKind {
    /// Nothing may be said.
    None,
    /// How much longer everything takes; the default.
    Delay(Duration),
    /// For how long the fault stays; the default.
    Length(Duration),
    /// How large the small disk is, in bytes; the default.
    Size(u64),
    /// Which share of the operations is hit, from 0 to 1; the default.
    Share(f64),
}

/// How often a fault strikes when the plan does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultCount {
    /// Once.
    Once,
    /// It is in force during the whole run; a count makes it come and go.
    WholeRun,
    /// It has no strikes that could be counted.
    Uncounted,
}

/// What a fault needs of the place where it strikes.
// Five independent yes-or-no questions that the site builder asks one by one.
#[expect(clippy::struct_excessive_bools, reason = "five independent needs, each asked for by name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// A server of our own, which may be killed.
    pub private: bool,
    /// The fsync shim preloaded into the server.
    pub shim: bool,
    /// The proxy between clients and server.
    pub proxy: bool,
    /// The data directory on a small file system; its size is [`super::FaultPlan::small_disk_bytes`].
    pub small_disk: bool,
    /// Clients in a process of their own, which may be killed.
    pub worker_process: bool,
    /// A system that has steps; where it has none, the fault does not strike.
    pub steps: bool,
}

/// All that is known about a fault before it strikes.
#[derive(Clone, Copy, Debug)]
pub struct FaultInfo {
    /// Which fault.
    pub kind: FaultKind,
    /// Its name in a plan, `kill-postmaster`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: Text,
    /// What its argument means, with the default.
    pub argument: ArgumentKind,
    /// How often it strikes when the plan does not say.
    pub count: DefaultCount,
    /// For how long a strike stays when neither argument nor `@` says; zero when it does not stay.
    pub hold: Duration,
    /// What it needs.
    pub needs: Needs,
}

const NO_NEEDS: Needs =
    Needs { private: false, shim: false, proxy: false, small_disk: false, worker_process: false, steps: false };
const PRIVATE: Needs = Needs { private: true, ..NO_NEEDS };
const SHIM: Needs = Needs { private: true, shim: true, ..NO_NEEDS };
const PROXY: Needs = Needs { proxy: true, ..NO_NEEDS };
const SMALL_DISK: Needs = Needs { private: true, small_disk: true, ..NO_NEEDS };
const WORKER: Needs = Needs { worker_process: true, ..NO_NEEDS };
const WORKER_AT_STEP: Needs = Needs { steps: true, ..WORKER };
const PRIVATE_AT_STEP: Needs = Needs { steps: true, ..PRIVATE };
const AT_STEP: Needs = Needs { steps: true, ..NO_NEEDS };

/// How long faults that stay do so when the plan does not say.
const DEFAULT_HOLD: Duration = Duration::from_secs(2);
/// Network faults that stop everything are shorter: half a second is already far beyond any latency shown.
const DEFAULT_OUTAGE: Duration = Duration::from_millis(500);
/// Room for the 39 MB of a fresh cluster, the log that a run of some seconds writes, and a case's tables.
const DEFAULT_DISK: u64 = 256 << 20;

/// Every fault, in the order in which it is listed.
pub const CATALOGUE: [FaultInfo; 18] = [
    FaultInfo {
        kind: FaultKind::KillPostmaster,
        name: "kill-postmaster",
        summary: Text {
            en: "kill -9 of the postmaster; the server is started again and recovers",
            zh: "对 postmaster 执行 kill -9，随后重新启动服务器并做崩溃恢复",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: PRIVATE,
    },
    FaultInfo {
        kind: FaultKind::KillBackend,
        name: "kill-backend",
        summary: Text {
            en: "kill -9 of one random backend; the postmaster drops all sessions and recovers",
            zh: "对随机一个后端进程执行 kill -9，postmaster 断开所有会话并做崩溃恢复",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: PRIVATE,
    },
    FaultInfo {
        kind: FaultKind::TerminateBackend,
        name: "terminate-backend",
        summary: Text {
            en: "pg_terminate_backend of one random session; the others go on",
            zh: "对随机一个会话执行 pg_terminate_backend，其他会话不受影响",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: NO_NEEDS,
    },
    FaultInfo {
        kind: FaultKind::Pause,
        name: "pause",
        summary: Text {
            en: "SIGSTOP of the postmaster and all its children for a while, then SIGCONT",
            zh: "对 postmaster 及其全部子进程发送 SIGSTOP，一段时间后发送 SIGCONT",
        },
        argument: ArgumentKind::Length(DEFAULT_OUTAGE),
        count: DefaultCount::Once,
        hold: DEFAULT_OUTAGE,
        needs: PRIVATE,
    },
    FaultInfo {
        kind: FaultKind::DisconnectAfterSend,
        name: "disconnect-after-send",
        summary: Text {
            en: "a client's connection closes after its request reached the server and before the answer",
            zh: "请求到达服务器之后、应答返回之前断开该客户端的连接",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: PROXY,
    },
    FaultInfo {
        kind: FaultKind::NetDelay,
        name: "net-delay",
        summary: Text {
            en: "every byte is late by this much, each way; the delay achieved is reported",
            zh: "双向每个字节都延迟指定时间，并报告实际达到的延迟",
        },
        argument: ArgumentKind::Delay(Duration::from_millis(10)),
        count: DefaultCount::WholeRun,
        hold: DEFAULT_HOLD,
        needs: PROXY,
    },
    FaultInfo {
        kind: FaultKind::NetDrop,
        name: "net-drop",
        summary: Text {
            en: "bytes vanish both ways for a while, then the connections that lost some are reset",
            zh: "一段时间内双向字节全部丢失，随后重置丢失过字节的连接",
        },
        argument: ArgumentKind::Length(DEFAULT_OUTAGE),
        count: DefaultCount::Once,
        hold: DEFAULT_OUTAGE,
        needs: PROXY,
    },
    FaultInfo {
        kind: FaultKind::NetCut,
        name: "net-cut",
        summary: Text {
            en: "all connections are reset (RST), and new ones too for a while",
            zh: "重置（RST）所有连接，一段时间内新连接同样被重置",
        },
        argument: ArgumentKind::Length(DEFAULT_OUTAGE),
        count: DefaultCount::Once,
        hold: DEFAULT_OUTAGE,
        needs: PROXY,
    },
    FaultInfo {
        kind: FaultKind::NetHalfOpen,
        name: "net-half-open",
        summary: Text {
            en: "silence both ways for a while; connections stay open and go on afterwards",
            zh: "一段时间内双向静默，连接保持打开，之后恢复传输",
        },
        argument: ArgumentKind::Length(DEFAULT_OUTAGE),
        count: DefaultCount::Once,
        hold: DEFAULT_OUTAGE,
        needs: PROXY,
    },
    FaultInfo {
        kind: FaultKind::SlowFsync,
        name: "slow-fsync",
        summary: Text {
            en: "each fsync and fdatasync of the server takes this much longer",
            zh: "服务器的每次 fsync 与 fdatasync 都多花指定时间",
        },
        argument: ArgumentKind::Delay(Duration::from_millis(5)),
        count: DefaultCount::WholeRun,
        hold: DEFAULT_HOLD,
        needs: SHIM,
    },
    FaultInfo {
        kind: FaultKind::FailingFsync,
        name: "failing-fsync",
        summary: Text {
            en: "each fsync of the server fails with EIO for a while; it panics and is started again if need be",
            zh: "一段时间内服务器的每次 fsync 都返回 EIO；服务器会 PANIC，必要时重新启动",
        },
        argument: ArgumentKind::Length(DEFAULT_OUTAGE),
        count: DefaultCount::Once,
        hold: DEFAULT_OUTAGE,
        needs: SHIM,
    },
    FaultInfo {
        kind: FaultKind::DiskFull,
        name: "disk-full",
        summary: Text {
            en: "the data directory's small file system (of this size) is full for a while; needs root",
            zh: "数据目录所在的小文件系统（指定大小）在一段时间内写满；需要 root",
        },
        argument: ArgumentKind::Size(DEFAULT_DISK),
        count: DefaultCount::Once,
        hold: DEFAULT_HOLD,
        needs: SMALL_DISK,
    },
    FaultInfo {
        kind: FaultKind::DuplicateRequest,
        name: "duplicate-request",
        summary: Text {
            en: "this share of the operations is sent twice under the same key",
            zh: "按指定比例把操作以同一个键重复发送",
        },
        argument: ArgumentKind::Share(0.01),
        count: DefaultCount::Uncounted,
        hold: Duration::ZERO,
        needs: NO_NEEDS,
    },
    FaultInfo {
        kind: FaultKind::KillClient,
        name: "kill-client",
        summary: Text {
            en: "kill -9 of a client process in the middle of its work",
            zh: "在客户端进程工作途中对其执行 kill -9",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: WORKER,
    },
    FaultInfo {
        kind: FaultKind::KillClientAtStep,
        name: "kill-client-at-step",
        summary: Text {
            en: "kill -9 of the client process while it stands at a step of two-phase commit, each step in turn",
            zh: "客户端进程停在两阶段提交的某一步时对其执行 kill -9，逐步轮换",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: WORKER_AT_STEP,
    },
    FaultInfo {
        kind: FaultKind::KillPostmasterAtStep,
        name: "kill-postmaster-at-step",
        summary: Text {
            en: "kill -9 of a postmaster while a client stands at a step, each step on each server in turn",
            zh: "客户端停在某一步时对某台服务器的 postmaster 执行 kill -9，逐步、逐台轮换",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: PRIVATE_AT_STEP,
    },
    FaultInfo {
        kind: FaultKind::KillBackendAtStep,
        name: "kill-backend-at-step",
        summary: Text {
            en: "kill -9 of the backend that serves a step, each step in turn",
            zh: "对正在服务某一步的后端进程执行 kill -9，逐步轮换",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: PRIVATE_AT_STEP,
    },
    FaultInfo {
        kind: FaultKind::DisconnectAtStep,
        name: "disconnect-at-step",
        summary: Text {
            en: "a client loses the connection of a step exactly there, each step in turn",
            zh: "客户端恰在某一步失去该步所用的连接，逐步轮换",
        },
        argument: ArgumentKind::None,
        count: DefaultCount::Once,
        hold: Duration::ZERO,
        needs: AT_STEP,
    },
];

impl FaultKind {
    /// All that is known about it.
    #[must_use]
    pub fn info(self) -> &'static FaultInfo {
        // The catalogue is in the order of the variants; a test sees to it.
        &CATALOGUE[self as usize]
    }

    /// Its name in a plan.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        CATALOGUE.iter().find(|info| info.name == name).map(|info| info.kind)
    }
}

impl FaultInfo {
    /// Whether a strike stays for some time, so that `@` may say how long.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.hold > Duration::ZERO
    }

    /// How it is written in a plan, with the defaults in brackets: `slow-fsync[=5ms][@2s][:count]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let argument = match self.argument.default() {
            Argument::None => String::new(),
            argument => format!("[={argument}]"),
        };
        let is_length = matches!(self.argument, ArgumentKind::Length(_));
        let hold = Argument::Duration(self.hold);
        let hold = if self.stays() && !is_length { format!("[@{hold}]") } else { String::new() };
        let count = if self.count == DefaultCount::Uncounted { "" } else { "[:count]" };
        format!("{}{argument}{hold}{count}", self.name)
    }
}

impl ArgumentKind {
    /// The argument when the plan does not say.
    #[must_use]
    pub fn default(self) -> Argument {
        match self {
            Self::None => Argument::None,
            Self::Delay(delay) | Self::Length(delay) => Argument::Duration(delay),
            Self::Size(bytes) => Argument::Bytes(bytes),
            Self::Share(share) => Argument::Share(share),
        }
    }
}

impl Needs {
    /// What both need together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            private: self.private || other.private,
            shim: self.shim || other.shim,
            proxy: self.proxy || other.proxy,
            small_disk: self.small_disk || other.small_disk,
            worker_process: self.worker_process || other.worker_process,
            steps: self.steps || other.steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_in_the_order_of_the_kinds_and_names_are_unique() {
        for (index, info) in CATALOGUE.iter().enumerate() {
            assert_eq!(info.kind as usize, index, "{}", info.name);
            assert_eq!(FaultKind::named(info.name), Some(info.kind));
        }
        assert_eq!(FaultKind::named("earthquake"), None);
    }

    #[test]
    fn every_fault_is_described_on_one_line_in_both_languages() {
        for info in &CATALOGUE {
            for text in [info.summary.en, info.summary.zh] {
                assert!(!text.is_empty() && !text.contains('\n'), "{}", info.name);
            }
            assert!(!info.summary.zh.is_ascii(), "{}", info.name);
        }
    }

    #[test]
    fn what_changes_the_server_from_outside_needs_a_server_of_our_own() {
        for info in &CATALOGUE {
            assert!(info.needs.private || !(info.needs.shim || info.needs.small_disk), "{}", info.name);
        }
    }

    #[test]
    fn usage_shows_what_can_be_said_with_its_defaults() {
        for (kind, usage) in [
            (FaultKind::KillPostmaster, "kill-postmaster[:count]"),
            (FaultKind::Pause, "pause[=500ms][:count]"),
            (FaultKind::SlowFsync, "slow-fsync[=5ms][@2s][:count]"),
            (FaultKind::DiskFull, "disk-full[=256MB][@2s][:count]"),
            (FaultKind::DuplicateRequest, "duplicate-request[=1%]"),
        ] {
            assert_eq!(kind.info().usage(), usage);
        }
    }

    #[test]
    fn a_length_is_the_default_hold() {
        for info in &CATALOGUE {
            if let ArgumentKind::Length(length) = info.argument {
                assert_eq!(length, info.hold, "{}", info.name);
            }
        }
    }
}
