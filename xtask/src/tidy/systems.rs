//! Every system is listed, has a folder, and has its pages in the book; nothing has two of these without the third.

use super::Finding;
use crate::tree::Tree;

/// The modules of the plan: the crate's folder and its shelf in the book.
const MODULES: &[(&str, &str)] = &[("cases", "book/cases"), ("research", "book/research"), ("tools", "book/tools")];

/// The pages of a case, without `.md`. The shelf's `index.md` lists the systems.
const PAGES: &[&str] = &["requirements", "design", "schema", "verification", "performance", "operations"];

/// List = folders = pages, for each module that there is yet. The list is the `pub mod` lines of the crate's `lib.rs`;
/// what is not a system there is not public.
pub fn listed(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, shelf) in MODULES {
        let library = format!("{folder}/src/lib.rs");
        let Some(text) = tree.text(&library) else { continue };
        let systems: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
        for system in &systems {
            findings.extend(missing(tree, &library, &format!("{folder}/src/{system}/mod.rs")));
            for page in PAGES {
                findings.extend(missing(tree, &library, &format!("{shelf}/{}/{page}.md", kebab(system))));
            }
        }
        for name in folders(tree, &format!("{folder}/src")).filter(|name| !systems.contains(name)) {
            findings.push(Finding::of_file(&format!("{folder}/src/{name}"), format!("is not listed in {library}")));
        }
        for name in folders(tree, shelf).filter(|name| !systems.iter().any(|system| kebab(system) == *name)) {
            findings.push(Finding::of_file(&format!("{shelf}/{name}"), format!("is no system listed in {library}")));
        }
    }
    findings
}

fn missing(tree: &Tree, library: &str, name: &str) -> Option<Finding> {
    let there = tree.text(name).is_some_and(|text| !text.trim().is_empty());
    (!there).then(|| Finding::of_file(library, format!("lists a system without {name}")))
}

/// The folders directly inside a folder.
fn folders<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = &'a str> {
    tree.folders_and_files(folder).into_iter().filter(|name| !name.contains('.'))
}

/// Rust's `flash_sale` is `flash-sale` for people.
fn kebab(module: &str) -> String {
    module.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &[(&str, &str)] = &[
        ("cases/src/lib.rs", "//! Cases.\npub mod flash_sale;\nmod registry;\n"),
        ("cases/src/registry.rs", "//! The list."),
        ("cases/src/flash_sale/mod.rs", "//! 09-01."),
        ("book/cases/index.md", "x"),
        ("book/cases/flash-sale/requirements.md", "x"),
        ("book/cases/flash-sale/design.md", "x"),
        ("book/cases/flash-sale/schema.md", "x"),
        ("book/cases/flash-sale/verification.md", "x"),
        ("book/cases/flash-sale/performance.md", "x"),
        ("book/cases/flash-sale/operations.md", "x"),
    ];

    #[test]
    fn a_complete_system_is_acquitted() {
        assert_eq!(listed(&Tree::planted(COMPLETE)), []);
    }

    #[test]
    fn a_system_without_its_folder_or_a_page_is_convicted() {
        for absent in ["cases/src/flash_sale/mod.rs", "book/cases/flash-sale/operations.md"] {
            let rest: Vec<_> = COMPLETE.iter().filter(|(name, _)| *name != absent).copied().collect();
            let findings = listed(&Tree::planted(&rest));
            assert!(findings.len() == 1 && findings[0].message.contains(absent), "{findings:?}");
        }
    }

    #[test]
    fn a_folder_or_a_page_without_a_listed_system_is_convicted() {
        for extra in ["cases/src/ledger/mod.rs", "book/cases/ledger/design.md"] {
            let mut files = COMPLETE.to_vec();
            files.push((extra, "x"));
            assert_eq!(listed(&Tree::planted(&files)).len(), 1, "{extra}");
        }
    }
}
