//! Which tokens is SQL made of, in both dialects?

use std::ops::Range;

use super::{Fault, Read};

/// A token with its decoded text: words that are not quoted are folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tok {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// `"x"`, `` `x` ``, `[x]`: always a name.
    Quoted,
    /// `'x'`, `E'x'`, `$$x$$`.
    Text,
    Number,
    Punct,
}

/// The tokens of a text; comments are none.
pub(crate) fn lex(text: &str) -> Read<Vec<Tok>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = blank(rest).map_err(|what| fault(at, text.len(), what))?;
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let (kind, decoded, length) = token(rest).map_err(|what| fault(at, text.len(), what))?;
        tokens.push(Tok {
            kind,
            text: decoded,
            range: at..at + length,
        });
        at += length;
    }
    Ok(tokens)
}

fn fault(at: usize, end: usize, what: &str) -> Fault {
    Fault {
        range: at..end.min(at + 20),
        what: what.to_owned(),
    }
}

/// How much of the beginning is white space or a comment; comments nest, as PostgreSQL's do.
fn blank(rest: &str) -> Result<usize, &'static str> {
    if rest.starts_with("--") {
        return Ok(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return Ok(rest.len() - rest.trim_start().len());
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Ok(at);
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    Err("a comment that does not end")
}

fn token(rest: &str) -> Result<(Kind, String, usize), &'static str> {
    let first = rest.chars().next().unwrap_or_default();
    let second = rest.chars().nth(1).unwrap_or_default();
    match first {
        '\'' => quoted(rest, '\'', false).map(|(text, length)| (Kind::Text, text, length)),
        'e' | 'E' if second == '\'' => quoted(rest.get(1..).unwrap_or_default(), '\'', true)
            .map(|(text, length)| (Kind::Text, text, length + 1)),
        '"' | '`' => quoted(rest, first, false).map(|(text, length)| (Kind::Quoted, text, length)),
        '[' => {
            let end = rest.find(']').ok_or("a name that does not end")?;
            Ok((
                Kind::Quoted,
                rest.get(1..end).unwrap_or_default().to_owned(),
                end + 1,
            ))
        }
        '$' => dollar(rest),
        '0'..='9' => {
            let length = span(rest, |c| c.is_alphanumeric() || c == '.' || c == '_');
            Ok((
                Kind::Number,
                rest.get(..length).unwrap_or_default().to_owned(),
                length,
            ))
        }
        c if c.is_alphabetic() || c == '_' => {
            let length = span(rest, |c| c.is_alphanumeric() || c == '_' || c == '$');
            Ok((
                Kind::Word,
                rest.get(..length).unwrap_or_default().to_lowercase(),
                length,
            ))
        }
        _ => {
            let length = ["::", "<>", "!=", "<=", ">=", "||", "=="]
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .map_or_else(|| first.len_utf8(), |sign| sign.len());
            Ok((
                Kind::Punct,
                rest.get(..length).unwrap_or_default().to_owned(),
                length,
            ))
        }
    }
}

fn span(rest: &str, part: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !part(c)).unwrap_or(rest.len())
}

/// `'it''s'`; with `escapes`, `\'` does not end it either.
fn quoted(rest: &str, quote: char, escapes: bool) -> Result<(String, usize), &'static str> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            text.extend(chars.next().map(|(_, c)| c));
        } else if c != quote {
            text.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            text.push(quote);
            chars.next();
        } else {
            return Ok((text, at + quote.len_utf8()));
        }
    }
    Err("a string or a name that does not end")
}

/// `$$…$$` and `$tag$…$tag$`; `$1` is a parameter.
fn dollar(rest: &str) -> Result<(Kind, String, usize), &'static str> {
    let tag = rest
        .get(1..)
        .and_then(|rest| Some(span(rest, |c| c.is_alphanumeric() || c == '_') + 2).zip(Some(rest)))
        .filter(|(end, body)| body.get(end - 2..).is_some_and(|after| after.starts_with('$')));
    let Some((end, _)) = tag else {
        return Ok((Kind::Punct, "$".to_owned(), 1));
    };
    let (tag, body) = rest.split_at_checked(end).unwrap_or_default();
    let length = body.find(tag).ok_or("a string that does not end")?;
    let text = body.get(..length).unwrap_or_default().to_owned();
    Ok((Kind::Text, text, end * 2 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text)
            .unwrap()
            .into_iter()
            .map(|token| format!("{:?} {}", token.kind, token.text))
            .collect()
    }

    #[test]
    fn comments_strings_and_names_are_told_apart() {
        assert_eq!(
            words(
                "Create -- a 'comment'\n/* one /* two */ ; */ \"Order\" [x y] `z` 'it''s' E'a\\'b' $$ ; $$ $f$ $$ $f$ 1.5 <>::"
            ),
            [
                "Word create",
                "Quoted Order",
                "Quoted x y",
                "Quoted z",
                "Text it's",
                "Text a'b",
                "Text  ; ",
                "Text  $$ ",
                "Number 1.5",
                "Punct <>",
                "Punct ::",
            ]
        );
        assert_eq!(words("$1 e x"), ["Punct $", "Number 1", "Word e", "Word x"]);
    }

    #[test]
    fn what_does_not_end_is_a_fault_with_its_place() {
        for text in ["a 'b", "a /* b", "a \"b", "a $$b", "a [b", "a /* /* */"] {
            assert_eq!(lex(text).unwrap_err().range.start, 2, "{text}");
        }
    }

    #[test]
    fn ranges_are_those_of_the_source() {
        let text = "x 'ä''' y";
        let found = lex(text).unwrap();
        let raw: Vec<_> = found
            .iter()
            .filter_map(|token| text.get(token.range.clone()))
            .collect();
        assert_eq!(raw, ["x", "'ä'''", "y"]);
    }
}
