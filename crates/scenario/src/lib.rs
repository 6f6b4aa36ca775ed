//! Scripted interleavings: who does what in which order, on a real server, and what must come of it.

pub mod builtin;
pub mod diff;
pub mod expected;
pub mod hold;
pub mod hunt;
pub mod interleave;
pub mod judge;
pub mod language;
pub mod matrix;
pub mod orders;
pub mod play;
pub mod run;
pub mod runner;
pub mod serial;
pub mod session;
pub mod shrink;
pub mod spec;
pub mod suite;
