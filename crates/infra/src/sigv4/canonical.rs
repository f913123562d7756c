//! What exactly has been signed?

use std::fmt::Write as _;

use super::{Request, values};

/// The canonical request: method, path, query, headers, their names and the hash of the body, a line each.
pub(super) fn request(request: &Request<'_>, signed: &[&str], body_sha256: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut line = |parts: &[&[u8]]| {
        out.extend(parts.concat());
        out.push(b'\n');
    };
    line(&[request.method.as_bytes()]);
    line(&[path(request.path).as_bytes()]);
    line(&[query(request.query).as_bytes()]);
    for name in signed {
        let all: Vec<Vec<u8>> = values(request, name).map(trimmed).collect();
        line(&[name.as_bytes(), b":", &all.join(&b',')]);
    }
    line(&[]);
    line(&[signed.join(";").as_bytes()]);
    out.extend_from_slice(body_sha256.as_bytes());
    out
}

/// The path without dots and doubled slashes, each byte of it encoded that is not plain: one that arrives encoded is
/// encoded twice.
fn path(raw: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let end = if raw.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    let encoded: Vec<String> = segments
        .iter()
        .map(|segment| encoded(segment.as_bytes()))
        .collect();
    format!("/{}{end}", encoded.join("/"))
}

/// The parameters in their one encoding, sorted by name and then by value.
fn query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> = parameters(raw)
        .map(|(name, value)| (encoded(&decoded(name)), encoded(&decoded(value))))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Whether the query holds a signature.
pub(super) fn is_presigned(raw: &str) -> bool {
    let marks = [&b"x-amz-algorithm"[..], b"x-amz-signature", b"x-amz-credential"];
    parameters(raw).any(|(name, _)| {
        let name = decoded(name).to_ascii_lowercase();
        marks.contains(&name.as_slice())
    })
}

fn parameters(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = raw.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// The bytes behind a text of the query; a plus is a blank, as it is for whoever reads the parameters afterwards.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        let pair = (digit(after.first()), digit(after.get(1)));
        match (first, pair) {
            (b'%', (Some(high), Some(low))) => {
                out.push(u8::try_from(high << 4 | low).unwrap_or_default());
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
    }
    out
}

/// Letters, digits and `-._~` as they are, every other byte as `%XX`.
fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The value of a header without blanks around it, and one for several within.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace);
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}
