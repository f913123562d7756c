//! Have the words of the contract's enums, and their order, stayed?

use serde::Deserialize;

use crate::config::{Config, Name};
use crate::model::Broken;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::vocabulary;

/// `ARCH-CONTRACT-004`.
pub(super) struct Frozen;

const INFO: Info = Info {
    id: "ARCH-CONTRACT-004",
    title: "enums of the contract have their frozen words, in their order",
    family: Family::Contract,
    why: "Words stand in stored rows and in clients; order decides which limit is the most restrictive one. A rename \
          of a variant changes both without a trace.",
    fix: "Restore the word; add a new one to the rule file too, which makes it a promise.",
    scope: "the enums of `enums`, as serde and strum write them",
    needles: &["macro_rules"],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    enums: Vec<Promise>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promise {
    /// `krate::module::Enum`.
    path: Name,
    words: Vec<Name>,
}

impl Rule for Frozen {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        if options.enums.is_empty() {
            out.off("the rule file freezes no enums");
            return;
        }
        for promise in &options.enums {
            let path = promise.path.as_ref();
            match vocabulary(ctx.workspace, ctx.words, path) {
                Ok(words) => compare(ctx, promise, &words, out),
                Err(why) => {
                    let remedy = "restore the enum, or correct its path";
                    out.report(Finding::new(ctx.config.span(&promise.path), why, remedy));
                }
            }
        }
    }
}

fn compare(ctx: &Ctx<'_>, promise: &Promise, words: &[crate::scan::Word], out: &mut Sink<'_>) {
    let path = promise.path.as_ref();
    out.examined("", promise.words.len());
    let mut whole = true;
    for known in &promise.words {
        if !words.iter().any(|word| word.text == *known.as_ref()) {
            whole = false;
            let message = format!("`{path}` has lost the frozen word `{}`", known.as_ref());
            let span = words.first().map(|word| word.span.clone());
            let span = span.unwrap_or_else(|| ctx.config.span(&promise.path));
            let remedy = "restore the variant, or its `rename`";
            out.report(Finding::new(span, message, remedy).also(ctx.config.span(known), "frozen here"));
        }
    }
    for word in words {
        if !promise.words.iter().any(|known| *known.as_ref() == word.text) {
            whole = false;
            let message = format!("`{path}` has the new word `{}`", word.text);
            let remedy = "add it to `words` of the rule file too: from then on it is a promise";
            out.report(
                Finding::new(word.span.clone(), message, remedy)
                    .also(ctx.config.span(&promise.path), "frozen here"),
            );
        }
    }
    if !whole {
        return;
    }
    for (word, known) in words.iter().zip(&promise.words) {
        if word.text != *known.as_ref() {
            let message = format!(
                "`{path}` has `{}` where `{}` stood: its order changed",
                word.text,
                known.as_ref()
            );
            let remedy = "restore the order: comparisons and lists depend on it";
            out.report(
                Finding::new(word.span.clone(), message, remedy).also(ctx.config.span(known), "frozen here"),
            );
            return;
        }
    }
}
