//! Module 11: the tools, one folder a system.

pub mod capture;
pub mod mvcc;
pub mod proof;
