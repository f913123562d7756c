//! Where are the closures of a piece of source?

use std::ops::Range;

use crate::model::SourceFile;
use crate::scan::Tok;

/// `async move |a, b| body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules::intents) struct Closure {
    /// From `async`, `move` or the first bar on.
    pub(in crate::rules::intents) start: usize,
    /// Between the bars.
    pub(in crate::rules::intents) parameters: Range<usize>,
    pub(in crate::rules::intents) body: Range<usize>,
}

/// The closures that begin within these tokens, in order.
pub(in crate::rules::intents) fn closures(file: &SourceFile, range: Range<usize>) -> Vec<Closure> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let Some(closure) = file.is(at, b'|').then(|| closure(file, at, range.end)).flatten() else {
            at += 1;
            continue;
        };
        at = closure.body.start.max(at + 1);
        found.push(closure);
    }
    found
}

fn closure(file: &SourceFile, bar: usize, limit: usize) -> Option<Closure> {
    if !begins(file, bar) {
        return None;
    }
    let mut close = bar + 1;
    while !file.is(close, b'|') {
        if close >= limit || file.is(close, b';') {
            return None;
        }
        let nested = file.is(close, b'(') || file.is(close, b'[') || file.is(close, b'{');
        close = file.closing(close).filter(|_| nested).unwrap_or(close) + 1;
    }
    let mut start = bar;
    while start > 0 && matches!(file.word(start - 1), "move" | "async" | "static") {
        start -= 1;
    }
    Some(Closure {
        start,
        parameters: bar + 1..close,
        body: body(file, close + 1, limit),
    })
}

/// A bar after a value means "or".
fn begins(file: &SourceFile, bar: usize) -> bool {
    let Some(before) = bar.checked_sub(1) else {
        return true;
    };
    match file.tok(before) {
        Some(Tok::Ident) => matches!(file.word(before), "move" | "async" | "static" | "return" | "else"),
        Some(Tok::P(sign)) => !matches!(sign, b')' | b']' | b'}' | b'|' | b'?' | b'>') || arrow(file, before),
        _ => false,
    }
}

fn arrow(file: &SourceFile, at: usize) -> bool {
    file.is(at, b'>') && at > 0 && file.is(at - 1, b'=')
}

/// The braces after a return type, or the expression up to the next comma.
fn body(file: &SourceFile, start: usize, limit: usize) -> Range<usize> {
    let typed = file.is(start, b'-') && file.is(start + 1, b'>');
    let mut at = if typed { start + 2 } else { start };
    while at < limit {
        if file.is(at, b'{') && (typed || at == start) {
            let close = file.closing(at).unwrap_or(limit);
            return at + 1..close;
        }
        let ends = [b',', b';', b')', b']', b'}']
            .iter()
            .any(|sign| file.is(at, *sign));
        if ends && !(typed && file.is(at, b',')) {
            break;
        }
        let opens = file.is(at, b'(') || file.is(at, b'[') || file.is(at, b'{');
        at = file.closing(at).filter(|_| opens).unwrap_or(at) + 1;
    }
    start..at.min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::source;

    fn bodies(text: &str) -> Vec<String> {
        let file = source("crates/a/src/lib.rs", text);
        let all = 0..file.tokens.list.len();
        let words = |range: Range<usize>| range.map(|at| file.raw(at)).collect::<Vec<_>>().join(" ");
        let told = |found: Closure| format!("{} => {}", words(found.parameters), words(found.body));
        closures(&file, all).into_iter().map(told).collect()
    }

    #[test]
    fn closures_are_found_with_their_bodies() {
        assert_eq!(bodies("f(move |tx| g(tx, 1), 2)"), ["tx => g ( tx , 1 )"]);
        assert_eq!(
            bodies("f(|tx: &mut A<'_>| -> R<T, E> { a; b })"),
            ["tx : & mut A < '_ > => a ; b"]
        );
        assert_eq!(bodies("let x = |(a, b)| a | b;"), ["( a , b ) => a | b"]);
        assert_eq!(
            bodies("f(async move |tx| { |y| z })"),
            ["tx => | y | z", "y => z"]
        );
    }

    #[test]
    fn an_or_is_no_closure() {
        assert!(bodies("let x = a | b; match y { A | B => c(), _ => d || e }").is_empty());
    }
}
