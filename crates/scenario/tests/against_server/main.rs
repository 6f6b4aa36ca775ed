//! Scripts against real servers of this machine; each test has a server of its own.
//!
//! One test program, so that the tests link once and share their way of getting a server.

mod interleave;
mod sessions;
mod suite;
