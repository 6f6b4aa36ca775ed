//! Puts HTML together. Every text that goes in is escaped here, so that no view can forget to.

use crate::report::escape::markup;
use crate::report::style::Meaning;

/// A piece of a page that is being written.
#[derive(Default)]
pub(super) struct Html {
    out: String,
}

/// A cell of a table.
pub(super) struct Cell {
    text: String,
    meaning: Meaning,
    is_number: bool,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), meaning: Meaning::Neutral, is_number: false }
    }

    pub(super) fn number(text: impl Into<String>) -> Self {
        Self { text: text.into(), meaning: Meaning::Neutral, is_number: true }
    }

    pub(super) fn marked(meaning: Meaning, text: impl Into<String>) -> Self {
        Self { text: text.into(), meaning, is_number: false }
    }

    pub(super) fn aligned(self, is_number: bool) -> Self {
        Self { is_number, ..self }
    }
}

/// The class of a meaning.
pub(super) const fn class(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Good => "good",
        Meaning::Bad => "bad",
        Meaning::Unsure => "unsure",
        Meaning::Neutral => "neutral",
    }
}

impl Html {
    /// Markup that was made here or in another view and is safe already.
    pub(super) fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
        self.out.push('\n');
    }

    /// An element of one text.
    pub(super) fn element(&mut self, name: &str, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.raw(&format!("<{name}{class}>{}</{name}>", markup(text)));
    }

    pub(super) fn heading(&mut self, level: u8, id: &str, text: &str) {
        self.raw(&format!("<h{level} id=\"{}\">{}</h{level}>", markup(id), markup(text)));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.element("p", "", text);
    }

    /// A paragraph with the symbol and the colour of its meaning.
    pub(super) fn marked(&mut self, meaning: Meaning, text: &str) {
        self.element("p", class(meaning), &format!("{} {text}", meaning.symbol()));
    }

    pub(super) fn code(&mut self, text: &str) {
        self.raw(&format!("<pre><code>{}</code></pre>", markup(text)));
    }

    /// A list of names and what they stand for.
    pub(super) fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        self.raw("<dl>");
        for (name, value) in facts {
            self.raw(&format!("<dt>{}</dt><dd>{}</dd>", markup(name), markup(&value)));
        }
        self.raw("</dl>");
    }

    /// A table in a part of the page that scrolls sideways. The first cell of each row is its heading.
    pub(super) fn table(&mut self, caption: &str, headings: &[(String, bool)], rows: &[Vec<Cell>]) {
        // Keyboards can only scroll what they can focus.
        self.raw(&format!("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">", markup(caption)));
        self.raw(&format!("<table><caption>{}</caption>\n<thead><tr>", markup(caption)));
        for (text, is_number) in headings {
            let class = if *is_number { " class=\"number\"" } else { "" };
            self.raw(&format!("<th scope=\"col\"{class}>{}</th>", markup(text)));
        }
        self.raw("</tr></thead>\n<tbody>");
        for row in rows {
            self.raw("<tr>");
            for (place, cell) in row.iter().enumerate() {
                self.cell(cell, place == 0);
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>");
    }

    fn cell(&mut self, cell: &Cell, is_heading: bool) {
        let mut classes = Vec::new();
        if cell.is_number {
            classes.push("number");
        }
        if cell.meaning != Meaning::Neutral {
            classes.push(class(cell.meaning));
        }
        let class = if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) };
        let text = markup(&cell.text);
        if is_heading {
            self.raw(&format!("<th scope=\"row\"{class}>{text}</th>"));
        } else {
            self.raw(&format!("<td{class}>{text}</td>"));
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}
