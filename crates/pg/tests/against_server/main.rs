//! What sessions, quoting and probing do against real servers of this machine; each test has a server of its own.
//!
//! One test program, so that the tests link once and share their way of getting a server.

mod attach;
mod decoding;
mod quote;
mod session;
mod settings;
mod simple;
mod support;
