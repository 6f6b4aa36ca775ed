//! The MVCC debugger against real servers.

mod extension;
mod limits;
mod pages;
mod recordings;
mod seats;
mod sql_tier;
mod tracks;
