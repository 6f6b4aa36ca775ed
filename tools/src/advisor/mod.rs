//! System 11-01, the concurrency-control assistant: which isolation level, lock or version each transaction needs, proved
//! on a server and priced by measurement.

pub mod grid;
pub mod ranking;
pub mod value;
