//! What does the API look like, for programs and for people?

use std::fmt::Write as _;

use actix_web::HttpResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};

use crate::{llm, ops, v1};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(title = "Plimsoll", description = "A control plane for LLM traffic: every LLM Run is authorised against Limits before it spends."),
    paths(
        llm::serve::chat, llm::serve::completions, llm::serve::embeddings, llm::serve::responses,
        llm::serve::messages, llm::serve::count_tokens, llm::serve::models,
        v1::limits::list, v1::limits_change::create, v1::limits::usage, v1::limits::check, v1::limits::simulate,
        v1::limits::get, v1::limits_change::update, v1::limits_change::delete,
        v1::holds::settle, v1::holds::release,
        v1::runs::list, v1::runs::get, v1::runs::cost, v1::analytics::costs,
        v1::keys::list, v1::keys::create, v1::keys::revoke, v1::keys::freeze, v1::keys::unfreeze,
        v1::scopes::projects, v1::scopes::create_project, v1::scopes::agents, v1::scopes::create_agent,
        ops::tenants::list, ops::tenants::create, ops::tenants::freeze, ops::tenants::unfreeze,
        ops::tenants::floor_price, ops::tenants::create_key,
        ops::limits::list, ops::limits::create, ops::limits::usage, ops::limits::update,
        ops::health::live, ops::health::ready,
    ),
    modifiers(&Bearer, &OptionalBodies),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key of a tenant, or an operator's token on the Operators routes.",
            ))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Bodies that may be left out, which the macros can only say of bodies that may be `null`.
struct OptionalBodies;

impl utoipa::Modify for OptionalBodies {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let freezes = document.paths.paths.iter_mut();
        let freezes = freezes.filter(|(path, _)| path.ends_with("/freeze"));
        for body in freezes.filter_map(|(_, item)| item.post.as_mut()?.request_body.as_mut()) {
            if let RefOr::T(body) = body {
                body.required = Some(Required::False);
            }
        }
    }
}

/// The OpenAPI document of this release as JSON.
pub fn json() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json())
}

/// A page that lists every operation: readable without a script.
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'",
        ))
        .body(html())
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733}\
h1{font-size:1.6rem}h2{margin-top:2.2rem;border-bottom:1px solid #d5dde3;padding-bottom:.2rem}\
details{border:1px solid #d5dde3;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}\
summary{cursor:pointer;font-family:ui-monospace,monospace}b{display:inline-block;min-width:4.5rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;padding:.25rem .6rem .25rem 0;vertical-align:top;border-top:1px solid #eef2f5}\
code{font-family:ui-monospace,monospace}";

fn html() -> String {
    let document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Plimsoll API</title><style>{STYLE}</style></head><body>\
         <h1>Plimsoll API</h1><p>The same as <a href=\"/openapi.json\">openapi.json</a>, for people. Send \
         <code>Authorization: Bearer</code> with an API key, or with an operator's token on the Operators routes.</p>"
    );
    let mut by_tag: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    let paths = document.get("paths").and_then(|paths| paths.as_object());
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tag = operation
                .pointer("/tags/0")
                .and_then(|tag| tag.as_str())
                .unwrap_or("Other");
            by_tag
                .entry(tag.to_owned())
                .or_default()
                .push(entry(path, method, operation, &document));
        }
    }
    for (tag, entries) in by_tag {
        // Writing to a `String` cannot fail.
        write!(page, "<h2>{}</h2>{}", escape(&tag), entries.concat()).ok();
    }
    page.push_str("</body></html>");
    page
}

fn entry(path: &str, method: &str, operation: &serde_json::Value, document: &serde_json::Value) -> String {
    let mut text = format!(
        "<details><summary><b>{}</b> {}</summary>",
        method.to_uppercase(),
        escape(path)
    );
    let body = operation
        .pointer("/requestBody/content/application~1json/schema/$ref")
        .and_then(|r| r.as_str());
    if let Some(schema) = body.and_then(|r| document.pointer(r.trim_start_matches('#'))) {
        text.push_str("<p>Body</p><table>");
        let required: Vec<&str> = schema
            .get("required")
            .and_then(|r| r.as_array())
            .into_iter()
            .flatten()
            .filter_map(|n| n.as_str())
            .collect();
        for (name, field) in schema
            .get("properties")
            .and_then(|p| p.as_object())
            .into_iter()
            .flatten()
        {
            let mark = if required.contains(&name.as_str()) {
                " (required)"
            } else {
                ""
            };
            let about = field
                .get("description")
                .and_then(|d| d.as_str())
                .unwrap_or_default();
            write!(
                text,
                "<tr><td><code>{}</code>{mark}</td><td>{}</td></tr>",
                escape(name),
                escape(about)
            )
            .ok();
        }
        text.push_str("</table>");
    }
    text.push_str("<p>Answers</p><table>");
    for (status, answer) in operation
        .get("responses")
        .and_then(|r| r.as_object())
        .into_iter()
        .flatten()
    {
        let about = answer
            .get("description")
            .and_then(|d| d.as_str())
            .unwrap_or_default();
        write!(
            text,
            "<tr><td><code>{}</code></td><td>{}</td></tr>",
            escape(status),
            escape(about)
        )
        .ok();
    }
    text.push_str("</table></details>");
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
