//! Does a raw connection stay where it is at home?

use std::collections::BTreeSet;

use super::graph::{Graph, module_of, renamed};
use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Item, ItemKind};

/// `ARCH-INTENT-006`.
pub(super) struct Escapes;

const INFO: Info = Info {
    id: "ARCH-INTENT-006",
    title: "a raw connection does not leave the modules of transactions",
    family: Family::Intents,
    why: "Whoever has the connection can commit, lock and write whatever the intent says: the types of transactions \
          protect only what goes through them.",
    fix: "Take a transaction; what needs the connection itself belongs into the modules that the rule file names.",
    scope: "product code of the crate that speaks SQL and of those that use it: every mention of a type of connection \
            outside of its modules (parameters, fields, results, aliases, imports), and public functions and fields of \
            modules that other crates can reach",
    needles: &[],
};

impl Rule for Escapes {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        let connections = &ctx.config.transactions.connections;
        if connections.is_empty() {
            out.off("the rule file names no `connections`");
            return;
        }
        for index in &graph.files {
            let Some(file) = ctx.workspace.sources.get(*index) else {
                continue;
            };
            out.examined(&file.krate, 1);
            // Under another name it stands in the line that gives it that name.
            if !connections.iter().any(|name| file.may_say(name)) {
                continue;
            }
            let module = module_of(ctx, file);
            let home = super::at_home(ctx, &module);
            let reachable = home && is_reachable(ctx, file);
            let renamed = renamed(file);
            for at in 0..file.tokens.list.len() {
                if !names_connection(ctx, file, at, &renamed) || file.in_tests(at) {
                    continue;
                }
                let how = match public(file, at) {
                    _ if !home && !super::at_home(ctx, &format!("{module}::{}", inner(file, at))) => {
                        "outside of the modules where connections are at home"
                    }
                    Some(how) if reachable => how,
                    _ => continue,
                };
                let message = format!("`{}` hands on a raw connection", place(file, &module, at));
                out.report(Finding::new(file.span(at), message, INFO.fix).label(how));
            }
        }
    }
}

fn inner(file: &SourceFile, at: usize) -> String {
    let items = file.items().iter();
    let modules = items.filter(|item| item.kind == ItemKind::Module && item.extent.contains(&at));
    modules
        .max_by_key(|item| item.extent.start)
        .map_or_else(String::new, |item| item.path.clone())
}

fn place(file: &SourceFile, module: &str, at: usize) -> String {
    let around = file.items().iter().filter(|item| item.extent.contains(&at));
    match around.max_by_key(|item| item.extent.start) {
        Some(item) => format!("{module}::{}", item.path),
        None => module.to_owned(),
    }
}

/// The name itself, or another one that a `use` line gave it.
fn names_connection(ctx: &Ctx<'_>, file: &SourceFile, at: usize, renamed: &BTreeSet<&str>) -> bool {
    let known = |name: &str| ctx.config.transactions.connections.iter().any(|own| own == name);
    let word = file.word(at);
    if known(word) || !renamed.contains(word) {
        return known(word);
    }
    let mut paths = file.paths_at(at);
    paths.any(|path| path.tokens.end == at + 1 && known(path.last()))
}

/// Whether the mention belongs to something public: a function's signature, a field.
fn public(file: &SourceFile, at: usize) -> Option<&'static str> {
    let inner = file.items().iter().filter(|item| item.extent.contains(&at));
    let item: &Item = inner.max_by_key(|item| item.extent.start)?;
    let before_body = item.body.as_ref().is_none_or(|body| at < body.start);
    match item.kind {
        ItemKind::Function if before_body && is_public(file, item.extent.start) => {
            Some("in a signature that other crates can call")
        }
        ItemKind::Constant if is_public(file, item.extent.start) => {
            Some("under a name that other crates can use")
        }
        ItemKind::Type => {
            let start = item.body.as_ref().map_or(item.extent.start, |body| body.start);
            let mut field = at;
            while field > start && !file.is(field, b',') && !file.is(field, b'{') && !file.is(field, b'(') {
                field -= 1;
            }
            let shown = (field..at).any(|at| file.word(at) == "pub" && !file.is(at + 1, b'('));
            shown.then_some("in a field that other crates can take")
        }
        _ => None,
    }
}

/// `pub fn`, also with `async`, `const` or `unsafe` between; `pub(crate)` is not public.
fn is_public(file: &SourceFile, keyword: usize) -> bool {
    let mut at = keyword;
    while at > 0 && matches!(file.word(at - 1), "async" | "const" | "unsafe" | "extern") {
        at -= 1;
    }
    at > 0 && file.word(at - 1) == "pub"
}

/// Whether every module around the file is `pub`.
fn is_reachable(ctx: &Ctx<'_>, file: &SourceFile) -> bool {
    (0..file.module.len()).all(|depth| {
        let (parents, name) = file.module.split_at(depth);
        let parent = ctx.workspace.sources.iter().find(|parent| {
            parent.krate == file.krate && parent.target == file.target && parent.module == parents
        });
        let (Some(parent), Some(name)) = (parent, name.first()) else {
            return true;
        };
        let mut modules = parent.items().iter().filter(|item| item.kind == ItemKind::Module);
        modules.any(|item| item.path == *name && is_public(parent, item.extent.start))
    })
}
