//! Findings as workflow commands, which GitHub Actions shows beside the lines of a pull request (GitHub documentation,
//! "Workflow commands for GitHub Actions").

use std::fmt::Write as _;

use pgstrata_units::Language;

use super::finding::{Finding, Severity};

/// One command a finding; accepted and known ones are notices.
#[must_use]
pub fn annotations(findings: &[Finding], language: Language) -> String {
    let mut text = String::new();
    for finding in findings {
        let is_closed = finding.accepted.is_some() || finding.is_known;
        let command = match finding.rule.severity() {
            _ if is_closed => "notice",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let span = &finding.span;
        let _ = writeln!(
            text,
            "::{command} file={},line={},endLine={},col={},title={}::{}",
            property(&span.source),
            span.from.line,
            span.to.line.max(span.from.line),
            span.from.column,
            property(&format!("pgstrata {}", finding.rule.id())),
            data(finding.message.get(language)),
        );
    }
    text
}

/// A message: line ends and the sign of escapes are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property: also the signs between properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_command_is_escaped() {
        assert_eq!(data("a\nb 100%"), "a%0Ab 100%25");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
