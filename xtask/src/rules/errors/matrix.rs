//! Is the table of bounds the one of the rule file?

use std::collections::BTreeMap;

use crate::model::{SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-ERR-002`.
pub(super) struct Matrix;

const INFO: Info = Info {
    id: "ARCH-ERR-002",
    title: "which layer may emit which class is what was decided",
    family: Family::Errors,
    why: "One more `impl` opens a class to a layer, and every call compiles: the table is a decision, so it stands in \
          two places.",
    fix: "Remove the `impl`, or have the change of `[errors.matrix]` reviewed.",
    scope: "`impl`s of the trait that the rule file names, in the crate with the module of errors and under every name, \
            against `[errors.matrix]`; an `impl` for a generic layer holds for all",
    needles: &[],
};

impl Rule for Matrix {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let errors = &ctx.config.errors;
        if !super::configured(ctx, out) {
            return;
        }
        let mut found: BTreeMap<(String, String), Span> = BTreeMap::new();
        // No other crate can write one: neither the trait nor the layer is its own.
        let home = errors.module.split("::").next().unwrap_or_default();
        let crates = ctx.workspace.crates.iter();
        let files = crates
            .filter(|krate| krate.lib_name == home)
            .flat_map(|krate| ctx.workspace.sources_of(krate));
        for file in files.filter(|file| !file.is_test_file()) {
            for (layer, class, span) in impls(file, &errors.emits) {
                out.examined(&file.krate, 1);
                let generic = !errors.matrix.contains_key(&layer);
                let layers: Vec<_> = if generic {
                    errors.matrix.keys().cloned().collect()
                } else {
                    vec![layer]
                };
                found.extend(
                    layers
                        .into_iter()
                        .map(|layer| ((layer, class.clone()), span.clone())),
                );
            }
        }
        for ((layer, class), span) in &found {
            if !errors
                .matrix
                .get(layer)
                .is_some_and(|classes| classes.contains(class))
            {
                let message = format!("{layer} may emit {class}, which was not decided");
                out.report(Finding::new(span.clone(), message, INFO.fix));
            }
        }
        for (layer, classes) in &errors.matrix {
            for class in classes
                .iter()
                .filter(|class| !found.contains_key(&(layer.clone(), (*class).clone())))
            {
                let message = format!("{layer} was decided to emit {class}, and has no bound for it");
                let span = ctx.config.table_span(&["errors", "matrix", layer]);
                out.report(Finding::new(
                    span,
                    message,
                    "add the `impl`, or take the class out of the table",
                ));
            }
        }
    }
}

/// `impl Trait<Class> for Layer {}`.
fn impls(file: &SourceFile, name: &str) -> Vec<(String, String, Span)> {
    let mut found = Vec::new();
    if !file.text.contains(name) {
        return found;
    }
    let renames = super::renames(file);
    let real = |at: usize| {
        let word = file.word(at);
        renames.get(word).copied().unwrap_or(word)
    };
    for at in 1..file.tokens.list.len() {
        if real(at) != name || !file.is(at + 1, b'<') || file.in_tests(at) {
            continue;
        }
        let Some(close) = (at + 2..at + 12).find(|close| file.is(*close, b'>')) else {
            continue;
        };
        if file.word(close + 1) != "for" {
            continue;
        }
        let class = real(close - 1).to_owned();
        let end = (close + 2..close + 12)
            .take_while(|end| !file.is(*end, b'{') && file.word(*end) != "where")
            .last();
        let layer = end.map_or("", real).to_owned();
        found.push((layer, class, file.span_of(at..close + 3)));
    }
    found
}
