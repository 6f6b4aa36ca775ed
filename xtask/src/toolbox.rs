//! Which optional tools this machine has: nextest, cargo-llvm-cov with a matching LLVM, Node.
//!
//! `./x` installs them where it can; here they are only found. What is missing is a sentence, so that a check that
//! needs it is counted as skipped with its reason.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

/// The oldest Node that `VitePress` runs on.
const NODE_OLDEST: u32 = 20;

/// What coverage is measured with.
#[derive(Clone, Debug)]
pub struct CoverageTools {
    pub cargo_llvm_cov: PathBuf,
    pub llvm_cov: PathBuf,
    pub llvm_profdata: PathBuf,
}

/// Whether `cargo nextest` can be run.
pub fn has_nextest() -> bool {
    answers(Command::new("cargo").args(["nextest", "--version"])).is_some()
}

/// The library that reads header files for the builds of PostgreSQL's parser and the extension: where the crate clang-sys looks for it.
pub fn libclang() -> Result<PathBuf> {
    let named = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    let versioned = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let versioned = versioned.filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm"));
    let usual = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let folders = named.into_iter().chain(versioned.map(|entry| entry.path().join("lib")));
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libclang.so") || name.starts_with("libclang-") && name.contains(".so")
    };
    let mut files = folders.chain(usual.map(PathBuf::from)).flat_map(|folder| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    });
    let missing = "libclang was not found (./x setup installs it; apt: libclang1-14 libclang-common-14-dev)";
    files.find(|path| is_it(path) && !path.to_string_lossy().contains("cpp")).context(missing)
}

/// Node's `npm`, when Node is new enough.
pub fn npm() -> Result<PathBuf> {
    let version = answers(Command::new("node").arg("--version")).context("Node was not found")?;
    let major = first_number(&version).context("Node did not say its version")?;
    if major < NODE_OLDEST {
        return Err(anyhow!("Node {major} is older than {NODE_OLDEST}"));
    }
    on_path("npm").context("Node is here, npm was not found")
}

/// Names under which Chromium is installed.
const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser that the page is tested in: the one that `PGSTRATA_CHROMIUM` names, else Chromium on the path.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PGSTRATA_CHROMIUM") {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(anyhow!("PGSTRATA_CHROMIUM is {}, no file", path.display()))
        };
    }
    CHROMIUM.iter().find_map(|name| on_path(name)).context("Chromium was not found (./x setup --test installs it)")
}

/// Finds cargo-llvm-cov and an LLVM that can read what this compiler writes.
pub fn coverage() -> Result<CoverageTools> {
    let rustc = answers(Command::new("rustc").arg("-vV")).context("rustc does not answer")?;
    let line = |key: &str| rustc.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let need = line("LLVM version:").and_then(first_number).context("rustc did not say its LLVM version")?;
    let host = line("host:").context("rustc did not say its host")?;
    let bin = llvm_bin(need, host).with_context(|| {
        format!("llvm-cov {need} or newer was not found (apt: llvm-{need}, or: rustup component add llvm-tools)")
    })?;
    let cargo_llvm_cov = on_path("cargo-llvm-cov")
        .or_else(|| Some(cache_dir()?.join("tools/bin/cargo-llvm-cov")).filter(|path| path.is_file()))
        .context("cargo-llvm-cov was not found (./x setup --test installs it)")?;
    Ok(CoverageTools { cargo_llvm_cov, llvm_cov: bin.0, llvm_profdata: bin.1 })
}

/// `llvm-cov` and `llvm-profdata` side by side: of the toolchain, of the oldest fitting `llvm-NN`, or unversioned.
fn llvm_bin(need: u32, host: &str) -> Option<(PathBuf, PathBuf)> {
    let sysroot = answers(Command::new("rustc").args(["--print", "sysroot"]))?;
    let component = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin");
    let mut pairs = vec![(component.join("llvm-cov"), component.join("llvm-profdata"))];
    for major in need..need + 10 {
        pairs.extend(on_path(&format!("llvm-cov-{major}")).zip(on_path(&format!("llvm-profdata-{major}"))));
    }
    pairs.extend(on_path("llvm-cov").zip(on_path("llvm-profdata")));
    pairs.into_iter().find(|(cov, profdata)| {
        let version = answers(Command::new(cov).arg("--version")).and_then(|text| llvm_major(&text));
        profdata.is_file() && version.is_some_and(|major| major >= need)
    })
}

/// The folder for downloaded tools; the same rule as `cache_dir` in `./x`.
fn cache_dir() -> Option<PathBuf> {
    let is_root = answers(Command::new("id").arg("-u")).is_some_and(|uid| uid.trim() == "0");
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let own = variable("PGSTRATA_CACHE_DIR").map(PathBuf::from);
    own.or_else(|| cache_dir_of(is_root, variable("XDG_CACHE_HOME"), variable("HOME")))
}

fn cache_dir_of(is_root: bool, xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    if is_root {
        return Some(PathBuf::from("/var/cache/pgstrata"));
    }
    let parent = xdg.map(PathBuf::from).or_else(|| Some(PathBuf::from(home?).join(".cache")))?;
    Some(parent.join("pgstrata"))
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// What a command prints when it succeeds.
fn answers(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn first_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

fn llvm_major(text: &str) -> Option<u32> {
    first_number(text.split("LLVM version").nth(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_tools_print() {
        assert_eq!(first_number("v20.20.2\n"), Some(20));
        assert_eq!(first_number("none"), None);
        assert_eq!(llvm_major("Debian LLVM version 22.1.8\n  Optimized build."), Some(22));
        assert_eq!(llvm_major("LLVM (http://llvm.org/):\n  LLVM version 19.1.7\n"), Some(19));
        assert_eq!(llvm_major("clang 22"), None);
    }

    #[test]
    fn root_has_the_machines_cache_and_a_user_has_their_own() {
        let some = |text: &str| Some(OsString::from(text));
        assert_eq!(cache_dir_of(true, some("/x"), some("/y")), Some(PathBuf::from("/var/cache/pgstrata")));
        assert_eq!(cache_dir_of(false, some("/x"), some("/y")), Some(PathBuf::from("/x/pgstrata")));
        assert_eq!(cache_dir_of(false, None, some("/y")), Some(PathBuf::from("/y/.cache/pgstrata")));
        assert_eq!(cache_dir_of(false, None, None), None);
    }
}
