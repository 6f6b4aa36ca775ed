//! `mvcc_visualizer`: every version of a row that is still on disk, with who sees it and why, as SQL functions.
//!
//! Reads pages as they are and leaves them so: no pruning, no hint bits, no log records, no waiting for locks. What can
//! be decided without a server is in `pgstrata-tuple`; here is the way from the server's memory to rows. The SQL side is
//! `mvcc_visualizer--1.0.sql`, written by hand.

use pgrx::prelude::*;

mod attempt;
mod call;
mod columns;
mod header;
mod horizon;
mod key;
mod knowledge;
mod limits;
mod live;
mod page;
mod rows;
mod shim;
mod show;
mod snapshot;
mod ssi;
mod table;
mod version;
mod viewer;
mod waits;

pg_module_magic!(name, version);

/// What the server calls when the library is loaded.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    limits::register();
    // Reserves the prefix of our settings, so it comes after all of them.
    shim::preload();
}
