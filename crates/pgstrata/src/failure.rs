//! How an error is shown: one paragraph that says what was tried, why it failed and what to do, in the reader's language;
//! and its exit code.

use std::fmt::Write as _;

use pgstrata_cases::ledger::audit::AuditError;
use pgstrata_lab::archive::ArchiveError;
use pgstrata_lab::chinese::said;
use pgstrata_lab::error::LabError;
use pgstrata_lab::study::StudyError;
use pgstrata_pg as pg;
use pgstrata_scenario::play::PlayError;
use pgstrata_scenario::suite::SuiteError;
use pgstrata_tools::advisor::proof::ProofError;
use pgstrata_tools::mvcc::MvccError;
use pgstrata_units::Text;

use crate::terminal::Terminal;

/// Wrong usage.
pub const USAGE: u8 = 2;
/// The environment failed: no server, no space, no permission.
pub const ENVIRONMENT: u8 = 3;
/// Ended by the user, as shells count it (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<AuditError>().is_some_and(AuditError::is_mistake) {
        return USAGE;
    }
    if error.downcast_ref::<MvccError>().is_some_and(MvccError::is_mistake) {
        return USAGE;
    }
    if error.downcast_ref::<ProofError>().is_some_and(ProofError::is_mistake) {
        return USAGE;
    }
    match error.downcast_ref::<LabError>() {
        Some(LabError::Usage { .. }) => USAGE,
        Some(LabError::Interrupted) => INTERRUPTED,
        None if error.downcast_ref::<SuiteError>().is_some() => USAGE,
        _ => match server_error(error).map(pg::Error::kind) {
            Some(pg::Kind::BadUrl { .. }) => USAGE,
            _ => ENVIRONMENT,
        },
    }
}

/// The error, its causes, the server's last log lines and a hint.
pub fn paragraph(error: &anyhow::Error, terminal: Terminal) -> String {
    let language = terminal.language;
    let separator = terminal.say(Text { en: ": ", zh: "：" });
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        // An error type that passes its cause on says the same twice.
        if !told.last().is_some_and(|before| before.ends_with(&cause)) {
            told.push(cause);
        }
    }
    let told: Vec<_> = told.iter().map(|cause| said(cause, language)).collect();
    let mut text = format!("{}{}", terminal.error_word(), told.join(separator));
    for line in log_tail(error) {
        let _ = write!(text, "\n  | {line}");
    }
    if let Some(hint) = hint(error) {
        let _ = write!(text, "\n{}{}", terminal.hint_word(), said(&hint, language));
    }
    text
}

fn server_error(error: &anyhow::Error) -> Option<&pg::Error> {
    error.chain().find_map(|cause| {
        cause
            .downcast_ref::<pg::Error>()
            .or_else(|| cause.downcast_ref::<StudyError>().and_then(|study| study.source.downcast_ref::<pg::Error>()))
    })
}

fn log_tail(error: &anyhow::Error) -> &[String] {
    server_error(error).map_or(&[], pg::Error::log_tail)
}

fn hint(error: &anyhow::Error) -> Option<String> {
    let of_lab = error.chain().find_map(|cause| cause.downcast_ref::<LabError>()).and_then(LabError::hint);
    let of_archive = error.chain().find_map(|cause| cause.downcast_ref::<ArchiveError>()).map(ArchiveError::hint);
    let of_play = error.chain().find_map(|cause| cause.downcast_ref::<PlayError>()).and_then(PlayError::hint);
    let of_suite = error.chain().find_map(|cause| cause.downcast_ref::<SuiteError>()).map(SuiteError::hint);
    let of_scenario = of_play.or(of_suite.map(str::to_owned));
    let of_audit = error.chain().find_map(|cause| cause.downcast_ref::<AuditError>()).and_then(AuditError::hint);
    let of_mvcc = error.chain().find_map(|cause| cause.downcast_ref::<MvccError>()).and_then(MvccError::hint);
    let of_proof = error.chain().find_map(|cause| cause.downcast_ref::<ProofError>()).and_then(ProofError::hint);
    of_lab
        .or(of_proof)
        .or(of_archive)
        .or(of_scenario)
        .or(of_audit)
        .or(of_mvcc)
        .or_else(|| server_error(error).and_then(pg::Error::hint))
}
