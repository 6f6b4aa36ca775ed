//! Which browser a request comes from: a random cookie, so that one person's consoles are not another's. It is no
//! proof of anything; who may come in at all is decided in `guard`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

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
