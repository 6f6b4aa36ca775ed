//! The page and the book, in the program. Both are built by Node and may be missing: then a page says so, and how to get
//! them; everything else works.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use crate::guard::policy_with_scripts;
use crate::problem::{Code, Problem};

/// The page, as `cargo xtask ui build` makes it.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Page;

/// The book, as `cargo xtask book` makes it.
#[derive(RustEmbed)]
#[folder = "../../book/.vitepress/dist"]
#[allow_missing = true]
struct Book;

/// What is shown where there is no page.
const PLACEHOLDER: &str = include_str!("placeholder.html");

/// Where the book is served.
pub const BOOK: &str = "/docs/";

/// Files with a digest in their name never change.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// All others are asked for anew, which a digest answers in a few bytes.
const ASK_AGAIN: &str = "no-cache";

/// Whether the book is there.
#[must_use]
pub fn has_book() -> bool {
    Book::get("index.html").is_some()
}

/// Whether the page is there.
#[must_use]
pub fn has_page() -> bool {
    Page::get("index.html").is_some()
}

/// The page's single file, for recordings that are to be played without us.
#[must_use]
pub fn page_file(name: &str) -> Option<Cow<'static, [u8]>> {
    Page::get(name).map(|file| file.data)
}

/// Answers whatever is no route of the API: the book below `/docs/`, else the page.
pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::new(Code::MethodNotAllowed, "there is nothing here that can be changed").into_response();
    }
    let path = request.uri().path();
    if path == "/docs" {
        return Redirect::permanent(BOOK).into_response();
    }
    if path == "/api" || path.starts_with("/api/") {
        return Problem::missing(format!("there is no route {path}")).into_response();
    }
    match path.strip_prefix(BOOK) {
        Some(path) => book(path, request.headers()),
        None => page(path.trim_start_matches('/'), request.headers()),
    }
}

/// A page of the book: `guide`, `guide.html` and `guide/` are the same.
fn book(path: &str, headers: &HeaderMap) -> Response {
    let found = [path.to_owned(), format!("{path}.html"), format!("{path}index.html"), format!("{path}/index.html")]
        .into_iter()
        .find_map(|name| Book::get(&name).map(|file| (name, file)));
    match found {
        Some((name, file)) => send(&name, &file, headers, StatusCode::OK),
        None if !has_book() => placeholder(StatusCode::NOT_FOUND),
        None => match Book::get("404.html") {
            Some(file) => send("404.html", &file, headers, StatusCode::NOT_FOUND),
            None => Problem::missing(format!("there is no page {path} of the book")).into_response(),
        },
    }
}

/// A file of the page, or the page itself: it knows its own addresses (`/live`, `/timeline`), which are no files.
fn page(path: &str, headers: &HeaderMap) -> Response {
    if let Some(file) = Page::get(path) {
        return send(path, &file, headers, StatusCode::OK);
    }
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if is_file {
        return Problem::missing(format!("there is no file {path}")).into_response();
    }
    match Page::get("index.html") {
        Some(file) => send("index.html", &file, headers, StatusCode::OK),
        None => placeholder(StatusCode::OK),
    }
}

fn placeholder(status: StatusCode) -> Response {
    let mut answer = (status, PLACEHOLDER).into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

fn send(name: &str, file: &EmbeddedFile, asked: &HeaderMap, status: StatusCode) -> Response {
    // Weak: it may be sent compressed.
    let tag = format!("W/\"{}\"", BASE64_STANDARD.encode(file.metadata.sha256_hash()));
    let is_known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|known| known.trim() == tag));
    let mut answer = if is_known && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (status, file.data.to_vec()).into_response()
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    let keep = if name.starts_with("assets/") { FOREVER } else { ASK_AGAIN };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    let scripts = if media_type(name).starts_with("text/html") { inline_scripts(&file.data) } else { Vec::new() };
    if !scripts.is_empty()
        && let Ok(policy) = HeaderValue::try_from(policy_with_scripts(&scripts))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// Digests of the scripts that stand in a page of ours: the book's generator puts its start-up there. They were put in
/// when the program was built, so nobody else's can be among them.
fn inline_scripts(page: &[u8]) -> Vec<String> {
    let Ok(page) = std::str::from_utf8(page) else { return Vec::new() };
    let scripts = page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (text, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=") && !text.is_empty()).then_some(text)
    });
    scripts.map(|text| BASE64_STANDARD.encode(Sha256::digest(text))).collect()
}

/// The media type of a file by its name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_that_stand_in_the_page_are_let_run_by_digest() {
        let page = b"<script src=\"/a.js\"></script><script>alert(1)</script><script type=\"module\">x</script><script></script>";
        let digest = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        assert_eq!(inline_scripts(page), [digest("alert(1)"), digest("x")]);
        let policy = policy_with_scripts(&inline_scripts(page));
        assert!(policy.contains(&format!("script-src 'self' 'sha256-{}'", digest("alert(1)"))), "{policy}");
    }
}
