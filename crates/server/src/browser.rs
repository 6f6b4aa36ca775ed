//! Which browser a request comes from: a random cookie, so that one person's consoles are not another's. It is no
//! proof of anything; who may come in at all is decided in `guard`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use rand::RngExt;

/// A browser, by the cookie that it was given at its first request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Browser(pub String);

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The guard has put it there; a request that never met the guard belongs to nobody.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

fn cookie_name(port: u16) -> String {
    format!("pgstrata-{port}-browser")
}

/// Hexadecimal digits of a browser's name.
const NAME_DIGITS: usize = 32;

/// The name that a browser was given, or a new one, and whether it is new.
pub fn known_or_new(headers: &HeaderMap, port: u16) -> (String, bool) {
    let is_name = |name: &&str| name.len() == NAME_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match cookie(headers, &cookie_name(port)).filter(is_name) {
        Some(name) => (name.to_owned(), false),
        None => (format!("{:032x}", rand::rng().random::<u128>()), true),
    }
}

/// Has the browser remember its name until it is closed.
pub fn remember(headers: &mut HeaderMap, browser: &str, port: u16) {
    let cookie = format!("{}={browser}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port));
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}
