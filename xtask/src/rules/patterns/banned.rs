//! Is anything used that this repository's rule file bans?

use std::ops::Range;

use crate::config::{Config, Name, Pattern};
use crate::model::{Broken, SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Words, lex};

/// `ARCH-BAN-001`.
pub(super) struct Banned;

const INFO: Info = Info {
    id: "ARCH-BAN-001",
    title: "what the rule file bans is not used",
    family: Family::Patterns,
    why: "A team learns what hurts; a ban with its reason in the rule file is the shortest way not to learn it twice.",
    fix: "Use what the ban says instead.",
    scope: "each [[pattern]]: a path under every name, tokens in a row, or a part of a string, inside of `inside` and \
            outside of `except`",
    needles: &[],
};

impl Rule for Banned {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        for pattern in &config.pattern {
            let given = [&pattern.path, &pattern.tokens, &pattern.text];
            if given.iter().filter(|name| name.is_some()).count() != 1 {
                let what = format!(
                    "[[pattern]] ({}): give one of `path`, `tokens` and `text`",
                    pattern.why
                );
                return Err(Broken::file(&config.path, what));
            }
            if pattern.what().as_ref().is_empty() {
                return Err(Broken::file(
                    &config.path,
                    "[[pattern]]: an empty pattern bans nothing",
                ));
            }
        }
        Ok(())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.pattern.is_empty() {
            out.off("the rule file has no [[pattern]]");
            return;
        }
        for pattern in &ctx.config.pattern {
            let wanted = Tokens::of(pattern.tokens.as_ref().map_or("", |name| name.as_ref()));
            for file in &ctx.workspace.sources {
                let inside = pattern.inside.is_empty() || file.is_in_any(&pattern.inside);
                if !inside || file.is_in_any(&pattern.except) || !pattern.tests && file.is_test_file() {
                    continue;
                }
                out.examined(&file.krate, 1);
                for (at, span) in places(pattern, &wanted, file) {
                    if pattern.tests || !file.in_tests(at) {
                        let what = pattern.what();
                        let message = format!("`{}`: {}", what.as_ref(), pattern.why);
                        let found = Finding::new(span, message, &pattern.instead).label("banned");
                        out.report(found.also(ctx.config.span(what), "by this pattern"));
                    }
                }
            }
        }
    }
}

impl Pattern {
    /// What is banned; `options` has refused a pattern without it.
    fn what(&self) -> &Name {
        static NOTHING: std::sync::OnceLock<Name> = std::sync::OnceLock::new();
        let given = self.path.as_ref().or(self.tokens.as_ref()).or(self.text.as_ref());
        given.unwrap_or_else(|| NOTHING.get_or_init(|| toml::Spanned::new(0..0, String::new())))
    }
}

/// Tokens and places of what the pattern bans.
fn places(pattern: &Pattern, wanted: &Tokens, file: &SourceFile) -> Vec<(usize, Span)> {
    if let Some(path) = &pattern.path {
        return of_path(path.as_ref(), file);
    }
    if let Some(text) = &pattern.text {
        return of_text(text.as_ref(), file);
    }
    let found = wanted.found(file).into_iter();
    found.map(|tokens| (tokens.start, file.span_of(tokens))).collect()
}

fn of_path(path: &str, file: &SourceFile) -> Vec<(usize, Span)> {
    let (above, last) = path.rsplit_once("::").unwrap_or(("", path));
    // The manifest may rename the crate; everything else stands in the file under its own name.
    if !path
        .split("::")
        .skip(1)
        .chain([last])
        .all(|part| file.may_say(part))
    {
        return Vec::new();
    }
    let own = path
        .strip_prefix(&format!("{}::", file.krate.replace('-', "_")))
        .map(|rest| format!("crate::{rest}"));
    let glob = format!("{above}::*");
    let named = |path: &str| (0..file.tokens.list.len()).find(|at| file.word(*at) == path);
    let mut places = Vec::new();
    for found in file.paths() {
        let hit = found.is_under(path) || own.as_ref().is_some_and(|own| found.is_under(own));
        // `use diesel::dsl::*` brings the name in, if it is then used.
        let brought = found.text() == glob && named(last).is_some();
        if hit || brought {
            places.push((found.tokens.start, file.span_of(found.tokens.clone())));
        }
    }
    places
}

