//! `pgstrata isolation check`: the programs of a repository, judged at the levels that they ask for.

use std::fmt::Write as _;
use std::fs;

use pgstrata_lab::error::LabError;
use pgstrata_lab::report::{Meaning, Style};
use pgstrata_tools::advisor::gate::{Baseline, FailOn, Finding, Severity, annotations, findings, sarif};
use pgstrata_tools::advisor::{Options, analyse};
use pgstrata_units::{Language, Text};
use serde_json::json;

use crate::Ended;
use crate::cli::gate::{GateArgs, GateFormat};
use crate::commands::advise::input;
use crate::terminal::Terminal;

pub async fn check(args: &GateArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let baseline = baseline(args)?;
    let question = input::question(&args.programs, terminal).await?;
    let allocation = input::allocation(&args.programs, &question.read)?;
    let options = Options { allocation: Some(allocation), may_promote: false };
    let report = analyse(&question.read.workload, &question.read.schema, &options);
    let mut found = findings(&question.read.workload, &report);
    let gone = baseline.as_ref().map_or(0, |baseline| baseline.mark(&mut found));
    let fail_on = FailOn::from(args.fail_on);
    let failing = found.iter().filter(|finding| fail_on.fails(finding)).count();
    match args.format {
        GateFormat::Text => {
            print!("{}", lines(&found, question.read.workload.programs.len(), failing, gone, terminal.style()));
        }
        GateFormat::Github => print!("{}", annotations(&found, terminal.language)),
        GateFormat::Json => {
            let value = json!({ "findings": found, "levels": report.optimal, "asked": report.asked_levels, "failing": failing });
            println!("{}", serde_json::to_string_pretty(&value)?);
        }
        GateFormat::Sarif => {
            let log = sarif::log(&found, env!("CARGO_PKG_VERSION"), baseline.is_some(), terminal.language);
            println!("{}", serde_json::to_string_pretty(&log)?);
        }
    }
    Ok(if failing > 0 { Ended::Failed } else { Ended::Held })
}

fn baseline(args: &GateArgs) -> Result<Option<Baseline>, LabError> {
    let Some(path) = &args.baseline else { return Ok(None) };
    let text = fs::read_to_string(path).map_err(|error| {
        LabError::usage(
            format!("could not read the baseline {}: {error}", path.display()),
            "name a file of an earlier run",
        )
    })?;
    let parsed = Baseline::parse(&text)
        .map_err(|error| LabError::usage(format!("{}: {error}", path.display()), error.hint()))?;
    Ok(Some(parsed))
}

/// Lines for people, and for editors that make links of places.
fn lines(found: &[Finding], programs: usize, failing: usize, gone: usize, style: Style) -> String {
    let mut text = String::new();
    for finding in found {
        let state = match (&finding.accepted, finding.is_known) {
            (Some(reason), _) => format!(" ({}{reason})", style.label(Text { en: "accepted: ", zh: "已接受：" })),
            (None, true) => format!(" ({})", style.label(Text { en: "known", zh: "已知" })),
            (None, false) => String::new(),
        };
        let (meaning, word) = match finding.rule.severity() {
            _ if !state.is_empty() => (Meaning::Neutral, "note"),
            Severity::Error => (Meaning::Bad, "error"),
            Severity::Warning => (Meaning::Unsure, "warning"),
            Severity::Note => (Meaning::Neutral, "note"),
        };
        let message = style.text(finding.message.get(style.language));
        let (place, word) = (style.bold(&style.text(&finding.span.to_string())), style.paint(meaning, word));
        let rule = style.faint(&format!("[{}]", finding.rule.id()));
        let _ = writeln!(text, "{place}: {word}: {message}{} {rule}", style.text(&state));
        for place in &finding.related {
            let line = format!("  {}: {}", place.span, place.message.get(style.language));
            let _ = writeln!(text, "{}", style.faint(&style.text(&line)));
        }
    }
    let accepted = found.iter().filter(|finding| finding.accepted.is_some()).count();
    let known = found.iter().filter(|finding| finding.is_known).count();
    let summary = match style.language {
        Language::English => format!(
            "{programs} programs, {} findings: {failing} that count, {accepted} accepted, {known} known; {gone} of the baseline gone",
            found.len()
        ),
        Language::Chinese => format!(
            "{programs} 个程序，{} 项发现：计入 {failing} 项，已接受 {accepted} 项，已知 {known} 项；基线中已消失 {gone} 项",
            found.len()
        ),
    };
    let meaning = if failing > 0 { Meaning::Bad } else { Meaning::Good };
    text.push_str(&style.mark(meaning, &style.text(&summary)));
    text.push('\n');
    text
}
