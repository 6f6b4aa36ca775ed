//! The `OpenAPI` document: made of the types that are sent, committed as `openapi.json`, and what the page's client is
//! generated from.

use utoipa::OpenApi;

use crate::live::{ClientMessage, ServerMessage};
use crate::problem::Problem;
use crate::routes;
use crate::routes::advisor::prove::{Message as ProveMessage, Request as ProveRequest};

/// What the routes do not say of themselves: the title, and the messages of the WebSocket, which `OpenAPI` has no routes for.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "pgstrata workbench",
        description = "What the workbench's page uses. Times are microseconds since 1970, positions in the log are as `0/1A2B3C`. \
                       Messages of the WebSocket `/api/live` are `ClientMessage` and `ServerMessage`."
    ),
    components(schemas(ClientMessage, ServerMessage, ProveRequest, ProveMessage, Problem))
)]
struct Document;

/// The document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(routes::router().into_openapi());
    document
}

/// The document as it is committed and served: indented JSON.
///
/// # Panics
/// Never: the document holds nothing that JSON cannot.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant of the program, made in every test run")]
pub fn openapi_json() -> String {
    openapi().to_pretty_json().expect("the document is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(&openapi_json()).expect("JSON");
        let mut missing = Vec::new();
        let mut references = 0;
        walk(&document, &mut |reference| {
            references += 1;
            let pointer = reference.trim_start_matches('#');
            if document.pointer(pointer).is_none() {
                missing.push(reference.to_owned());
            }
        });
        assert!(references > 100, "{references}");
        assert_eq!(missing, Vec::<String>::new());
    }

    fn walk(value: &serde_json::Value, found: &mut impl FnMut(&str)) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(|it| it.as_str()) {
                    found(reference);
                }
                map.values().for_each(|value| walk(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
}
