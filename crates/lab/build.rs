//! Compiles the fsync shim into a shared object of its own, for `src/faults/fsync.rs` to embed.
//!
//! It is not a cargo crate, because the flags of the workspace (coverage counters above all) must not reach a library
//! that is loaded into PostgreSQL: `rustc` is called directly and reads no `RUSTFLAGS`. Not Linux: nothing is built.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "shim/fsync_shim.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let library = PathBuf::from(variable("OUT_DIR")).join("fsync_shim.so");
    let mut compiler = Command::new(variable("RUSTC"));
    compiler
        .args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "fsync_shim"])
        .args(["--target", &variable("TARGET")])
        .args(["-C", "panic=abort", "-C", "opt-level=2", "-C", "strip=symbols"])
        .arg("-o")
        .arg(&library)
        .arg(SOURCE);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        compiler.args(["-C", &format!("linker={linker}")]);
    }
    let status = compiler.status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "could not compile {SOURCE} with {compiler:?}: {status:?}"
    );
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name} for build scripts: {error}"))
}
