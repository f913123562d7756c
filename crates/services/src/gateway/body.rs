//! What is in a request body, and how is a field changed without touching the rest?
//!
//! The top level of the object is read; every value stays the bytes that the client sent. A changed body differs
//! in the changed fields only.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object whose values are kept as they were written.
#[derive(Debug, Clone)]
pub(super) struct Body {
    fields: Vec<(String, Box<RawValue>)>,
    original: Bytes,
    changed: bool,
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(M::Error::custom(format_args!(
                    "the member `{name}` is there twice"
                )));
            }
            fields.push((name, value));
        }
        Ok(fields)
    }
}

impl Body {
    /// Reads a body.
    pub(super) fn parse(original: Bytes) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_slice(&original);
        let fields =
            serde::Deserializer::deserialize_map(&mut reader, Fields).map_err(|error| describe(&error))?;
        reader.end().map_err(|error| describe(&error))?;
        Ok(Self {
            fields,
            original,
            changed: false,
        })
    }

    /// The bytes of a field, as written.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.get())
    }

    /// Whether the field is there and is not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw != "null")
    }

    /// A field as a word of ours; none if it is missing, null or something else.
    pub(super) fn get<'a, T: serde::Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        let raw = self.raw(name)?;
        T::deserialize(&mut serde_json::Deserializer::from_str(raw)).ok()
    }

    /// Sets a field, in its place or at the end.
    pub(super) fn set(&mut self, name: &str, value: &serde_json::Value) {
        let Ok(raw) = serde_json::value::to_raw_value(value) else {
            return;
        };
        self.changed = true;
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, slot)) => *slot = raw,
            None => self.fields.push((name.to_owned(), raw)),
        }
    }

    /// The length of the body as it came, in bytes.
    pub(super) fn len(&self) -> usize {
        self.original.len()
    }

    /// The text of the body as it came.
    pub(super) fn text(&self) -> &[u8] {
        &self.original
    }

    /// The body to send: the very bytes that came, unless a field was set.
    pub(super) fn into_bytes(self) -> Bytes {
        if !self.changed {
            return self.original;
        }
        let mut text = String::with_capacity(self.original.len() + 64);
        for (name, value) in &self.fields {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(&serde_json::Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        Bytes::from(text)
    }
}

/// What is wrong and where, without a word of the input.
fn describe(error: &serde_json::Error) -> String {
    format!(
        "line {}, column {}: {}",
        error.line(),
        error.column(),
        kind(error)
    )
}

fn kind(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io | Category::Syntax => "not valid JSON".to_owned(),
        Category::Eof => "the JSON ends too early".to_owned(),
        Category::Data => {
            let text = error.to_string();
            if text.contains("is there twice") {
                text
            } else {
                "expected a JSON object".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &'static str) -> Result<Body, String> {
        Body::parse(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn an_unchanged_body_is_the_very_bytes_that_came() {
        let text = "{ \"b\" : 1.0e2,\n\"a\":\"\\u00e9\" }";
        assert_eq!(parse(text).unwrap().into_bytes(), text);
    }

    #[test]
    fn a_changed_field_leaves_the_others_as_they_were_written() {
        let mut body = parse("{\"b\": 1.0e2, \"a\" : [1,  2]}").unwrap();
        body.set("c", &json!(7));
        body.set("b", &json!(true));
        assert_eq!(body.into_bytes(), "{\"b\":true,\"a\":[1,  2],\"c\":7}");
    }

    #[test]
    fn what_is_not_an_object_says_where_and_not_what() {
        for bad in ["", "{\"secret", "[1]", "\"text\"", "{} x", "null"] {
            let error = parse(bad).unwrap_err();
            assert!(error.starts_with("line 1, column"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(
            parse("{\"a\":1,\"a\":2}")
                .unwrap_err()
                .contains("`a` is there twice")
        );
    }
}
