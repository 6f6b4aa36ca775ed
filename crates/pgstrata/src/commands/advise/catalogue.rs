//! The tables of a database, read from its catalogue in a session that may only read.

use pgstrata_lab::error::LabError;
use pgstrata_pg::{AttachPolicy, Attached, Endpoint};
use pgstrata_sqltext::Schema;

/// Reads the schema of a database.
pub async fn schema(url: &str) -> anyhow::Result<Schema> {
    let attached = Attached::open(Endpoint::parse(url)?, AttachPolicy::ReadOnly).await?;
    let _ = attached;
    Err(LabError::usage("--database-url is not there yet", "give the tables with --schema").into())
}
