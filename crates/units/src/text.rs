//! Text that a reader sees, in the two languages of the product, and the choice between them.
//!
//! Both languages are constants of the program, so a missing translation does not compile. There is no
//! formatting and no catalogue here; the environment is read by the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A constant that people read, in English and in Chinese.
///
/// Neither field is ever empty; the tests of the crates that own texts check theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl Text {
    /// The text in `language`.
    #[must_use]
    pub const fn get(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

/// A language of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    /// English, also whenever the reader's wish is not known.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Simplified Chinese.
    #[serde(rename = "zh")]
    Chinese,
}

impl Language {
    /// All languages, in the order in which documentation shows them.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The language code of ISO 639-1: `en` or `zh`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// The language of the first variable that is set and not empty, English if there is none.
    ///
    /// Pass the values of `LC_ALL`, `LC_MESSAGES` and `LANG` in this order: it is their precedence in POSIX
    /// (Base Definitions, 8.2 Internationalization Variables), where an empty variable counts as unset.
    /// A locale of a third language gives English.
    #[must_use]
    pub fn from_locales<'a>(variables: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        variables.into_iter().flatten().find(|value| !value.is_empty()).map_or(Self::English, Self::from_locale)
    }

    /// The language of one locale name (`zh_CN.UTF-8`, `zh-Hans`, `C`); English for any that is not Chinese.
    #[must_use]
    pub fn from_locale(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

/// A language that the product does not speak; only `en` and `zh` are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {0:?}, expected en or zh")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// Reads a language code, unlike [`Language::from_locale`] strictly: it is for what a user typed.
    fn from_str(code: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.code() == code).ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_in_the_chosen_language() {
        let text = Text { en: "stock", zh: "库存" };
        assert_eq!(text.get(Language::English), "stock");
        assert_eq!(text.get(Language::Chinese), "库存");
    }

    #[test]
    fn locales_are_read_in_the_order_of_posix() {
        let check = |variables: [Option<&str>; 3], expected| assert_eq!(Language::from_locales(variables), expected);
        check([None, None, None], Language::English);
        check([None, None, Some("zh_CN.UTF-8")], Language::Chinese);
        check([Some("C.UTF-8"), None, Some("zh_CN.UTF-8")], Language::English);
        check([Some(""), Some("zh-Hans"), Some("en_US")], Language::Chinese);
        check([None, None, Some("zhuang")], Language::English);
        check([None, None, Some("ZH")], Language::Chinese);
        check([Some("fr_FR@euro"), None, None], Language::English);
    }

    #[test]
    fn a_code_that_was_typed_is_read_strictly() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        assert_eq!("zh_CN".parse::<Language>(), Err(UnknownLanguage("zh_CN".to_owned())));
    }
}
