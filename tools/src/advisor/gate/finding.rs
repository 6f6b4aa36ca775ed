//! What a finding is: a rule that a program breaks, where, and why it may not count.

use pgstrata_sqltext::Span;
use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

use crate::advisor::Words;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something to tidy up.
    Note,
    /// Could not be shown to be safe.
    Warning,
    /// Shown to be unsafe.
    Error,
}

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A program runs at a level at which some execution is not serializable.
    UnsafeLevel,
    /// A program that should be one transaction is several.
    SplitTransaction,
    /// It could not be shown that a program's level is safe, nor that it is not.
    NotShownSafe,
    /// A statement was not understood.
    NotAnalysed,
    /// A pragma accepts a finding that there is not.
    UnusedAcceptance,
}

impl Rule {
    /// All rules, in the order in which they are listed.
    pub const ALL: [Self; 5] =
        [Self::UnsafeLevel, Self::SplitTransaction, Self::NotShownSafe, Self::NotAnalysed, Self::UnusedAcceptance];

    /// The name that tools show, stable over releases.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::UnsafeLevel => "unsafe-level",
            Self::SplitTransaction => "split-transaction",
            Self::NotShownSafe => "not-shown-safe",
            Self::NotAnalysed => "not-analysed",
            Self::UnusedAcceptance => "unused-acceptance",
        }
    }

    /// How much it weighs.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            // What was not understood may do anything, so it is as bad as what is known to go wrong.
            Self::UnsafeLevel | Self::SplitTransaction | Self::NotAnalysed => Severity::Error,
            Self::NotShownSafe => Severity::Warning,
            Self::UnusedAcceptance => Severity::Note,
        }
    }

    /// What is wrong, in a few words.
    #[must_use]
    pub const fn title(self) -> Text {
        match self {
            Self::UnsafeLevel => Text {
                en: "The isolation level is too weak for these programs together",
                zh: "对这组程序而言隔离级别太弱",
            },
            Self::SplitTransaction => Text {
                en: "Statements that belong together are separate transactions",
                zh: "本应同属一个事务的语句被分开",
            },
            Self::NotShownSafe => Text {
                en: "The isolation level could not be shown to be safe",
                zh: "未能证明该隔离级别安全",
            },
            Self::NotAnalysed => Text { en: "A statement was not understood", zh: "语句未能分析" },
            Self::UnusedAcceptance => {
                Text { en: "An acceptance without a finding", zh: "没有对应发现的接受注释" }
            }
        }
    }

    /// What it means and what to do.
    #[must_use]
    pub const fn help(self) -> Text {
        match self {
            Self::UnsafeLevel => Text {
                en: "Transactions of these programs can interleave so that all commit and no serial order explains the \
                     result. Raise the level as the message says and retry on SQLSTATE 40001, or change the SQL: \
                     `pgstrata advise` shows the schedule and the ways out.",
                zh: "这些程序的事务可以这样交错：全部提交，而任何串行顺序都无法解释结果。按消息提高级别并在 SQLSTATE \
                     40001 时重试，或修改 SQL：`pgstrata advise` 会给出调度和出路。",
            },
            Self::SplitTransaction => Text {
                en: "One statement relies on what another one read, and each is a transaction of its own, so others can \
                     come in between. No isolation level helps; put them between begin and commit.",
                zh: "一条语句依赖另一条语句读到的内容，而两者各是一个事务，其他事务可能插在中间。任何隔离级别都无济于事；\
                     请用 begin 和 commit 把它们包住。",
            },
            Self::NotShownSafe => Text {
                en: "The analysis found neither a proof nor a schedule against it. It counts as unsafe. Raise the level, \
                     or write the statements so that they can be analysed.",
                zh: "分析既未找到证明，也未找到反例调度，因此按不安全处理。请提高级别，或把语句改写成可以分析的形式。",
            },
            Self::NotAnalysed => Text {
                en: "What a statement reads and writes is not known, so nothing can be promised of programs that run \
                     beside it. Give its schema with --schema, or write it as static SQL.",
                zh: "不知道语句读写什么，就无法对与之并行的程序作出保证。用 --schema 给出表结构，或改写为静态 SQL。",
            },
            Self::UnusedAcceptance => Text {
                en: "The comment `-- pgstrata: accept unsafe` accepts nothing any more. Remove it, so that it does not \
                     accept something later.",
                zh: "注释 `-- pgstrata: accept unsafe` 已不再接受任何发现。请删除，以免日后误接受别的发现。",
            },
        }
    }
}

/// A place and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where.
    pub span: Span,
    /// What happens there.
    pub message: Words,
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// By which program; of statements outside of programs, none.
    pub program: Option<String>,
    /// Where.
    pub span: Span,
    /// What is wrong here.
    pub message: Words,
    /// The other places that it is about.
    pub related: Vec<Place>,
    /// The schedule that shows it, step by step.
    pub steps: Vec<Place>,
    /// The same for the same finding in a later version of the file, whatever moved: hexadecimal.
    pub fingerprint: String,
    /// The reason why it is accepted.
    pub accepted: Option<String>,
    /// It is in the baseline.
    pub is_known: bool,
}

/// What makes the gate close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FailOn {
    /// What was shown to be unsafe, or was not understood.
    Unsafe,
    /// Also what could not be shown to be safe.
    #[default]
    Unknown,
    /// Nothing.
    Never,
}

impl FailOn {
    /// Whether a finding closes the gate.
    #[must_use]
    pub fn fails(self, finding: &Finding) -> bool {
        let counts = finding.accepted.is_none() && !finding.is_known;
        let least = match self {
            Self::Unsafe => Severity::Error,
            Self::Unknown => Severity::Warning,
            Self::Never => return false,
        };
        counts && finding.rule.severity() >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_words_in_both_languages_and_a_name_of_its_own() {
        let mut ids: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        for rule in Rule::ALL {
            for text in [rule.title(), rule.help()] {
                assert!(!text.en.is_empty() && !text.zh.is_empty());
            }
            let json = serde_json::to_value(rule).expect("a rule can be written");
            assert_eq!(json, rule.id(), "the name in JSON is the id");
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Rule::ALL.len());
    }
}
