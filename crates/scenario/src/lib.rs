//! Scripted interleavings: who does what in which order, on a real server, and what must come of it.

pub mod diff;
pub mod expected;
pub mod runner;
pub mod serial;
pub mod session;
pub mod spec;
pub mod suite;
