//! Rules about places: nothing in the tree may depend on one machine, and what the documents point to is there.

use std::path::{Component, Path, PathBuf};

use super::Finding;
use crate::tree::Tree;

/// Folders that exist on somebody's machine and not on everybody's. Written in pieces, or this file would be convicted.
const MACHINE_FOLDERS: &[&[&str]] = &[&["", "home", ""], &["", "root", ""], &["", "work", ""], &["", "Users", ""]];

/// Places below them that are the same on every machine that has them.
const PUBLIC_FOLDERS: &[&[&str]] = &[&["", "home", "linuxbrew", ""]];

/// Package registries, in pieces. A clone must build through whatever mirror its owner's clients are set to.
const REGISTRIES: &[&[&str]] = &[
    &["crates", "io"],
    &["pypi", "org"],
    &["pythonhosted", "org"],
    &["npmjs", "org"],
    &["npmjs", "com"],
    &["yarnpkg", "com"],
    &["deb", "debian", "org"],
    &["security", "debian", "org"],
];

/// Cargo itself writes where a crate came from, and needs it.
const WRITTEN_BY_CARGO: &str = "Cargo.lock";

/// No absolute path of somebody's machine.
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let folders: Vec<String> = MACHINE_FOLDERS.iter().map(|parts| parts.join("/")).collect();
    let public: Vec<String> = PUBLIC_FOLDERS.iter().map(|parts| parts.join("/")).collect();
    convict(tree.files(), |line| {
        let folder = folders.iter().find(|folder| {
            // Behind a name, a dot or a closing brace the folder is inside something else.
            line.match_indices(folder.as_str())
                .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}*)>".contains(c)))
                .any(|(at, _)| !public.iter().any(|public| line[at..].starts_with(public)))
        })?;
        Some(format!("`{folder}…` is a place on one machine"))
    })
}

/// No registry host: not in a script, not in a lock file of npm, not in a document.
pub fn registry_hosts(tree: &Tree) -> Vec<Finding> {
    let hosts: Vec<String> = REGISTRIES.iter().map(|parts| parts.join(".")).collect();
    convict(tree.files().filter(|(name, _)| !name.ends_with(WRITTEN_BY_CARGO)), |line| {
        let host = hosts.iter().find(|host| line.contains(host.as_str()))?;
        // npm leaves them out with `omit-lockfile-registry-resolved=true` in .npmrc.
        Some(format!("`{host}`: leave it to the package client which registry it asks"))
    })
}

/// Relative links in the documents lead somewhere. The book's own build checks the links between its pages.
pub fn dead_links(tree: &Tree) -> Vec<Finding> {
    let documents = tree.with_extension("md").filter(|(name, _)| !name.starts_with("book/"));
    let mut findings = Vec::new();
    for (name, text) in documents {
        for (index, line) in outside_fences(text) {
            let dead = targets(line).filter(|target| is_relative(target)).find(|target| {
                let path = target.split(['#', '?']).next().unwrap_or(target);
                !path.is_empty() && !tree.has(&resolve(name, path))
            });
            findings.extend(dead.map(|target| Finding::of_line(name, index + 1, format!("nothing is at `{target}`"))));
        }
    }
    findings
}

fn convict<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)>,
    guilty: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in files {
        for (index, line) in text.lines().enumerate() {
            findings.extend(guilty(line).map(|message| Finding::of_line(name, index + 1, message)));
        }
    }
    findings
}

/// The lines that are not inside a code block, with their indices.
pub(super) fn outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of `[text](target)` and `<img src="target">`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let markdown = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let html = line.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    markdown.chain(html)
}

fn is_relative(target: &str) -> bool {
    !target.starts_with('#') && !target.contains("://") && !target.starts_with("mailto:")
}

/// The path from the root of what `target` means in the document `name`.
fn resolve(name: &str, target: &str) -> String {
    let mut path = PathBuf::from(name);
    path.pop();
    for part in Path::new(target.trim_end_matches('/')).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(part) => path.push(part),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&Tree) -> Vec<Finding>, name: &str, text: &str) -> Vec<Option<usize>> {
        rule(&Tree::planted(&[(name, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_path_of_somebodys_machine_is_convicted() {
        for folder in MACHINE_FOLDERS {
            let path = format!("{}me/x", folder.join("/"));
            assert_eq!(lines(machine_paths, "a.md", &format!("fine\nsee {path}\n")), [Some(2)], "{path}");
            assert_eq!(lines(machine_paths, "a.md", &format!("target{path} $XDG_{path} ~{path}\n")), [], "{path}");
        }
        assert_eq!(lines(machine_paths, "a.md", &format!("brew: {}\n", PUBLIC_FOLDERS[0].join("/"))), []);
    }

    #[test]
    fn a_registry_host_is_convicted_except_where_cargo_writes_it() {
        let text = format!("a\nhttps://{}/x\n", REGISTRIES[0].join("."));
        assert_eq!(lines(registry_hosts, "book/package-lock.json", &text), [Some(2)]);
        assert_eq!(lines(registry_hosts, "Cargo.lock", &text), []);
    }

    #[test]
    fn a_link_to_nothing_is_convicted() {
        let tree = |text| Tree::planted(&[("docs/a.md", text), ("README.md", ""), ("docs/plots/x.svg", "")]);
        assert_eq!(dead_links(&tree("see [b](b.md)\n")).len(), 1);
        assert_eq!(dead_links(&tree("<img src=\"plots/y.svg\">\n")).len(), 1);
        let fine = "[r](../README.md#top) [p](plots/) ![x](./plots/x.svg) [w](https://example.org) [h](#here)\n";
        assert_eq!(dead_links(&tree(fine)), []);
        assert_eq!(dead_links(&tree("```\n[b](b.md)\n```\n")), []);
    }
}
