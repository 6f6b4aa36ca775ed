//! The workbench over real sockets, on real servers.

mod advisor;
mod consoles;
mod hostile;
mod live;
mod memory;
mod pages;
mod recordings;
mod records;
mod runs;
mod support;
