//! Can every error happen?

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::ItemKind;

/// `ARCH-ERR-004`.
pub(super) struct Unused;

const INFO: Info = Info {
    id: "ARCH-ERR-004",
    title: "every variant of an error is made somewhere",
    family: Family::Errors,
    why: "A variant that nobody makes is handled in vain, and whoever reads the enum believes that it can happen.",
    fix: "Remove the variant, or make it where it belongs.",
    scope: "enums that derive `Error`, product code of the whole workspace: `Enum::Variant`, `Self::Variant`, imports of \
            variants, `#[from]`; mentions in patterns do not count; enums of one name are one",
    needles: &["derive"],
};

struct Variant {
    span: Span,
    krate: String,
}

impl Rule for Unused {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !super::configured(ctx, out) {
            return;
        }
        let mut variants: BTreeMap<(String, String), Variant> = BTreeMap::new();
        for file in &ctx.workspace.sources {
            declared(ctx, file, &mut variants);
        }
        let names: BTreeSet<&str> = variants.keys().map(|(_, variant)| variant.as_str()).collect();
        let mut made: BTreeSet<(String, String)> = BTreeSet::new();
        for file in ctx.workspace.sources.iter().filter(|file| !file.is_test_file()) {
            if !names.iter().any(|name| file.may_say(name)) {
                continue;
            }
            let mut renames = None;
            for at in 0..file.tokens.list.len() {
                let qualified = at >= 3 && file.is(at - 1, b':') && file.is(at - 2, b':');
                let word = file.word(at);
                if word.is_empty() || !word.starts_with(char::is_uppercase) || !names.contains(word) {
                    continue;
                }
                if file.in_tests(at) || is_pattern(file, at) {
                    continue;
                }
                for owner in owners(file, at, qualified) {
                    let renames = renames.get_or_insert_with(|| super::renames(file));
                    let real = renames.get(owner.as_str()).map(|real| (*real).to_owned());
                    made.extend(
                        real.into_iter()
                            .chain([owner])
                            .map(|owner| (owner, word.to_owned())),
                    );
                }
            }
        }
        for ((name, variant), declared) in &variants {
            out.examined(&declared.krate, 1);
            if !made.contains(&(name.clone(), variant.clone())) {
                let message = format!("nobody makes `{name}::{variant}`");
                out.report(Finding::new(declared.span.clone(), message, INFO.fix));
            }
        }
    }
}

/// Variants of the error enums of a file; those with `#[from]` are made by `?`.
fn declared(ctx: &Ctx<'_>, file: &SourceFile, variants: &mut BTreeMap<(String, String), Variant>) {
    for at in file.hits(ctx.words, "derive").filter(|at| !file.in_tests(*at)) {
        let Some(close) = file.closing(at + 1) else {
            continue;
        };
        if !(at..close).any(|at| file.word(at) == "Error") {
            continue;
        }
        let next = file
            .items()
            .iter()
            .filter(|item| item.extent.start > at)
            .min_by_key(|item| item.extent.start);
        let Some((item, body)) = next.and_then(|item| Some((item, item.body.clone()?))) else {
            continue;
        };
        if item.kind != ItemKind::Type || file.word(item.extent.start) != "enum" {
            continue;
        }
        let name = file.word(item.extent.start + 1);
        let mut at = body.start;
        while at < body.end {
            if file.is(at, b'#') {
                at = file.closing(at + 1).unwrap_or(at) + 1;
                continue;
            }
            let word = file.word(at);
            let mut end = at;
            while end < body.end && !file.is(end, b',') {
                end = file.closing(end).unwrap_or(end) + 1;
            }
            let from = (at..end).any(|at| file.word(at) == "from" && file.is(at - 1, b'['));
            if !word.is_empty() && !from {
                let variant = Variant {
                    span: file.span(at),
                    krate: file.krate.clone(),
                };
                variants
                    .entry((name.to_owned(), word.to_owned()))
                    .or_insert(variant);
            }
            at = end + 1;
        }
    }
}

/// Whether a variant's name stands where it takes a value apart, not where it makes one.
fn is_pattern(file: &SourceFile, at: usize) -> bool {
    let mut end = at + 1;
    let mut start = at;
    while start >= 3 && file.is(start - 1, b':') && file.is(start - 2, b':') {
        start -= 3;
    }
    loop {
        if file.is(end, b'(') || file.is(end, b'{') && end == at + 1 {
            end = file.closing(end).unwrap_or(end) + 1;
        }
        let arrow = file.is(end, b'=') && !file.is(end + 1, b'=');
        let or = file.is(end, b'|') && !file.is(end + 1, b'|');
        if arrow || or || file.word(end) == "if" {
            return true;
        }
        // The pattern of `matches!(value, Pattern)`, and what is nested in a pattern.
        if !(file.is(end, b')') || file.is(end, b',') || file.is(end, b']')) {
            return false;
        }
        let Some((open, close)) = around(file, at, end) else {
            return false;
        };
        if file.is(open.wrapping_sub(1), b'!') && file.word(open.wrapping_sub(2)) == "matches" {
            return (open..start).any(|comma| file.is(comma, b','));
        }
        end = close + 1;
    }
}

/// The parentheses or brackets around these tokens.
fn around(file: &SourceFile, at: usize, end: usize) -> Option<(usize, usize)> {
    let mut open = at;
    for _ in 0..200 {
        open = open.checked_sub(1)?;
        if file.is(open, b';') {
            return None;
        }
        if let Some(close) = file.closing(open).filter(|close| *close >= end) {
            return (!file.is(open, b'{')).then_some((open, close));
        }
    }
    None
}

/// `Enum` of `use Enum::{Variant, Other as Another};`.
fn group(file: &SourceFile, at: usize) -> Option<&str> {
    let before = (0..at).rev().take(100).take_while(|back| !file.is(*back, b';'));
    let open = before.into_iter().find(|back| file.is(*back, b'{'))?;
    let grouped = open > 2 && file.is(open - 1, b':') && file.closing(open).is_some_and(|close| close > at);
    grouped.then(|| file.word(open - 3))
}

/// The enums that a name may be a variant of.
fn owners(file: &SourceFile, at: usize, qualified: bool) -> Vec<String> {
    let mut owners = Vec::new();
    if qualified && file.word(at - 3) == "Self" {
        let around = file
            .items()
            .iter()
            .filter(|item| matches!(item.kind, ItemKind::Impl) && item.extent.contains(&at));
        let inner = around.max_by_key(|item| item.extent.start);
        owners.extend(
            inner
                .and_then(|item| item.path.rsplit("::").next())
                .map(str::to_owned),
        );
        return owners;
    }
    if qualified {
        owners.push(file.word(at - 3).to_owned());
    }
    for path in file.paths_at(at).filter(|path| path.tokens.end == at + 1) {
        owners.extend(path.owner().map(str::to_owned));
    }
    if !qualified {
        owners.extend(group(file, at).map(str::to_owned));
        // `use Enum::*;`
        let globs = file.imports().iter();
        let globs = globs.filter(|path| path.last() == "*");
        owners.extend(globs.filter_map(|path| path.owner().map(str::to_owned)));
    }
    owners
}
