//! One self-contained page per run: no script, no file and no host besides itself, in both languages at once.
//!
//! The language is switched by two radio buttons and style rules, so it works offline, printed and read aloud.

mod sections;
mod writer;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use pgstrata_units::Language;

use super::escape::markup;
use super::labels::{self, fill};
use super::number;
use super::plot::STYLE_SHEET;
use super::style::Meaning;
use super::summary::{Summary, preset_name};
use crate::archive;
use crate::record::Record;
use crate::study::{ArmKind, Card};
use pgstrata_stats::Verdict;
use writer::{Html, class};

const PAGE_STYLE: &str = include_str!("page.css");

/// No script runs, nothing is loaded, no form is sent: the page needs none of it, and what a record holds from a
/// hostile server could not do any harm even if it were not escaped.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// The page of a record. `language` is the one it opens in; the card says in words what the record only names.
#[must_use]
pub fn page(record: &Record, card: &Card, language: Language) -> String {
    let summary = Summary::new(record);
    let title = format!("{} · {} · {}", card.title.get(language), preset_name(record.preset), record.started_at);
    let mut html = Html::default();
    html.raw("<!DOCTYPE html>");
    html.raw(&format!("<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">", tag(language)));
    html.raw(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">"));
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"pgstrata\">");
    html.element("title", "", &title);
    html.raw(&format!("<style>\n{PAGE_STYLE}{STYLE_SHEET}</style>\n</head>\n<body>"));
    for each in Language::ALL {
        html.raw(&format!(
            "<a class=\"skip in-{each}\" lang=\"{}\" href=\"#results-{each}\">{}</a>",
            tag(each),
            labels::SKIP.get(each)
        ));
    }
    switch(&mut html, record, language);
    html.raw("<main>");
    for each in Language::ALL {
        html.raw(&format!("<div class=\"in-{each}\" lang=\"{}\">", tag(each)));
        html.raw(&body(&summary, card, each));
        html.raw("</div>");
    }
    raw_record(&mut html, record);
    html.raw("</main>");
    footer(&mut html, record);
    html.raw("</body>\n</html>");
    html.finish()
}

/// The BCP 47 tag of a language.
const fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Chinese => "zh-Hans",
    }
}

/// The bar with the language switch.
fn switch(html: &mut Html, record: &Record, opens_in: Language) {
    html.raw(&format!("<div class=\"bar\"><span><strong>pgstrata</strong> {}</span>", markup(&record.build.version)));
    html.raw("<fieldset><legend class=\"unseen\">Language / <span lang=\"zh-Hans\">语言</span></legend>");
    for each in Language::ALL {
        let name = match each {
            Language::English => "English",
            Language::Chinese => "简体中文",
        };
        let checked = if each == opens_in { " checked" } else { "" };
        // Without autocomplete=off, Firefox keeps the reader's last choice over what the page says.
        html.raw(&format!(
            "<label lang=\"{}\"><input type=\"radio\" name=\"language\" id=\"language-{each}\" autocomplete=\"off\"{checked}>{name}</label>",
            tag(each)
        ));
    }
    html.raw("</fieldset></div>");
}

/// The whole report in one language.
fn body(summary: &Summary<'_>, card: &Card, language: Language) -> String {
    let mut html = Html::default();
    top(&mut html, summary, card, language);
    sections::results(&mut html, summary, language);
    sections::plots(&mut html, summary, language);
    sections::evidence(&mut html, summary, card, language);
    sections::watched(&mut html, summary, language);
    sections::claims(&mut html, summary, card, language);
    sections::faults(&mut html, summary, language);
    sections::trust(&mut html, summary, language);
    sections::origin(&mut html, summary, language);
    html.finish()
}

