//! Text in both languages, as it goes over the wire.

use pgstrata_lab::chinese::said;
use pgstrata_units::{Language, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Text that people read, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Words {
    /// English.
    pub en: String,
    /// Simplified Chinese.
    pub zh: String,
}

impl From<Text> for Words {
    fn from(text: Text) -> Self {
        Self { en: text.en.to_owned(), zh: text.zh.to_owned() }
    }
}

impl Words {
    /// An English sentence with its Chinese, which is the same where it is not known.
    #[must_use]
    pub fn of(en: &str) -> Self {
        Self { en: en.to_owned(), zh: said(en, Language::Chinese).into_owned() }
    }
}
