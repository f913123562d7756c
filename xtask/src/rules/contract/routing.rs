//! Which routes does source register, in whatever way?
//!
//! * macros of our own: `resource!(config, "/path", get => handler, post => handler)`
//! * attributes of actix: `#[get("/path")]`, `#[route("/path", method = "GET")]`
//! * `web::resource("/path").route(web::get().to(handler))` and `.route("/path", web::get().to(handler))`

use crate::model::SourceFile;
use crate::openapi::METHODS;
use crate::scan::{Tok, Words};

/// A method and a path with the token that says so; no method when it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) method: Option<String>,
    pub(super) path: String,
    pub(super) token: usize,
}

/// The needles of a rule that asks.
pub(super) const NEEDLES: [&str; 11] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "route", "resource", "scope",
];

/// Every route of a file; tests make none.
pub(super) fn routes(file: &SourceFile, words: &Words) -> Vec<Route> {
    let mut found = Vec::new();
    for method in METHODS {
        for at in file.hits(words, method).filter(|at| !file.in_tests(*at)) {
            found.extend(mapped(file, at, method));
            found.extend(attribute(file, at, method));
        }
    }
    for at in file.hits(words, "route").filter(|at| !file.in_tests(*at)) {
        if let Some(path) = attribute_path(file, at) {
            let close = file.closing(at + 1).unwrap_or(at);
            let methods = (at..close)
                .filter(|at| file.word(*at) == "method")
                .map(|at| literal(file, at + 2));
            found.extend(methods.map(|method| Route {
                method,
                path: path.clone(),
                token: at,
            }));
        } else if at > 0 && file.is(at - 1, b'.') && has_two_arguments(file, at + 1) {
            let close = file.closing(at + 1).unwrap_or(at);
            found.extend(chained(file, literal(file, at + 2), at, at + 3..close));
        }
    }
    for (word, prefix) in [("resource", false), ("scope", true)] {
        for at in file.hits(words, word).filter(|at| !file.in_tests(*at)) {
            let path = literal(file, at + 2);
            // Other modules have functions of these names too.
            let actix = at > 2 && file.is(at - 1, b':') && file.word(at - 3) == "web";
            let plain = path.as_ref().is_some_and(|path| path.starts_with('/'));
            if !file.is(at + 1, b'(') || !actix && !plain {
                continue;
            }
            if prefix {
                found.push(Route {
                    method: None,
                    path: path.unwrap_or_default(),
                    token: at,
                });
                continue;
            }
            let given = path.is_none() && !file.word(at + 2).is_empty() && file.is(at + 3, b')');
            let all = chained(file, path, at, at..end_of_statement(file, at));
            // The path of a function that registers what it is given is read where it is called.
            found.extend(all.into_iter().filter(|route| !given || route.method.is_some()));
        }
    }
    found.sort_by(|a, b| (a.token, &a.method).cmp(&(b.token, &b.method)));
    found.dedup();
    found
}

fn literal(file: &SourceFile, at: usize) -> Option<String> {
    (file.tok(at) == Some(Tok::Str)).then(|| {
        let raw = file.raw(at).trim_start_matches('r').trim_matches('#');
        raw.trim_matches('"').to_owned()
    })
}

/// `get => handler` in a macro whose arguments begin with a path, after whatever else.
fn mapped(file: &SourceFile, at: usize, method: &str) -> Option<Route> {
    if !file.is(at + 1, b'=') || !file.is(at + 2, b'>') {
        return None;
    }
    let from = at.saturating_sub(256);
    let open = (from..at).rev().find(|open| {
        *open > 1 && file.is(open - 1, b'!') && file.closing(*open).is_some_and(|close| close > at)
    })?;
    let path = (open + 1..at)
        .find_map(|at| literal(file, at))
        .unwrap_or_default();
    Some(Route {
        method: Some(method.to_uppercase()),
        path,
        token: at,
    })
}

/// The path of `#[get("/x")]` or `#[actix_web::get("/x")]`.
fn attribute_path(file: &SourceFile, at: usize) -> Option<String> {
    let mut start = at;
    while start >= 3 && file.is(start - 1, b':') {
        start -= 3;
    }
    let opens = start >= 2 && file.is(start - 1, b'[') && file.is(start - 2, b'#');
    (opens && file.is(at + 1, b'('))
        .then(|| literal(file, at + 2))
        .flatten()
}

fn attribute(file: &SourceFile, at: usize, method: &str) -> Option<Route> {
    Some(Route {
        method: Some(method.to_uppercase()),
        path: attribute_path(file, at)?,
        token: at,
    })
}

/// `web::get()` and the like within a range; none is a route that could not be read.
fn chained(
    file: &SourceFile,
    path: Option<String>,
    token: usize,
    range: std::ops::Range<usize>,
) -> Vec<Route> {
    let path = path.unwrap_or_default();
    let mut found = Vec::new();
    for at in range {
        let method = METHODS.iter().find(|method| file.word(at) == **method);
        if let Some(method) = method
            && file.is(at - 1, b':')
            && file.is(at + 1, b'(')
        {
            found.push(Route {
                method: Some(method.to_uppercase()),
                path: path.clone(),
                token: at,
            });
        }
    }
    if found.is_empty() {
        found.push(Route {
            method: None,
            path,
            token,
        });
    }
    found
}

/// `(PATH, web::get())`; `(web::get())` has no path of its own.
fn has_two_arguments(file: &SourceFile, open: usize) -> bool {
    let Some(close) = file.closing(open).filter(|_| file.is(open, b'(')) else {
        return false;
    };
    let mut at = open + 1;
    while at < close {
        if file.is(at, b',') && at + 1 < close {
            return true;
        }
        at = file.closing(at).unwrap_or(at) + 1;
    }
    false
}

/// Where the expression around a call ends: `;`, `,` or the delimiter that closes around it.
fn end_of_statement(file: &SourceFile, start: usize) -> usize {
    let mut at = start;
    while let Some(tok) = file.tok(at) {
        if let Some(close) = file.closing(at) {
            at = close + 1;
            continue;
        }
        if matches!(tok, Tok::P(b';' | b',' | b')' | b'}' | b']')) {
            return at;
        }
        at += 1;
    }
    at
}
