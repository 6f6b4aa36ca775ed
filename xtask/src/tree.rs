//! The repository's text: every file that git tracks or would track. It reads; it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the repository that this task was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Text files by their path from the root, written with `/`.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
    /// Files that are no text: pictures, fixtures of bytes.
    others: BTreeSet<String>,
}

impl Tree {
    /// Reads the repository at `root`. Of files that are not UTF-8 (pictures) only the names.
    pub fn read(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("starting git to list the tree's files")?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
        let mut tree = Self::default();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            // A deleted file is still listed until the deletion is committed.
            let Ok(bytes) = std::fs::read(root.join(name)) else { continue };
            match String::from_utf8(bytes) {
                Ok(text) => drop(tree.files.insert(name.to_owned(), text)),
                Err(_) => drop(tree.others.insert(name.to_owned())),
            }
        }
        Ok(tree)
    }

    /// A tree of these files; of two with the same name the last counts.
    #[cfg(test)]
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { files: files.into_iter().collect(), others: BTreeSet::new() }
    }

    /// This tree, pictures and all, with these files in it too or instead of what it has under their names.
    pub fn with(mut self, files: impl IntoIterator<Item = (String, String)>) -> Self {
        self.files.extend(files);
        self
    }

    /// A tree of these files, for tests of rules.
    #[cfg(test)]
    pub fn planted(files: &[(&str, &str)]) -> Self {
        Self::of(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    /// All files, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The files whose names end in `.extension`.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(name, _)| Path::new(name).extension().is_some_and(|own| own == extension))
    }

    /// The text of one file.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Whether a file of that name, or a folder with files in it, is there.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.others.contains(name) || !self.folders_and_files(name).is_empty()
    }

    /// The names directly inside a folder, once each.
    pub fn folders_and_files(&self, folder: &str) -> Vec<&str> {
        let prefix = format!("{folder}/");
        let mut names: Vec<&str> = self
            .files
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix))
            .map(|rest| rest.split_once('/').map_or(rest, |(first, _)| first))
            .collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file(), "no Cargo.lock in {}", root().display());
    }

    #[test]
    fn untracked_files_are_read_and_ignored_ones_are_not() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let status = Command::new("git").args(["init", "--quiet"]).current_dir(folder.path()).status();
        assert!(status.expect("git starts").success());
        for (name, text) in [(".gitignore", "ignored\n"), ("ignored", ""), ("new.rs", "//! New.")] {
            std::fs::write(folder.path().join(name), text).expect("write");
        }
        std::fs::write(folder.path().join("picture.png"), [0x89, 0xFF]).expect("write");
        let tree = Tree::read(folder.path()).expect("listing");
        assert!(tree.has("picture.png") && tree.text("picture.png").is_none(), "no text, but there");
        assert_eq!(tree.files().map(|(name, _)| name).collect::<Vec<_>>(), [".gitignore", "new.rs"]);
        assert_eq!(tree.text("new.rs"), Some("//! New."));
        let more = tree.with([("more.md".to_owned(), "text".to_owned())]);
        assert!(more.has("picture.png") && more.text("more.md") == Some("text"), "what is added takes nothing away");
    }

    #[test]
    fn a_folder_is_there_when_it_holds_a_file() {
        let tree = Tree::planted(&[("a/b/c.md", ""), ("a/b/d.md", ""), ("a/e.md", "")]);
        assert!(tree.has("a/b") && tree.has("a/e.md") && !tree.has("a/c.md"));
        assert_eq!(tree.folders_and_files("a"), ["b", "e.md"]);
    }
}
