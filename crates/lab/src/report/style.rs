//! How a terminal wants its text: width, colour, character set, language. Reads no environment; the caller does.

use pgstrata_units::{Language, Text};

use super::escape;

/// What the terminal can show and what the reader wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour; the caller honours `NO_COLOR` and pipes.
    pub color: bool,
    /// Columns of the terminal.
    pub width: u16,
    /// Whether characters beyond ASCII can be shown. Chinese text is written as it is either way.
    pub unicode: bool,
    /// The language of labels.
    pub language: Language,
}

impl Default for Style {
    /// Plain English text for a pipe of 120 columns.
    fn default() -> Self {
        Self { color: false, width: 120, unicode: true, language: Language::English }
    }
}

/// What a coloured text means. Each meaning also has a symbol, so colour is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It held, or is faster.
    Good,
    /// It broke, was missed, or is slower.
    Bad,
    /// Nothing can be said, or care is needed.
    Unsure,
    /// Neither good nor bad.
    Neutral,
}

impl Meaning {
    /// The symbol of this meaning.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Unsure => "?",
            Self::Neutral => "≈",
        }
    }

    /// The SGR parameters of this meaning (ECMA-48).
    const fn sgr(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Unsure => "33",
            Self::Neutral => "0",
        }
    }
}

impl Style {
    /// A constant in the reader's language.
    #[must_use]
    pub fn label(&self, text: Text) -> String {
        self.text(text.get(self.language))
    }

    /// Any text, made safe for a terminal and reduced to ASCII signs if it must be.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let safe = escape::terminal(text);
        if self.unicode { safe } else { ascii_signs(&safe) }
    }

    /// Text with the symbol and the colour of its meaning. The text must have been through [`Self::text`].
    #[must_use]
    pub fn mark(&self, meaning: Meaning, text: &str) -> String {
        self.paint(meaning, &format!("{} {text}", self.text(meaning.symbol())))
    }

    /// Text in the colour of its meaning.
    #[must_use]
    pub fn paint(&self, meaning: Meaning, text: &str) -> String {
        if self.color && meaning != Meaning::Neutral {
            format!("\u{1b}[{}m{text}\u{1b}[0m", meaning.sgr())
        } else {
            text.to_owned()
        }
    }

    /// Bold text.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        if self.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Faint text.
    #[must_use]
    pub fn faint(&self, text: &str) -> String {
        if self.color { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Replaces the signs that our own labels and numbers use; other characters stay.
fn ascii_signs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{202f}' => out.push(','),
            '\u{a0}' => out.push(' '),
            '×' => out.push('x'),
            'µ' => out.push('u'),
            '–' | '—' | '−' => out.push('-'),
            '…' => out.push_str("..."),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            '→' => out.push_str("->"),
            '±' => out.push_str("+/-"),
            '·' => out.push('|'),
            '≈' => out.push('='),
            '✓' => out.push_str("ok"),
            '✗' => out.push('X'),
            '’' => out.push('\''),
            other => out.push(other),
        }
    }
    out
}

/// Columns that a terminal uses for the text: two for East Asian wide characters (Unicode Annex 11).
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

/// Columns of one character.
#[must_use]
pub fn character_columns(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Breaks text into lines of at most `width` columns: at spaces, between wide characters, else anywhere.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        if columns(&line) + columns(word.trim_end()) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        for character in word.chars() {
            if columns(&line) + character_columns(character) > width && character != ' ' {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    if !line.trim().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The pieces that a line may be broken between; each keeps the spaces that follow it.
fn words(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut previous = None;
    for (at, character) in text.char_indices() {
        let breaks = match previous {
            Some(' ') => character != ' ',
            Some(last) => character_columns(last) == 2 && character_columns(character) == 2 && !is_closing(character),
            None => false,
        };
        if breaks {
            pieces.push(&text[start..at]);
            start = at;
        }
        previous = Some(character);
    }
    pieces.push(&text[start..]);
    pieces
}

/// Punctuation that must not begin a line in Chinese (GB/T 15834).
fn is_closing(character: char) -> bool {
    matches!(character, '，' | '。' | '、' | '；' | '：' | '）' | '！' | '？' | '》')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_terminal_gets_ascii_signs() {
        let style = Style { unicode: false, ..Style::default() };
        assert_eq!(style.text("×473 · 114\u{202f}016\u{a0}µs ✓"), "x473 | 114,016 us ok");
    }

    #[test]
    fn colour_always_comes_with_a_symbol() {
        let style = Style { color: true, ..Style::default() };
        assert_eq!(style.mark(Meaning::Bad, "missed"), "\u{1b}[1;31m✗ missed\u{1b}[0m");
        assert_eq!(Style::default().mark(Meaning::Good, "held"), "✓ held");
    }

    #[test]
    fn long_text_wraps_at_spaces_and_between_chinese_characters() {
        assert_eq!(wrap("the stock went below zero", 10), ["the stock", "went below", "zero"]);
        assert_eq!(wrap("库存低于零，订单多于库存", 12), ["库存低于零，", "订单多于库存"]);
        assert_eq!(wrap("abcdefghijkl", 8), ["abcdefgh", "ijkl"]);
        assert_eq!(wrap("", 8), [""]);
    }
}
