//! What does a request look like, as far as a failure may depend on it?

use std::collections::BTreeSet;

use infra::secrets::{hex, keyed_hash_of};
use model::id::TenantId;
use serde_json::Value;

use super::body::Body;
use crate::context::Context;

/// What a model is asked, in any of the operations. Everything else is about how it is to answer.
pub(super) const INPUT: [&str; 6] = ["system", "instructions", "messages", "prompt", "suffix", "input"];

/// Bytes of the hash that are kept: 128 bits.
const FINGERPRINT: usize = 16;

/// The names of the tools that the model may call, sorted, each once. A tool without a name is called by its type, such
/// as `web_search`.
pub(super) fn tools(body: &Body) -> Vec<String> {
    let lists = ["tools", "functions"].iter().filter_map(|field| {
        let list: Option<Vec<Value>> = body.get(field);
        list
    });
    let names: BTreeSet<String> = lists.flatten().filter_map(|tool| name(&tool)).collect();
    names.into_iter().collect()
}

fn name(tool: &Value) -> Option<String> {
    let nested = tool.get("function").and_then(|function| function.get("name"));
    let name = nested.or_else(|| tool.get("name")).or_else(|| tool.get("type"))?;
    name.as_str().map(str::to_owned)
}

/// The keyed hash of the input as it was written, 32 hex digits; none if there is no input. Inputs of two tenants are
/// never seen to be the same, and whoever does not have the key learns nothing by guessing.
pub(super) fn fingerprint(body: &Body, key: &str, tenant: TenantId) -> Option<String> {
    let given: Vec<(&str, &str)> = INPUT
        .iter()
        .filter(|field| body.has(field))
        .filter_map(|field| Some((*field, body.raw(field)?)))
        .collect();
    if given.is_empty() {
        return None;
    }
    // Each text with its length, so that no two inputs are written alike.
    let heads: Vec<String> = given
        .iter()
        .map(|(field, raw)| format!("\n{field}:{}:", raw.len()))
        .collect();
    let title = format!("input 1\n{tenant}");
    let mut parts = vec![title.as_bytes()];
    for (head, (_, raw)) in heads.iter().zip(&given) {
        parts.extend([head.as_bytes(), raw.as_bytes()]);
    }
    let hash = keyed_hash_of(key.as_bytes(), &parts);
    Some(hex(hash.get(..FINGERPRINT).unwrap_or(&hash)))
}

/// The key under which inputs are hashed.
pub(super) async fn key(cx: &Context) -> Result<&str, store::StoreError> {
    let read = || async { cx.db.read(|tx| store::installation::input_key(tx)).await };
    cx.input_key.get_or_try_init(read).await.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn body(value: &Value) -> Body {
        Body::parse(Bytes::from(value.to_string())).unwrap()
    }

    #[test]
    fn tools_of_every_dialect_are_named_once_and_sorted() {
        let both = body(&json!({
            "tools": [
                {"type": "function", "function": {"name": "shell"}},
                {"type": "function", "name": "browse"},
                {"name": "shell", "input_schema": {}},
                {"type": "web_search"},
                {"function": {}}, 7,
            ],
            "functions": [{"name": "old"}],
        }));
        assert_eq!(tools(&both), ["browse", "old", "shell", "web_search"]);
        assert!(tools(&body(&json!({"tools": null}))).is_empty());
    }

    #[test]
    fn the_hash_covers_the_input_its_place_the_tenant_and_the_key() {
        let hash = |value: Value, key, tenant| fingerprint(&body(&value), key, TenantId::from_bits(tenant));
        let mut hashes = vec![
            hash(json!({"input": "a"}), "k", 1),
            hash(json!({"input": "b"}), "k", 1),
            hash(json!({"prompt": "a"}), "k", 1),
            hash(json!({"input": "a", "instructions": "b"}), "k", 1),
            hash(json!({"input": "a"}), "k", 2),
            hash(json!({"input": "a"}), "l", 1),
        ];
        assert!(
            hashes
                .iter()
                .all(|hash| hash.as_ref().is_some_and(|hash| hash.len() == 32))
        );
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
        // How it is to be answered is no part of what is asked.
        assert_eq!(
            hash(json!({"input": "a", "temperature": 1}), "k", 1),
            hash(json!({"input": "a", "model": "m"}), "k", 1)
        );
        assert_eq!(hash(json!({"model": "m", "input": null}), "k", 1), None);
    }
}
