//! 11-01, the concurrency-control decision assistant.

pub mod log;
