//! Does everything that people read use the frozen words?

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::committed::document;
use crate::config::{Config, Name};
use crate::json::Node;
use crate::model::{Broken, SourceFile, Span};
use crate::openapi::Document;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CONTRACT-003`.
pub(super) struct Terms;

const INFO: Info = Info {
    id: "ARCH-CONTRACT-003",
    title: "descriptions and messages use the frozen words, and no other ones for the same thing",
    family: Family::Contract,
    why: "The words are part of the contract: what is a Limit in one answer and a quota in the next is two things to \
          whoever reads it.",
    fix: "Use the word that the finding names. Paths, codes and internals may say run and job.",
    scope: "titles, summaries, descriptions and tags of the OpenAPI document; prose in string literals of `crates`, \
            tests excepted, and labels in `shown`",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    terms: Vec<Term>,
    /// Frozen words that the document says somewhere.
    said: Vec<Name>,
    /// Crates whose messages clients read.
    crates: Vec<Name>,
    /// Properties and what their description must call them.
    labels: BTreeMap<String, Name>,
    /// Files whose texts are shown as they are, so that one word of them counts too.
    shown: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    /// What it is called.
    frozen: Name,
    /// What it is not called, in the case and number that is meant.
    not: Vec<Name>,
    /// Texts in which a forbidden word may stand.
    #[serde(default)]
    unless: Vec<String>,
}

/// Members of the document that people read.
const READ: [&str; 3] = ["title", "summary", "description"];

impl Rule for Terms {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        if options.terms.is_empty() {
            out.off("the rule file has no frozen terms");
            return;
        }
        if let Some(document) = document(ctx, out) {
            in_document(ctx, document, &options, out);
        }
        for path in &options.shown {
            if !ctx
                .workspace
                .sources
                .iter()
                .any(|file| *path.as_ref() == file.path)
            {
                let message = format!("there is no file `{}`", path.as_ref());
                out.report(Finding::new(ctx.config.span(path), message, "correct the path"));
            }
        }
        for name in &options.crates {
            let Some(krate) = ctx.workspace.krate(name.as_ref()) else {
                let message = format!("there is no crate `{}`", name.as_ref());
                out.report(Finding::new(ctx.config.span(name), message, "correct the name"));
                continue;
            };
            for file in ctx
                .workspace
                .sources_of(krate)
                .filter(|file| !file.is_test_file())
            {
                out.examined(&krate.name, 1);
                if !may_say(&options.terms, file) {
                    continue;
                }
                let shown = options.shown.iter().any(|path| *path.as_ref() == file.path);
                for literal in file.literals() {
                    // A word alone is a code, a path or a name, except where what people read begins with a capital.
                    let label = shown && literal.text.starts_with(char::is_uppercase);
                    if !(literal.text.contains(' ') || label) || file.in_tests(literal.tokens.start) {
                        continue;
                    }
                    out.examined(&krate.name, 1);
                    for (term, word, at) in hits(&options.terms, &literal.text) {
                        out.report(forbidden(term, word, literal.span(file, at..at + word.len())));
                    }
                }
            }
        }
    }
}

/// Literals are decoded only where a word can be: most files have none, and put none together.
fn may_say(terms: &[Term], file: &SourceFile) -> bool {
    let mut raw = file.strings().map(|at| file.raw(at));
    raw.any(|raw| {
        let escaped = raw.contains("\\u") || raw.contains("\\x") || raw.contains("\\\n");
        let mut words = terms.iter().flat_map(|term| &term.not);
        escaped || words.any(|word| raw.contains(word.as_ref().as_str()))
    }) || file.text.contains("concat")
}

fn forbidden(term: &Term, word: &str, span: Span) -> Finding {
    let message = format!("`{word}` is not the word of the contract");
    Finding::new(span, message, format!("say `{}`", term.frozen.as_ref()))
}

fn in_document(ctx: &Ctx<'_>, document: &Document, options: &Options, out: &mut Sink<'_>) {
    let mut seen = BTreeSet::new();
    let mut texts: Vec<&Node> = Vec::new();
    document.root.walk("", &mut |name, node| {
        if READ.contains(&name) && node.text().is_some() {
            texts.push(node);
        }
        if name == "tags" {
            texts.extend(node.items());
        }
        if name == "properties" {
            labels(ctx, document, options, node, out);
        }
    });
    for node in texts {
        out.examined("", 1);
        let text = node.text().unwrap_or_default();
        for (term, word, _) in hits(&options.terms, text) {
            out.report(forbidden(term, word, document.span(node.range.clone())));
        }
        let said = options.said.iter().map(|word| word.as_ref().as_str());
        seen.extend(said.filter(|word| text.contains(word)));
    }
    for word in &options.said {
        let name = word.as_ref().as_str();
        if !seen.contains(name) {
            let message = format!("the document never says `{name}`");
            let remedy = "the frozen word was renamed or lost: restore it";
            out.report(Finding::new(ctx.config.span(word), message, remedy));
        }
    }
}

/// A property has the label that the contract gives it.
fn labels(ctx: &Ctx<'_>, document: &Document, options: &Options, properties: &Node, out: &mut Sink<'_>) {
    for (name, range, schema) in properties.members() {
        let Some(label) = options.labels.get(name) else {
            continue;
        };
        out.examined("", 1);
        let text = schema.get("description").and_then(Node::text).unwrap_or_default();
        if !text.contains(label.as_ref().as_str()) {
            let message = format!(
                "`{name}` is called `{}`, and its description does not say so",
                label.as_ref()
            );
            let remedy = format!("begin its description with `{}`", label.as_ref());
            out.report(
                Finding::new(document.span(range.clone()), message, remedy)
                    .also(ctx.config.span(label), "the frozen label"),
            );
        }
    }
}

/// Forbidden words of a text, as whole words, outside of the texts in which they may stand.
fn hits<'a>(terms: &'a [Term], text: &str) -> Vec<(&'a Term, &'a str, usize)> {
    let mut found = Vec::new();
    for term in terms {
        for word in &term.not {
            let word = word.as_ref().as_str();
            for (at, _) in text.match_indices(word) {
                let before = text.get(..at).and_then(|text| text.chars().next_back());
                let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
                let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let allowed = term.unless.iter().any(|phrase| {
                    text.match_indices(phrase.as_str())
                        .any(|(start, phrase)| start <= at && at + word.len() <= start + phrase.len())
                });
                // Code in a text: the argument of `format!`, or what stands between backticks.
                let code = before == Some('{') || before == Some('`') && after == Some('`');
                if !part(before) && !part(after) && !code && !allowed {
                    found.push((term, word, at));
                }
            }
        }
    }
    found
}
