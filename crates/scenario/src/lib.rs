//! Scripted interleavings: who does what in which order, on a real server, and what must come of it.

pub mod hold;
pub mod language;
pub mod play;
pub mod session;
