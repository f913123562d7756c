//! Which words does an enum write on the wire and into the database?
//!
//! Read from `rename_all` of serde or strum, from `rename` of a variant, and from enums that a macro of our own makes:
//! `words! { Name { Variant = "word", } }` and `words! { Name { Variant, } }` with the case in the macro, or before the
//! name: `words! { "snake_case"; Name { Variant, } }`.

use super::{Tok, Words};
use crate::model::{SourceFile, Span, Workspace};

/// A variant's word and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// The words of `krate::module::Enum`, in order; why not, when there are none.
pub(crate) fn vocabulary(workspace: &Workspace, words: &Words, path: &str) -> Result<Vec<Word>, String> {
    let parts: Vec<_> = path.split("::").collect();
    let [krate, module @ .., name] = parts.as_slice() else {
        return Err(format!(
            "`{path}` is no path of an enum: write krate::module::Enum"
        ));
    };
    let files = workspace.sources.iter().filter(|file| {
        file.krate.replace('-', "_") == *krate && !file.is_test_file() && file.module == module
    });
    for file in files {
        if let Some(open) = declaration(file, name) {
            let case = case_of(workspace, words, file, open);
            return Ok(variants(file, open, &case));
        }
    }
    Err(format!("there is no enum `{path}`"))
}

/// The brace after the enum's name, in an item or in the arguments of a macro.
fn declaration(file: &SourceFile, name: &str) -> Option<usize> {
    let count = file.tokens.list.len();
    (1..count).find_map(|at| {
        let declares = file.word(at) == name
            && file.is(at + 1, b'{')
            && !file.in_tests(at)
            && (file.word(at - 1) == "enum" || macro_around(file, at).is_some() && opens_item(file, at));
        declares.then_some(at + 1)
    })
}

/// In a macro, a name that begins an item stands after `{`, `,` or an attribute.
fn opens_item(file: &SourceFile, at: usize) -> bool {
    [b'{', b'(', b',', b';', b']']
        .iter()
        .any(|sign| file.is(at - 1, *sign))
}

/// The macro in whose arguments a token stands, directly: where they open, and its name.
fn macro_around(file: &SourceFile, at: usize) -> Option<(usize, &str)> {
    (0..at).rev().find_map(|open| {
        let called = open >= 2 && file.is(open - 1, b'!') && !file.word(open - 2).is_empty();
        let around = file.closing(open).is_some_and(|close| close > at);
        (called && around).then(|| (open, file.word(open - 2)))
    })
}

/// The case in which variants are written: of the enum's attributes, or of those in the macro that makes it.
fn case_of(workspace: &Workspace, words: &Words, file: &SourceFile, open: usize) -> String {
    if file.word(open - 2) == "enum" {
        let start = (0..open)
            .rev()
            .find(|at| file.is(*at, b';') || file.is(*at, b'}'))
            .unwrap_or(0);
        return case_in(file, start, open);
    }
    let Some((brace, name)) = macro_around(file, open) else {
        return String::new();
    };
    // The first thing that the macro is told.
    if let Some(case) = named_case(file, brace + 1) {
        return case;
    }
    let own = |other: &&SourceFile| other.krate == file.krate;
    for source in workspace.sources.iter().filter(own) {
        for at in source.hits(words, "macro_rules") {
            if source.is(at + 1, b'!')
                && source.word(at + 2) == name
                && let Some(close) = source.closing(at + 3)
            {
                let told = (at + 3..close).find_map(|at| named_case(source, at));
                return told.unwrap_or_else(|| case_in(source, at + 3, close));
            }
        }
    }
    String::new()
}

/// `"snake_case";`, which tells a macro the case.
fn named_case(file: &SourceFile, at: usize) -> Option<String> {
    let named = file.tok(at) == Some(Tok::Str) && file.is(at + 1, b';');
    named.then(|| file.raw(at).trim_matches('"').to_owned())
}

fn case_in(file: &SourceFile, start: usize, end: usize) -> String {
    let says =
        |at: &usize| matches!(file.word(*at), "rename_all" | "serialize_all") && file.is(*at + 1, b'=');
    (start..end)
        .find(says)
        .map(|at| file.raw(at + 2).trim_matches('"').to_owned())
        .unwrap_or_default()
}

