//! Does an engine look at a clock, or throw dice?

use super::{Named, engines, tell};
use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-DET-001`.
pub(super) struct Clock;

const INFO: Info = Info {
    id: "ARCH-DET-001",
    title: "engines have no clock and no dice",
    family: Family::Determinism,
    why: "A decision is replayed from its input. What the clock or chance added to it is in no input. `no_std` keeps \
          std's; the crates that an engine may use bring their own.",
    fix: "Take the time, the id or the number as a field of the input.",
    scope: "product code of `determinism.inside`: std::time and every name for reading a clock or making random \
            numbers, under other names and through re-exports too",
    needles: NAMES,
};

/// Types and functions that have no other meaning.
const NAMES: &[&str] = &[
    "now",
    "now_utc",
    "now_local",
    "now_v1",
    "now_v6",
    "now_v7",
    "new_v4",
    "elapsed",
    "system",
    "try_system",
    "SystemTime",
    "Instant",
    "OsRng",
    "ThreadRng",
    "thread_rng",
    "SmallRng",
    "StdRng",
    "getrandom",
    "fastrand",
    "from_os_rng",
    "from_entropy",
    "generate",
    "Generator",
    "rand",
];
/// Names that mean something else as well: only `Type::name` and `.name()` count.
const CALLED: [&str; 10] = [
    "now",
    "now_utc",
    "now_local",
    "now_v1",
    "now_v6",
    "now_v7",
    "new_v4",
    "elapsed",
    "system",
    "try_system",
];
/// Names that count in paths only: builders have a `.generate()` too.
const IN_PATHS: [&str; 3] = ["generate", "rand", "Generator"];
const DENIED: [&str; 5] = [
    "std::time",
    "core::time::Instant",
    "rand",
    "getrandom",
    "fastrand",
];
const REMEDY: &str = "take it as a field of the input";

impl Rule for Clock {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some((_, files)) = engines(ctx, out) else {
            return;
        };
        let named = Named::new(ctx, NAMES);
        for file in files {
            let mut told = Vec::new();
            for (at, word) in named
                .words(file)
                .into_iter()
                .filter(|(at, word)| reads(file, *at, word))
            {
                told.push(at);
                tell(
                    file,
                    at,
                    &format!("`{word}`, which differs each time"),
                    REMEDY,
                    out,
                );
            }
            // Every name of a path stands in the file that says the path.
            let said = |denied: &&str| denied.split("::").all(|name| file.may_say(name));
            let paths = if DENIED.iter().any(said) {
                file.paths()
            } else {
                &[]
            };
            for path in paths.iter().filter(|path| !file.in_tests(path.tokens.start)) {
                let known = path.tokens.clone().any(|at| told.contains(&at));
                if !known && DENIED.iter().any(|denied| path.is_under(denied)) {
                    let message = format!(
                        "`{}` must decide the same twice, and names `{}`",
                        file.krate,
                        path.text()
                    );
                    out.report(Finding::new(file.span_of(path.tokens.clone()), message, REMEDY));
                }
            }
        }
    }
}

fn reads(file: &SourceFile, at: usize, word: &str) -> bool {
    let before = at.wrapping_sub(1);
    if matches!(
        file.word(before),
        "fn" | "let" | "mut" | "struct" | "enum" | "trait" | "mod"
    ) {
        return false;
    }
    let path = file.is(before, b':') && file.is(before.wrapping_sub(1), b':');
    if CALLED.contains(&word) {
        let method = file.is(before, b'.') && file.is(at + 1, b'(');
        return path && !is_module(file, at) || method;
    }
    !IN_PATHS.contains(&word) || path && !is_module(file, at)
}

/// `now::f`: a module of this name, not what is in it.
fn is_module(file: &SourceFile, at: usize) -> bool {
    file.is(at + 1, b':') && file.is(at + 2, b':')
}
