//! Does an engine depend on where it lies in memory, or on how it was built?

use super::{Named, engines, tell};
use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Spelled;

/// `ARCH-DET-005`.
pub(super) struct Addresses;

const INFO: Info = Info {
    id: "ARCH-DET-005",
    title: "engines depend on no address, name of a type, or build",
    family: Family::Determinism,
    why: "Addresses differ between two runs, names of types between two compilers, and conditions between two \
          builds: an offline replay on another machine then decides otherwise.",
    fix: "Decide on the value itself, and the same for every build.",
    scope: "product code of `determinism.inside`: {:p}, raw pointers, type_name, TypeId, cfg of the target and of \
            debug builds, env!, file!, line!",
    needles: WORDS,
};

const WORDS: &[&str] = &[
    "const",
    "mut",
    "as_ptr",
    "as_mut_ptr",
    "ptr_eq",
    "type_name",
    "type_name_of_val",
    "TypeId",
    "type_id",
    "caller",
    "env",
    "option_env",
    "file",
    "line",
    "column",
    "module_path",
    "target_os",
    "target_arch",
    "target_pointer_width",
    "target_endian",
    "target_family",
    "target_env",
    "target_feature",
    "target_vendor",
    "target_has_atomic",
    "debug_assertions",
    "overflow_checks",
];
/// Macros whose value is that of the build.
const MACROS: [&str; 6] = ["env", "option_env", "file", "line", "column", "module_path"];
const CONDITIONS: [&str; 3] = ["cfg", "cfg_attr", "cfg_select"];

impl Rule for Addresses {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some((_, files)) = engines(ctx, out) else {
            return;
        };
        // What `pointer` finds ends in one of these.
        let ends = Spelled::new(["p}", "p\""]);
        let named = Named::new(ctx, WORDS);
        for file in files {
            for (at, word) in named.words(file) {
                if let Some((what, remedy)) = judge(file, at, word) {
                    tell(file, at, &what, remedy, out);
                }
            }
            // A path under `core::ptr` names it, under whatever name it goes on.
            let paths = if file.may_say("ptr") { file.paths() } else { &[] };
            for path in paths.iter().filter(|path| !file.in_tests(path.tokens.start)) {
                if path.is_under("core::ptr") || path.is_under("std::ptr") {
                    let what = format!("`{}`, which works on addresses", path.text());
                    tell(
                        file,
                        path.tokens.start,
                        &what,
                        "decide on the value, not on where it lies",
                        out,
                    );
                }
            }
            let literals = if file.may_spell(&ends) {
                file.literals()
            } else {
                &[]
            };
            for literal in literals
                .iter()
                .filter(|literal| !file.in_tests(literal.tokens.start))
            {
                if let Some(at) = pointer(&literal.text).filter(|_| literal.within.is_some()) {
                    let message = format!(
                        "`{}` must decide the same twice, and prints an address",
                        file.krate
                    );
                    let remedy = "print the value";
                    out.report(Finding::new(literal.span(file, at..at + 1), message, remedy));
                }
            }
        }
    }
}

fn judge(file: &SourceFile, at: usize, word: &str) -> Option<(String, &'static str)> {
    let before = at.wrapping_sub(1);
    let named = || {
        Some((
            format!("`{word}`, which differs between builds"),
            "decide on the value itself",
        ))
    };
    match word {
        // `*const T`, `&raw const x`
        "const" | "mut" => {
            // `a * mut b` is no product, so a star before `const` or `mut` is a pointer's.
            let raw =
                file.is(before, b'*') || file.word(before) == "raw" && file.is(before.wrapping_sub(1), b'&');
            raw.then(|| {
                (
                    "a raw pointer".to_owned(),
                    "decide on the value, not on where it lies",
                )
            })
        }
        _ if MACROS.contains(&word) => {
            (file.is(at + 1, b'!') && file.closing(at + 2).is_some()).then(named)?
        }
        _ if word.starts_with("target_") || word == "debug_assertions" || word == "overflow_checks" => {
            let inside = conditions(file, at);
            inside.then(|| {
                (
                    format!("`{word}`: another build decides otherwise"),
                    "decide the same for every build",
                )
            })
        }
        "caller" => (file.is(before, b':') && file.word(at.wrapping_sub(3)) == "Location").then(named)?,
        "ptr_eq" | "as_ptr" | "as_mut_ptr" | "type_id" => {
            let used = file.is(before, b'.') || file.is(before, b':') || file.is(at + 1, b'!');
            used.then(|| {
                (
                    format!("`{word}`, an address"),
                    "decide on the value, not on where it lies",
                )
            })
        }
        _ => (!file.is(before, b'.') && !matches!(file.word(before), "fn" | "let" | "struct")).then(named)?,
    }
}

/// Whether the token stands in `cfg(…)`, `cfg!(…)` or `cfg_attr(…)`.
fn conditions(file: &SourceFile, at: usize) -> bool {
    let start = at.saturating_sub(48);
    (start..at).any(|open| {
        let condition = CONDITIONS.contains(&file.word(open));
        let open = if file.is(open + 1, b'!') {
            open + 2
        } else {
            open + 1
        };
        condition && file.is(open, b'(') && file.closing(open).is_some_and(|close| close > at)
    })
}

/// Where a format string asks for an address: `{:p}`, `{name:#p}`.
fn pointer(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(open) = text.get(at..)?.find('{').map(|found| at + found) {
        let rest = text.get(open + 1..)?;
        at = open + if rest.starts_with('{') { 2 } else { 1 };
        let how = rest.split('}').next()?.split_once(':').map_or("", |(_, how)| how);
        let flags = how.strip_suffix('p').unwrap_or("x");
        if !rest.starts_with('{') && flags.bytes().all(|byte| b"#0123456789<>^+-".contains(&byte)) {
            return Some(open);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::pointer;

    #[test]
    fn places_for_addresses_are_told_apart() {
        for text in ["{:p}", "a {b:#p}", "{0:>20p}", "{{{:p}}}"] {
            assert!(pointer(text).is_some(), "{text}");
        }
        for text in ["{{:p}}", "{:?}", "{p}", "{a:help}", "{", "a:p"] {
            assert!(pointer(text).is_none(), "{text}");
        }
    }
}
