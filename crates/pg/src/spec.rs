//! What a cluster is to be like: plain data, filled in before [`crate::Cluster::create`].

use std::path::PathBuf;

use crate::dirs::Dirs;
use crate::install::Install;
use crate::profile::Profile;

/// How to make and run one server of ours.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// The server's binaries.
    pub install: Install,
    /// The set of settings that everything is measured under.
    pub profile: Profile,
    /// Further settings, as in `postgresql.conf`; they win over the profile's, and `ALTER SYSTEM` wins over them.
    pub settings: Vec<(String, String)>,
    /// Whether the server also listens on 127.0.0.1, with a password of its own.
    pub tcp: bool,
    /// The TCP port, when it has to be this one; otherwise a free one is found.
    pub port: Option<u16>,
    /// Where the data directory goes instead of the state directory, for example a small tmpfs that is to fill up.
    pub data_parent: Option<PathBuf>,
    /// A directory that keeps the data when the server is dropped, for the next one that names it; goes before
    /// `data_parent`.
    pub keep_in: Option<PathBuf>,
    /// A shared library that the server loads before all others (`LD_PRELOAD`), for example one that slows `fsync`.
    pub preload: Option<PathBuf>,
    /// Environment variables of the server, for example for that library.
    pub environment: Vec<(String, String)>,
    /// The formats in which the server's own collector writes its log (`log_destination`), below `log` in the data directory.
    /// None: the log is one file of ours, in which an error can quote the server's last words.
    pub collected_log: Option<String>,
    /// Other directories than those of [`Dirs::resolve`].
    pub dirs: Option<Dirs>,
}

impl ClusterSpec {
    /// A server on a Unix socket alone, with nothing but the profile's settings.
    #[must_use]
    pub fn new(install: Install, profile: Profile) -> Self {
        Self {
            install,
            profile,
            settings: Vec::new(),
            tcp: false,
            port: None,
            data_parent: None,
            keep_in: None,
            preload: None,
            environment: Vec::new(),
            collected_log: None,
            dirs: None,
        }
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The same with its data kept in this directory, and found there again.
    #[must_use]
    pub fn kept_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.keep_in = Some(directory.into());
        self
    }

    /// The same with a log that the server's collector writes in these formats, for example `jsonlog,csvlog`.
    #[must_use]
    pub fn with_collected_log(mut self, formats: impl Into<String>) -> Self {
        self.collected_log = Some(formats.into());
        self
    }

    pub(crate) fn dirs(&self) -> Dirs {
        self.dirs.clone().unwrap_or_else(Dirs::resolve)
    }
}
