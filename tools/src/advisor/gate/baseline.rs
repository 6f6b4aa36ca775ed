//! Findings that a repository had before: a SARIF file of an earlier run, or the JSON that the gate prints. What is in
//! it does not close the gate; what is new does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::Finding;
use super::sarif::FINGERPRINT;

/// Fingerprints of known findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    fingerprints: BTreeSet<String>,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It is not JSON.
    #[error("the baseline is not JSON")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON of something else.
    #[error("the baseline is neither SARIF nor what `--format json` prints")]
    NoFindings,
}

impl BaselineError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "make one with `pgstrata isolation check --format sarif --fail-on never … > baseline.sarif`"
    }
}

impl Baseline {
    /// Reads a baseline. An empty list of findings is one.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let value: Value = serde_json::from_str(text)?;
        let of_sarif = value.get("runs").and_then(Value::as_array).map(|runs| {
            let results = runs.iter().filter_map(|run| run.get("results")?.as_array()).flatten();
            results.filter_map(|result| text_at(result, &format!("/partialFingerprints/{}", escaped()))).collect()
        });
        let of_json = || {
            let findings = value.get("findings")?.as_array()?;
            Some(findings.iter().filter_map(|finding| text_at(finding, "/fingerprint")).collect())
        };
        let fingerprints: Option<BTreeSet<String>> = of_sarif.or_else(of_json);
        Ok(Self { fingerprints: fingerprints.ok_or(BaselineError::NoFindings)? })
    }

    /// Marks the findings that are known; returns how many known ones are gone.
    pub fn mark(&self, findings: &mut [Finding]) -> usize {
        for finding in findings.iter_mut() {
            finding.is_known = self.fingerprints.contains(&finding.fingerprint);
        }
        let here: BTreeSet<&str> = findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
        self.fingerprints.iter().filter(|known| !here.contains(known.as_str())).count()
    }
}

/// The fingerprint's key as part of a JSON pointer, where a slash is written `~1` (RFC 6901).
fn escaped() -> String {
    FINGERPRINT.replace('/', "~1")
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_others_are_refused() {
        let sarif = format!(r#"{{"runs": [{{"results": [{{"partialFingerprints": {{"{FINGERPRINT}": "ab"}}}}]}}]}}"#);
        let json = r#"{"findings": [{"fingerprint": "ab"}]}"#;
        let both = [sarif.as_str(), json].map(|text| Baseline::parse(text).expect("a baseline").fingerprints);
        assert_eq!(both[0], both[1]);
        assert_eq!(both[0], BTreeSet::from(["ab".to_owned()]));
        assert!(matches!(Baseline::parse("{}"), Err(BaselineError::NoFindings)));
        assert!(matches!(Baseline::parse("ab"), Err(BaselineError::NotJson(_))));
    }
}
