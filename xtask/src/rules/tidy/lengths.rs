//! Is any file or function too long to be read at once?

use super::measure::{FILE_LIMIT, FUNCTION_LIMIT, lines};
use super::ratchet::Ratchet;
use crate::model::{SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Tok;

/// No entry helps a longer file.
const FILE_STOP: usize = 500;

/// `TIDY-LENGTH-001`.
pub(super) struct FileLength;
/// `TIDY-LENGTH-002`.
pub(super) struct FunctionLength;

const FILE: Info = Info {
    id: "TIDY-LENGTH-001",
    title: "a file has at most 400 lines",
    family: Family::Tidy,
    why: "What cannot be read at once is not reviewed.",
    fix: "Split it by what it answers: `name.rs` and `name/part.rs`.",
    scope: "every Rust file, with its tests; xtask/ratchet.toml lists the known ones up to 500",
    needles: &[],
};

impl Rule for FileLength {
    fn info(&self) -> &'static Info {
        &FILE
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let ratchet = Ratchet::read(ctx.workspace).unwrap_or_default();
        for source in &ctx.workspace.sources {
            out.examined(&source.krate, 1);
            let lines = source.tokens.lines;
            let message = if lines > FILE_STOP {
                format!("{lines} lines; no file may have more than {FILE_STOP}")
            } else if lines > FILE_LIMIT && !ratchet.files.contains_key(&source.path) {
                format!("{lines} lines; the limit is {FILE_LIMIT}")
            } else {
                continue;
            };
            out.report(Finding::new(Span::file(&source.path), message, FILE.fix));
        }
    }
}

const FUNCTION: Info = Info {
    id: "TIDY-LENGTH-002",
    title: "a function has at most 70 lines",
    family: Family::Tidy,
    why: "A function that does not fit on a screen has parts without a name.",
    fix: "Name its parts and make them functions.",
    scope: "every function with a body, from its signature to its closing brace",
    needles: &["fn"],
};

impl Rule for FunctionLength {
    fn info(&self) -> &'static Info {
        &FUNCTION
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let ratchet = Ratchet::read(ctx.workspace).unwrap_or_default();
        out.each(&ctx.workspace.sources.0, |source, out| {
            let mut passed = 0;
            for at in source.hits(ctx.words, "fn") {
                let Some(body) = body(source, at, &mut passed) else {
                    continue;
                };
                out.examined(&source.krate, 1);
                // Names cost a walk over the file, so only long functions get one.
                let lines = lines(source, at, body);
                if lines <= FUNCTION_LIMIT {
                    continue;
                }
                let name = format!("{}::{}", source.path, name(source, at));
                if !ratchet.functions.contains_key(&name) {
                    let message = format!("`{name}` has {lines} lines; the limit is {FUNCTION_LIMIT}");
                    out.report(Finding::new(source.span_of(at..at + 2), message, FUNCTION.fix));
                }
            }
        });
    }
}

/// The closing brace of the function whose `fn` is this token; none for pointers and for functions without a body.
/// `passed` pairs of delimiters stand before it: functions are asked for in order, so that nothing is searched.
fn body(source: &SourceFile, at: usize, passed: &mut usize) -> Option<usize> {
    if source.word(at + 1).is_empty() {
        return None;
    }
    let pairs = &source.tokens.pairs;
    while pairs.get(*passed).is_some_and(|(open, _)| open < at) {
        *passed += 1;
    }
    // What looks like a function may end behind the next one, which is looked at as well.
    let mut after = (*passed..pairs.len()).filter_map(|place| pairs.get(place));
    let mut ahead = |wanted: usize| {
        let found = after.find(|(open, _)| *open >= wanted)?;
        (found.0 == wanted).then_some(found.1)
    };
    let mut next = at + 2;
    loop {
        match source.tok(next)? {
            Tok::P(b'{') => return ahead(next),
            Tok::P(b';' | b'}') => return None,
            Tok::P(b'(' | b'[') => next = ahead(next)? + 1,
            _ => next += 1,
        }
    }
}

fn name(source: &SourceFile, at: usize) -> String {
    let item = source.items().iter().find(|item| item.extent.start == at);
    item.map_or_else(|| source.word(at + 1).to_owned(), |item| item.path.clone())
}

#[cfg(test)]
mod tests {
    use super::super::{measure::measure, ratchet};
    use super::*;
    use crate::rule::testing;

    const PATH: &str = "crates/a/src/lib.rs";

    fn lines(count: usize) -> String {
        "//! Line.\n".repeat(count)
    }

    fn function(inner: usize) -> String {
        format!(
            "//! F.\nimpl T {{\n    /// Doc.\n    fn f() {{\n{}    }}\n}}\n",
            "        g();\n".repeat(inner)
        )
    }

    fn findings(rule: &dyn Rule, text: &str, ratchet: &str) -> Vec<String> {
        testing::brief(rule, &[(PATH, text), (ratchet::PATH, ratchet)])
    }

    #[test]
    fn a_file_over_the_limit_is_a_finding() {
        assert!(findings(&FileLength, &lines(400), "").is_empty());
        assert_eq!(findings(&FileLength, &lines(401), ""), [PATH]);
    }

    #[test]
    fn the_ratchet_carries_a_file_up_to_the_hard_stop() {
        let entry = |lines: usize| format!("[files]\n\"{PATH}\" = {lines}");
        assert!(findings(&FileLength, &lines(450), &entry(450)).is_empty());
        assert_eq!(findings(&FileLength, &lines(501), &entry(501)), [PATH]);
    }

    #[test]
    fn a_function_over_the_limit_is_a_finding_with_its_full_name() {
        assert!(findings(&FunctionLength, &function(68), "").is_empty());
        assert_eq!(
            findings(&FunctionLength, &function(69), ""),
            [format!("{PATH}:4")]
        );
        let entry = format!("[functions]\n\"{PATH}::T::f\" = 71");
        assert!(findings(&FunctionLength, &function(69), &entry).is_empty());
    }

    #[test]
    fn a_function_is_measured_though_the_body_of_the_one_before_ends_behind_it() {
        let text = format!(
            "//! F.\nmacro_rules! m {{ (fn name) => {{\nfn f() {{\n{}}}\n}} }}\n",
            "g();\n".repeat(70)
        );
        let expected = [2, 3].map(|line| format!("{PATH}:{line}"));
        assert_eq!(findings(&FunctionLength, &text, ""), expected);
    }

    #[test]
    fn a_function_inside_a_module_or_a_trait_is_measured_too() {
        let text = "//! F.\nmod m { trait T { fn f() {} } fn g() { fn h() {} } }";
        let names: Vec<_> = measure(&testing::workspace(&[(PATH, text)]))
            .functions
            .into_keys()
            .collect();
        assert_eq!(
            names,
            ["m::T::f", "m::g", "m::g::h"].map(|name| format!("{PATH}::{name}"))
        );
    }
}
