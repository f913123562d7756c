//! Does a 5xx say nothing of its cause?

use std::ops::Range;

use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Tok;

/// `ARCH-ERR-003`.
pub(super) struct Bodies;

const INFO: Info = Info {
    id: "ARCH-ERR-003",
    title: "the body of a 5xx is constant",
    family: Family::Errors,
    why: "The text of a store's error names tables, hosts and values of other tenants; the caller cannot use it, an \
          attacker can.",
    fix: "Say a constant sentence; log the cause, the request id leads to it.",
    scope: "crates whose types clients see: what stands beside a number from 500 to 599 or a name of such a status in \
            a call, tuple or struct, and in bodies of `HttpResponse::InternalServerError()` and its like; variables \
            are followed to their `let` in the same function; `ResponseError` without a body of its own",
    needles: &[
        "ResponseError",
        "INTERNAL_SERVER_ERROR",
        "NOT_IMPLEMENTED",
        "BAD_GATEWAY",
        "SERVICE_UNAVAILABLE",
        "GATEWAY_TIMEOUT",
        "INSUFFICIENT_STORAGE",
        "InternalServerError",
        "NotImplemented",
        "BadGateway",
        "ServiceUnavailable",
        "GatewayTimeout",
        "InsufficientStorage",
    ],
};

/// Macros that write to the log or compare: what stands in them reaches no client.
const LOGS: [&str; 10] = [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "log",
    "assert",
    "assert_eq",
    "assert_ne",
];

impl Rule for Bodies {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !super::configured(ctx, out) {
            return;
        }
        let public =
            |file: &&SourceFile| ctx.config.errors.public.contains(&file.krate) && !file.is_test_file();
        for file in ctx.workspace.sources.iter().filter(public) {
            let names = INFO
                .needles
                .iter()
                .skip(1)
                .flat_map(|word| file.hits(ctx.words, word));
            let status = |at: &usize| {
                file.raw(*at)
                    .parse()
                    .is_ok_and(|number: u16| (500..600).contains(&number))
            };
            let numbers = file.numbers().filter(status);
            for at in names.chain(numbers).filter(|at| !file.in_tests(*at)) {
                let parts = beside(file, at);
                out.examined(&file.krate, usize::from(!parts.is_empty()));
                for cause in parts.into_iter().filter_map(|part| cause(file, part, at, 0)) {
                    let finding = Finding::new(file.span(cause), "a 5xx tells its cause", INFO.fix);
                    out.report(finding.label("not constant").also(file.span(at), "the status"));
                }
            }
            defaults(ctx, file, out);
        }
    }
}

/// What the status stands beside: the rest of its call, tuple or struct, and the body that is called on it.
fn beside(file: &SourceFile, at: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    // `HttpResponse::BadGateway().body(…)`, `HttpResponse::build(StatusCode::BAD_GATEWAY).json(…)`.
    let mut next = at + 1;
    while file.is(next, b'(') || file.is(next, b')') || file.is(next, b'.') || !file.word(next).is_empty() {
        let open = file.is(next, b'(').then(|| file.closing(next)).flatten();
        if let Some(close) = open {
            if matches!(file.word(next - 1), "body" | "json" | "set_body" | "message_body") {
                parts.push(next + 1..close);
            }
            next = close;
        }
        next += 1;
    }
    if let Some((open, close)) = around(file, at) {
        let made = file.is(open, b'(') || struct_literal(file, open, at);
        let made =
            made && !(file.is(open.wrapping_sub(1), b'!') && LOGS.contains(&file.word(open.wrapping_sub(2))));
        let arm = file.is(at + 1, b'=') && file.is(at + 2, b'>') || compared(file, at);
        if made && !arm {
            parts.push(open + 1..close);
        }
    }
    parts
}

/// The innermost delimiters around a token; those of a single status (`of(502)`) are left for the next ones.
fn around(file: &SourceFile, at: usize) -> Option<(usize, usize)> {
    let mut open = at;
    for _ in 0..400 {
        open = open.checked_sub(1)?;
        if file.is(open, b';') {
            return None;
        }
        if let Some(close) = file.closing(open).filter(|close| *close > at) {
            let single = file.is(open, b'(') && !(open..close).any(|comma| file.is(comma, b','));
            if single && !file.is(close + 1, b'.') {
                continue;
            }
            return Some((open, close));
        }
    }
    None
}

