//! What does a document say, and how is it written for a hash?
//!
//! A document here has no fractions: what is hashed must be read alike by everybody who checks the hash, and no two
//! readers agree on the digits of a float. Its canonical form is JSON without white space whose members are sorted by
//! code point, at every depth; `null` is not the same as an absent member.

mod read;

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::digest::Digest;

/// A JSON document whose numbers are whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A list, in its order.
    List(Vec<Json>),
    /// An object, sorted by name.
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// An object of these members; of two with one name the later one counts.
    pub fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.map(|(name, value)| (name.to_owned(), value));
        Self::Map(members.into_iter().collect())
    }

    /// The canonical form.
    pub fn canonical(&self) -> String {
        let mut written = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write(&mut written);
        written
    }

    /// The hash of the canonical form.
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }

    /// What stands there: `error.code`, `errors[0].code` or `errors.0.code`. Nothing stands at a path that leads
    /// nowhere, whatever it looks like.
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut here = self;
        for segment in path.split('.') {
            let Some((name, indices)) = segment.split_once('[') else {
                here = here.member(segment)?;
                continue;
            };
            if !name.is_empty() {
                here = here.member(name)?;
            }
            for index in indices.split('[') {
                here = here.entry(index.strip_suffix(']')?)?;
            }
        }
        Some(here)
    }

    /// How many levels it has; 1 if it holds nothing.
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Self::List(entries) => entries.iter().map(Self::depth).max(),
            Self::Map(members) => members.values().map(Self::depth).max(),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Text(_) => None,
        };
        deepest.unwrap_or(0).saturating_add(1)
    }

    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.get(name),
            Self::List(_) => self.entry(name),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Text(_) => None,
        }
    }

    fn entry(&self, index: &str) -> Option<&Self> {
        // `parse` takes `+1` as well.
        let Self::List(entries) = self else { return None };
        let digits = index.bytes().all(|byte| byte.is_ascii_digit());
        let index: usize = index.parse().ok().filter(|_| digits)?;
        entries.get(index)
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(value) => write!(out, "{value}"),
            Self::Text(text) => write_text(text, out),
            Self::List(entries) => {
                let mut before = '[';
                for entry in entries {
                    out.push(before);
                    entry.write(out)?;
                    before = ',';
                }
                out.write_str(if entries.is_empty() { "[]" } else { "]" })
            }
            Self::Map(members) => {
                let mut before = '{';
                for (name, value) in members {
                    out.push(before);
                    write_text(name, out)?;
                    out.push(':');
                    value.write(out)?;
                    before = ',';
                }
                out.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

/// A text as JSON writes it at its shortest: only what must be escaped is.
fn write_text(text: &str, out: &mut String) -> fmt::Result {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            low if low < ' ' => write!(out, "\\u{:04x}", u32::from(low))?,
            other => out.push(other),
        }
    }
    out.push('"');
    Ok(())
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests;
