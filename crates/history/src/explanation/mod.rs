//! Findings in sentences: why each transaction of a cycle comes before the next, or what a read shows that it must not.
//!
//! In both languages of the product, because what is said depends on the history and cannot be a constant.

mod edges;
mod observations;
mod words;

use std::fmt::Write as _;

use pgstrata_units::Language;
use serde::{Deserialize, Serialize};

use crate::model::History;
use crate::verdict::Finding;

pub(crate) use words::operation as operation_in_words;

/// A sentence in English and in Chinese.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// English.
    pub en: String,
    /// Simplified Chinese.
    pub zh: String,
}

impl Sentence {
    /// The sentence in a language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

/// A finding in sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What it is.
    pub summary: Sentence,
    /// One for each edge of the cycle, or for what was seen.
    pub steps: Vec<Sentence>,
}

impl Finding {
    /// Says why it is what it is. The history is the one in which it was found.
    #[must_use]
    pub fn explain(&self, history: &History) -> Explanation {
        if self.cycle.is_empty() {
            let steps = self.observation.iter().map(|seen| observations::sentence(self, seen, history)).collect();
            return Explanation { summary: self.meaning(), steps };
        }
        let mut order = self.transactions.iter().fold(String::new(), |mut order, transaction| {
            // Writing to a string cannot fail.
            let _ = write!(order, "{transaction} < ");
            order
        });
        let _ = write!(order, "{}", self.transactions[0]);
        let Sentence { en, zh } = self.meaning();
        let summary = Sentence { en: format!("{en} {order}"), zh: format!("{zh}{order}") };
        Explanation { summary, steps: self.cycle.iter().map(|edge| edges::sentence(edge, history)).collect() }
    }

    fn meaning(&self) -> Sentence {
        let meaning = self.anomaly.meaning();
        Sentence {
            en: format!("{}: {}.", self.anomaly, meaning.en), zh: format!("{}：{}。", self.anomaly, meaning.zh)
        }
    }
}

#[cfg(test)]
mod tests;
