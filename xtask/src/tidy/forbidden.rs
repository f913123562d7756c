//! Is there anything in the code that a merged change never contains?

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use super::source::Source;
use crate::report::Report;

const RULE: &str = "forbidden-code";

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

/// Works on tokens, so that the inside of macros is seen and comments are not.
pub(super) fn check(sources: &[Source<'_>]) -> Report {
    let mut report = Report::default();
    report.examined(RULE, sources.len());
    for source in sources {
        walk(&source.tokens, source.path, &mut report);
    }
    report
}

fn walk(tokens: &TokenStream, path: &str, report: &mut Report) {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    for window in tokens.windows(2) {
        if let [TokenTree::Punct(hash), TokenTree::Group(group)] = window
            && hash.as_char() == '#'
            && group.delimiter() == Delimiter::Bracket
        {
            attribute(group, path, report);
        }
    }
    for window in tokens.windows(3) {
        if let [
            TokenTree::Ident(name),
            TokenTree::Punct(bang),
            TokenTree::Group(_),
        ] = window
            && bang.as_char() == '!'
        {
            find(name, &MACROS, |name| format!("`{name}!`"), path, report);
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            walk(&group.stream(), path, report);
        }
    }
}

fn attribute(group: &Group, path: &str, report: &mut Report) {
    let tokens: Vec<_> = group.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(name), TokenTree::Group(inner)] if name == "cfg_attr" => {
            let conditional: Vec<_> = inner.stream().into_iter().collect();
            for rest in (0..conditional.len()).filter_map(|start| conditional.get(start..)) {
                attribute_name(rest, path, report);
            }
        }
        tokens => attribute_name(tokens, path, report),
    }
}

/// `path` is a file only in `path = ".."`; `path(..)` describes a route.
fn attribute_name(tokens: &[TokenTree], path: &str, report: &mut Report) {
    let assigned = matches!(tokens.get(1), Some(TokenTree::Punct(sign)) if sign.as_char() == '=');
    if let Some(TokenTree::Ident(name)) = tokens.first()
        && (name != "path" || assigned)
    {
        find(name, &ATTRIBUTES, |name| format!("`#[{name}]`"), path, report);
    }
}

fn find(
    name: &Ident,
    words: &[(&str, &str)],
    form: impl Fn(&str) -> String,
    path: &str,
    report: &mut Report,
) {
    for (word, remedy) in words {
        if name == word {
            report.push(RULE, (path, name.span().start().line), form(word), *remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::check_with;

    fn lines(text: &str) -> Vec<String> {
        check_with(&[("a.rs", text)], check)
    }

    #[test]
    fn each_macro_is_found_also_inside_other_macros() {
        for (word, _) in MACROS {
            assert_eq!(
                lines(&format!("fn f() {{ {word}!() }}")),
                ["forbidden-code a.rs:1"]
            );
            let nested = format!("fn f() {{\n    vec![std::{word}!(\"x\")];\n}}");
            assert_eq!(lines(&nested), ["forbidden-code a.rs:2"]);
        }
    }

    #[test]
    fn each_attribute_is_found_also_behind_a_condition() {
        for form in ["ignore", "ignore = \"why\"", "should_panic", "path = \"../x.rs\""] {
            assert_eq!(lines(&format!("#[{form}]\nmod m;")), ["forbidden-code a.rs:1"]);
            let conditional = format!("#[cfg_attr(unix, {form})]\nmod m;");
            assert_eq!(lines(&conditional), ["forbidden-code a.rs:1"]);
        }
    }

    #[test]
    fn words_in_comments_strings_and_names_are_fine() {
        let text = "/// todo!() #[ignore]\n#[serde(ignore)]\n#[path(get)]\nfn todo() -> bool {\n    \
                    // dbg!(x)\n    let dbg = \"todo!()\";\n    dbg != (\"x\")\n}";
        assert_eq!(lines(text), Vec::<String>::new());
    }
}
