//! How is a statement read, token by token?

use super::expr::Expr;
use super::lexer::{Kind, Tok};
use super::{Fault, Read};
use crate::model::Span;

/// A place in the tokens of one statement.
pub(super) struct Cursor<'a> {
    tokens: &'a [Tok],
    at: usize,
    file: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Tok], file: &'a str) -> Self {
        Self { tokens, at: 0, file }
    }

    /// Where the next token begins.
    pub(super) fn start(&self) -> usize {
        self.fault("").range.start
    }

    /// From a byte to the end of the last token that was taken.
    pub(super) fn span(&self, start: usize) -> Span {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let end = before.map_or(start, |token| token.range.end);
        Span::bytes(self.file, start..end.max(start))
    }

    pub(super) fn peek(&self) -> Option<&'a Tok> {
        self.tokens.get(self.at)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn next(&mut self) -> Option<&'a Tok> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.is_nth(0, word)
    }

    fn is_nth(&self, ahead: usize, word: &str) -> bool {
        self.tokens
            .get(self.at + ahead)
            .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Punct) && token.text == word)
    }

    /// Takes these words if they stand here.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let here = words
            .split(' ')
            .enumerate()
            .all(|(ahead, word)| self.is_nth(ahead, word));
        if here {
            self.at += count;
        }
        here
    }

    /// Takes these words, which must stand here.
    pub(super) fn expect(&mut self, words: &str) -> Read<()> {
        if self.take(words) {
            return Ok(());
        }
        Err(self.fault(format!("`{}` is expected", words.to_uppercase())))
    }

    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        let last = self.tokens.last().map_or(0..0, |token| token.range.clone());
        Fault {
            range: self.peek().map_or(last, |token| token.range.clone()),
            what: what.into(),
        }
    }

    /// A name, without the schema before it.
    pub(super) fn name(&mut self) -> Read<String> {
        loop {
            match self.next() {
                Some(token) if matches!(token.kind, Kind::Word | Kind::Quoted) => {
                    if !self.take(".") {
                        return Ok(token.text.clone());
                    }
                }
                _ => {
                    self.at = self.at.saturating_sub(1);
                    return Err(self.fault("a name is expected"));
                }
            }
        }
    }

    /// `(a, b)`: names, also with an order or a collation behind them.
    pub(super) fn names(&mut self) -> Read<Vec<String>> {
        let lists = self.list()?;
        let name = |expr: Expr| {
            let first = Expr(expr.0.iter().take(1).cloned().collect());
            first.column().map(str::to_owned).ok_or(Fault {
                range: expr.range(),
                what: "a name is expected".to_owned(),
            })
        };
        lists.into_iter().map(name).collect()
    }

    /// `(x, f(y, z))`: expressions that are separated by commas.
    pub(super) fn list(&mut self) -> Read<Vec<Expr>> {
        let inner = self.parenthesised()?;
        let mut parts = vec![Expr::default()];
        let mut depth = 0_i32;
        for token in inner.0 {
            match (token.kind, token.text.as_str()) {
                (Kind::Punct, "(") => depth += 1,
                (Kind::Punct, ")") => depth -= 1,
                (Kind::Punct, ",") if depth == 0 => {
                    parts.push(Expr::default());
                    continue;
                }
                _ => {}
            }
            if let Some(part) = parts.last_mut() {
                part.0.push(token);
            }
        }
        Ok(parts)
    }

    /// What stands in parentheses here.
    pub(super) fn parenthesised(&mut self) -> Read<Expr> {
        let start = self.at;
        self.expect("(")?;
        let mut depth = 1_usize;
        while let Some(token) = self.next() {
            match (token.kind, token.text.as_str()) {
                (Kind::Punct, "(") => depth += 1,
                (Kind::Punct, ")") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inner = self.tokens.get(start + 1..self.at - 1).unwrap_or_default();
                return Ok(Expr(inner.to_vec()));
            }
        }
        self.at = start;
        Err(self.fault("a parenthesis that is not closed"))
    }

    /// Everything up to the end or to one of these words outside of parentheses.
    pub(super) fn until(&mut self, stops: &[&str]) -> Read<Expr> {
        let start = self.at;
        while !self.is_at_end() && !self.is(")") && !stops.iter().any(|stop| self.is(stop)) {
            if self.is("(") {
                self.parenthesised()?;
            } else {
                self.next();
            }
        }
        Ok(Expr(self.tokens.get(start..self.at).unwrap_or_default().to_vec()))
    }
}