/// Title, verdict and the state of everything in a few words.
fn top(html: &mut Html, summary: &Summary<'_>, card: &Card, language: Language) {
    html.element("h1", "", &format!("{} ({})", card.title.get(language), summary.record.system));
    html.element("p", "summary", card.summary.get(language));
    if !summary.invalid.is_empty() {
        html.raw("<div class=\"alarm\">");
        html.marked(Meaning::Bad, labels::INVALID.get(language));
        html.raw("<ul>");
        for reason in &summary.invalid {
            html.element("li", "", reason);
        }
        html.raw("</ul></div>");
    }
    html.element("p", "headline", &headline(summary, language));
    html.raw("<ul class=\"chips\">");
    for (meaning, text) in chips(summary, language) {
        let text = if meaning == Meaning::Neutral { text } else { format!("{} {text}", meaning.symbol()) };
        html.element("li", class(meaning), &text);
    }
    html.raw("</ul>");
}

/// The result in one sentence.
#[must_use]
pub(super) fn headline(summary: &Summary<'_>, language: Language) -> String {
    let Some(arm) = summary.fastest() else { return labels::HEADLINE_NONE.get(language).to_owned() };
    let rate = number::significant(arm.median());
    match (&arm.ratio, summary.baseline) {
        (Some(ratio), Some(baseline)) if ratio.verdict == Verdict::Faster && summary.invalid.is_empty() => {
            let [times, low, high] = [ratio.ratio, ratio.low, ratio.high].map(number::significant);
            let values = [
                ("arm", arm.name),
                ("rate", &rate),
                ("times", &times),
                ("low", &low),
                ("high", &high),
                ("baseline", baseline),
            ];
            fill(labels::HEADLINE_FASTER, language, &values)
        }
        _ => fill(labels::HEADLINE_ALONE, language, &[("arm", arm.name), ("rate", &rate)]),
    }
}

/// What held and what did not.
fn chips(summary: &Summary<'_>, language: Language) -> Vec<(Meaning, String)> {
    let good_if = |is_good: bool| if is_good { Meaning::Good } else { Meaning::Bad };
    let share = |sentence, held: usize, all: usize| {
        fill(sentence, language, &[("held", &held.to_string()), ("all", &all.to_string())])
    };
    let mut chips = Vec::new();
    let held = summary.arms.iter().filter(|arm| !arm.is_violated()).count();
    let names = |expected: bool| {
        let broken = summary.arms.iter().filter(|arm| arm.is_violated() && (arm.kind == ArmKind::Broken) == expected);
        broken.map(|arm| arm.name).collect::<Vec<_>>().join(", ")
    };
    let (convicted, unexpected) = (names(true), names(false));
    chips.push((good_if(unexpected.is_empty()), share(labels::STATUS_INVARIANTS, held, summary.arms.len())));
    if !convicted.is_empty() {
        chips.push((Meaning::Good, fill(labels::STATUS_CONVICTED, language, &[("arms", &convicted)])));
    }
    if !unexpected.is_empty() {
        chips.push((Meaning::Bad, fill(labels::STATUS_UNEXPECTED, language, &[("arms", &unexpected)])));
    }
    if !summary.claims.is_empty() {
        let held = summary.claims.iter().filter(|claim| claim.outcome.is_held()).count();
        let missed = summary.claims.iter().any(|claim| claim.outcome.is_missed());
        let meaning = match (missed, held == summary.claims.len()) {
            (true, _) => Meaning::Bad,
            (false, true) => Meaning::Good,
            (false, false) => Meaning::Unsure,
        };
        chips.push((meaning, share(labels::STATUS_CLAIMS, held, summary.claims.len())));
    }
    let faults: usize = summary.arms.iter().flat_map(|arm| &arm.faults).map(|fault| fault.count).sum();
    if faults > 0 {
        chips.push((Meaning::Neutral, fill(labels::STATUS_FAULTS, language, &[("count", &faults.to_string())])));
    }
    let (meaning, valid) = if summary.invalid.is_empty() {
        (Meaning::Good, labels::STATUS_VALID)
    } else {
        (Meaning::Bad, labels::STATUS_INVALID)
    };
    chips.push((meaning, valid.get(language).to_owned()));
    chips
}

