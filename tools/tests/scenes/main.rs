//! Scenes and consoles on a real server: each scene comes out as it says, and what was done can be done again from a file.

#![cfg(target_os = "linux")]

mod claims;
mod consoles;
mod pictures;
mod support;
