//! What does the document look like for people?

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733}\
h1{font-size:1.6rem}h2{margin-top:2.2rem;border-bottom:1px solid #d5dde3;padding-bottom:.2rem}\
details{border:1px solid #d5dde3;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}\
summary{cursor:pointer;font-family:ui-monospace,monospace}b{display:inline-block;min-width:4.5rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;padding:.25rem .6rem .25rem 0;vertical-align:top;border-top:1px solid #eef2f5}\
code{font-family:ui-monospace,monospace}";

/// The page: every operation in its group, readable without a script.
pub(super) fn html(document: &Value) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Plimsoll API</title><style>{STYLE}</style></head><body>\
         <h1>Plimsoll API</h1><p>The same as <a href=\"/openapi.json\">openapi.json</a>, for people. Send \
         <code>Authorization: Bearer</code> with an API key, or with an operator's token on the Operators routes.</p>"
    );
    let mut by_tag: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, item) in members(document.get("paths")) {
        for (method, operation) in members(Some(item)) {
            let tag = operation.pointer("/tags/0").and_then(Value::as_str);
            by_tag
                .entry(tag.unwrap_or("Other"))
                .or_default()
                .push(entry(path, method, operation, document));
        }
    }
    for (tag, entries) in by_tag {
        // Writing to a `String` cannot fail.
        write!(page, "<h2>{}</h2>{}", escape(tag), entries.concat()).ok();
    }
    page.push_str("</body></html>");
    page
}

fn entry(path: &str, method: &str, operation: &Value, document: &Value) -> String {
    let (method, path) = (method.to_uppercase(), escape(path));
    let mut html = format!("<details><summary><b>{method}</b> {path}</summary>");
    write!(html, "<p>{}</p>", escape(text(operation, "summary"))).ok();
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let rows = parameters.into_iter().flatten().map(|parameter| {
        let must = parameter.get("required") == Some(&Value::Bool(true));
        let place = format!("{}{}", text(parameter, "in"), required(must));
        row(
            text(parameter, "name"),
            &format!(", {place}"),
            text(parameter, "description"),
        )
    });
    table(&mut html, "Parameters", rows);
    if let Some(body) = operation.get("requestBody") {
        write!(html, "<p>{}</p>", escape(text(body, "description"))).ok();
        let schema = body.pointer("/content/application~1json/schema");
        table(
            &mut html,
            "Body",
            fields(schema.map_or(&Value::Null, |schema| resolved(schema, document))),
        );
    }
    let answers = members(operation.get("responses")).map(|(status, answer)| {
        let answer = resolved(answer, document);
        let headers: Vec<&str> = members(answer.get("headers"))
            .map(|(name, _)| name.as_str())
            .collect();
        let with = if headers.is_empty() {
            String::new()
        } else {
            format!(" Headers: {}.", headers.join(", "))
        };
        let codes = operation
            .pointer(&format!("/x-problems/{status}"))
            .and_then(Value::as_array);
        let codes: Vec<&str> = codes.into_iter().flatten().filter_map(Value::as_str).collect();
        let with = if codes.is_empty() {
            with
        } else {
            format!("{with} Among its codes: {}.", codes.join(", "))
        };
        row(
            status,
            "",
            &format!("{}.{with}", text(answer, "description").trim_end_matches('.')),
        )
    });
    table(&mut html, "Answers", answers);
    html.push_str("</details>");
    html
}

/// The members of a body.
fn fields(schema: &Value) -> impl Iterator<Item = String> {
    members(schema.get("properties")).map(|(name, field)| {
        let mut names = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        row(
            name,
            required(names.any(|must| must == name)),
            text(field, "description"),
        )
    })
}

fn table(html: &mut String, title: &str, rows: impl Iterator<Item = String>) {
    let rows: String = rows.collect();
    if !rows.is_empty() {
        write!(html, "<p>{title}</p><table>{rows}</table>").ok();
    }
}

fn row(name: &str, mark: &str, about: &str) -> String {
    format!(
        "<tr><td><code>{}</code>{mark}</td><td>{}</td></tr>",
        escape(name),
        escape(about)
    )
}

fn required(must: bool) -> &'static str {
    if must { " (required)" } else { "" }
}

/// What a reference stands for; what is none stands for itself.
fn resolved<'d>(value: &'d Value, document: &'d Value) -> &'d Value {
    let place = value.get("$ref").and_then(Value::as_str);
    let found = place.and_then(|place| document.pointer(place.trim_start_matches('#')));
    found.unwrap_or(value)
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
