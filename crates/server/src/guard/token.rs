//! The token: a secret that whoever started the server hands on. It comes once in an address, and then stays in a cookie
//! that scripts cannot read; programs send it as `Authorization: Bearer`.

use std::fmt;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rand::RngExt;
use sha2::{Digest, Sha256};

use super::{Access, is_api};
use crate::browser::cookie;
use crate::problem::{Code, Problem};

/// A token that a user chooses has at least so many characters.
pub const SHORTEST_TOKEN: usize = 16;

/// A secret; it is shown nowhere but in [`Access::invitation`].
#[derive(Clone)]
pub struct Token(String);

/// The token is too short to be a secret.
#[derive(Debug, thiserror::Error)]
#[error("a token has at least {SHORTEST_TOKEN} characters, of letters, digits, `-` and `_`")]
pub struct TokenTooShort;

impl Token {
    /// One of 128 random bits.
    #[must_use]
    pub fn draw() -> Self {
        Self(format!("{:032x}", rand::rng().random::<u128>()))
    }

    /// One that the user chose.
    ///
    /// # Errors
    /// If it is shorter than [`SHORTEST_TOKEN`], or cannot stand in an address as it is.
    pub fn of_user(text: &str) -> Result<Self, TokenTooShort> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if text.len() < SHORTEST_TOKEN || !is_plain {
            return Err(TokenTooShort);
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is the token. Digests are compared, so how long it takes tells nothing of the token itself.
    fn is(&self, offered: &str) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(offered)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

fn cookie_name(port: u16) -> String {
    // Cookies do not know ports, and there may be several workbenches on a machine.
    format!("pgstrata-{port}-token")
}

/// Refuses a request that does not know the token.
pub fn check(access: &Access, request: &Request) -> Result<(), Problem> {
    let Some(token) = &access.token else { return Ok(()) };
    let headers = request.headers();
    let in_cookie = cookie(headers, &cookie_name(access.address.port()));
    let is_known = bearer(headers).or(in_cookie).is_some_and(|offered| token.is(offered))
        || in_address(request).is_some_and(|offered| token.is(offered));
    if is_known {
        return Ok(());
    }
    Err(Problem::new(Code::TokenNeeded, "this workbench is open to those who know its token").hint(
        "open the address with the token in it that `pgstrata serve` printed; a program sends `Authorization: Bearer`",
    ))
}

/// Turns an address with the token in it into the same without it and a cookie; the request was admitted already.
pub fn login(access: &Access, request: &Request) -> Option<Response> {
    let token = access.token.as_ref()?;
    let offered = in_address(request)?;
    // An address may hold a wrong token beside a good cookie.
    if !token.is(offered) || request.method() != Method::GET {
        return None;
    }
    let kept: Vec<&str> = request.uri().query()?.split('&').filter(|part| !part.starts_with("token=")).collect();
    let path = request.uri().path();
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    let name = cookie_name(access.address.port());
    let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Strict", token.reveal());
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::LOCATION, local(&target)?);
    headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    Some(answer)
}

/// A place on this server: `//evil.example` would be another.
fn local(target: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/{}", target.trim_start_matches(['/', '\\']))).ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Only addresses of pages: those of the API end up in logs and histories of programs.
fn in_address(request: &Request) -> Option<&str> {
    if is_api(request.uri().path()) {
        return None;
    }
    request.uri().query()?.split('&').find_map(|part| part.strip_prefix("token="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown_by_accident() {
        let token = Token::draw();
        assert_eq!(token.reveal().len(), 32);
        assert!(!format!("{token:?}").contains(token.reveal()));
        assert_ne!(token.reveal(), Token::draw().reveal());
    }

    #[test]
    fn a_redirect_never_leads_to_another_server() {
        for (target, expect) in
            [("//evil.example/x", "/evil.example/x"), ("/\\evil", "/evil"), ("/live?a=1", "/live?a=1"), ("/", "/")]
        {
            assert_eq!(local(target).expect("a header"), expect, "{target}");
        }
    }

    #[test]
    fn a_short_or_strange_token_is_refused() {
        for text in ["", "0123456789abcde", "0123456789abcde ", "0123456789abcdef&x=1", "0123456789abcdef;"] {
            assert!(Token::of_user(text).is_err(), "{text}");
        }
        assert!(Token::of_user("0123456789-abc_DEF").is_ok());
    }
}