fn variants(file: &SourceFile, open: usize, case: &str) -> Vec<Word> {
    let Some(close) = file.closing(open) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut at = open + 1;
    while at < close {
        let mut renamed = None;
        while file.is(at, b'#')
            && let Some(end) = file.closing(at + 1)
        {
            let says = |at: &usize| {
                matches!(file.word(*at), "rename" | "serialize" | "to_string")
                    && file.is(*at + 1, b'=')
                    && file.tok(*at + 2) == Some(Tok::Str)
            };
            renamed = (at..end).find(says).map(|at| at + 2).or(renamed);
            at = end + 1;
        }
        let name = file.word(at);
        let place = at;
        let assigned = file.is(at + 1, b'=') && file.tok(at + 2) == Some(Tok::Str);
        let literal = renamed.or(assigned.then_some(at + 2));
        while at < close && !file.is(at, b',') {
            at = file.closing(at).unwrap_or(at) + 1;
        }
        at += 1;
        if !name.is_empty() {
            let text = literal.map_or_else(
                || cased(name, case),
                |at| file.raw(at).trim_matches('"').to_owned(),
            );
            let span = file.span(literal.unwrap_or(place));
            found.push(Word { text, span });
        }
    }
    found
}

/// `LlmCallMade` in the case that serde or strum calls so.
fn cased(name: &str, case: &str) -> String {
    let joined = |sign: &str| {
        let mut text = String::new();
        for (at, c) in name.char_indices() {
            if at > 0 && c.is_uppercase() {
                text.push_str(sign);
            }
            text.extend(c.to_lowercase());
        }
        text
    };
    match case {
        "snake_case" => joined("_"),
        "SCREAMING_SNAKE_CASE" => joined("_").to_uppercase(),
        "kebab-case" => joined("-"),
        "SCREAMING-KEBAB-CASE" => joined("-").to_uppercase(),
        "lowercase" => name.to_lowercase(),
        "UPPERCASE" => name.to_uppercase(),
        "camelCase" => {
            let (first, rest) = name.split_at_checked(1).unwrap_or_default();
            first.to_lowercase() + rest
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    fn read(text: &str) -> String {
        let words = crate::engine::words(&crate::registry::all());
        let tree = testing::workspace(&[("crates/a/src/m.rs", text), ("crates/a/src/lib.rs", MACROS)]);
        match vocabulary(&tree, &words, "a::m::E") {
            Ok(words) => words
                .into_iter()
                .map(|word| word.text)
                .collect::<Vec<_>>()
                .join(" "),
            Err(why) => why,
        }
    }

    const MACROS: &str = "macro_rules! wire { ($n:ident { $($v:ident,)* }) => { #[strum(serialize_all = \"snake_case\")] \
                          enum $n { $($v,)* } } }\nmacro_rules! said { () => {} }\nmacro_rules! told { ($n:ident { $($v:ident,)* }) => { \
                          told! { \"SCREAMING_SNAKE_CASE\"; $n { $($v,)* } } }; ($c:literal; $n:ident { $($v:ident,)* }) \
                          => { #[strum(serialize_all = $c)] enum $n { $($v,)* } } }\nmod m;";

    #[test]
    fn words_are_those_of_the_wire() {
        for (text, expected) in [
            ("enum E { OneTwo, B(u8), C { x: u8, y: u8 } }", "OneTwo B C"),
            (
                "#[serde(rename_all = \"SCREAMING_SNAKE_CASE\")]\npub enum E { OneTwo = 1, B }",
                "ONE_TWO B",
            ),
            (
                "#[serde(rename_all = \"kebab-case\")] enum E { #[doc = \"x\"] #[serde(rename = \"z\")] A, OneTwo }",
                "z one-two",
            ),
            ("wire! { /// E {\n E { OneTwo, B, } }", "one_two b"),
            (
                "wire! { \"kebab-case\"; /// Doc.\n E { OneTwo, B, } }",
                "one-two b",
            ),
            ("told! { E { OneTwo, B, } }", "ONE_TWO B"),
            (
                "said! { \"kind\", /// Doc.\n E { A = \"x.y\", B = \"z\", } }",
                "x.y z",
            ),
            ("#[serde(rename_all = \"lowercase\")] struct S; enum E { A }", "A"),
            (
                "#[cfg(test)] mod t { enum E { A } }",
                "there is no enum `a::m::E`",
            ),
            (
                "struct E { a: u8 } impl E { fn e() {} }",
                "there is no enum `a::m::E`",
            ),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
