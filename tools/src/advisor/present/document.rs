//! A small document (headings, paragraphs, tables, code) and its two forms, Markdown and HTML. What is in it is decided
//! elsewhere; here it is only escaped and laid out.

use std::fmt::Write as _;

use pgstrata_lab::report::escape;
use serde::{Deserialize, Serialize};

/// A part of a document. Paragraphs, items and cells may hold `code` between backticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading; 1 is the title.
    Heading(usize, String),
    /// Running text.
    Paragraph(String),
    /// Items with bullets.
    List(Vec<String>),
    /// A table: its heads, and its rows.
    Table(Vec<String>, Vec<Vec<String>>),
    /// Text as it is, in a language for highlighting.
    Code(String, String),
}

/// Parts in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document {
    /// The parts.
    pub blocks: Vec<Block>,
}

/// No script runs and nothing is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE_SHEET: &str = include_str!("document.css");

impl Document {
    /// Adds a heading.
    pub fn heading(&mut self, level: usize, text: impl Into<String>) {
        self.blocks.push(Block::Heading(level, text.into()));
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let parts: Vec<String> = self.blocks.iter().map(markdown).collect();
        parts.join("\n\n") + "\n"
    }

    /// As one self-contained page.
    #[must_use]
    pub fn html(&self, language: &str) -> String {
        let title = self.blocks.iter().find_map(|block| match block {
            Block::Heading(1, text) => Some(escape::markup(text)),
            _ => None,
        });
        let title = title.unwrap_or_default();
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{STYLE_SHEET}</style>\n</head>\n<body>\n<main>\n"
        );
        for block in &self.blocks {
            page.push_str(&html(block));
            page.push('\n');
        }
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }
}

fn markdown(block: &Block) -> String {
    match block {
        Block::Heading(level, text) => format!("{} {}", "#".repeat(*level), plain(text)),
        Block::Paragraph(text) => plain(text),
        Block::List(items) => items.iter().map(|item| format!("* {}", plain(item))).collect::<Vec<_>>().join("\n"),
        Block::Table(heads, rows) => {
            let row = |cells: &[String]| {
                format!(
                    "| {} |",
                    cells.iter().map(|cell| plain(cell).replace('|', "\\|")).collect::<Vec<_>>().join(" | ")
                )
            };
            let mut lines = vec![row(heads), format!("|{}", "---|".repeat(heads.len()))];
            lines.extend(rows.iter().map(|cells| row(cells)));
            lines.join("\n")
        }
        Block::Code(language, text) => {
            // A fence longer than any in the text.
            let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
            let fence = "`".repeat(longest.max(2) + 1);
            format!("{fence}{language}\n{}\n{fence}", text.trim_end())
        }
    }
}

/// One line, and nothing in it that Markdown or HTML inside it would take for markup, but for code between backticks.
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(line.len());
    // A backtick without a second one begins no code.
    let closed = line.matches('`').count() / 2 * 2;
    for (number, part) in line.split('`').enumerate() {
        if number > 0 {
            out.push_str(if number <= closed { "`" } else { "\\`" });
        }
        if number % 2 == 1 && number < closed {
            out.push_str(part);
            continue;
        }
        for character in part.chars() {
            if matches!(character, '<' | '>' | '*' | '_' | '[' | ']' | '\\' | '#') {
                out.push('\\');
            }
            out.push(character);
        }
    }
    out
}

fn html(block: &Block) -> String {
    match block {
        Block::Heading(level, text) => format!("<h{level}>{}</h{level}>", inline(text)),
        Block::Paragraph(text) => format!("<p>{}</p>", inline(text)),
        Block::List(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("<li>{}</li>", inline(item))).collect();
            format!("<ul>{}</ul>", items.concat())
        }
        Block::Table(heads, rows) => {
            let mut table = String::from("<div class=\"wide\"><table><thead><tr>");
            for head in heads {
                let _ = write!(table, "<th scope=\"col\">{}</th>", inline(head));
            }
            table.push_str("</tr></thead><tbody>");
            for row in rows {
                let cells: Vec<String> = row.iter().map(|cell| format!("<td>{}</td>", inline(cell))).collect();
                let _ = write!(table, "<tr>{}</tr>", cells.concat());
            }
            table + "</tbody></table></div>"
        }
        Block::Code(_, text) => format!("<pre tabindex=\"0\"><code>{}</code></pre>", escape::markup(text)),
    }
}

/// Escaped text, with code between backticks.
fn inline(text: &str) -> String {
    let closed = text.matches('`').count() / 2 * 2;
    let parts = text.split('`').enumerate();
    parts
        .map(|(number, part)| {
            let part = escape::markup(part);
            if number % 2 == 1 && number < closed { format!("<code>{part}</code>") } else { part }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Document {
        let mut document = Document::default();
        document.heading(1, "<script>alert(1)</script>");
        document.paragraph("a_b and `c_d` and [x](javascript:y)");
        document.blocks.push(Block::Table(vec!["a|b".to_owned()], vec![vec!["<b>".to_owned()]]));
        document.blocks.push(Block::Code("sql".to_owned(), "select '```';".to_owned()));
        document
    }

    #[test]
    fn nothing_of_a_text_becomes_markup() {
        let page = hostile().html("en");
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("<code>c_d</code>"));
        let text = hostile().markdown();
        let expected = "# \\<script\\>alert(1)\\</script\\>\n\na\\_b and `c_d` and \\[x\\](javascript:y)\n\n\
            | a\\|b |\n|---|\n| \\<b\\> |\n\n````sql\nselect '```';\n````\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_backtick_alone_opens_nothing() {
        let mut document = Document::default();
        document.paragraph("`a` and `<img src=x onerror=alert(1)>");
        assert_eq!(document.markdown(), "`a` and \\`\\<img src=x onerror=alert(1)\\>\n");
        assert!(!document.html("en").contains("<img"), "{}", document.html("en"));
    }
}
