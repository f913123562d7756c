//! Is there anything in the code that a merged change never contains?

use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `TIDY-CODE-001`.
pub(super) struct Forbidden;

const INFO: Info = Info {
    id: "TIDY-CODE-001",
    title: "no unfinished code, no switched-off tests, no files by path",
    family: Family::Tidy,
    why: "`todo!` panics in production, an ignored test proves nothing, and a path passes by the layer table.",
    fix: "Finish it, make the test run everywhere, name the file after its module.",
    scope: "macros and attributes of every Rust file, the inside of other macros too",
    needles: &[
        "todo",
        "unimplemented",
        "dbg",
        "include",
        "ignore",
        "should_panic",
        "path",
    ],
};

const MACROS: [(&str, &str); 4] = [
    ("todo", "write it, or leave the call out"),
    ("unimplemented", "write it, or make the case impossible by type"),
    ("dbg", "remove it, or use `tracing`"),
    (
        "include",
        "use the crate: included code passes by the layer table",
    ),
];

const ATTRIBUTES: [(&str, &str); 3] = [
    ("ignore", "make the test run everywhere, or delete it"),
    ("should_panic", "return the error and assert on it"),
    (
        "path",
        "name the file after the module: a path passes by the layer table",
    ),
];

impl Rule for Forbidden {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for source in &ctx.workspace.sources {
            out.examined(&source.krate, 1);
            for (word, remedy) in MACROS {
                for at in source.hits(ctx.words, word) {
                    if source.is(at + 1, b'!') && source.closing(at + 2).is_some() {
                        out.report(Finding::new(source.span(at), format!("`{word}!`"), remedy));
                    }
                }
            }
            for (word, remedy) in ATTRIBUTES {
                for at in source.hits(ctx.words, word) {
                    if is_attribute(source, at, word == "path") {
                        out.report(Finding::new(source.span(at), format!("`#[{word}]`"), remedy));
                    }
                }
            }
        }
    }
}

/// Whether the word is an attribute's name, also behind a condition: `#[word`, `#[cfg_attr(…, word`.
fn is_attribute(source: &SourceFile, at: usize, assigned: bool) -> bool {
    // `path` is a file only in `path = ".."`; `path(..)` describes a route.
    if assigned && !source.is(at + 1, b'=') || at == 0 {
        return false;
    }
    if source.is(at - 1, b'[') {
        return opens(source, at - 1);
    }
    if !source.is(at - 1, b',') {
        return false;
    }
    let start = at.saturating_sub(64);
    (start..at).any(|open| {
        source.is(open, b'[')
            && source.word(open + 1) == "cfg_attr"
            && opens(source, open)
            && source.closing(open + 2).is_some_and(|close| close > at)
    })
}

fn opens(source: &SourceFile, open: usize) -> bool {
    open > 0
        && (source.is(open - 1, b'#') || open > 1 && source.is(open - 1, b'!') && source.is(open - 2, b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    const PATH: &str = "crates/a/src/lib.rs";

    fn lines(text: &str) -> Vec<String> {
        testing::brief(&Forbidden, &[(PATH, text)])
    }

    #[test]
    fn each_macro_is_found_also_inside_other_macros() {
        for (word, _) in MACROS {
            assert_eq!(lines(&format!("fn f() {{ {word}!() }}")), [format!("{PATH}:1")]);
            let nested = format!("fn f() {{\n    vec![std::{word}!(\"x\")];\n}}");
            assert_eq!(lines(&nested), [format!("{PATH}:2")]);
        }
    }

    #[test]
    fn each_attribute_is_found_also_behind_a_condition() {
        for form in ["ignore", "ignore = \"why\"", "should_panic", "path = \"../x.rs\""] {
            assert_eq!(lines(&format!("#[{form}]\nmod m;")), [format!("{PATH}:1")]);
            let conditional = format!("#[cfg_attr(unix, {form})]\nmod m;");
            assert_eq!(lines(&conditional), [format!("{PATH}:1")]);
        }
    }

    #[test]
    fn words_in_comments_strings_and_names_are_fine() {
        let text = "/// todo!() #[ignore]\n#[serde(ignore)]\n#[path(get)]\nfn todo() -> bool {\n    \
                    // dbg!(x)\n    let dbg = \"todo!()\";\n    dbg != (\"x\")\n}";
        assert_eq!(lines(text), Vec::<String>::new());
    }
}
