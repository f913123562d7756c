//! What does an expression say, and which words does it compare a column with?

use std::ops::Range;

use super::lexer::{Kind, Tok};

/// The tokens of a CHECK, a DEFAULT, a WHERE or a key of an index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expr(pub(crate) Vec<Tok>);

impl Expr {
    /// The same text for every spelling of one expression: spaces, comments, case and outer parentheses.
    pub(crate) fn text(&self) -> String {
        let mut tokens = self.0.as_slice();
        while let Some(inner) = unwrapped(tokens) {
            tokens = inner;
        }
        let words: Vec<_> = tokens
            .iter()
            .map(|token| match (token.kind, token.text.as_str()) {
                (Kind::Text, text) => format!("'{text}'"),
                (_, "!=") => "<>".to_owned(),
                (_, "==") => "=".to_owned(),
                (_, text) => text.to_owned(),
            })
            .collect();
        words.join(" ")
    }

    pub(crate) fn range(&self) -> Range<usize> {
        let first = self.0.first().map_or(0, |token| token.range.start);
        first..self.0.last().map_or(first, |token| token.range.end)
    }

    /// The column when the expression is one and nothing else.
    pub(crate) fn column(&self) -> Option<&str> {
        match self.0.as_slice() {
            [only] if is_name(only) => Some(&only.text),
            _ => None,
        }
    }

    /// The column of a key of an index, also with an order behind it.
    pub(crate) fn leading(&self) -> Option<&str> {
        let plain = |token: &Tok| token.kind == Kind::Word;
        match self.0.as_slice() {
            [first, rest @ ..] if is_name(first) && rest.iter().all(plain) => Some(&first.text),
            _ => None,
        }
    }

    /// Whether a name stands in it.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|token| is_name(token) && token.text == name)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for token in self
            .0
            .iter_mut()
            .filter(|token| is_name(token) && token.text == from)
        {
            to.clone_into(&mut token.text);
        }
    }

    /// Every column that is compared with strings: `c = 'x'`, `c <> 'x'`, `'x' = c`, `c IN ('x', 'y')`.
    pub(crate) fn comparisons(&self) -> Vec<Comparison<'_>> {
        let mut found = Vec::new();
        for (at, token) in self.0.iter().enumerate() {
            if !is_name(token) || token.kind == Kind::Word && token.text == "not" {
                continue;
            }
            let words = listed(self.0.get(at + 1..).unwrap_or_default());
            let reversed = at.checked_sub(2).and_then(|before| self.0.get(before..at));
            let words = match (words.is_empty(), reversed) {
                (true, Some([word, sign])) if word.kind == Kind::Text && is_equality(sign) => vec![word],
                _ => words,
            };
            if !words.is_empty() {
                let list = self.0.get(at + 1).is_some_and(|next| next.text == "in");
                found.push(Comparison {
                    column: &token.text,
                    // A list that is the whole expression says what the column may be.
                    closed: list && at == self.first() && at + 2 * words.len() + 3 == self.last(),
                    words,
                });
            }
        }
        found
    }

    /// The first token inside of the outer parentheses.
    fn first(&self) -> usize {
        let mut tokens = self.0.as_slice();
        let mut depth = 0;
        while let Some(inner) = unwrapped(tokens) {
            tokens = inner;
            depth += 1;
        }
        depth
    }

    /// One past the last token inside of the outer parentheses.
    fn last(&self) -> usize {
        self.0.len() - self.first()
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// A column and the strings that it is compared with.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) column: &'a str,
    pub(crate) words: Vec<&'a Tok>,
    /// Whether the column can be nothing else.
    pub(crate) closed: bool,
}

fn is_name(token: &Tok) -> bool {
    matches!(token.kind, Kind::Word | Kind::Quoted)
}

fn is_equality(token: &Tok) -> bool {
    matches!(token.text.as_str(), "=" | "==" | "<>" | "!=")
}

/// The strings after a column: `= 'x'`, `IN ('x', 'y')`, `NOT IN ('x')`.
fn listed(after: &[Tok]) -> Vec<&Tok> {
    let after = match after {
        [not, rest @ ..] if not.kind == Kind::Word && not.text == "not" => rest,
        all => all,
    };
    match after {
        [sign, word, ..] if is_equality(sign) && word.kind == Kind::Text => vec![word],
        [in_, open, list @ ..] if in_.kind == Kind::Word && in_.text == "in" && open.text == "(" => list
            .iter()
            .take_while(|token| token.kind == Kind::Text || token.text == ",")
            .filter(|token| token.kind == Kind::Text)
            .collect(),
        _ => Vec::new(),
    }
}

/// What is inside of parentheses around everything.
fn unwrapped(tokens: &[Tok]) -> Option<&[Tok]> {
    let [open, inner @ .., close] = tokens else {
        return None;
    };
    let is = |token: &Tok, sign: &str| token.kind == Kind::Punct && token.text == sign;
    if !is(open, "(") || !is(close, ")") {
        return None;
    }
    let mut depth = 1_usize;
    for token in inner {
        if is(token, "(") {
            depth += 1;
        } else if is(token, ")") {
            depth -= 1;
        }
        if depth == 0 {
            return None;
        }
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::super::lexer::lex;
    use super::*;

    fn expr(text: &str) -> Expr {
        Expr(lex(text).unwrap())
    }

    #[test]
    fn spellings_of_one_expression_are_equal() {
        assert_eq!(expr("((A  IN ('x' ,'y')))"), expr("a in('x','y')"));
        assert_eq!(expr("a != 'x' -- why"), expr("A <> 'x'"));
        assert_ne!(expr("(a) = (b)"), expr("a) = (b"));
        assert_ne!(expr("a = 'X'"), expr("a = 'x'"));
    }

    #[test]
    fn words_and_whether_they_are_all_are_found() {
        for (text, expected) in [
            ("status IN ('A', 'B')", "status A,B true"),
            ("(status IN ('A'))", "status A true"),
            ("(status IN ('A')) = (x IS NULL)", "status A false"),
            ("status = 'A'", "status A false"),
            ("'A' <> \"status\"", "status A false"),
            ("x > 0 AND status NOT IN ('A', 'B')", "status A,B false"),
            ("live IN (0, 1)", ""),
        ] {
            let expr = expr(text);
            let found: Vec<_> = expr
                .comparisons()
                .iter()
                .map(|found| {
                    let words: Vec<_> = found.words.iter().map(|word| word.text.as_str()).collect();
                    format!("{} {} {}", found.column, words.join(","), found.closed)
                })
                .collect();
            assert_eq!(found.join(";"), expected, "{text}");
        }
    }
}
