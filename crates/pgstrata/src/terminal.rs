//! What the terminal can show and which language its user reads.

use std::io::IsTerminal;

use pgstrata_lab::report::Style;
use pgstrata_units::{Language, Text};

use crate::cli::Lang;

/// The terminal that results are written to.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Colours may be used.
    pub color: bool,
    /// Standard error is a terminal, so progress may be drawn.
    pub interactive: bool,
    /// Characters beyond ASCII can be shown.
    pub unicode: bool,
    /// Columns.
    pub width: u16,
    /// The reader's language.
    pub language: Language,
}

/// The width that is assumed when the output is not a terminal, columns.
const WIDTH_OF_A_FILE: u16 = 140;

impl Terminal {
    /// Looks at the standard streams and the environment (`NO_COLOR`, `COLUMNS`, `LC_ALL`, `LC_MESSAGES`, `LANG`).
    pub fn detect(lang: Option<Lang>) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let language = match lang {
            Some(Lang::En) => Language::English,
            Some(Lang::Zh) => Language::Chinese,
            None => {
                let values = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable);
                Language::from_locales(values.iter().map(Option::as_deref))
            }
        };
        let stdout = std::io::stdout().is_terminal();
        let columns = variable("COLUMNS").and_then(|value| value.parse().ok());
        let measured = terminal_size::terminal_size().map(|(width, _)| width.0);
        let width = columns.or(measured.filter(|_| stdout)).unwrap_or(WIDTH_OF_A_FILE);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default().to_lowercase();
        Self {
            unicode: !stdout || locale.contains("utf-8") || locale.contains("utf8"),
            color: stdout && variable("NO_COLOR").is_none() && variable("TERM").as_deref() != Some("dumb"),
            interactive: std::io::stderr().is_terminal(),
            width,
            language,
        }
    }

    /// How reports are written for it.
    pub fn style(self) -> Style {
        Style { color: self.color, width: self.width, unicode: self.unicode, language: self.language }
    }

    /// The text in the reader's language.
    pub fn say(self, text: Text) -> &'static str {
        text.get(self.language)
    }

    /// What an error begins with, with the space after it where the language has one.
    pub fn error_word(self) -> &'static str {
        self.say(Text { en: "error: ", zh: "错误：" })
    }

    /// What a hint begins with, likewise.
    pub fn hint_word(self) -> &'static str {
        self.say(Text { en: "hint: ", zh: "提示：" })
    }
}
