//! Finds out what a server that we did not start can do, without changing anything there.
//!
//! Every question is asked by itself, in a read-only transaction that is rolled back, or is only parsed by the server
//! and never run; what a server refuses is a [`Lack`], not an error. No session setting is made, so that a pooler in
//! between has nothing to hand on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio_postgres::{Row, types::ToSql};

use crate::capabilities::{Capabilities, Feature, Lack, Product};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorClass, Kind};
use crate::session::Session;

/// How long all questions together may take.
const PROBE_LIMIT: Duration = Duration::from_secs(30);
/// How long the server may think about one of them.
const STATEMENT_LIMIT: &str = "set local statement_timeout = '5s'";

/// The first half of the advisory lock that is tried, for a moment: "pgst" in ASCII.
const LOCK_CLASS: i32 = 0x7067_7374;

const EXTENSIONS: &str = "select name::text, installed_version::text from pg_available_extensions";

/// Connects (twice) and asks. An error means that no session could be had or that the server went away.
pub async fn probe(endpoint: &Endpoint) -> Result<Capabilities, Error> {
    let endpoint = endpoint.with_application_name("pgstrata probe");
    let asking = async {
        let session = endpoint.connect().await?;
        // A role that may have only one session can still be probed.
        let rival = endpoint.connect().await;
        Probe { session, rival }.ask_everything().await
    };
    tokio::time::timeout(PROBE_LIMIT, asking).await.unwrap_or_else(|_| {
        let kind = Kind::Timeout { limit_ms: PROBE_LIMIT.as_millis() };
        Err(Error::new(format!("ask {endpoint} what it can do"), kind))
    })
}

