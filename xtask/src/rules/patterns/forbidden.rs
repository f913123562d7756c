//! Is there anything in the code that a merged change never contains?

use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CODE-001`.
pub(super) struct Unfinished;
/// `ARCH-CODE-002`.
pub(super) struct ByPath;
/// `ARCH-TEST-001`.
pub(super) struct SwitchedOff;

const UNFINISHED: Info = Info {
    id: "ARCH-CODE-001",
    title: "no unfinished code",
    family: Family::Patterns,
    why: "`todo!` panics in production, and what `dbg!` prints goes to whoever reads the log.",
    fix: "Finish it, or leave it out.",
    scope: "todo!, unimplemented!, dbg! in every Rust file, tests and the inside of other macros too, under other names",
    needles: &["todo", "unimplemented", "dbg"],
};

const BY_PATH: Info = Info {
    id: "ARCH-CODE-002",
    title: "no source is pulled in by path",
    family: Family::Patterns,
    why: "A path passes by the layer table and by everybody who looks for a module by its name.",
    fix: "Name the file after its module, or use the crate.",
    scope: "`#[path]`, also behind cfg_attr, and `include!` in every Rust file",
    needles: &["include", "path"],
};

const SWITCHED_OFF: Info = Info {
    id: "ARCH-TEST-001",
    title: "no test is switched off, and none waits for any panic",
    family: Family::Patterns,
    why: "An ignored test proves nothing for as long as nobody remembers it; `should_panic` is content with the panic \
          of the line before.",
    fix: "Make the test run everywhere; return the error and assert on it.",
    scope: "`#[ignore]` and `#[should_panic]` in every Rust file, also behind cfg_attr and in macros",
    needles: &["ignore", "should_panic"],
};

impl Rule for Unfinished {
    fn info(&self) -> &'static Info {
        &UNFINISHED
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        const MACROS: [(&str, &str); 3] = [
            ("todo", "write it, or leave the call out"),
            ("unimplemented", "write it, or make the case impossible by type"),
            ("dbg", "remove it, or use `tracing`"),
        ];
        for file in &ctx.workspace.sources {
            out.examined(&file.krate, 1);
            for (word, remedy) in MACROS {
                for at in file.hits(ctx.words, word).filter(|at| is_macro(file, *at)) {
                    out.report(Finding::new(file.span(at), format!("`{word}!`"), remedy));
                }
            }
        }
    }
}

impl Rule for ByPath {
    fn info(&self) -> &'static Info {
        &BY_PATH
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for file in &ctx.workspace.sources {
            out.examined(&file.krate, 1);
            for at in file.hits(ctx.words, "include").filter(|at| is_macro(file, *at)) {
                let remedy = "use the crate: included code passes by the layer table";
                out.report(Finding::new(file.span(at), "`include!`", remedy));
            }
            // `path` is a file only in `path = ".."`; `path(..)` describes a route.
            let assigned = |at: &usize| file.is(at + 1, b'=') && is_attribute(file, *at);
            for at in file.hits(ctx.words, "path").filter(assigned) {
                let remedy = "name the file after the module: a path passes by the layer table";
                out.report(Finding::new(file.span(at), "`#[path]`", remedy));
            }
        }
    }
}

impl Rule for SwitchedOff {
    fn info(&self) -> &'static Info {
        &SWITCHED_OFF
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        const ATTRIBUTES: [(&str, &str); 2] = [
            ("ignore", "make the test run everywhere, or delete it"),
            ("should_panic", "return the error and assert on it"),
        ];
        for file in &ctx.workspace.sources {
            out.examined(&file.krate, 1);
            for (word, remedy) in ATTRIBUTES {
                for at in file.hits(ctx.words, word).filter(|at| is_attribute(file, *at)) {
                    out.report(Finding::new(file.span(at), format!("`#[{word}]`"), remedy));
                }
            }
        }
    }
}

/// Whether the word calls the macro of this name, or gives the standard one another name.
pub(super) fn is_macro(file: &SourceFile, at: usize) -> bool {
    if file.is(at + 1, b'!') {
        return file.closing(at + 2).is_some();
    }
    let standard = |root: &str| matches!(root, "std" | "core" | "alloc");
    let mut paths = file.paths().iter();
    paths.any(|path| {
        path.import && path.tokens.contains(&at) && path.segments().count() == 2 && standard(path.root())
    })
}

/// Whether the word is an attribute's name, also behind a condition: `#[word`, `#[cfg_attr(…, word`.
fn is_attribute(file: &SourceFile, at: usize) -> bool {
    if at == 0 {
        return false;
    }
    if file.is(at - 1, b'[') {
        return opens(file, at - 1);
    }
    if !file.is(at - 1, b',') {
        return false;
    }
    let start = at.saturating_sub(64);
    (start..at).any(|open| {
        file.is(open, b'[')
            && file.word(open + 1) == "cfg_attr"
            && opens(file, open)
            && file.closing(open + 2).is_some_and(|close| close > at)
    })
}

fn opens(file: &SourceFile, open: usize) -> bool {
    open > 0 && (file.is(open - 1, b'#') || open > 1 && file.is(open - 1, b'!') && file.is(open - 2, b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    const PATH: &str = "crates/a/src/lib.rs";
    const RULES: [&dyn Rule; 3] = [&Unfinished, &ByPath, &SwitchedOff];

    fn lines(text: &str) -> Vec<String> {
        RULES
            .iter()
            .flat_map(|rule| testing::brief(*rule, &[(PATH, text)]))
            .collect()
    }

    #[test]
    fn each_macro_is_found_also_inside_other_macros_and_under_other_names() {
        for word in ["todo", "unimplemented", "dbg", "include"] {
            assert_eq!(lines(&format!("fn f() {{ {word}!() }}")), [format!("{PATH}:1")]);
            let nested = format!("fn f() {{\n    vec![std::{word}!(\"x\")];\n}}");
            assert_eq!(lines(&nested), [format!("{PATH}:2")]);
            let renamed = format!("use std::{{fmt, {word} as t}};\nfn f() {{ t!() }}");
            assert_eq!(lines(&renamed), [format!("{PATH}:1")]);
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
                    // dbg!(x)\n    let dbg = \"todo!()\";\n    dbg != (\"x\")\n}\nuse std::path::Path;";
        assert_eq!(lines(text), Vec::<String>::new());
    }
}
