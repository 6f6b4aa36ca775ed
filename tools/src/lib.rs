//! Module 11: the tools, one folder a system.

pub mod advisor;
pub mod mvcc;
