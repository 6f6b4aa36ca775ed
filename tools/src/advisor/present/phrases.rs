//! The words for levels, dependencies, promotions and verdicts, in both languages.

use pgstrata_units::{Language, Text};

use super::scene::{Scene, one_line};
use crate::advisor::Words;
use crate::advisor::report::{Promotion, PromotionKind, Verdict};
use crate::advisor::robustness::EXISTENCE;
use crate::advisor::witness::{Dependency, DependencyKind, Witness};

/// `rw`, `wr`, `ww`.
#[must_use]
pub const fn kind_name(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Ww => "ww",
        DependencyKind::Wr => "wr",
        DependencyKind::Rw => "rw",
    }
}

/// A verdict in a word.
#[must_use]
pub const fn verdict_word(verdict: &Verdict) -> Text {
    match verdict {
        Verdict::Safe => Text { en: "serializable", zh: "可串行化" },
        Verdict::Unsafe(_) => Text { en: "not serializable", zh: "不可串行化" },
        Verdict::Unknown { .. } => Text { en: "not shown to be serializable", zh: "未能证明可串行化" },
    }
}

/// `savings (bal, total)`, or `savings (rows come or go)`.
#[must_use]
pub fn place(relation: &str, columns: &[String], language: Language) -> String {
    let existence = Text { en: "rows come or go", zh: "行的出现与消失" }.get(language);
    let named: Vec<&str> =
        columns.iter().map(|column| if column == EXISTENCE { existence } else { column.as_str() }).collect();
    if named.is_empty() { relation.to_owned() } else { format!("{relation} ({})", named.join(", ")) }
}

/// What a dependency of a witness says: `T1 reads savings (bal) before T2 changes it`.
#[must_use]
pub fn dependency_sentence(witness: &Witness, dependency: &Dependency) -> Words {
    let name = |at: usize| witness.instances.get(at).map_or("?", |instance| instance.name.as_str());
    let (from, to) = (name(dependency.from.instance), name(dependency.to.instance));
    let relation = dependency.relation.to_string();
    let [en, zh] = Language::ALL.map(|language| place(&relation, &dependency.columns, language));
    match dependency.kind {
        DependencyKind::Rw => Words::new(
            format!("{from} reads {en} as it was before {to} changes it"),
            format!("{from} 读到的 {zh} 是 {to} 修改之前的值"),
        ),
        DependencyKind::Wr => {
            Words::new(format!("{to} reads {en} as {from} wrote it"), format!("{to} 读到 {from} 写入的 {zh}"))
        }
        DependencyKind::Ww => {
            Words::new(format!("{to} overwrites {en} after {from}"), format!("{to} 在 {from} 之后覆盖 {zh}"))
        }
    }
}

/// What a promotion does.
#[must_use]
pub fn promotion_sentence(promotion: &Promotion) -> Words {
    let relation = promotion.relation.to_string();
    match promotion.kind {
        PromotionKind::IdentityUpdate => Words::new(
            format!("update the row of {relation} to what it is instead of only reading it"),
            format!("把对 {relation} 的读取改为将该行更新为原值"),
        ),
        PromotionKind::ForUpdate => {
            Words::new(format!("read {relation} for update"), format!("用 for update 读取 {relation}"))
        }
        PromotionKind::ForShare => {
            Words::new(format!("read {relation} for share"), format!("用 for share 读取 {relation}"))
        }
        PromotionKind::AdvisoryLock => Words::new(
            format!("take an advisory lock first, instead of relying on {relation}"),
            format!("先取得咨询锁，而不依赖 {relation}"),
        ),
    }
}

/// What random schedules were of, in the reader's language.
#[must_use]
pub fn tried(of: &str, language: Language) -> &str {
    let words = match of {
        "the recommended levels" => Text { en: "the recommended levels", zh: "推荐的级别" },
        "the levels asked about" => Text { en: "the judged levels", zh: "所判定的级别" },
        "the changed statements" => {
            Text { en: "the changed statements, at their levels", zh: "修改后的语句及其级别" }
        }
        other => return other,
    };
    words.get(language)
}

/// A statement in one line, shortened to so many characters.
#[must_use]
pub fn statement_text(scene: &Scene<'_>, program: &str, number: usize, most: usize) -> String {
    shortened(&scene.line(program, number), most)
}

/// Text of at most so many characters, with a mark where something is left out.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= most {
        return text;
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
