//! Text in both languages that is put together at run time; constants are [`pgstrata_units::Text`].

use pgstrata_lab::chinese::said;
use pgstrata_units::{Language, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Text that people read, in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Words {
    /// English.
    pub en: String,
    /// 简体中文.
    pub zh: String,
}

impl Words {
    /// Both languages.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// An English sentence with its Chinese, which is the same where it is not known.
    #[must_use]
    pub fn of(en: &str) -> Self {
        Self::new(en, said(en, Language::Chinese))
    }

    /// The text in `language`.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

impl From<Text> for Words {
    fn from(text: Text) -> Self {
        Self::new(text.en, text.zh)
    }
}
