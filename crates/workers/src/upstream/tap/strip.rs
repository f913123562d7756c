//! How is `"usage":null` taken out of an event that has it only because we asked for usage?
//!
//! A provider that is asked for usage says `"usage":null` in every event but the last. A client that did not ask gets
//! the event without that member, and every other byte as it came. Whatever is not plainly such an event is left alone.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The event without its top-level `"usage":null`; `None` if it has none, or if anything about it is unusual.
pub(super) fn without_null_usage(event: &[u8]) -> Option<Bytes> {
    // Most events are told by this alone; the rest are parsed.
    memmem::find(event, b"\"usage\"")?;
    let json = only_data(event)?;
    let member = null_usage(event.get(json.clone())?)?;
    let (from, to) = (json.start + member.start, json.start + member.end);
    let mut without = BytesMut::with_capacity(event.len());
    without.extend_from_slice(event.get(..from)?);
    without.extend_from_slice(event.get(to..)?);
    Some(without.freeze())
}

/// Where the data of the event stands, if it stands in one line.
fn only_data(event: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut start = 0;
    for line in event.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        if line.starts_with(b"data:") && found.replace(start + 5..end).is_some() {
            return None;
        }
        start = end;
    }
    found
}

/// The bytes to leave out, so that what remains is the same object without its `"usage":null`.
fn null_usage(json: &[u8]) -> Option<Range<usize>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let members = reader.deserialize_map(Members).ok()?;
    reader.end().ok()?;
    let mut usages = members
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| name == "usage");
    let ((at, (_, value)), None) = (usages.next()?, usages.next()) else {
        return None;
    };
    if value.get() != "null" {
        return None;
    }
    let end_of = |value: &RawValue| value.get().as_ptr().addr() - json.as_ptr().addr() + value.get().len();
    let end = end_of(value);
    if let Some((_, before)) = at.checked_sub(1).and_then(|before| members.get(before)) {
        // With the comma in front of it.
        return Some(end_of(before)..end);
    }
    // It comes first: from its name to the next one, with the comma behind it.
    let name = json.iter().position(|byte| *byte == b'"')?;
    let next = json.get(end..)?.iter().position(|byte| *byte == b'"')?;
    Some(name..end + next)
}

/// The members of an object in their order, the values as they were written.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What becomes of an event with this data; none if it is left alone.
    fn stripped(json: &str) -> Option<String> {
        let event = format!("event: x\r\ndata: {json}\r\n\r\n");
        let text = String::from_utf8(without_null_usage(event.as_bytes())?.to_vec()).unwrap();
        let data = text
            .strip_prefix("event: x\r\ndata: ")
            .and_then(|text| text.strip_suffix("\r\n\r\n"));
        Some(
            data.unwrap_or_else(|| panic!("more than the data changed: {text}"))
                .to_owned(),
        )
    }

    #[test]
    fn the_member_goes_with_one_comma_wherever_it_stands_and_however_it_is_spaced() {
        for (json, expected) in [
            (
                r#"{"id":"a","choices":[],"usage":null}"#,
                r#"{"id":"a","choices":[]}"#,
            ),
            (
                r#"{"id": "a", "usage": null, "choices": []}"#,
                r#"{"id": "a", "choices": []}"#,
            ),
            (r#"{"usage":null,"id":"a"}"#, r#"{"id":"a"}"#),
            (r#"{ "usage" : null , "id" : "a" }"#, r#"{ "id" : "a" }"#),
            (r#"{"id":"a" , "usage"	:	null }"#, r#"{"id":"a" }"#),
            (
                r#"{"n":1.0e2,"usage":null,"usage2":null}"#,
                r#"{"n":1.0e2,"usage2":null}"#,
            ),
            (
                r#"{"n":"\u00e9 \"usage\":null","usage":null}"#,
                r#"{"n":"\u00e9 \"usage\":null"}"#,
            ),
        ] {
            let got = stripped(json).unwrap();
            assert_eq!(got, expected);
            let mut value: Value = serde_json::from_str(json).unwrap();
            value.as_object_mut().unwrap().remove("usage");
            assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), value);
        }
    }

    #[test]
    fn everything_else_is_left_alone() {
        for json in [
            // Not null, not at the top, not alone, twice.
            r#"{"id":"a","usage":{"prompt_tokens":1}}"#,
            r#"{"id":"a","x":{"usage":null}}"#,
            r#"{"choices":[{"delta":{"content":"\"usage\":null"}}]}"#,
            r#"{"usage":null}"#,
            r#"{"id":"a","usage":null,"usage":null}"#,
            // Not an object, or not JSON.
            r#"["usage",null]"#,
            r#"{"id":"a","usage":null"#,
            r#"{"id":"a","usage":null} {}"#,
            r#"{"id":"a",,"usage":null}"#,
            "[DONE]",
        ] {
            assert_eq!(stripped(json), None, "{json}");
        }
        let lines = b"data: {\"id\":\"a\",\ndata: \"usage\":null}\n\n";
        assert_eq!(without_null_usage(lines), None, "data in two lines");
        assert_eq!(without_null_usage(b": \"usage\":null\n\n"), None, "a comment");
        assert_eq!(
            without_null_usage(b"data: {\"a\":\"\xff\",\"usage\":null}\n\n"),
            None,
            "no UTF-8"
        );
    }
}
