//! Can an error envelope reach a client through a type?

use std::collections::BTreeMap;

use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Item, ItemKind};

/// `ARCH-ENV-001`.
pub(super) struct Exposed;

const INFO: Info = Info {
    id: "ARCH-ENV-001",
    title: "no type that clients see has an error envelope, or a field of one",
    family: Family::Errors,
    why: "The envelope holds hashes of inputs, causes and names of parts: once in an answer, it is what clients build on \
          and what attackers read.",
    fix: "Show the request id; the envelope is found by it.",
    scope: "forensic types: derived and written serialisers, re-exports; crates whose types clients see: fields, \
            generics, aliases and nested types of everything serialised, names of fields, serde's renames, keys in \
            strings",
    needles: &["derive", "extern", "Serialize", "ToSchema", "use"],
};

impl Rule for Exposed {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !super::configured(ctx, out) {
            return;
        }
        let errors = &ctx.config.errors;
        for krate in &ctx.workspace.crates {
            let roots = super::roots(ctx, krate);
            let files = ctx.workspace.sources_of(krate);
            for file in files.filter(|file| !file.is_test_file()) {
                let home = super::is_under(&super::module(krate, file), &errors.module);
                serialisers(ctx, file, home, out);
                if !home {
                    reexports(ctx, file, &roots, out);
                }
            }
        }
        for krate in &errors.public {
            let known = ctx.workspace.krate(krate);
            let files = known
                .into_iter()
                .flat_map(|krate| ctx.workspace.sources_of(krate));
            let files: Vec<_> = files.filter(|file| !file.is_test_file()).collect();
            types(ctx, &files, out);
            for file in files {
                keys(ctx, file, out);
            }
        }
    }
}

/// `derive(Serialize)` on a forensic type, `impl Serialize for` one.
fn serialisers(ctx: &Ctx<'_>, file: &SourceFile, home: bool, out: &mut Sink<'_>) {
    let forensic = |name: &str| ctx.config.errors.forensic.iter().any(|own| own == name);
    for word in ["Serialize", "ToSchema"] {
        for at in file.hits(ctx.words, word).filter(|at| !file.in_tests(*at)) {
            let implemented = (at + 1..at + 8).find(|next| file.word(*next) == "for");
            let target = match implemented {
                Some(next) => (next + 1..next + 8).find(|at| forensic(file.word(*at))),
                None if home => file
                    .items()
                    .iter()
                    .find(|item| item.kind == ItemKind::Type && item.extent.start > at)
                    .map(|item| item.extent.start + 1)
                    .filter(|at| forensic(file.word(*at))),
                None => None,
            };
            if let Some(target) = target {
                let message = format!("`{}` can be serialised", file.word(target));
                out.report(Finding::new(
                    file.span(at),
                    message,
                    "remove it: the store takes the type apart by itself",
                ));
            }
        }
    }
}

fn reexports(ctx: &Ctx<'_>, file: &SourceFile, roots: &[String], out: &mut Sink<'_>) {
    let mut uses = ["use", "extern"]
        .into_iter()
        .flat_map(|word| file.hits(ctx.words, word));
    let hands_on = |at: usize| at > 0 && (file.word(at - 1) == "pub" || file.is(at - 1, b')'));
    if !uses.any(hands_on) {
        return;
    }
    if !super::may_name(ctx, file, roots) {
        return;
    }
    let imports = file.imports().iter();
    for path in imports.filter(|path| path.public && roots.iter().any(|root| root == path.root())) {
        let leads = super::absolute(ctx, file, path);
        let name = super::named(ctx, &leads);
        let hidden = name.is_some_and(|name| ctx.config.errors.forensic.iter().any(|own| own == name));
        if hidden && !file.in_tests(path.tokens.start) {
            let message = format!("`{leads}` is handed on under another path");
            out.report(Finding::new(
                file.span_of(path.tokens.clone()),
                message,
                "remove the re-export",
            ));
        }
    }
}

/// A type of a public crate.
struct Shape<'a> {
    file: &'a SourceFile,
    item: &'a Item,
    serialised: bool,
}

