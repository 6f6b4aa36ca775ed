//! What the rules say beside the analysis: ways to keep the invariants, best first, with what to expect of each and where
//! that figure comes from.

use std::fs;
use std::path::Path;

use pgstrata_lab::error::LabError;
use pgstrata_lab::report::{Style, wrap};
use pgstrata_tools::advisor::engine::Decision;
use pgstrata_tools::advisor::estimate::{Basis, Estimate};
use pgstrata_tools::advisor::requirement::file;
use pgstrata_tools::advisor::{DecisionEngine, Report, Requirement};
use pgstrata_units::{Language, Text};

use crate::cli::advise::{AdviseArgs, RetryArg};

/// What to do about a file that is none.
const TEMPLATE: &str = "`pgstrata advise --requirement-template` prints a file with every question and its default";
/// Ways that are shown.
const WAYS_SHOWN: usize = 4;

/// Whether anything was said of what the application needs; else only the report is shown.
pub fn is_asked(args: &AdviseArgs) -> bool {
    args.requirement.is_some() || args.retry.is_some()
}

/// What the application needs, as far as the arguments tell.
pub fn requirement(args: &AdviseArgs) -> Result<Requirement, LabError> {
    let mut requirement = match &args.requirement {
        Some(path) => read(path)?,
        None => Requirement::default(),
    };
    if let Some(retry) = args.retry {
        requirement.may_retry = retry == RetryArg::Yes;
    }
    requirement.may_change_sql |= args.may_change_sql;
    Ok(requirement)
}

/// What the engine says to it.
pub fn decide(requirement: &Requirement, report: &Report) -> Decision {
    DecisionEngine::shipped().decide(requirement, Some(report))
}

fn read(path: &Path) -> Result<Requirement, LabError> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| LabError::usage(format!("could not read the requirement {name}: {error}"), TEMPLATE))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return Requirement::from_json(&text)
            .map_err(|error| LabError::usage(format!("{name}: {error}"), error.hint()));
    }
    file::read(&text).map_err(|file::FileError(mistakes)| {
        let shown: Vec<String> = mistakes.iter().map(|mistake| format!("{name}:{mistake}")).collect();
        LabError::usage(shown.join("\n"), TEMPLATE)
    })
}

/// The decision for a terminal.
pub fn show(decision: &Decision, style: Style) -> String {
    let language = style.language;
    let mut lines = vec![String::new(), style.bold(&style.label(Text { en: "Ways to do it", zh: "可选做法" }))];
    for (number, way) in decision.ranked.iter().take(WAYS_SHOWN).enumerate() {
        lines.push(style.text(&format!("  {}. {}", number + 1, way.name.get(language))));
        for beside in &way.beside {
            let word = Text { en: "beside it: ", zh: "同时：" }.get(language);
            paragraph(&mut lines, 5, &format!("{word}{}", beside.name.get(language)), style);
        }
        for points in way.why.iter().filter(|points| points.points != 0) {
            let sign = if points.points > 0 { '+' } else { '-' };
            paragraph(&mut lines, 5, &format!("{sign} {}", points.because.text.get(language)), style);
        }
        let estimates = &way.estimates;
        for (what, estimate) in [
            (Text { en: "throughput", zh: "吞吐量" }, &estimates.throughput),
            (Text { en: "latency", zh: "延迟" }, &estimates.latency),
            (Text { en: "retried", zh: "重试比例" }, &estimates.retried),
        ] {
            if let Some(estimate) = estimate {
                paragraph(&mut lines, 5, &figure(what.get(language), estimate, language), style);
            }
        }
    }
    if decision.ranked.is_empty() {
        lines.push(style.label(Text { en: "  nothing keeps all of it", zh: "  没有做法能满足全部要求" }));
    }
    for warning in &decision.warnings {
        paragraph(&mut lines, 2, &format!("! {}", warning.text.get(language)), style);
    }
    lines.join("\n")
}

/// A figure with where it comes from.
fn figure(what: &str, estimate: &Estimate, language: Language) -> String {
    let Estimate { value, unit, basis } = estimate;
    let number = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") };
    let basis = match (basis, language) {
        (Basis::Measured { record, arm, .. }, Language::English) => format!("measured: {record}, {arm}"),
        (Basis::Measured { record, arm, .. }, Language::Chinese) => format!("实测：{record}，{arm}"),
        (Basis::Modelled { model, error: Some(error), .. }, Language::English) => {
            format!("modelled: {model}, error {:.0} %", error * 100.0)
        }
        (Basis::Modelled { model, error: Some(error), .. }, Language::Chinese) => {
            format!("模型：{model}，误差 {:.0} %", error * 100.0)
        }
        (Basis::Modelled { model, error: None, .. }, Language::English) => format!("modelled: {model}"),
        (Basis::Modelled { model, error: None, .. }, Language::Chinese) => format!("模型：{model}"),
    };
    format!("{what} {number} {unit} [{basis}]")
}

fn paragraph(lines: &mut Vec<String>, indent: usize, text: &str, style: Style) {
    let width = usize::from(style.width).saturating_sub(indent);
    lines.extend(wrap(text, width).iter().map(|line| format!("{}{}", " ".repeat(indent), style.text(line))));
}
