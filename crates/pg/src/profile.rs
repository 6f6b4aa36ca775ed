//! Named sets of server settings, each setting with its reason.
//!
//! A profile is what a number is measured under. It does not hold what a cluster needs in order to exist (directories,
//! port, name): those are command-line arguments of `crate::cluster`.

use crate::version::PgVersion;

/// One server setting of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// The parameter's name.
    pub name: &'static str,
    /// Its value, unquoted.
    pub value: &'static str,
    /// The first major version that has it.
    pub from_major: u32,
    /// Why it differs from PostgreSQL's default.
    pub reason: &'static str,
}

/// Under which settings a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// PostgreSQL's own defaults: `fsync`, `synchronous_commit` and `full_page_writes` on. Every published number.
    Durable,
    /// For tests of behaviour: a crash of the machine (not of the server) may lose everything.
    FastTest,
    /// A durable server made small so that it starts quickly; no replication, no parallel query, no autovacuum.
    TunedStart,
}

const fn set(name: &'static str, value: &'static str, reason: &'static str) -> Setting {
    Setting { name, value, from_major: 0, reason }
}

/// In every profile. None of these makes a commit less durable.
macro_rules! with_common {
    ($($own:expr),* $(,)?) => {
        &[
            #[cfg(target_os = "linux")]
            set(
                "recovery_init_sync_method",
                "syncfs",
                "after a crash, one system call instead of an fsync for each of 1000 files; syncs more, not less",
            ),
            #[cfg(target_os = "macos")]
            set("wal_sync_method", "fsync_writethrough", "the default leaves commits in the drive's own cache"),
            set("TimeZone", "UTC", "records of different machines can be compared"),
            set("log_timezone", "UTC", "log lines can be put beside our own times"),
            set("lc_messages", "C", "errors are recognised in the log by their English text"),
            $($own),*
        ]
    };
}

const DURABLE: &[Setting] = with_common![];

const FAST_TEST: &[Setting] = with_common![
    set("fsync", "off", "nothing to lose when the machine crashes"),
    set("synchronous_commit", "off", "the same"),
    set("full_page_writes", "off", "torn pages need a crash of the machine"),
    set("shared_buffers", "16MB", "less to set up at start; test data is small"),
];

const TUNED_START: &[Setting] = with_common![
    set("shared_buffers", "16MB", "less memory to set up at start"),
    set("max_connections", "20", "smaller shared memory"),
    set("wal_level", "minimal", "no replication from such a server"),
    set("max_wal_senders", "0", "required by wal_level = minimal"),
    set("autovacuum", "off", "one process less to fork"),
    set("max_logical_replication_workers", "0", "the launcher is not started"),
    set("max_worker_processes", "0", "smaller shared memory"),
    Setting { name: "io_method", value: "sync", from_major: 18, reason: "no I/O worker processes to fork" },
];

impl Profile {
    /// The settings that differ from PostgreSQL's defaults, whatever the version.
    #[must_use]
    pub fn settings(self) -> &'static [Setting] {
        match self {
            Self::Durable => DURABLE,
            Self::FastTest => FAST_TEST,
            Self::TunedStart => TUNED_START,
        }
    }

    /// Those of the settings that a server of this version knows.
    pub fn settings_for(self, version: PgVersion) -> impl Iterator<Item = &'static Setting> {
        self.settings().iter().filter(move |setting| setting.from_major <= version.major)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durable_touches_nothing_that_durability_depends_on() {
        let harmless = ["recovery_init_sync_method", "wal_sync_method", "TimeZone", "log_timezone", "lc_messages"];
        for setting in Profile::Durable.settings() {
            assert!(harmless.contains(&setting.name), "{} is not known to be harmless", setting.name);
            assert!(!setting.reason.is_empty());
        }
    }

    #[test]
    fn a_setting_is_only_given_to_servers_that_know_it() {
        let knows = |major| {
            let version = PgVersion { major, minor: 0 };
            Profile::TunedStart.settings_for(version).any(|setting| setting.name == "io_method")
        };
        assert!(!knows(17));
        assert!(knows(18));
    }
}