fn types(ctx: &Ctx<'_>, files: &[&SourceFile], out: &mut Sink<'_>) {
    let mut shapes: BTreeMap<&str, Vec<Shape<'_>>> = BTreeMap::new();
    for file in files {
        let items = file.items().iter();
        let kinds = items.filter(|item| {
            item.kind == ItemKind::Type
                || item.kind == ItemKind::Constant && file.word(item.extent.start) == "type"
        });
        for item in kinds.filter(|item| !file.in_tests(item.extent.start)) {
            let serialised = is_serialised(ctx, file, item);
            out.examined(&file.krate, usize::from(serialised));
            let name = file.word(item.extent.start + 1);
            shapes.entry(name).or_default().push(Shape {
                file,
                item,
                serialised,
            });
        }
    }
    for shape in shapes.values().flatten().filter(|shape| shape.serialised) {
        let mut seen = vec![shape.file.word(shape.item.extent.start + 1)];
        let mut open = vec![shape];
        while let Some(at) = open.pop() {
            shown(ctx, shape, at, out);
            for token in at.item.extent.clone().skip(2) {
                let word = at.file.word(token);
                if !seen.contains(&word)
                    && let Some(inner) = shapes.get(word)
                {
                    seen.push(word);
                    open.extend(inner);
                }
            }
        }
    }
}

/// What of a type that is reached from a serialised one is not for clients.
fn shown(ctx: &Ctx<'_>, root: &Shape<'_>, at: &Shape<'_>, out: &mut Sink<'_>) {
    let errors = &ctx.config.errors;
    let (file, name) = (at.file, root.file.word(root.item.extent.start + 1));
    let mut report = |tokens, what: &str| {
        let message = format!("`{name}` shows clients {what}");
        let root = root.file.span(root.item.extent.start + 1);
        out.report(Finding::new(file.span_of(tokens), message, INFO.fix).also(root, "serialised here"));
    };
    for path in file.paths_in(at.item.extent.clone()) {
        let leads = super::absolute(ctx, file, path);
        if let Some(hidden) =
            super::named(ctx, &leads).filter(|name| errors.forensic.iter().any(|own| own == name))
        {
            report(path.tokens.clone(), &format!("`{hidden}`"));
        }
    }
    let Some(body) = at.item.body.clone() else { return };
    for token in body {
        let word = file.word(token);
        let field = file.is(token + 1, b':') && !file.is(token + 2, b':');
        if field && errors.fields.iter().any(|own| own == word) {
            report(token..token + 1, &format!("the field `{word}` of an envelope"));
        }
    }
}

/// Whether a derive above the type, or an `impl`, serialises it.
fn is_serialised(ctx: &Ctx<'_>, file: &SourceFile, item: &Item) -> bool {
    let name = file.word(item.extent.start + 1);
    let mut hits = ["Serialize", "ToSchema"]
        .into_iter()
        .flat_map(|word| file.hits(ctx.words, word));
    hits.any(|at| {
        let implements = (at + 1..at + 4).any(|next| file.word(next) == "for" && file.word(next + 1) == name);
        let items = file.items().iter();
        let next = items
            .filter(|item| item.extent.start > at)
            .map(|item| item.extent.start)
            .min();
        let above = (at.saturating_sub(40)..at)
            .rev()
            .take_while(|back| !file.is(*back, b']'));
        let derived = above.into_iter().any(|back| file.word(back) == "derive");
        implements || derived && next == Some(item.extent.start)
    })
}

/// Keys in strings: `json!({"error_class": …})`, `#[serde(rename = "error_class")]`.
fn keys(ctx: &Ctx<'_>, file: &SourceFile, out: &mut Sink<'_>) {
    let errors = &ctx.config.errors;
    let built = ["concat!", "\\x", "\\u"]
        .iter()
        .any(|sign| file.text.contains(sign));
    if !built
        && !errors
            .fields
            .iter()
            .any(|field| file.text.contains(field.as_str()))
    {
        return;
    }
    for literal in file.literals() {
        if errors.fields.contains(&literal.text) && !file.in_tests(literal.tokens.start) {
            let message = format!(
                "the key `{}` of an envelope stands in a crate whose types clients see",
                literal.text
            );
            out.report(Finding::new(
                file.span_of(literal.tokens.clone()),
                message,
                INFO.fix,
            ));
        }
    }
}
