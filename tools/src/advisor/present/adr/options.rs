//! What is needed and which ways there are, as parts of a record: the answers of the requirement, the way that was chosen,
//! and every other with the reasons against it.

use pgstrata_lab::chinese::said;
use pgstrata_units::{Isolation, Language, Text};
use serde_json::Value;

use super::Adr;
use crate::advisor::Words;
use crate::advisor::engine::{Because, RankedBy, RankedSolution};
use crate::advisor::estimate::{Basis, Estimate};
use crate::advisor::present::document::{Block, Document};
use crate::advisor::report::Verdict;
use crate::advisor::requirement::QUESTIONS;

/// The needs, and the answers that are not the defaults.
pub(super) fn needs(document: &mut Document, adr: &Adr<'_>) {
    if let Some(decision) = adr.decision.filter(|decision| !decision.needs.is_empty()) {
        document.paragraph(adr.say(Text { en: "What must be kept:", zh: "必须保证：" }));
        let needs = decision.needs.iter().map(|need| {
            let rule = need.rule.as_ref().map(|rule| format!(" (`{rule}`)")).unwrap_or_default();
            format!("{}{rule}", need.text.get(adr.language))
        });
        document.blocks.push(Block::List(needs.collect()));
    }
    let fields = |requirement| match serde_json::to_value(requirement) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (said, default) = (fields(adr.requirement), fields(&crate::advisor::Requirement::default()));
    let answers = QUESTIONS.iter().filter(|question| said.get(question.field) != default.get(question.field));
    let answers: Vec<String> = answers
        .map(|question| {
            let value = said.get(question.field).map(Value::to_string).unwrap_or_default().replace('"', "");
            format!("`{}`: {value}. {}", question.field, question.ask.get(adr.language))
        })
        .collect();
    if answers.is_empty() {
        document.paragraph(adr.say(Text {
            en: "Nothing was said of load, freedom and place: the defaults of the requirement count.",
            zh: "未说明负载、可改动范围与部署：采用需求的默认值。",
        }));
        return;
    }
    document.paragraph(adr.say(Text { en: "What was said of the application:", zh: "关于应用的说明：" }));
    document.blocks.push(Block::List(answers));
}

/// The way that is proposed, with what stands beside it.
pub(super) fn chosen(document: &mut Document, adr: &Adr<'_>) {
    let Some(decision) = adr.decision else { return };
    let Some(best) = decision.ranked.first() else {
        document.paragraph(adr.say(Text {
            en: "No way keeps all that is needed; the reasons are below.",
            zh: "没有做法能满足全部要求；理由见下文。",
        }));
        return;
    };
    let proposed = adr.say(Text { en: "Proposed:", zh: "建议：" });
    document.paragraph(format!("{proposed} {}", best.name.get(adr.language)));
    let beside = best.beside.iter().chain(&decision.suggested);
    let beside: Vec<String> = beside
        .map(|one| format!("{}: {}", one.name.get(adr.language), one.because.get(adr.language)))
        .chain(figures(best, adr.language))
        .collect();
    if !beside.is_empty() {
        document.blocks.push(Block::List(beside));
    }
    let ranked = match &decision.ranked_by {
        RankedBy::Rules { because } | RankedBy::Model { because, .. } => because.get(adr.language).to_owned(),
    };
    document.paragraph(ranked);
    for warning in &decision.warnings {
        document.paragraph(warning.text.get(adr.language));
    }
}

/// What to expect, each with its basis.
fn figures(way: &RankedSolution, language: Language) -> Vec<String> {
    let estimates = &way.estimates;
    let named = [
        (Text { en: "throughput", zh: "吞吐量" }, &estimates.throughput),
        (Text { en: "latency", zh: "延迟" }, &estimates.latency),
        (Text { en: "share of attempts that are made again", zh: "重试比例" }, &estimates.retried),
    ];
    let figure = |(name, estimate): (Text, &Option<Estimate>)| {
        let Estimate { value, unit, basis } = estimate.as_ref()?;
        let number = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") };
        let basis = match (basis, language) {
            (Basis::Measured { record, arm, .. }, Language::English) => format!("measured: `{record}`, `{arm}`"),
            (Basis::Measured { record, arm, .. }, Language::Chinese) => format!("实测：`{record}`，`{arm}`"),
            (Basis::Modelled { model, .. }, Language::English) => format!("modelled: {model}"),
            (Basis::Modelled { model, .. }, Language::Chinese) => format!("模型：{model}"),
        };
        Some(format!("{}: {number} {unit} ({basis})", name.get(language)))
    };
    named.into_iter().filter_map(figure).collect()
}

/// One level for all programs: what becomes of it.
pub(super) fn levels(document: &mut Document, adr: &Adr<'_>) {
    let items = Isolation::ALL.into_iter().filter_map(|level| {
        let verdict = adr.scene.report.uniform.get(&level)?;
        Some(match (verdict, adr.language) {
            (Verdict::Safe, Language::English) => {
                format!("All programs at {level}: safe; programs that need less pay for it.")
            }
            (Verdict::Safe, Language::Chinese) => format!("全部使用 {level}：安全；但需求更低的程序要为此付出代价。"),
            (Verdict::Unsafe(_), Language::English) => {
                format!("All programs at {level}: a schedule commits that no serial order explains.")
            }
            (Verdict::Unsafe(_), Language::Chinese) => {
                format!("全部使用 {level}：存在会提交、而任何串行顺序都无法解释的调度。")
            }
            (Verdict::Unknown { why, .. }, Language::English) => {
                format!("All programs at {level}: could not be shown to be safe: {why}")
            }
            (Verdict::Unknown { why, .. }, language @ Language::Chinese) => {
                format!("全部使用 {level}：未能证明安全：{}", said(why, language))
            }
        })
    });
    document.blocks.push(Block::List(items.collect()));
}

/// The ways that are possible and not proposed, and those that are not possible.
pub(super) fn others(document: &mut Document, adr: &Adr<'_>) {
    let Some(decision) = adr.decision else { return };
    let heads = [Text { en: "way", zh: "做法" }, Text { en: "why not", zh: "不选的理由" }];
    let because = |one: &Because| format!("{} (`{}`; {})", one.text.get(adr.language), one.rule, one.source);
    let possible = decision.ranked.iter().enumerate().skip(1).map(|(place, way)| {
        let against: Vec<String> =
            way.why.iter().filter(|points| points.points < 0).map(|points| because(&points.because)).collect();
        let rank = match adr.language {
            Language::English => format!("possible, ranked {}", place + 1),
            Language::Chinese => format!("可行，排第 {}", place + 1),
        };
        let why = if against.is_empty() { rank } else { format!("{rank}: {}", against.join(" ")) };
        vec![way.name.get(adr.language).to_owned(), why]
    });
    let rejected = decision.rejected.iter().map(|way| {
        let why: Vec<String> = way.because.iter().map(because).collect();
        vec![name(&way.name, adr), why.join(" ")]
    });
    let rows: Vec<Vec<String>> = possible.chain(rejected).collect();
    document.blocks.push(Block::Table(heads.into_iter().map(|head| adr.say(head)).collect(), rows));
}

fn name(words: &Words, adr: &Adr<'_>) -> String {
    words.get(adr.language).to_owned()
}
