//! What `cargo metadata` says of the workspace's own crates, as far as the rules read it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo;

/// The workspace.
#[derive(Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
}

/// One crate of the workspace.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub dependencies: Vec<Dependency>,
}

/// A dependency of any kind: normal, of the build script, or of the tests.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for a normal one, `"dev"` or `"build"`.
    pub kind: Option<String>,
}

impl Metadata {
    /// Asks cargo. Only manifests are read; nothing is downloaded.
    pub fn read(root: &Path) -> Result<Self> {
        let output = cargo::command(root, &["metadata", "--format-version=1", "--no-deps", "--offline"])
            .output()
            .context("starting cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("reading what cargo metadata prints")
    }

    /// A workspace of crates with the names of their normal dependencies, for tests of rules.
    #[cfg(test)]
    pub fn planted(crates: &[(&str, &[&str])]) -> Self {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), kind: None };
        let package = |(name, dependencies): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
        };
        Self { packages: crates.iter().map(package).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_can_be_read() {
        let metadata = Metadata::read(&crate::tree::root()).expect("cargo answers");
        assert!(metadata.packages.iter().any(|package| package.name == "xtask"));
    }
}
