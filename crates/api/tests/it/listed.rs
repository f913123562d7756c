//! Is every problem that the tests are answered with listed in the OpenAPI document, for its operation and status?

use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::Answer;

static DOCUMENT: OnceLock<Value> = OnceLock::new();

/// Whether a path of the document is this one, and how many of its segments stand for any.
fn fits(template: &str, path: &str) -> Option<usize> {
    let (wanted, found) = (template.split('/'), path.split('/'));
    let any = |segment: &&str| segment.starts_with('{');
    let same = wanted.clone().count() == found.clone().count()
        && wanted
            .clone()
            .zip(found)
            .all(|(wanted, found)| wanted == found || any(&wanted));
    same.then(|| wanted.filter(any).count())
}

/// Compares an answer of our own API with what the document says of the operation.
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    let path = target.split('?').next().unwrap_or_default();
    if !path.starts_with("/api/v1/") || answer.header("content-type") != Some("application/problem+json") {
        return;
    }
    let document = DOCUMENT.get_or_init(|| serde_json::from_str(&api::openapi::json()).unwrap());
    let paths = document["paths"].as_object().unwrap();
    let found = paths
        .iter()
        .filter_map(|(template, item)| Some((fits(template, path)?, item)))
        .min_by_key(|(any, _)| *any);
    let Some(operation) = found.and_then(|(_, item)| item.get(method.to_lowercase())) else {
        return;
    };
    let (status, code) = (answer.status.to_string(), Value::String(answer.code()));
    let lists = |of: &Value| {
        let codes = of["x-problems"][&status].as_array();
        codes.is_some_and(|codes| codes.contains(&code))
    };
    assert!(
        lists(document) || lists(operation),
        "{method} {path} answers {status} {code}, which the OpenAPI document does not list"
    );
}
