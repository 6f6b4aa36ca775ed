//! Verdicts proved on a real server, each test with a server of its own.

#![cfg(target_os = "linux")]

mod examples;
mod fuzz;
mod safety;
mod smallbank;
mod support;
