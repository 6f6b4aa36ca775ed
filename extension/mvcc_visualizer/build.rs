//! Compiles the C part against the server's header files, which the same `pg_config` names as to pgrx.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

/// The variable that names the program; without it the one in the search path is asked.
const PG_CONFIG: &str = "PGRX_PG_CONFIG_PATH";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed={PG_CONFIG}");
    println!("cargo:rerun-if-changed=shim");
    let pg_config = std::env::var_os(PG_CONFIG).map_or_else(|| PathBuf::from("pg_config"), PathBuf::from);
    let said = Command::new(&pg_config).arg("--includedir-server").output()?;
    if !said.status.success() {
        return Err(format!("{} does not say where the header files are", pg_config.display()).into());
    }
    let headers = PathBuf::from(String::from_utf8(said.stdout)?.trim());
    let mut sources = Vec::new();
    for entry in std::fs::read_dir("shim")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    cc::Build::new()
        .files(sources)
        // System headers: their own warnings are not ours.
        .flag("-isystem")
        .flag(headers.to_str().ok_or("the header files' path is not UTF-8")?)
        .define("_GNU_SOURCE", None)
        .std("gnu11")
        .opt_level(2)
        // As the server itself is compiled (configure.ac of PostgreSQL).
        .flag("-fno-strict-aliasing")
        .flag("-fwrapv")
        .warnings(true)
        .extra_warnings(true)
        .flag("-Wno-unused-parameter")
        .flag("-Wno-sign-compare")
        .flag("-Wno-clobbered")
        .flag("-Werror")
        .try_compile("mvcc_shim")?;
    Ok(())
}
