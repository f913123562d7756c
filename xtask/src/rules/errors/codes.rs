//! Is every code of an error documented, and does every documented code exist?

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::Config;
use crate::model::{Broken, SourceFile, Span, line_span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Tok;

/// `ARCH-ERR-005`.
pub(super) struct Codes;

const INFO: Info = Info {
    id: "ARCH-ERR-005",
    title: "every code of an error has its row in the document, and every row its code",
    family: Family::Errors,
    why: "A code is what a client's programmer looks up at night: one without a row helps nobody, a row without a code \
          is waited for in vain.",
    fix: "Add the row, or remove it.",
    scope: "strings in the places of calls that the rule file names, and first cells of the tables under the heading; \
            codes that are put together while running are not seen",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    books: Vec<Book>,
}

/// Where codes are made, and where they are documented.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Book {
    document: String,
    /// The heading over the table.
    heading: String,
    /// Crates in which a code of the document must stand as a string.
    crates: Vec<String>,
    /// `ApiError::new(_, code, …)` is `ApiError::new` and 1.
    calls: Vec<Call>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Call {
    function: String,
    argument: usize,
}

impl Rule for Codes {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        if options.books.is_empty() {
            out.off("the rule file names no `books` of codes");
            return;
        }
        for book in &options.books {
            let documented = documented(ctx, book);
            if documented.is_empty() {
                let message = format!("`{}` documents no code under `{}`", book.document, book.heading);
                out.report(Finding::new(
                    Span::file(&book.document),
                    message,
                    "correct `books` in the rule file",
                ));
            }
            let files = || {
                ctx.workspace
                    .sources
                    .iter()
                    .filter(|file| book.crates.contains(&file.krate))
            };
            for file in files() {
                for (code, span) in made(file, book) {
                    out.examined(&file.krate, 1);
                    if !documented.contains_key(&code) {
                        let message = format!(
                            "the code `{code}` is not in {} under `{}`",
                            book.document, book.heading
                        );
                        out.report(Finding::new(span, message, "add its row"));
                    }
                }
            }
            let mut unknown = documented;
            for file in files() {
                for literal in file
                    .literals()
                    .iter()
                    .filter(|literal| !file.in_tests(literal.tokens.start))
                {
                    unknown.remove(&literal.text);
                }
            }
            for (code, span) in unknown {
                let message = format!("no product code has the documented code `{code}`");
                out.report(Finding::new(
                    span,
                    message,
                    "remove the row, or answer with the code",
                ));
            }
        }
    }
}

/// The codes in the first cells of the rows under the heading.
fn documented(ctx: &Ctx<'_>, book: &Book) -> BTreeMap<String, Span> {
    let text = ctx.workspace.text(&book.document);
    let mut found = BTreeMap::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            inside = line == book.heading;
        }
        if !inside || !line.starts_with("| `") {
            continue;
        }
        let cell = line.split('|').nth(1).unwrap_or_default();
        for code in cell.split(',').map(|code| code.trim().trim_matches('`')) {
            found.insert(code.to_owned(), line_span(&book.document, text, index + 1));
        }
    }
    found
}

/// Strings in the places that hold codes.
fn made(file: &SourceFile, book: &Book) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for at in 0..file.tokens.list.len() {
        let Some(close) = file.is(at, b'(').then(|| file.closing(at)).flatten() else {
            continue;
        };
        if at == 0 || file.word(at - 1).is_empty() || file.in_tests(at) {
            continue;
        }
        for call in book
            .calls
            .iter()
            .filter(|call| calls(file, at - 1, &call.function))
        {
            let argument = argument(file, at + 1, close, call.argument);
            let literal = file
                .literals()
                .iter()
                .find(|literal| argument.contains(&literal.tokens.start));
            let direct = literal.filter(|literal| {
                literal.tokens.start == argument.start && file.tok(argument.start) == Some(Tok::Str)
            });
            found.extend(direct.map(|literal| (literal.text.clone(), file.span_of(literal.tokens.clone()))));
        }
    }
    found
}

/// `Type::function(` and `Self::function(` within the type; a function alone by its name.
fn calls(file: &SourceFile, at: usize, function: &str) -> bool {
    let Some((holder, name)) = function.rsplit_once("::") else {
        let before = at.wrapping_sub(1);
        let other = file.is(before, b'.') || file.is(before, b':') || file.word(before) == "fn";
        return file.word(at) == function && !other;
    };
    if file.word(at) != name || at < 3 || !file.is(at - 1, b':') {
        return false;
    }
    let item = || file.item_path(at).split("::").any(|part| part == holder);
    file.word(at - 3) == holder || file.word(at - 3) == "Self" && item()
}

fn argument(file: &SourceFile, start: usize, close: usize, wanted: usize) -> std::ops::Range<usize> {
    let (mut at, mut from, mut count) = (start, start, 0);
    while at < close {
        if file.is(at, b',') {
            if count == wanted {
                return from..at;
            }
            count += 1;
            from = at + 1;
        }
        at = file.closing(at).unwrap_or(at) + 1;
    }
    if count == wanted {
        from..close
    } else {
        close..close
    }
}
