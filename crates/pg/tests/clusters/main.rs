//! Servers of our own, from outside: what is claimed about a server is checked by SQL, by the process list, and by the
//! file system. Each test makes its own server; none needs another's.
//!
//! Linux only, because it looks into `/proc` and `/dev/shm`.

#![cfg(target_os = "linux")]

mod kept;
mod lifecycle;
mod reach;
mod reclaim;
mod refusals;
mod settings;
mod standby;
mod support;
