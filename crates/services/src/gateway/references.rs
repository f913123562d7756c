//! How much of what a request sends to a model is not in its body?
//!
//! Pictures and files behind an address or an id, earlier answers, prompt templates, the tools of a server: the
//! provider fetches them or keeps them by itself. Each is counted once. A picture counts even if it is in the body,
//! because a small file can hold many pixels.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// Names of members whose text stands for such content.
const NAMES: [&str; 6] = [
    "image_url",
    "file_url",
    "file_id",
    "server_url",
    "previous_response_id",
    "container",
];

/// How many there are in this body. It is valid JSON; one that is nested too deeply to be walked is counted by all
/// its members, which never finds fewer.
pub(super) fn count(body: &[u8]) -> i64 {
    let mut count = 0;
    let walk = Walk {
        under: "",
        count: &mut count,
    };
    match walk.deserialize(&mut serde_json::Deserializer::from_slice(body)) {
        Ok(_) => count,
        Err(_too_deep) => {
            i64::try_from(body.split(|byte| matches!(byte, b':' | b',')).count()).unwrap_or(i64::MAX)
        }
    }
}

/// Walks one value.
struct Walk<'a> {
    /// The name of the member whose value it is.
    under: &'a str,
    count: &'a mut i64,
}

/// What a value turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The word of a part that is a reference by its address.
    UrlWord,
    /// The word of a part that is a reference by its id.
    ItemWord,
    Text,
    Object,
    Other,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Seen;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        Ok(match text {
            "url" => Seen::UrlWord,
            "item_reference" => Seen::ItemWord,
            _ => Seen::Text,
        })
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Seen, S::Error> {
        let stores = self.under == "vector_store_ids";
        while seq
            .next_element_seed(Walk {
                under: "",
                count: &mut *self.count,
            })?
            .is_some()
        {
            *self.count += i64::from(stores);
        }
        Ok(Seen::Other)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Seen, M::Error> {
        let (mut kind, mut address) = (Seen::Other, false);
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let seen = map.next_value_seed(Walk {
                under: &name,
                count: &mut *self.count,
            })?;
            let is_text = !matches!(seen, Seen::Object | Seen::Other);
            let refers = match name.as_ref() {
                "type" => {
                    kind = seen;
                    seen == Seen::ItemWord
                }
                "url" => {
                    address = is_text;
                    false
                }
                "conversation" | "container" => is_text || seen == Seen::Object,
                // A template that the provider keeps; a text is the prompt itself.
                "prompt" => seen == Seen::Object,
                name => is_text && NAMES.contains(&name),
            };
            *self.count += i64::from(refers);
        }
        // An address is one of content where the part says so; elsewhere it may be a tool's argument.
        let fetched = address && (kind == Seen::UrlWord || self.under == "image_url");
        *self.count += i64::from(fetched);
        Ok(Seen::Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn counted(body: &Value) -> i64 {
        count(body.to_string().as_bytes())
    }

    #[test]
    fn each_reference_of_every_api_counts_once() {
        for (body, expected) in [
            // Chat completions.
            (
                json!({"type": "image_url", "image_url": {"url": "https://x", "detail": "high"}}),
                1,
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
                1,
            ),
            (json!({"type": "file", "file": {"file_id": "file-1"}}), 1),
            // Responses.
            (json!({"type": "input_image", "image_url": "https://x"}), 1),
            (json!({"type": "input_file", "file_url": "https://x"}), 1),
            (json!({"previous_response_id": "resp_1", "conversation": null}), 1),
            (json!({"conversation": "conv_1"}), 1),
            (json!({"conversation": {"id": "conv_1"}}), 1),
            (
                json!({"prompt": {"id": "pmpt_1", "variables": {"file": {"file_id": "f"}}}}),
                2,
            ),
            (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), 1),
            (
                json!({"tools": [{"type": "file_search", "vector_store_ids": ["a", "b"]}]}),
                2,
            ),
            (json!({"tools": [{"type": "mcp", "server_url": "https://x"}]}), 1),
            // Messages.
            (
                json!({"type": "image", "source": {"type": "url", "url": "https://x"}}),
                1,
            ),
            (
                json!({"type": "document", "source": {"url": "https://x", "type": "url"}}),
                1,
            ),
            (
                json!({"type": "document", "source": {"type": "file", "file_id": "f"}}),
                1,
            ),
            (json!({"container": "c"}), 1),
            (
                json!({"mcp_servers": [{"type": "url", "url": "https://x", "name": "n"}]}),
                1,
            ),
        ] {
            let nested = json!({"model": "m", "messages": [{"content": [body]}]});
            assert_eq!((counted(&body), counted(&nested)), (expected, expected), "{body}");
        }
    }

    #[test]
    fn what_only_speaks_of_references_is_none() {
        for body in [
            json!({"content": "\"image_url\": {\"url\": \"https://x\"} and file_id"}),
            json!({"prompt": "a text", "input": ["url", "item_reference"]}),
            json!({"parameters": {"properties": {"url": {"type": "string"}, "file_id": {"type": "string"}}}}),
            json!({"type": "tool_use", "input": {"url": "https://x"}}),
            json!({"previous_response_id": null, "container": null, "image_url": null}),
        ] {
            assert_eq!(counted(&body), 0, "{body}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_never_counted_too_low() {
        let deep = format!("{}{{\"file_id\":\"f\"}}{}", "[".repeat(500), "]".repeat(500));
        assert!(count(deep.as_bytes()) >= 1);
    }
}
