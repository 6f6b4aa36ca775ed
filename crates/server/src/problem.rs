//! What a refused request is answered with: problem details (RFC 9457), with a code for programs and a hint for people.
//!
//! Nothing here may hold a password: causes come from errors that are free of them (`pgstrata_pg::Error` prints none).

use std::borrow::Cow;
use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pgstrata_lab::archive::{ArchiveError, ArchiveErrorKind};
use pgstrata_lab::chinese::said;
use pgstrata_lab::error::LabError;
use pgstrata_pg as pg;
use pgstrata_timeline::file::FileError;
use pgstrata_units::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was refused, for programs; the page makes the sentence in the reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// 400: the request makes no sense.
    BadRequest,
    /// 401: the token is missing or wrong.
    TokenNeeded,
    /// 403: another web site sent it.
    ForeignOrigin,
    /// 403: the attached server may only be read (`--allow-write` was not given).
    ReadOnly,
    /// 403: it belongs to another browser.
    NotYours,
    /// 404: there is no such thing.
    NotFound,
    /// 405: not with this method.
    MethodNotAllowed,
    /// 409: it does not fit what is there: a step out of order, a key that was used for something else.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 415: the body is not of the type that is wanted.
    WrongType,
    /// 421: the `Host` header names another server.
    ForeignHost,
    /// 422: PostgreSQL said no.
    Database,
    /// 429: as many as there may be are there already.
    LimitReached,
    /// 500: a fault of pgstrata.
    Internal,
    /// 501: this server or this build cannot do it.
    NotSupported,
    /// 503: PostgreSQL does not answer.
    ServerAway,
    /// 504: it took too long.
    TooLate,
}

/// A refused request (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:pgstrata:` and the code.
    #[schema(value_type = String)]
    pub r#type: Box<str>,
    /// The kind of problem, in English.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem, for programs.
    pub code: Code,
    /// This problem, in English.
    pub detail: String,
    /// What to do about it, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What of it is known in Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<InChinese>)]
    pub zh: Option<Box<InChinese>>,
    /// PostgreSQL's code of the error, if it is one of PostgreSQL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
}

/// A problem in Chinese: those of its sentences that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProblemInChinese)]
pub struct InChinese {
    /// This problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Code {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TokenNeeded => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin | Self::ReadOnly | Self::NotYours => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
            Self::Database => StatusCode::UNPROCESSABLE_ENTITY,
            Self::LimitReached => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Self::ServerAway => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLate => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "the request makes no sense",
            Self::TokenNeeded => "a token is needed",
            Self::ForeignOrigin => "sent by another web site",
            Self::ReadOnly => "the server may only be read",
            Self::NotYours => "it belongs to another browser",
            Self::NotFound => "not found",
            Self::MethodNotAllowed => "not with this method",
            Self::Conflict => "it does not fit what is there",
            Self::TooLarge => "too large",
            Self::WrongType => "not of the type that is wanted",
            Self::ForeignHost => "meant for another server",
            Self::Database => "PostgreSQL said no",
            Self::LimitReached => "there are as many as there may be",
            Self::Internal => "a fault of pgstrata",
            Self::NotSupported => "not supported here",
            Self::ServerAway => "PostgreSQL does not answer",
            Self::TooLate => "it took too long",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::TokenNeeded => "token-needed",
            Self::ForeignOrigin => "foreign-origin",
            Self::ReadOnly => "read-only",
            Self::NotYours => "not-yours",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::WrongType => "wrong-type",
            Self::ForeignHost => "foreign-host",
            Self::Database => "database",
            Self::LimitReached => "limit-reached",
            Self::Internal => "internal",
            Self::NotSupported => "not-supported",
            Self::ServerAway => "server-away",
            Self::TooLate => "too-late",
        }
    }
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let zh = in_chinese(&detail).map(|detail| Box::new(InChinese { detail: Some(detail), hint: None }));
        Self {
            r#type: format!("urn:pgstrata:{}", code.name()).into(),
            title: code.title().into(),
            status: code.status().as_u16(),
            code,
            detail,
            hint: None,
            zh,
            sqlstate: None,
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.hinted(Some(hint.into()))
    }

    /// The same with what to do about it, if there is something.
    #[must_use]
    pub fn hinted(mut self, hint: Option<String>) -> Self {
        if let Some(known) = hint.as_deref().and_then(in_chinese) {
            self.zh.get_or_insert_default().hint = Some(known);
        }
        Self { hint, ..self }
    }

    /// There is no such thing, as the sentence says.
    #[must_use]
    pub fn missing(sentence: impl Into<String>) -> Self {
        Self::new(Code::NotFound, sentence)
    }

    /// A fault of ours; the cause goes to the log, not to the reader.
    #[must_use]
    pub fn internal(action: &str, error: &dyn Error) -> Self {
        tracing::error!(error = chain(error), action, "a request failed");
        Self::new(Code::Internal, format!("could not {action}")).hint("the log on standard error says more")
    }
}

/// A sentence in Chinese, if it is known.
fn in_chinese(sentence: &str) -> Option<String> {
    match said(sentence, Language::Chinese) {
        Cow::Owned(chinese) => Some(chinese),
        Cow::Borrowed(_) => None,
    }
}

/// The innermost cause of an error of files: what stands around it names places of this machine.
pub fn without_paths(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(cause) if cause.is::<FileError>() => chain(cause),
        _ => chain(error),
    }
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

impl From<pg::Error> for Problem {
    fn from(error: pg::Error) -> Self {
        let code = match error.class() {
            pg::ErrorClass::NotConnected | pg::ErrorClass::ServerLost => Code::ServerAway,
            _ => match error.kind() {
                pg::Kind::ReadOnly | pg::Kind::ServerReadOnly { .. } => Code::ReadOnly,
                _ => Code::Database,
            },
        };
        // What stands around the cause names the server with the user that logs in.
        let detail = match code {
            Code::ServerAway => format!("the server is not to be had: {}", chain(error.kind())),
            _ => chain(&error),
        };
        let sqlstate = error.sqlstate().map(|state| state.code().to_owned());
        Self { sqlstate, ..Self::new(code, detail).hinted(error.hint()) }
    }
}

impl From<LabError> for Problem {
    fn from(error: LabError) -> Self {
        let code = match &error {
            LabError::Usage { .. } => Code::BadRequest,
            LabError::Server(_) => Code::ServerAway,
            _ => Code::Internal,
        };
        Self::new(code, chain(&error)).hinted(error.hint())
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        let code = match &error.kind {
            ArchiveErrorKind::Io(source) if source.kind() == std::io::ErrorKind::NotFound => Code::NotFound,
            ArchiveErrorKind::Io(_) => Code::Internal,
            ArchiveErrorKind::TooLarge { .. } => Code::TooLarge,
            _ => Code::NotSupported,
        };
        // Where the file lies is nobody's business but the machine's owner's.
        let detail = format!("could not {}: {}", error.action, error.kind);
        Self::new(code, detail).hint(error.hint())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code == Code::TokenNeeded {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_both_languages_and_words_of_others_in_theirs() {
        let problem = Problem::missing(format!("there is no recording {}", 7)).hint("`GET /api/recordings` lists them");
        assert_eq!(problem.detail, "there is no recording 7");
        let zh = problem.zh.expect("both sentences are known");
        assert_eq!(zh.detail.as_deref(), Some("没有录制 7"));
        assert_eq!(zh.hint.as_deref(), Some("`GET /api/recordings` 会列出它们"));
        let of_another = Problem::new(Code::Database, "deadlock detected");
        assert_eq!(of_another.zh, None);
    }
}
