//! Pages and versions folded from the log of real servers, compared with the servers' own pages, and the stream that
//! the log comes on.

#![cfg(target_os = "linux")]

mod history;
mod mutation;
mod pages;
mod stream;
mod support;
mod workload;