/// The JSON of the run, to look at and to take away. Once in the page, in neither language.
fn raw_record(html: &mut Html, record: &Record) {
    let Ok(json) = archive::to_json(record) else { return };
    html.raw("<section class=\"raw\">");
    for each in Language::ALL {
        html.raw(&format!("<h2 class=\"in-{each}\" lang=\"{}\">{}</h2>", tag(each), labels::RAW.get(each)));
    }
    let spans = |text: pgstrata_units::Text| {
        Language::ALL
            .map(|each| format!("<span class=\"in-{each}\" lang=\"{}\">{}</span>", tag(each), text.get(each)))
            .concat()
    };
    let name = format!("{}-{}.json", record.study, preset_name(record.preset));
    html.raw(&format!(
        "<p><a download=\"{}\" href=\"data:application/json;base64,{}\">{}</a></p>",
        markup(&name),
        BASE64_STANDARD.encode(&json),
        spans(labels::RAW_DOWNLOAD)
    ));
    html.raw(&format!("<details><summary>{}</summary>", spans(labels::RAW_SHOW)));
    html.code(&String::from_utf8_lossy(&json));
    html.raw("</details></section>");
}

fn footer(html: &mut Html, record: &Record) {
    let text = format!("pgstrata {} ({}) · {}", record.build.version, record.build.commit, record.command);
    html.element("footer", "", &text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_page_loads_nothing_and_runs_nothing() {
        let page = page(&fixture::load(), fixture::CARD, Language::English);
        for outside in [
            "<script",
            "<link",
            "<iframe",
            "@import",
            "src=\"http",
            "href=\"http",
            "url(http",
            " onload=",
            "javascript:",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn text_from_a_hostile_server_stays_text() {
        let mut record = fixture::load();
        let planted = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>".to_owned();
        for arm in &mut record.arms {
            arm.arm.push_str(&planted);
            for trial in &mut arm.trials {
                trial.failures.insert(planted.clone(), 1);
                trial.retries.insert(planted.clone(), 1);
                for violation in &mut trial.violations {
                    violation.found.clone_from(&planted);
                    violation.invariant.push_str(&planted);
                    violation.witnesses = vec![
                        serde_json::json!({ planted.as_str(): planted.as_str() }),
                        serde_json::json!(planted.as_str()),
                    ];
                }
                for fault in &mut trial.faults {
                    fault.fault.clone_from(&planted);
                    fault.achieved.clone_from(&planted);
                }
                for figure in &mut trial.figures {
                    figure.name.clone_from(&planted);
                    figure.unit.clone_from(&planted);
                }
            }
        }
        for claim in &mut record.claims {
            claim.statement.clone_from(&planted);
            claim.unit.clone_from(&planted);
        }
        record.servers[0].settings.insert(planted.clone(), planted.clone());
        record.servers[0].version.clone_from(&planted);
        record.machine.host.clone_from(&planted);
        record.machine.cpu_model.clone_from(&planted);
        record.command.clone_from(&planted);
        record.study.clone_from(&planted);
        record.build.commit.clone_from(&planted);
        let page = page(&record, fixture::CARD, Language::English);
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn every_id_is_unique_and_every_link_inside_the_page_leads_somewhere() {
        let page = page(&fixture::load(), fixture::CARD, Language::Chinese);
        let after = |marker: &str| -> Vec<String> {
            page.split(marker).skip(1).filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect()
        };
        let mut ids = after(" id=\"");
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id is used twice");
        for target in after("href=\"#") {
            assert!(ids.contains(&target), "#{target}");
        }
        for described in after("aria-labelledby=\"").iter().flat_map(|list| list.split(' ')) {
            assert!(ids.iter().any(|id| id == described), "{described}");
        }
    }

    #[test]
    fn the_raw_record_in_the_page_is_the_record() {
        let record = fixture::load();
        let page = page(&record, fixture::CARD, Language::English);
        let json = archive::to_json(&record).expect("json");
        assert!(page.contains(&BASE64_STANDARD.encode(&json)));
    }

    #[test]
    fn an_invalid_run_is_not_called_faster() {
        let mut record = fixture::load();
        record.validity = fixture::invalid();
        let summary = Summary::new(&record);
        let headline = headline(&summary, Language::English);
        assert!(headline.starts_with("coalesced decided ") && !headline.contains("times"), "{headline}");
        assert!(page(&record, fixture::CARD, Language::English).contains("class=\"alarm\""));
    }
}