fn of_text(text: &str, file: &SourceFile) -> Vec<(usize, Span)> {
    let likely = || {
        let mut signs = ["\\x", "\\u", "\\\n"].iter();
        file.may_say("concat") || signs.any(|sign| file.text.contains(sign))
    };
    if !file.text.contains(text) && !likely() {
        return Vec::new();
    }
    let literals = file.literals().iter();
    literals
        .filter_map(|literal| {
            let at = literal.text.find(text)?;
            Some((literal.tokens.start, literal.span(file, at..at + text.len())))
        })
        .collect()
}

/// A row of tokens.
struct Tokens {
    words: Vec<String>,
    /// The longest word: a file without it is not walked.
    rarest: String,
}

impl Tokens {
    fn of(text: &str) -> Self {
        let tokens = lex(text, &Words::new([]));
        let words: Vec<_> = tokens
            .list
            .ranges()
            .map(|range| text.get(range).unwrap_or_default().to_owned())
            .collect();
        let rarest = words
            .iter()
            .max_by_key(|word| word.len())
            .cloned()
            .unwrap_or_default();
        Self { words, rarest }
    }

    fn found(&self, file: &SourceFile) -> Vec<Range<usize>> {
        if self.words.is_empty() || !file.may_say(&self.rarest) {
            return Vec::new();
        }
        let at = |index: usize| match file.word(index) {
            "" => file.raw(index),
            word => word,
        };
        let same = |start: &usize| (*start..).zip(&self.words).all(|(index, word)| at(index) == word);
        let starts = (0..file.tokens.list.len()).filter(same);
        starts.map(|start| start..start + self.words.len()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    fn lines(pattern: &str, text: &str) -> Vec<String> {
        let rules = format!("[[pattern]]\n{pattern}\nwhy = \"x\"\ninstead = \"y\"");
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nd = \"1\"\n";
        let files = [
            ("architecture.toml", rules.as_str()),
            ("crates/a/Cargo.toml", manifest),
            ("crates/a/src/lib.rs", text),
        ];
        testing::brief(&Banned, &files)
    }

    #[test]
    fn a_path_is_found_under_every_name() {
        for text in [
            "use d::m::now;",
            "use d::{m::{now as n}};",
            "use d::m; fn f() { m::now }",
            "use d::m::*; fn f() { now }",
            "fn f() { ::d::m::now(1) }",
        ] {
            assert_eq!(
                lines("path = \"d::m::now\"", text).first().map(String::as_str),
                Some("crates/a/src/lib.rs:1"),
                "{text}"
            );
        }
        let fine =
            "use d::m::*; fn f() { m::later; x.now() } // d::m::now\n#[cfg(test)] mod t { use d::m::now; }";
        assert!(lines("path = \"d::m::later\"", "fn f() { m::now }").is_empty());
        assert!(lines("path = \"d::m::now\"", fine.trim_start_matches("use d::m::*; ")).is_empty());
    }

    #[test]
    fn tokens_are_found_however_they_are_spread() {
        for text in [
            "fn f() -> Box<dyn Error> {}",
            "fn f() -> Box < dyn\n r#Error /* x */ >",
        ] {
            assert_eq!(lines("tokens = \"Box<dyn Error>\"", text).len(), 1, "{text}");
        }
        assert!(
            lines(
                "tokens = \"Box<dyn Error>\"",
                "// Box<dyn Error>\nconst A: &str = \"Box<dyn Error>\";"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_part_of_a_string_is_found_in_every_kind_of_literal() {
        for text in [
            "f(\"a secret b\")",
            "f(b\"\\x73ecret\")",
            "f(concat!(\"sec\", \"ret\"))",
            "f(r#\"secret\"#)",
        ] {
            assert_eq!(lines("text = \"secret\"", text).len(), 1, "{text}");
        }
        assert!(lines("text = \"secret\"", "// secret\nfn secret() {}").is_empty());
    }
}
