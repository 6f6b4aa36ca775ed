//! The MVCC debugger against real servers.

mod bounds;
mod extension;
mod limits;
mod log_lost;
mod pages;
mod recordings;
mod seats;
mod sql_tier;
mod tracks;
