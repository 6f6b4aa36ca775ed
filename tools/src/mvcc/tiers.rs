//! How much of a server can be seen, and for what cannot: why not, and how to get it.

use std::collections::BTreeSet;

use pgstrata_pg::sql::Row;
use pgstrata_timeline::Tier;
use serde::Serialize;
use utoipa::ToSchema;

use super::connection::{Connection, Trouble};
use super::note::note;

const RIGHTS: &str = include_str!("sql/rights.sql");
const VISUALIZER_RIGHTS: &str = include_str!("sql/visualizer_rights.sql");
const PRELOADED: &str = include_str!("sql/preloaded.sql");
const SETTLE: &str = include_str!("sql/settle.sql");

/// One tier of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TierState {
    /// Which.
    pub tier: Tier,
    /// Whether it is there.
    pub is_there: bool,
    /// If not: why not and how to get it, as `code: sentence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lack: Option<String>,
}

/// What the server and our role there give us to look with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a server")]
pub(crate) struct Rights {
    pub version: String,
    pub version_number: i32,
    pub database: String,
    pub is_superuser: bool,
    pub reads_all_activity: bool,
    pub is_standby: bool,
    pub wal_level: String,
    pub may_replicate: bool,
    pub pageinspect: Option<String>,
    pub offers_pageinspect: bool,
    pub visualizer: Option<String>,
    pub offers_visualizer: bool,
    /// Functions of `mvcc_visualizer` that may be called.
    pub functions: BTreeSet<String>,
    /// Why the preloaded part does not answer; `None` if it does.
    pub preload_lack: Option<String>,
}

impl Rights {
    /// Asks the server, and sets the session's search path so that the functions it found are found.
    pub async fn ask(connection: &mut Connection) -> Result<Self, Trouble> {
        let mut rights = Self::of(&connection.row(RIGHTS, &[]).await?);
        let schemas: Vec<&str> =
            [&rights.pageinspect, &rights.visualizer].into_iter().flatten().map(String::as_str).collect();
        connection.row(SETTLE, &[&schemas.join(", ")]).await?;
        if rights.visualizer.is_some() {
            let functions = connection.rows(VISUALIZER_RIGHTS, &[]).await?;
            rights.functions = functions.iter().map(|row| row.get(0)).collect();
            rights.preload_lack = match connection.row(PRELOADED, &[]).await {
                Ok(_) => None,
                Err(Trouble::Refused { message, .. }) => Some(message),
                Err(lost) => return Err(lost),
            };
        }
        Ok(rights)
    }

    fn of(row: &Row) -> Self {
        Self {
            version: row.get("version"),
            version_number: row.get("version_number"),
            database: row.get("database"),
            is_superuser: row.get("is_superuser"),
            reads_all_activity: row.get("reads_all_activity"),
            is_standby: row.get("is_standby"),
            wal_level: row.get("wal_level"),
            may_replicate: row.get::<_, Option<bool>>("may_replicate").unwrap_or(false),
            pageinspect: row.get("pageinspect"),
            offers_pageinspect: row.get("offers_pageinspect"),
            visualizer: row.get("visualizer"),
            offers_visualizer: row.get("offers_visualizer"),
            functions: BTreeSet::new(),
            preload_lack: Some("mvcc_visualizer is not there".to_owned()),
        }
    }

    /// Whether this function of `mvcc_visualizer` may be called.
    pub fn may_call(&self, function: &str) -> bool {
        self.functions.contains(function)
    }

    /// Whether this tier is there. The log is read over another connection, so [`Tier::Wal`] says only that it could be.
    pub fn has(&self, tier: Tier) -> bool {
        self.lack(tier).is_none()
    }

    /// All tiers, from least to most.
    pub fn tiers(&self) -> Vec<TierState> {
        let tiers = [Tier::Sql, Tier::Pageinspect, Tier::Extension, Tier::Preloaded, Tier::Wal];
        let state = |tier| {
            let lack = self.lack(tier);
            TierState { tier, is_there: lack.is_none(), lack }
        };
        tiers.into_iter().map(state).collect()
    }

    fn lack(&self, tier: Tier) -> Option<String> {
        match tier {
            Tier::Sql => None,
            Tier::Pageinspect => self.pageinspect_lack(),
            Tier::Extension => self.extension_lack(),
            Tier::Preloaded => self.extension_lack().map_or_else(
                || {
                    let why = self.preload_lack.as_ref()?;
                    let how = "add mvcc_visualizer to shared_preload_libraries and restart the server to see every session's own \
                               snapshot and every wait";
                    Some(note("preload-missing", format_args!("{how} ({why})")))
                },
                |_| Some(note("preload-needs-extension", "every session's own snapshot and every wait need mvcc_visualizer, preloaded")),
            ),
            Tier::Wal => self.wal_lack(),
        }
    }

    fn pageinspect_lack(&self) -> Option<String> {
        if !self.offers_pageinspect {
            return Some(note(
                "pageinspect-not-installed",
                "install PostgreSQL's contrib modules to see pages and dead versions",
            ));
        }
        if self.pageinspect.is_none() {
            return Some(note("pageinspect-not-created", "a superuser can run: create extension pageinspect"));
        }
        (!self.is_superuser).then(|| note("pageinspect-needs-superuser", "only a superuser may read raw pages"))
    }

    fn extension_lack(&self) -> Option<String> {
        if !self.offers_visualizer {
            return Some(note(
                "extension-not-installed",
                "put mvcc_visualizer beside the server: pgstrata ext install",
            ));
        }
        if self.visualizer.is_none() {
            return Some(note("extension-not-created", "a superuser can run: create extension mvcc_visualizer"));
        }
        (!self.may_call("mvcc_page"))
            .then(|| note("extension-not-granted", "this role may not execute mvcc_visualizer's functions"))
    }

    fn wal_lack(&self) -> Option<String> {
        if self.wal_level == "minimal" {
            return Some(note("wal-level-minimal", "set wal_level = replica and restart the server"));
        }
        (!self.may_replicate)
            .then(|| note("wal-needs-replication", "give the role the attribute replication to follow the log"))
    }
}
