//! What does a string literal say? Escapes and line continuations resolved, for every kind of literal.

use std::str::Chars;

/// The text of a literal as the program sees it, and for each of its characters the byte of the source
/// (relative to the token) that it comes from.
pub(crate) fn decode(token: &str, mut each: impl FnMut(usize, char)) {
    let Some(quote) = token.find('"') else { return };
    let prefix = token.get(..quote).unwrap_or_default();
    let hashes = prefix.bytes().filter(|byte| *byte == b'#').count();
    let raw = prefix.contains('r');
    let end = token.rfind('"').unwrap_or(quote);
    let body = token.get(quote + 1..end.max(quote + 1)).unwrap_or_default();
    let _ = hashes;
    if raw {
        for (at, c) in body.char_indices() {
            each(quote + 1 + at, c);
        }
        return;
    }
    let mut chars = body.chars();
    loop {
        let at = quote + 1 + body.len() - chars.as_str().len();
        match chars.next() {
            None => return,
            Some('\\') => {
                if let Some(c) = escape(&mut chars) {
                    each(at, c);
                }
            }
            Some(c) => each(at, c),
        }
    }
}

/// The character after a backslash; `None` for a line continuation.
fn escape(chars: &mut Chars<'_>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        'x' => {
            let digits: String = chars.by_ref().take(2).collect();
            u8::from_str_radix(&digits, 16).ok().map(char::from)
        }
        'u' => {
            let digits: String = chars
                .by_ref()
                .skip(1)
                .take_while(|c| *c != '}')
                .filter(|c| *c != '_')
                .collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        }
        '\n' | '\r' => {
            let rest = chars.as_str().trim_start_matches([' ', '\t', '\n', '\r']);
            *chars = rest.chars();
            None
        }
        other => Some(other),
    }
}

pub(crate) fn text(token: &str) -> String {
    let mut text = String::with_capacity(token.len());
    decode(token, |_, c| text.push(c));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_literal_is_decoded() {
        for (token, expected) in [
            (r#""a b""#, "a b"),
            (r#"b"a\x20b""#, "a b"),
            (r#"c"a\tb""#, "a\tb"),
            ("r\"a\\nb\"", "a\\nb"),
            ("r##\"a\"#b\"##", "a\"#b"),
            ("br#\"a\"b\"#", "a\"b"),
            ("cr\"a\"", "a"),
            (r#""a\"b\\c""#, "a\"b\\c"),
            (r#""\u{46}OR\u{20}UPDATE""#, "FOR UPDATE"),
            ("\"FOR \\\n      UPDATE\"", "FOR UPDATE"),
            ("\"a\nb\"", "a\nb"),
            (r#""""#, ""),
        ] {
            assert_eq!(text(token), expected, "{token}");
        }
    }

    #[test]
    fn characters_know_where_they_come_from() {
        let mut places = Vec::new();
        decode(r#""a\x20b""#, |at, c| places.push((at, c)));
        assert_eq!(places, [(1, 'a'), (2, ' '), (6, 'b')]);
    }
}
