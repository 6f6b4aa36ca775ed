//! `pgstrata serve`: what can be said.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::PgArgs;

/// What is shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  pgstrata serve                                      on a private server that is removed at the end
  pgstrata serve --run flash-sale                     with a run of the flash sale going on
  pgstrata serve --database-url postgresql://me@db1/shop
  pgstrata serve --listen 0.0.0.0 --name lab.example --no-open

The workbench listens on this machine only. At another address it wants a token, which is in the address that is printed;
there is no TLS, so put a proxy with TLS before it where the network is not yours. A server of somebody else's is only
read, unless --allow-write is given.";

/// `pgstrata serve`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct ServeArgs {
    /// Look at this server instead of a private one.
    #[arg(long, value_name = "URL", conflicts_with_all = ["pg_bin", "pg_version"])]
    pub database_url: Option<String>,
    /// Allow consoles and scenes to change the attached server.
    #[arg(long, requires = "database_url")]
    pub allow_write: bool,
    /// Address to listen on; any but this machine's own needs a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Port to listen on; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 7433)]
    pub port: u16,
    /// The token that browsers and programs must know; drawn, and printed with the address, when it is needed and not given.
    #[arg(long, value_name = "TOKEN", env = "PGSTRATA_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Another name of this machine by which browsers may call the workbench; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Open the browser, also where that is not done by itself.
    #[arg(long, overrides_with = "no_open")]
    pub open: bool,
    /// Do not open the browser.
    #[arg(long, overrides_with = "open")]
    pub no_open: bool,
    /// Begin with a run of this study.
    #[arg(long, value_name = "STUDY")]
    pub run: Option<String>,
    /// Where published records are.
    #[arg(long, value_name = "DIR", default_value = "record")]
    pub records: PathBuf,
    /// Where recordings and records of runs from the page are kept; otherwise in pgstrata's state directory.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Keep the history of decisions in this database, in a schema `pgstrata_history`; otherwise in a server of
    /// pgstrata's own with its data below the directory of --keep.
    #[arg(long, value_name = "URL", requires = "allow_history")]
    pub history_url: Option<String>,
    /// Allow that schema to be made in the database of --history-url, and to be written to.
    #[arg(long, requires = "history_url")]
    pub allow_history: bool,
    /// The private server's binaries.
    #[command(flatten)]
    pub server: PgArgs,
}
