//! Every system is listed, has a folder, and has its pages in both languages of the book, with the headings that
//! every system's pages have; nothing has one of these without the others.

use super::Finding;
use crate::template::{self, Language, Page, TEMPLATE};
use crate::tree::Tree;

/// The modules of the plan: the crate's folder, and the shelf's name in the book.
const MODULES: &[&str] = &["cases", "research", "tools"];

/// List = folders = pages, for each module that there is yet. The list is the `pub mod` lines of the crate's `lib.rs`;
/// what is not a system there is not public. The shelf's `index.md` lists the systems for readers.
pub fn listed(tree: &Tree) -> Vec<Finding> {
    let pages = template::pages(tree);
    let mut findings = Vec::new();
    for folder in MODULES {
        let library = format!("{folder}/src/lib.rs");
        let systems = systems(tree, folder);
        for system in &systems {
            findings.extend(missing(tree, &library, &format!("{folder}/src/{system}/mod.rs")));
            if pages.is_empty() {
                findings.extend(missing(tree, &library, TEMPLATE));
            }
            for (_, _, path) in paths(&pages, folder, system) {
                findings.extend(missing(tree, &library, &path));
            }
        }
        for name in folders(tree, &format!("{folder}/src")).filter(|name| !systems.contains(name)) {
            findings.push(Finding::of_file(&format!("{folder}/src/{name}"), format!("is not listed in {library}")));
        }
        for language in &template::LANGUAGES {
            let shelf = format!("{}/{folder}", language.root);
            for name in folders(tree, &shelf).filter(|name| !systems.iter().any(|system| kebab(system) == *name)) {
                findings
                    .push(Finding::of_file(&format!("{shelf}/{name}"), format!("is no system listed in {library}")));
            }
        }
    }
    findings
}

/// The pages of a system have the template's headings, all of them, in its order, and none besides.
pub fn headings(tree: &Tree) -> Vec<Finding> {
    let pages = template::pages(tree);
    let mut findings = Vec::new();
    for folder in MODULES {
        for system in systems(tree, folder) {
            for (page, language, path) in paths(&pages, folder, system) {
                let Some(text) = tree.text(&path) else { continue };
                findings.extend(astray(&path, text, &page.headings(language)));
            }
        }
    }
    findings
}

/// The first heading that is not the one that should stand there.
fn astray(path: &str, text: &str, wanted: &[&str]) -> Option<Finding> {
    let mut wanted = wanted.iter();
    for (index, line) in super::places::outside_fences(text) {
        let Some(found) = line.strip_prefix("## ") else { continue };
        match wanted.next() {
            Some(expected) if found.trim() == *expected => {}
            Some(expected) => {
                let message = format!("`## {expected}` should stand here, as {TEMPLATE} says");
                return Some(Finding::of_line(path, index + 1, message));
            }
            None => {
                return Some(Finding::of_line(path, index + 1, format!("{TEMPLATE} has no heading after the last")));
            }
        }
    }
    let absent = wanted.next()?;
    Some(Finding::of_file(path, format!("`## {absent}` is missing, which {TEMPLATE} asks for")))
}

/// The module's list.
fn systems<'a>(tree: &'a Tree, folder: &str) -> Vec<&'a str> {
    let library = tree.text(&format!("{folder}/src/lib.rs")).unwrap_or_default();
    library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect()
}

/// The files of a system's pages, in both languages.
fn paths<'a>(
    pages: &'a [Page],
    folder: &str,
    system: &str,
) -> impl Iterator<Item = (&'a Page, &'static Language, String)> {
    template::LANGUAGES.iter().flat_map(move |language| {
        let shelf = format!("{}/{folder}/{}", language.root, kebab(system));
        pages.iter().map(move |page| (page, language, format!("{shelf}/{}.md", page.name)))
    })
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

    const PAGES: &str = "## `design`: design / 设计\n| The idea | 思路 | a | b |\n| Cost | 代价 | a | b |\n\
        ## `operations`: operations / 运维\n| Settings | 设置 | a | b |\n";

    const COMPLETE: &[(&str, &str)] = &[
        ("cases/src/lib.rs", "//! Cases.\npub mod flash_sale;\nmod registry;\n"),
        ("cases/src/registry.rs", "//! The list."),
        ("cases/src/flash_sale/mod.rs", "//! 09-01."),
        (TEMPLATE, PAGES),
        ("book/cases/index.md", "x"),
        ("book/cases/flash-sale/design.md", "# D\n## The idea\n```\n## no heading\n```\n### Free\n## Cost\n"),
        ("book/cases/flash-sale/operations.md", "## Settings\n"),
        ("book/zh/cases/flash-sale/design.md", "## 思路\n## 代价\n"),
        ("book/zh/cases/flash-sale/operations.md", "## 设置\n"),
    ];

    fn with(path: &str, text: &str) -> Tree {
        Tree::of(COMPLETE.iter().chain([&(path, text)]).map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn a_complete_system_is_acquitted() {
        let tree = Tree::planted(COMPLETE);
        assert_eq!(listed(&tree), []);
        assert_eq!(headings(&tree), []);
    }

    #[test]
    fn a_system_without_its_folder_or_a_page_is_convicted() {
        for absent in [
            "cases/src/flash_sale/mod.rs",
            "book/cases/flash-sale/operations.md",
            "book/zh/cases/flash-sale/design.md",
            TEMPLATE,
        ] {
            let rest: Vec<_> = COMPLETE.iter().filter(|(name, _)| *name != absent).copied().collect();
            let findings = listed(&Tree::planted(&rest));
            assert!(findings.len() == 1 && findings[0].message.contains(absent), "{findings:?}");
        }
    }

    #[test]
    fn a_folder_or_a_page_without_a_listed_system_is_convicted() {
        for extra in ["cases/src/ledger/mod.rs", "book/cases/ledger/design.md", "book/zh/cases/ledger/design.md"] {
            assert_eq!(listed(&with(extra, "x")).len(), 1, "{extra}");
        }
    }

    #[test]
    fn a_heading_that_is_missing_moved_or_made_up_is_convicted() {
        let path = "book/cases/flash-sale/design.md";
        for (text, line, message) in [
            ("# D\n## The idea\n", None, "`## Cost` is missing"),
            ("## Cost\n## The idea\n", Some(1), "`## The idea` should stand here"),
            ("## The idea\n## Price\n", Some(2), "`## Cost` should stand here"),
            ("## The idea\n## Cost\n\n## More\n", Some(4), "no heading after the last"),
        ] {
            let findings = headings(&with(path, text));
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert!(finding.line == line && finding.place == path && finding.message.contains(message), "{finding:?}");
        }
    }
}
