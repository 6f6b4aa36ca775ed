//! Verdicts proved on a real server, each test with a server of its own.

#![cfg(target_os = "linux")]

mod safety;
mod smallbank;
mod support;
