//! What is wrong with a body, and where?
//!
//! A body that is wrong is read once more, member by member, so that the JSON pointer of what is wrong is known. An
//! error repeats nothing of the input but the names of members.

use adapters::problem::FieldProblem;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::Body;
use crate::problem::ApiError;

/// The longest name of a member that is repeated.
const NAME_MAX: usize = 64;

/// Why these bytes are not a `T`.
pub(super) fn of<T: Body>(bytes: &[u8]) -> ApiError {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        // Then it is what follows the object.
        return reader
            .end()
            .map_or_else(|error| malformed(&error), |()| unreadable());
    };
    let path = pointer(error.path());
    let error = error.into_inner();
    match error.classify() {
        // A number where a word of an enum stands is a syntax error to serde_json, which it is not.
        Category::Io | Category::Syntax | Category::Eof => match serde_json::from_slice::<Value>(bytes) {
            Ok(_) => ApiError::field(&path, "is not what it should be: expected another type"),
            Err(error) => malformed(&error),
        },
        Category::Data => data::<T>(&error, &path),
    }
}

pub(super) fn malformed(error: &serde_json::Error) -> ApiError {
    let place = place(error);
    ApiError::new(
        400,
        "malformed-json",
        "Malformed JSON",
        format!("The body is not valid JSON ({place})."),
    )
}

fn unreadable() -> ApiError {
    ApiError::field("", "is not what it should be")
}

fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn data<T: Body>(error: &serde_json::Error, path: &str) -> ApiError {
    let text = error.to_string();
    let text = text.split(" at line").next().unwrap_or_default();
    let named = |prefix: &str| {
        let rest = text.strip_prefix(prefix)?;
        Some(rest.split('`').next()?.chars().take(NAME_MAX).collect::<String>())
    };
    // The path of an error about a name ends in that name, or before it.
    let member = |name: &str| {
        let name = escaped(name);
        let parent = path.strip_suffix(&format!("/{name}")).unwrap_or(path);
        format!("{parent}/{name}")
    };
    if let Some(name) = named("unknown field `") {
        return unknown::<T>(&name, &member(&name), text);
    }
    if let Some(name) = named("duplicate field `") {
        let detail = format!("The member `{name}` is there twice ({}).", place(error));
        let refusal = ApiError::new(400, "duplicate-member", "Duplicate member", detail);
        return at(refusal, member(&name), "is there twice");
    }
    if let Some(name) = named("missing field `") {
        return ApiError::field(&member(&name), "is missing");
    }
    ApiError::field(path, &format!("is not what it should be{}", expectation(text)))
}

fn at(error: ApiError, pointer: String, detail: &str) -> ApiError {
    let field = FieldProblem {
        pointer,
        detail: detail.to_owned(),
        ..FieldProblem::default()
    };
    ApiError {
        errors: vec![field],
        ..error
    }
}

/// serde names the member, which is the client's word, and then what it expected, which is ours.
fn unknown<T: Body>(name: &str, pointer: &str, text: &str) -> ApiError {
    if T::READ_ONLY.contains(&name) {
        let error = ApiError::new(
            422,
            "read-only-field",
            "Read-only field",
            "The body has a member that is set by the server and cannot be written.",
        );
        return at(error, pointer.to_owned(), "cannot be written");
    }
    let expected = text
        .split_once(", expected ")
        .map_or("no members", |(_, rest)| rest);
    let error = ApiError::new(
        422,
        "unknown-field",
        "Unknown field",
        "The body has a member that is not known.",
    );
    at(
        error,
        pointer.to_owned(),
        &format!("is not known; expected {expected}"),
    )
}

/// What was expected, without what was there, and in words of JSON instead of Rust's.
fn expectation(text: &str) -> String {
    let expected = match text.split_once(", expected ") {
        Some((_, expected)) => expected,
        // Our own types say what they expect and nothing else.
        None => match text.strip_prefix("expected ") {
            Some(expected) => expected,
            None => return String::new(),
        },
    };
    let words = match expected {
        "i64" => "a whole number",
        "u32" | "u64" => "a whole number that is not negative",
        "a string" | "string" | "a borrowed string" => "a text",
        "a sequence" => "a list",
        other => other,
    };
    format!(": expected {words}")
}

/// The JSON pointer (RFC 6901) of a place in a document.
fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn escaped(name: &str) -> String {
    let name: String = name.chars().take(NAME_MAX).collect();
    name.replace('~', "~0").replace('/', "~1")
}

/// Refuses the character U+0000, which PostgreSQL does not store: where it stands in a text, or in which object as a
/// name. None if there is none.
pub(super) fn nul(bytes: &[u8]) -> Option<ApiError> {
    if !escapes_nul(bytes) {
        return None;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(document) => nul_in(&document, String::new())
            .map(|pointer| ApiError::field(&pointer, "must not hold the character U+0000")),
        Err(error) => Some(malformed(&error)),
    }
}

/// Whether a text says `\u0000`, and not a backslash followed by `u0000`. (The character itself, unescaped, is no JSON.)
fn escapes_nul(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| *byte == b'\\') {
        let (_, escape) = rest.split_at(place + 1);
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

fn nul_in(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(pointer),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| nul_in(item, format!("{pointer}/{index}"))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') {
                return Some(pointer.clone());
            }
            nul_in(member, format!("{pointer}/{}", escaped(name)))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nested {
        #[expect(dead_code, reason = "only its type matters")]
        list: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[expect(dead_code, reason = "only its type matters")]
        #[serde(rename = "a/b")]
        count: i64,
        #[expect(dead_code, reason = "only its type matters")]
        word: Option<model::limit::Enforcement>,
    }

    impl Body for Nested {
        const READ_ONLY: &'static [&'static str] = &["id"];
    }

    #[test]
    fn every_refusal_points_at_the_member() {
        for (body, code, pointer) in [
            (
                r#"{"list":[{"a/b":1},{"a/b":"x"}]}"#,
                "validation-failed",
                "/list/1/a~1b",
            ),
            (r#"{"list":[{"a/b":1.0}]}"#, "validation-failed", "/list/0/a~1b"),
            (r#"{"list":[{"a/b":null}]}"#, "validation-failed", "/list/0/a~1b"),
            (
                r#"{"list":[{"a/b":1,"word":7}]}"#,
                "validation-failed",
                "/list/0/word",
            ),
            (r#"{"list":[{}]}"#, "validation-failed", "/list/0/a~1b"),
            (r#"{"list":[{"c":1}]}"#, "unknown-field", "/list/0/c"),
            (r#"{"list":[{"id":1}]}"#, "read-only-field", "/list/0/id"),
            (
                r#"{"list":[{"a/b":1,"a/b":1}]}"#,
                "duplicate-member",
                "/list/0/a~1b",
            ),
            (r#"{"list":7}"#, "validation-failed", "/list"),
            (r#"{"list":["\u0000"]}"#, "validation-failed", "/list/0"),
            (r#"{"list":[{"\u0000":1}]}"#, "validation-failed", "/list/0"),
        ] {
            let error = super::super::parse::<Nested>(body.as_bytes()).unwrap_err();
            let found: Vec<_> = error.errors.iter().map(|field| field.pointer.as_str()).collect();
            assert_eq!((error.code, found.as_slice()), (code, &[pointer][..]), "{body}");
        }
        let trailing = super::super::parse::<Nested>(br#"{"list":[]} x"#).unwrap_err();
        assert_eq!(trailing.code, "malformed-json");
    }
}
