//! What does a format string say once its values are in it, as far as they are known?

use std::collections::BTreeMap;
use std::ops::Range;

use super::{FIXED, FREE};
use crate::model::SourceFile;
use crate::scan::{ItemKind, Literal, Tok, strings};

/// Macros whose literal has places for values.
pub(super) const FORMATS: [&str; 6] = [
    "format",
    "format_args",
    "write",
    "writeln",
    "formatcp",
    "concatcp",
];

pub(super) fn is_format(file: &SourceFile, literal: &Literal) -> bool {
    let within = literal.within.as_deref().unwrap_or_default();
    let before = literal.tokens.start.wrapping_sub(1);
    let written = within.starts_with("write") && file.is(before, b',');
    FORMATS.contains(&within) && (literal.first || written) && literal.text.contains('{')
}

/// The text of a literal in `format!` and its like, with what is known of its values put in.
pub(super) fn filled(file: &SourceFile, literal: &Literal) -> Option<String> {
    if !is_format(file, literal) {
        return None;
    }
    let (positional, named) = arguments(file, literal.tokens.end);
    let mut next = positional.iter();
    let mut text = String::new();
    let mut rest = literal.text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            text.push_str(from.get(..1).unwrap_or_default());
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        let close = from.find('}').unwrap_or(from.len() - 1);
        let inner = from.get(1..close).unwrap_or_default();
        let name = inner.split(':').next().unwrap_or_default().trim();
        let value = match name.parse::<usize>() {
            _ if name.is_empty() => next.next().cloned(),
            Ok(number) => positional.get(number).cloned(),
            Err(_) => named.get(name).cloned(),
        };
        text.push_str(&value.unwrap_or_else(|| known(file, name)));
        rest = from.get(close + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    Some(text)
}

/// The values after a format string, in order and by name.
fn arguments(file: &SourceFile, from: usize) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut positional, mut named) = (Vec::new(), BTreeMap::new());
    let mut at = from;
    while file.is(at, b',') {
        let name = (file.is(at + 2, b'=') && !file.is(at + 3, b'=')).then(|| file.word(at + 1));
        let start = if name.is_some() { at + 3 } else { at + 1 };
        let mut end = start;
        while end < file.tokens.list.len()
            && !file.is(end, b',')
            && ![b')', b']', b'}'].iter().any(|c| file.is(end, *c))
        {
            end = file.closing(end).unwrap_or(end) + 1;
        }
        if start < end {
            let value = value(file, start..end);
            match name {
                Some(name) => drop(named.insert(name.to_owned(), value)),
                None => positional.push(value),
            }
        }
        at = end;
    }
    (positional, named)
}

fn value(file: &SourceFile, tokens: Range<usize>) -> String {
    let last = tokens.end - 1;
    match file.tok(tokens.start) {
        Some(Tok::Str) if tokens.len() == 1 => strings::text(file.raw(tokens.start)),
        Some(Tok::Number) if tokens.len() == 1 => file.raw(tokens.start).to_owned(),
        _ if file.word(tokens.start) == "stringify" => FIXED.to_string(),
        _ => known(file, file.word(last)),
    }
}

/// The text of a constant of this file; what is known of it otherwise.
fn known(file: &SourceFile, name: &str) -> String {
    if !is_constant_name(name) {
        return FREE.to_string();
    }
    let constant = file
        .items()
        .iter()
        .find(|item| item.kind == ItemKind::Constant && item.path.rsplit("::").next() == Some(name));
    let text = constant.and_then(|item| {
        let extent = item.extent.clone();
        file.literals()
            .iter()
            .find(|literal| extent.contains(&literal.tokens.start))
    });
    text.map_or_else(|| FIXED.to_string(), |literal| literal.text.clone())
}

pub(super) fn is_constant_name(word: &str) -> bool {
    word.len() > 1
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
