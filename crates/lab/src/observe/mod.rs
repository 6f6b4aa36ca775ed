//! Watches the transactions of a trial and judges them by the isolation level that they were run at, on the study's own
//! tables.
//!
//! Clients write down which versions they read ([`Observer`]), the server's log says what was written, and
//! [`pgstrata_history::exact`] puts both together. It costs round trips, so windows whose figures count are not
//! watched; nor are clients in a process of their own, which may be killed with what they wrote down.

mod judge;
mod observer;
mod recorder;

use std::path::PathBuf;
use std::sync::Arc;

use pgstrata_history::Model;
use pgstrata_pg::decoding::{Tables, Watch, sweep};
use serde::{Deserialize, Serialize};

pub use judge::IsolationRecord;
pub use observer::{Observer, Parameters, Savepoint, WatchedTransaction};
pub use recorder::Recorder;

use crate::error::LabError;
use crate::record::TrialPurpose;
use crate::site::Site;
use crate::study::{Study, Violation};
use crate::trial::TrialSpec;

/// How many transactions of a trial are read from the log at most.
const COMMITS_MOST: usize = 2_000_000;

/// What the transactions of an arm are held to, where the study lets them be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The model that their isolation level promises.
    pub model: Model,
    /// The study's tables, by schema and name.
    pub tables: &'static [(&'static str, &'static str)],
}

/// That trials are to be watched, and what is kept of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// The directory that histories are written to, one file for each trial and server.
    pub histories: Option<PathBuf>,
}

/// The watches over a site, one for each server.
#[derive(Debug)]
pub struct Watches {
    held: Held,
    watches: Vec<(Watch, Arc<Recorder>)>,
}

impl Watches {
    /// Begins to watch, if the site, the study and the trial's purpose ask for it.
    pub(crate) async fn of_trial(study: &dyn Study, site: &Site, spec: &TrialSpec) -> Result<Option<Self>, LabError> {
        let in_process = !spec.faults.needs().worker_process;
        let wanted = site.watching().is_some() && spec.purpose == TrialPurpose::Proof && in_process;
        match study.watched(spec.arm).filter(|_| wanted) {
            Some(held) => Self::begin(site, held).await.map(Some),
            None => Ok(None),
        }
    }

    /// Begins to watch the tables of all servers of a site.
    ///
    /// # Errors
    /// If a server's `wal_level` is not `logical`, no slot is free, or the role has no right to watch.
    pub async fn begin(site: &Site, held: Held) -> Result<Self, LabError> {
        let mut watches = Vec::new();
        for server in &site.servers {
            let session = server.control.connect().await?;
            sweep(&session).await?;
            let watch = Watch::begin(&session, server.control.clone(), Tables::Named(held.tables)).await?;
            let recorder = Arc::new(Recorder::new(watch.tables()));
            watches.push((watch, recorder));
        }
        Ok(Self { held, watches })
    }

    /// The site as clients are to see it: [`Site::observer`] writes down what they do.
    #[must_use]
    pub fn site(&self, site: &Site) -> Site {
        site.recorded_by(self.watches.iter().map(|(_, recorder)| Arc::clone(recorder)).collect())
    }

    /// Ends the watches and judges what was seen: a record for each server, and a violation for each whose history the
    /// model forbids. `arm` and `seed` only name the trial.
    ///
    /// # Errors
    /// If a server cannot be read, or a history cannot be written where the site asks for that.
    pub async fn finish(
        self,
        site: &Site,
        arm: &str,
        seed: u64,
    ) -> Result<(Vec<IsolationRecord>, Vec<Violation>), LabError> {
        let mut records = Vec::new();
        let mut violations = Vec::new();
        for (number, ((watch, recorder), server)) in self.watches.into_iter().zip(&site.servers).enumerate() {
            let session = server.control.connect().await?;
            let first_xid = watch.first_xid();
            let (mut tables, observed) = recorder.take();
            let commits = watch.finish(&session, &mut tables, COMMITS_MOST).await?;
            let record = pgstrata_history::exact::Record { first_xid, tables, commits, observed };
            let trial = judge::Trial { arm, server: number, seed };
            let (record, violation) = judge::judge(record, self.held.model, &trial, site.watching()).await?;
            records.push(record);
            violations.extend(violation);
        }
        Ok((records, violations))
    }
}
