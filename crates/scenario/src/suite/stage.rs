//! The server that specifications run on: private, with the settings that PostgreSQL's own tests have.

use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Error, Install, Kind, PgVersion, Profile};
use pgstrata_units::Isolation;

const CREATE_TESTED: &str = include_str!("tested.sql");
const CREATE_SERIAL: &str = include_str!("serial.sql");
const SETTINGS: &str = include_str!("settings.sql");

/// The databases' names, as in the SQL above.
const TESTED: &str = "isolation_regression";
const SERIAL: &str = "isolation_serial";

/// What the server needs beyond its defaults: `prepared-transactions` needs three at once.
const SERVER_SETTINGS: [(&str, &str); 2] = [("max_prepared_transactions", "10"), ("max_connections", "100")];

/// What `pg_regress` tells every session through its environment (`initialize_environment` in
/// `src/test/regress/pg_regress.c`); the name of the zone was another one before 17, the zone itself the same.
const SESSION_SETTINGS: [(&str, &str); 3] =
    [("DateStyle", "Postgres, MDY"), ("IntervalStyle", "postgres_verbose"), ("TimeZone", "America/Los_Angeles")];

/// A private server with one database for the specifications and one for the serial runs of the judge.
#[derive(Debug)]
pub struct Stage {
    cluster: Cluster,
    level: Option<Isolation>,
}

impl Stage {
    /// Starts the server. A level, when one is given, becomes every session's default: what a specification says itself
    /// still wins.
    pub async fn open(install: Install, level: Option<Isolation>) -> Result<Self, Error> {
        Self::open_as(ClusterSpec::new(install, Profile::FastTest), level).await
    }

    /// The same for a server with settings of its own, for example a library that watches.
    pub async fn open_as(mut spec: ClusterSpec, level: Option<Isolation>) -> Result<Self, Error> {
        for (name, value) in SERVER_SETTINGS {
            spec = spec.with_setting(name, value);
        }
        let cluster = Cluster::create(spec).await?;
        let admin = cluster.endpoint().connect().await?;
        run(&admin, CREATE_TESTED).await?;
        run(&admin, CREATE_SERIAL).await?;
        admin.close().await;
        for name in [TESTED, SERIAL] {
            let session = cluster.endpoint().with_database(name).connect().await?;
            run(&session, SETTINGS).await?;
            session.close().await;
        }
        Ok(Self { cluster, level })
    }

    /// Where specifications run.
    #[must_use]
    pub fn tested(&self) -> Endpoint {
        self.database(TESTED)
    }

    /// Where their transactions run again in serial orders.
    #[must_use]
    pub fn serial(&self) -> Endpoint {
        self.database(SERIAL)
    }

    fn database(&self, name: &str) -> Endpoint {
        let mut endpoint = self.cluster.endpoint().with_database(name);
        for (name, value) in SESSION_SETTINGS {
            endpoint = endpoint.with_setting(name, value);
        }
        match self.level {
            Some(level) => endpoint.with_setting("default_transaction_isolation", level.sql()),
            None => endpoint,
        }
    }

    /// The server's version.
    #[must_use]
    pub fn version(&self) -> PgVersion {
        self.cluster.version()
    }

    /// The server.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

async fn run(session: &pgstrata_pg::Session, sql: &str) -> Result<(), Error> {
    let result = session.batch_execute(sql).await;
    result.map_err(|source| Error::new("prepare a database for specifications", Kind::Sql(source)))
}
