//! Who may come in. Every request meets [`check`] before anything else looks at it: is it meant for this server, was it
//! sent by this server's own page, does it know the token; and every answer leaves with the same headers of caution.
//!
//! The danger is the reader's own browser: any web site can make it send requests to this machine (cross-site requests),
//! and with a name of its own that it points here (DNS rebinding) it can even read the answers. So the names that we go
//! by are few, and a request from a page must come from our own.

mod headers;
mod host;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::browser::{self, Browser};
use crate::problem::{Code, Problem};
pub use headers::policy_with_scripts;
use host::Host;
pub use token::{SHORTEST_TOKEN, Token, TokenTooShort};

/// Who may come in.
#[derive(Clone, Debug)]
pub struct Access {
    address: SocketAddr,
    token: Option<Token>,
    names: Vec<String>,
}

impl Access {
    /// To a server at this address. Where others can reach it a token is needed: without one given, one is drawn.
    #[must_use]
    pub fn new(address: SocketAddr, token: Option<Token>, names: Vec<String>) -> Self {
        let token = token.or_else(|| (!address.ip().is_loopback()).then(Token::draw));
        let names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { address, token, names }
    }

    /// What a person opens, the token in it if there is one. It is a secret, and only to be shown to whoever started the
    /// server.
    #[must_use]
    pub fn invitation(&self) -> String {
        let ip = self.address.ip();
        // "Any address" is none that a browser can open; this machine's own is one of them.
        let host = match ip {
            _ if !ip.is_unspecified() => SocketAddr::new(ip, self.address.port()).to_string(),
            _ => format!("127.0.0.1:{}", self.address.port()),
        };
        match &self.token {
            Some(token) => format!("http://{host}/?token={}", token.reveal()),
            None => format!("http://{host}/"),
        }
    }

    /// Whether a token is needed.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request in, or says why not.
pub async fn check(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let is_secret = is_api(request.uri().path());
    let answer = match admit(&access, &request) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            if let Some(redirect) = token::login(&access, &request) {
                redirect
            } else {
                let (browser, is_new) = browser::known_or_new(request.headers(), access.address.port());
                request.extensions_mut().insert(Browser(browser.clone()));
                let mut answer = next.run(request).await;
                if is_new {
                    browser::remember(answer.headers_mut(), &browser, access.address.port());
                }
                answer
            }
        }
    };
    headers::caution(answer, is_secret)
}

fn admit(access: &Access, request: &Request) -> Result<(), Problem> {
    let host = Host::of(request)?;
    if !host.is_ours(access) {
        return Err(Problem::new(Code::ForeignHost, "the request names another server in `Host`")
            .hint("open the address that `pgstrata serve` prints, or give the name with --name"));
    }
    check_origin(&host, request.headers())?;
    check_fetch_site(request)?;
    token::check(access, request)
}

/// A page that sends a request says which site it is of; it must be ours.
fn check_origin(host: &Host, headers: &HeaderMap) -> Result<(), Problem> {
    let foreign = || {
        Problem::new(Code::ForeignOrigin, "a page of another web site sent this request")
            .hint("use the workbench's own page; a program sends no `Origin`")
    };
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().map_err(|_| foreign())?.to_ascii_lowercase();
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if named != Some(host.as_str()) {
            return Err(foreign());
        }
    }
    Ok(())
}

/// Browsers say how near the sender is, also where they send no `Origin` (an image, say). Links to pages may come from
/// anywhere; the API is for our own page.
fn check_fetch_site(request: &Request) -> Result<(), Problem> {
    let is_harmless = !is_api(request.uri().path()) && request.method() == Method::GET;
    match request.headers().get(FETCH_SITE).map(axum::http::HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) if is_harmless => Ok(()),
        Some(_) => Err(Problem::new(Code::ForeignOrigin, "a page of another web site sent this request")),
    }
}

/// Whether answers at this path hold data, and not only the program's own page.
fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}
