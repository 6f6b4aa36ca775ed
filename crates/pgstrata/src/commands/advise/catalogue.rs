//! The tables of a database, read from its catalogue as definitions, in a session that may only read.

use anyhow::Context as _;
use pgstrata_pg::{AttachPolicy, Attached, Endpoint};
use pgstrata_sqltext::schema::CATALOGUE_QUERY;
use pgstrata_tools::advisor::input::SourceText;

/// What places in the definitions are told by.
const SOURCE: &str = "catalogue";

/// Reads the definitions of a database.
pub async fn definitions(url: &str) -> anyhow::Result<SourceText> {
    let attached = Attached::open(Endpoint::parse(url)?, AttachPolicy::ReadOnly).await?;
    let session = attached.endpoint().connect().await?;
    let rows = session.query(CATALOGUE_QUERY, &[]).await.context("could not read the catalogue")?;
    session.close().await;
    let statements: Vec<String> = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    Ok(SourceText::new(SOURCE, statements.join(";\n") + ";\n"))
}
