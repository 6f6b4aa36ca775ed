//! The pages that every system has, as `book/template.md` lists them: the document is the only place where they stand.
//!
//! It reads that document; who must obey it is the business of `tidy`, and who makes pages from it that of `new_study`.

use crate::tree::Tree;

/// The document.
pub const TEMPLATE: &str = "book/template.md";

/// Where the languages' pages are, and how a title is put together.
pub const LANGUAGES: [Language; 2] =
    [Language { root: "book", column: 0, colon: ": " }, Language { root: "book/zh", column: 1, colon: "：" }];

/// A language of the book.
#[derive(Debug)]
pub struct Language {
    /// The folder of its pages.
    pub root: &'static str,
    /// Its place in what the template says in both languages.
    column: usize,
    colon: &'static str,
}

/// One page of a system. Pairs are English and Chinese.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The file's name without `.md`.
    pub name: String,
    titles: [String; 2],
    headings: Vec<Heading>,
}

#[derive(Debug, PartialEq, Eq)]
struct Heading {
    texts: [String; 2],
    says: [String; 2],
}

impl Page {
    /// The headings of level two, in order.
    pub fn headings(&self, language: &Language) -> Vec<&str> {
        self.headings.iter().map(|heading| heading.texts[language.column].as_str()).collect()
    }

    /// A page for `system` that has every heading, and below each what is to be written there.
    pub fn skeleton(&self, system: &str, language: &Language) -> String {
        let Language { column, colon, .. } = language;
        let title = format!("# {system}{colon}{}\n", self.titles[*column]);
        let section = |heading: &Heading| format!("\n## {}\n\n{}\n", heading.texts[*column], heading.says[*column]);
        title + &self.headings.iter().map(section).collect::<String>()
    }
}

/// The pages in their order; none if the tree has no template.
pub fn pages(tree: &Tree) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    for line in tree.text(TEMPLATE).unwrap_or_default().lines() {
        if let Some(page) = page(line) {
            pages.push(page);
        } else if let (Some(page), Some(heading)) = (pages.last_mut(), heading(line)) {
            page.headings.push(heading);
        }
    }
    pages
}

/// Reads ``## `design`: design / 设计``.
fn page(line: &str) -> Option<Page> {
    let (name, titles) = line.strip_prefix("## `")?.split_once("`: ")?;
    let (english, chinese) = titles.split_once(" / ")?;
    Some(Page { name: name.to_owned(), titles: [english.to_owned(), chinese.to_owned()], headings: Vec::new() })
}

/// Reads a row of a page's table, but not its head.
fn heading(line: &str) -> Option<Heading> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [english, chinese, says, says_chinese] = cells.as_slice() else { return None };
    if english.starts_with("--") || *english == "heading" {
        return None;
    }
    let pair = |left: &str, right: &str| [left.to_owned(), right.to_owned()];
    Some(Heading { texts: pair(english, chinese), says: pair(says, says_chinese) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Pages\n\n## `design`: design / 设计\n\n| heading | 标题 | what it says | 内容 |\n|---|---|---|---|\n\
        | The idea | 思路 | Why. | 为什么。 |\n| Cost | 代价 | How much. | 多少。 |\n";

    #[test]
    fn a_page_is_made_with_what_is_to_be_written_below_each_heading() {
        let pages = pages(&Tree::planted(&[(TEMPLATE, TEXT)]));
        let [page] = pages.as_slice() else { panic!("{pages:?}") };
        assert_eq!(page.name, "design");
        assert_eq!(page.headings(&LANGUAGES[1]), ["思路", "代价"]);
        assert_eq!(
            page.skeleton("Ledger", &LANGUAGES[0]),
            "# Ledger: design\n\n## The idea\n\nWhy.\n\n## Cost\n\nHow much.\n"
        );
        assert!(page.skeleton("Ledger", &LANGUAGES[1]).starts_with("# Ledger：设计\n\n## 思路\n"));
    }

    #[test]
    fn the_template_of_this_repository_lists_the_six_pages() {
        let tree = Tree::read(&crate::tree::root()).expect("the tree is read");
        let pages = pages(&tree);
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(names, ["requirements", "design", "schema", "verification", "performance", "operations"]);
        assert!(pages.iter().all(|page| page.headings.len() >= 3), "{pages:?}");
    }
}