/// `{ status: 500, … }`, not a block.
fn struct_literal(file: &SourceFile, open: usize, at: usize) -> bool {
    let named = open > 1
        && file.word(open - 1).starts_with(char::is_uppercase)
        && !(file.is(open - 2, b'>') && file.is(open.wrapping_sub(3), b'-'));
    let named = named && !matches!(file.word(open - 2), "impl" | "for" | "match" | "if" | "in");
    file.is(open, b'{') && named && (open..at).any(|colon| file.is(colon, b':'))
}

fn compared(file: &SourceFile, at: usize) -> bool {
    let sign = |at: usize| {
        file.is(at, b'<') || file.is(at, b'>') || file.is(at, b'=') && file.is(at.wrapping_sub(1), b'=')
    };
    at > 0 && sign(at - 1)
        || file.is(at + 1, b'.') && file.is(at + 2, b'.')
        || file.is(at.wrapping_sub(1), b'.')
}

/// The token that puts a cause into these.
fn cause(file: &SourceFile, part: Range<usize>, status: usize, depth: usize) -> Option<usize> {
    for at in part.clone() {
        let word = file.word(at);
        let method = at > 0 && file.is(at - 1, b'.');
        let tells = matches!(word, "to_string" | "source" | "root_cause" | "description") && method;
        let formats = matches!(word, "format" | "format_args" | "json") && file.is(at + 1, b'!');
        if tells || formats && interpolates(file, at + 2) {
            return Some(at);
        }
        let error = matches!(word, "error" | "err" | "cause" | "source" | "e") && !method;
        let handed = error && (file.is(at + 1, b',') || file.is(at + 1, b')') || file.is(at + 1, b'.'));
        let shown = handed && !matched(file, at);
        if shown && !file.is(at + 1, b':') {
            return Some(at);
        }
        // `message` was put together above.
        let alone = !word.is_empty()
            && !method
            && (file.is(at + 1, b',') || at + 1 == part.end || file.is(at + 1, b'.'));
        if alone
            && depth < 2
            && at != status
            && let Some(value) = bound(file, at)
            && cause(file, value, status, depth + 1).is_some()
        {
            return Some(at);
        }
    }
    None
}

/// `error.status()` and patterns tell no text.
fn matched(file: &SourceFile, at: usize) -> bool {
    let silent = ["code", "status", "kind", "as_u16", "is_retryable"];
    file.is(at + 1, b'.') && silent.contains(&file.word(at + 2))
}

/// Whether a formatting macro's text has a hole that is filled with something else than a constant.
fn interpolates(file: &SourceFile, open: usize) -> bool {
    let Some(close) = file.closing(open) else {
        return false;
    };
    let hole = |at: usize| file.tok(at) == Some(Tok::Str) && file.raw(at).replace("{{", "").contains('{');
    let json = file.word(open.wrapping_sub(2)) == "json";
    (open..close)
        .any(|at| hole(at) && !json || file.word(at) == "to_string" || json && file.word(at) == "error")
}

/// What `let name = …;` above the token binds.
fn bound(file: &SourceFile, at: usize) -> Option<Range<usize>> {
    let name = file.word(at);
    let function = file
        .items()
        .iter()
        .filter(|item| item.body.as_ref().is_some_and(|body| body.contains(&at)));
    let start = function.max_by_key(|item| item.extent.start)?.extent.start;
    let binding = (start..at).rev().find(|back| {
        file.word(*back) == name
            && matches!(file.word(back.wrapping_sub(1)), "let" | "mut")
            && file.is(back + 1, b'=')
    })?;
    let end = (binding..at).find(|end| file.is(*end, b';'))?;
    Some(binding + 2..end)
}

/// actix answers a `ResponseError` with its `Display`, unless it says what else.
fn defaults(ctx: &Ctx<'_>, file: &SourceFile, out: &mut Sink<'_>) {
    for at in file
        .hits(ctx.words, "ResponseError")
        .filter(|at| !file.in_tests(*at))
    {
        if file.word(at + 1) != "for" {
            continue;
        }
        out.examined(&file.krate, 1);
        let open = (at + 2..at + 24).find(|open| file.is(*open, b'{'));
        let close = open.and_then(|open| file.closing(open)).unwrap_or(at);
        if !(at..close).any(|at| file.word(at) == "error_response") {
            let message = "an error answers with its own text: `ResponseError` without `error_response`";
            out.report(Finding::new(
                file.span_of(at..at + 3),
                message,
                "write `error_response` with a constant body",
            ));
        }
    }
}