/// How a feature is looked for.
enum Question {
    /// The server must understand the statement; it is not run.
    Parses(&'static str),
    /// The statement must run in a read-only transaction and return true.
    IsTrue(&'static str, &'static str),
    /// The statement must run in a read-only transaction.
    Runs(&'static str),
    /// A transaction that does not say what it is must be one that can write.
    WritesByDefault,
    /// See [`Probe::advisory_locks_exclude`].
    AdvisoryLocks,
}

impl Question {
    fn about(feature: Feature) -> Self {
        match feature {
            Feature::Writing => Self::WritesByDefault,
            Feature::CreatingSchemas => Self::IsTrue(
                "select has_database_privilege(current_database(), 'create')",
                "the role has no create privilege on this database",
            ),
            Feature::AdvisoryLocks => Self::AdvisoryLocks,
            // A sub-select without a table: nothing that could be locked even if it were run.
            Feature::SkipLocked => {
                Self::Parses("select number from (select 1 as number) as one for update skip locked")
            }
            Feature::PreparedTransactions => Self::IsTrue(
                "select current_setting('max_prepared_transactions')::int > 0",
                "max_prepared_transactions is 0",
            ),
            Feature::SynchronousCommitPerTransaction => Self::Runs("set local synchronous_commit = off"),
            Feature::LogicalMessages => Self::Parses("select pg_logical_emit_message(false, 'pgstrata', 'text'::text)"),
            Feature::WalPosition => Self::Parses("select pg_current_wal_lsn()"),
            Feature::Locks => {
                Self::Parses("select locktype, transactionid, granted, waitstart, pg_blocking_pids(pid) from pg_locks")
            }
            Feature::Activity => {
                Self::Parses("select pid, state, wait_event_type, wait_event, xact_start, query from pg_stat_activity")
            }
            Feature::ActivityOfOthers => Self::IsTrue(
                "select pg_has_role('pg_read_all_stats', 'usage')",
                "the role is not a member of pg_read_all_stats",
            ),
            Feature::TerminatingBackends => Self::Parses("select pg_terminate_backend(0)"),
            Feature::Snapshots => Self::Parses("select pg_current_snapshot(), pg_current_xact_id_if_assigned()"),
            Feature::RowVersions => Self::Parses("select xmin, xmax, ctid from pg_class"),
            Feature::Superuser => {
                Self::IsTrue("select current_setting('is_superuser') = 'on'", "the role is not a superuser")
            }
        }
    }
}

struct Probe {
    session: Session,
    /// Only to see whether a lock of the first one keeps it out.
    rival: Result<Session, Error>,
}

impl Probe {
    async fn ask_everything(&mut self) -> Result<Capabilities, Error> {
        let version_text = self.text("select version()", &[]).await?.unwrap_or_default();
        let role = self.text("select current_user::text", &[]).await?.unwrap_or_default();
        let (product, product_version) = Product::of_version(&version_text);
        let (extensions_available, extensions_installed) = self.extensions().await?;
        let mut lacks = Vec::new();
        for feature in Feature::ALL {
            if let Err(reason) = self.look_for(feature).await? {
                lacks.push(Lack::new(feature, reason));
            }
        }
        let lacking = |feature| lacks.iter().any(|lack: &Lack| lack.feature == feature);
        Ok(Capabilities {
            product,
            product_version,
            version_text,
            server_version_num: self.number("server_version_num").await?,
            role,
            is_superuser: !lacking(Feature::Superuser),
            in_recovery: self.is_true("select pg_is_in_recovery()").await? == Ok(true),
            is_read_only: lacking(Feature::Writing),
            wal_level: self.setting("wal_level").await?,
            max_connections: self.number("max_connections").await?,
            max_prepared_transactions: self.number("max_prepared_transactions").await?,
            fsync: self.switch("fsync").await?,
            synchronous_commit: self.setting("synchronous_commit").await?,
            full_page_writes: self.switch("full_page_writes").await?,
            extensions_available,
            extensions_installed,
            lacks,
        })
    }

    /// `Err(reason)` inside when the feature is missing.
    async fn look_for(&mut self, feature: Feature) -> Result<Result<(), String>, Error> {
        match Question::about(feature) {
            Question::Parses(statement) => refusal(self.session.prepare(statement).await.map(|_| ())),
            Question::Runs(statement) => Ok(self.rows(statement, &[]).await?.map(|_| ())),
            Question::IsTrue(statement, otherwise) => Ok(match self.is_true(statement).await? {
                Ok(true) => Ok(()),
                Ok(false) => Err(otherwise.to_owned()),
                Err(reason) => Err(reason),
            }),
            Question::WritesByDefault => {
                // Standbys answer "on" as well.
                let read_only = "select current_setting('transaction_read_only')";
                let answer = self.session.query_one(read_only, &[]).await.and_then(|row| row.try_get::<_, String>(0));
                Ok(match refusal(answer)? {
                    Ok(value) if value == "off" => Ok(()),
                    Ok(_) => Err("transactions are read only here".to_owned()),
                    Err(reason) => Err(reason),
                })
            }
            Question::AdvisoryLocks => self.advisory_locks_exclude().await,
        }
    }

    /// Some servers answer every request for an advisory lock with "you have it", so one session takes a lock until its
    /// transaction ends and another must not get it.
    async fn advisory_locks_exclude(&mut self) -> Result<Result<(), String>, Error> {
        const TAKE: &str = "select pg_try_advisory_xact_lock($1, $2)";
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let key: [&(dyn ToSql + Sync); 2] = [&LOCK_CLASS, &own];
        let Probe { session, rival } = self;
        let other = match rival {
            Ok(other) => other,
            Err(error) => return Ok(Err(format!("a second session to try them was refused: {}", error.kind()))),
        };
        let attempt = async {
            let holder = session.build_transaction().read_only(true).start().await?;
            holder.batch_execute(STATEMENT_LIMIT).await?;
            let got: bool = holder.query_one(TAKE, &key).await?.try_get(0)?;
            let rival = other.build_transaction().read_only(true).start().await?;
            rival.batch_execute(STATEMENT_LIMIT).await?;
            let got_too: bool = rival.query_one(TAKE, &key).await?.try_get(0)?;
            rival.rollback().await?;
            holder.rollback().await?;
            Ok((got, got_too))
        };
        Ok(match refusal(attempt.await)? {
            Ok((true, true)) => Err("two sessions were given the same lock".to_owned()),
            // If even the first did not get it, somebody holds it: then it excludes, too.
            Ok(_) => Ok(()),
            Err(reason) => Err(reason),
        })
    }

    async fn extensions(&mut self) -> Result<(BTreeSet<String>, BTreeMap<String, String>), Error> {
        let rows = self.rows(EXTENSIONS, &[]).await?.unwrap_or_default();
        let (mut available, mut installed) = (BTreeSet::new(), BTreeMap::new());
        for row in rows {
            let Ok(name) = row.try_get::<_, String>(0) else { continue };
            if let Ok(Some(version)) = row.try_get(1) {
                installed.insert(name.clone(), version);
            }
            available.insert(name);
        }
        Ok((available, installed))
    }

    async fn setting(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.text("select current_setting($1, true)", &[&name]).await
    }

    /// The only value of a statement, if it runs and gives a text.
    async fn text(&mut self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<String>, Error> {
        let rows = self.rows(statement, values).await?;
        Ok(rows.ok().and_then(|rows| rows.first()?.try_get(0).ok().flatten()))
    }

    async fn number(&mut self, name: &str) -> Result<Option<u32>, Error> {
        Ok(self.setting(name).await?.and_then(|value| value.parse().ok()))
    }

    async fn switch(&mut self, name: &str) -> Result<Option<bool>, Error> {
        Ok(self.setting(name).await?.map(|value| value == "on"))
    }

    async fn is_true(&mut self, statement: &str) -> Result<Result<bool, String>, Error> {
        let rows = self.rows(statement, &[]).await?;
        Ok(rows.map(|rows| rows.first().and_then(|row| row.try_get(0).ok()) == Some(true)))
    }

    /// Runs a statement in a read-only transaction, which is rolled back.
    async fn rows(
        &mut self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Result<Vec<Row>, String>, Error> {
        let session = &mut self.session;
        let attempt = async {
            let transaction = session.build_transaction().read_only(true).start().await?;
            transaction.batch_execute(STATEMENT_LIMIT).await?;
            let rows = transaction.query(statement, values).await?;
            transaction.rollback().await?;
            Ok(rows)
        };
        refusal(attempt.await)
    }
}

/// Tells what the server refuses, or answers in a way that we do not understand (inside), from its loss (outside).
fn refusal<T>(result: Result<T, tokio_postgres::Error>) -> Result<Result<T, String>, Error> {
    let error = match result {
        Ok(value) => return Ok(Ok(value)),
        Err(error) => error,
    };
    if ErrorClass::of_statement(&error).leaves_outcome_unknown() {
        return Err(Error::new("ask the server what it can do", Kind::Sql(error)));
    }
    Ok(Err(error.as_db_error().map_or_else(|| error.to_string(), |answer| answer.message().to_owned())))
}
