//! Findings in the Static Analysis Results Interchange Format (OASIS, SARIF 2.1.0), which code hosts and editors show
//! beside the code.
//!
//! The types hold what is written and no more; the property names are the standard's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pgstrata_sqltext::Span;
use pgstrata_units::Language;
use serde::Serialize;

use super::finding::{Finding, Place, Rule, Severity};

/// The key of our fingerprint, with its version.
pub const FINGERPRINT: &str = "pgstrata/v1";

/// The schema that the standard publishes.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Paths are relative to the repository's root, which the reader knows.
const ROOT: &str = "%SRCROOT%";

/// A log file.
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    #[serde(rename = "originalUriBaseIds")]
    original_uri_base_ids: BTreeMap<&'static str, Base>,
    results: Vec<SarifResult>,
}

#[derive(Debug, Serialize)]
struct Base {
    description: Message,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: String,
    language: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Message,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_flows: Vec<CodeFlow>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    #[serde(rename = "physicalLocation")]
    physical: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    message: Message,
    #[serde(rename = "threadFlows")]
    threads: [ThreadFlow; 1],
}

#[derive(Debug, Serialize)]
struct ThreadFlow {
    locations: Vec<ThreadFlowLocation>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThreadFlowLocation {
    execution_order: usize,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

/// The findings of one run; `has_baseline` says whether they were compared with an earlier one.
#[must_use]
pub fn log(findings: &[Finding], version: &str, has_baseline: bool, language: Language) -> Log {
    let driver = Driver {
        name: "pgstrata",
        semantic_version: version.to_owned(),
        language: if language == Language::Chinese { "zh-CN" } else { "en-US" },
        rules: Rule::ALL.iter().map(|rule| descriptor(*rule, language)).collect(),
    };
    let root = Base { description: message("the directory in which pgstrata was run") };
    let run = Run {
        tool: Tool { driver },
        // Columns of spans are characters, not UTF-16 units.
        column_kind: "unicodeCodePoints",
        original_uri_base_ids: BTreeMap::from([(ROOT, root)]),
        results: findings.iter().map(|finding| result(finding, has_baseline, language)).collect(),
    };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn message(text: impl Into<String>) -> Message {
    Message { text: text.into() }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn descriptor(rule: Rule, language: Language) -> Descriptor {
    Descriptor {
        id: rule.id(),
        short_description: message(rule.title().get(language)),
        full_description: message(rule.help().get(language)),
        help: message(rule.help().get(language)),
        default_configuration: Configuration { level: level(rule.severity()) },
    }
}

fn result(finding: &Finding, has_baseline: bool, language: Language) -> SarifResult {
    let suppressions = finding.accepted.iter().map(|reason| Suppression {
        kind: "inSource",
        status: "accepted",
        justification: reason.clone(),
    });
    let related = finding.related.iter().enumerate();
    let flow = |steps: &[Place]| CodeFlow {
        message: message(match language {
            Language::English => "a schedule that commits it",
            Language::Chinese => "使其全部提交的调度",
        }),
        threads: [ThreadFlow {
            locations: steps
                .iter()
                .enumerate()
                .map(|(number, step)| ThreadFlowLocation {
                    execution_order: number + 1,
                    location: location(&step.span, None, Some(step.message.get(language))),
                })
                .collect(),
        }],
    };
    SarifResult {
        rule_id: finding.rule.id(),
        rule_index: Rule::ALL.iter().position(|rule| *rule == finding.rule).unwrap_or(0),
        level: level(finding.rule.severity()),
        message: message(finding.message.get(language)),
        locations: [location(&finding.span, None, None)],
        related_locations: related
            .map(|(number, place)| location(&place.span, Some(number + 1), Some(place.message.get(language))))
            .collect(),
        code_flows: if finding.steps.is_empty() { Vec::new() } else { vec![flow(&finding.steps)] },
        partial_fingerprints: BTreeMap::from([(FINGERPRINT, finding.fingerprint.clone())]),
        suppressions: suppressions.collect(),
        baseline_state: has_baseline.then_some(if finding.is_known { "unchanged" } else { "new" }),
    }
}

fn location(span: &Span, id: Option<usize>, text: Option<&str>) -> Location {
    Location {
        id,
        physical: PhysicalLocation {
            artifact_location: artifact(&span.source),
            region: Region {
                start_line: span.from.line.max(1),
                start_column: span.from.column.max(1),
                end_line: span.to.line.max(span.from.line).max(1),
                // One past the last character, as ours is; on the first line not before the beginning.
                end_column: if span.to.line <= span.from.line {
                    span.to.column.max(span.from.column).max(1)
                } else {
                    span.to.column.max(1)
                },
            },
        },
        message: text.map(message),
    }
}

/// A path as a URI reference: relative to the root unless it is absolute.
fn artifact(path: &str) -> ArtifactLocation {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(byte)),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    if path.starts_with('/') {
        return ArtifactLocation { uri: format!("file://{uri}"), uri_base_id: None };
    }
    ArtifactLocation { uri, uri_base_id: Some(ROOT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        let check = |path: &str| artifact(path).uri;
        assert_eq!(check("./db/pay ment.sql"), "db/pay%20ment.sql");
        assert_eq!(check("库/a.sql"), "%E5%BA%93/a.sql");
        assert_eq!(check("/srv/a.sql"), "file:///srv/a.sql");
    }
}
