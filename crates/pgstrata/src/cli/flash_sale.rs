//! `pgstrata flash-sale`: what can be said.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{ServerArgs, duration};

const SERVE_EXAMPLES: &str = "\
Examples:
  pgstrata flash-sale serve --stock 100
  curl -i 127.0.0.1:7434/purchases -H 'Idempotency-Key: 018f6b3e-0000-7000-8000-000000000001' \\
       -H 'Content-Type: application/json' -d '{\"product_id\":1,\"user_id\":7}'
  curl 127.0.0.1:7434/purchases/018f6b3e-0000-7000-8000-000000000001
  pgstrata flash-sale serve --database-url postgresql://app@db1/shop --allow-write

The front listens on this machine only; what faces the internet (TLS, authentication) belongs before it.";

/// `pgstrata flash-sale`.
#[derive(Debug, Subcommand)]
pub enum FlashSaleCommand {
    /// Serve the flash sale over HTTP until Ctrl-C: reserve, pay, look up.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(SaleArgs),
}

/// `pgstrata flash-sale serve`.
#[derive(Debug, Args)]
pub struct SaleArgs {
    /// Port on 127.0.0.1.
    #[arg(long, value_name = "PORT", default_value_t = 7434)]
    pub port: u16,
    /// Units of each product; a shop that is there already keeps its own stock.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
    pub stock: i64,
    /// Products, numbered from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    pub products: i64,
    /// How long a reservation can be paid.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    pub hold: Duration,
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}
