//! Who reports which errors, and what does a client see of them?

mod bodies;
mod codes;
mod document;
mod emission;
mod exposed;
mod matrix;
mod unused;

use std::collections::BTreeMap;

use crate::model::{Crate, Edge, SourceFile};
use crate::rule::{Ctx, Rule, Sink};
use crate::scan::PathUse;

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[
    &emission::Emission,
    &matrix::Matrix,
    &bodies::Bodies,
    &unused::Unused,
    &codes::Codes,
    &exposed::Exposed,
    &document::Document,
];

/// Whether the rule file says how errors are written.
fn configured(ctx: &Ctx<'_>, out: &mut Sink<'_>) -> bool {
    if ctx.config.errors.module.is_empty() {
        out.off("the rule file has no [errors] with a module");
    }
    !ctx.config.errors.module.is_empty()
}

/// A path with the names that libraries have themselves.
fn absolute(ctx: &Ctx<'_>, file: &SourceFile, path: &PathUse) -> String {
    let own = ctx.workspace.krate(&file.krate);
    let root = match path.root() {
        "crate" => own.map(|krate| krate.lib_name.clone()),
        other => own.and_then(|krate| {
            let edge = krate.inside().find(|edge| edge.extern_name() == other)?;
            Some(ctx.workspace.krate(&edge.to)?.lib_name.clone())
        }),
    };
    let mut absolute = root.unwrap_or_else(|| path.root().to_owned());
    absolute.push_str(path.behind_root());
    absolute
}

/// What the files of a crate call the one that defines errors: only paths from there on are of interest.
fn roots(ctx: &Ctx<'_>, krate: &Crate) -> Vec<String> {
    let home = ctx.config.errors.module.split("::").next().unwrap_or_default();
    let is_home = |name: &str| {
        ctx.workspace
            .krate(name)
            .is_some_and(|krate| krate.lib_name == home)
    };
    let own = is_home(&krate.name).then(|| "crate".to_owned());
    let others = krate
        .inside()
        .filter(|edge| is_home(&edge.to))
        .map(Edge::extern_name);
    own.into_iter().chain(others).collect()
}

/// Whether a file can name something of the module of errors: the names of its crate and of the module stand in it,
/// unless it is in the crate itself, whose modules are reached by `super` too. Resolving paths costs a walk over the
/// file.
fn may_name(ctx: &Ctx<'_>, file: &SourceFile, roots: &[String]) -> bool {
    let mut modules = ctx.config.errors.module.split("::").skip(1);
    let inside = roots.iter().any(|root| root == "crate");
    inside || roots.iter().any(|root| file.may_say(root)) && modules.all(|module| file.may_say(module))
}

/// The module of a file, from the crate on.
fn module(krate: &Crate, file: &SourceFile) -> String {
    let mut module = krate.lib_name.clone();
    for part in &file.module {
        module.push_str("::");
        module.push_str(part);
    }
    module
}

/// Whether a path is this one or lies under it.
fn is_under(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What a file calls otherwise: `Error` for `use … LimitError as Error` and `type Error = LimitError;`.
fn renames(file: &SourceFile) -> BTreeMap<&str, &str> {
    let mut known = BTreeMap::new();
    if !file.text.contains(" as ") && !file.text.contains("type ") {
        return known;
    }
    for at in 1..file.tokens.list.len() {
        let (before, name) = (file.word(at - 1), file.word(at + 1));
        match file.word(at) {
            "as" if before.starts_with(char::is_uppercase) && is_use(file, at) => known.insert(name, before),
            "type" if file.is(at + 2, b'=') && file.is(at + 4, b';') => known.insert(name, file.word(at + 3)),
            _ => continue,
        };
    }
    known
}

/// Whether a token stands in a `use`; `as` is a cast elsewhere.
fn is_use(file: &SourceFile, at: usize) -> bool {
    let line = (0..at).rev().take_while(|back| !file.is(*back, b';')).take(200);
    line.into_iter().any(|back| file.word(back) == "use")
}

/// What a path names in the module of errors: `ErrorEnvelope` of `infra::envelope::ErrorEnvelope::new`.
fn named<'p>(ctx: &Ctx<'_>, path: &'p str) -> Option<&'p str> {
    let rest = path
        .strip_prefix(ctx.config.errors.module.as_str())?
        .strip_prefix("::")?;
    let mut parts = rest.split("::");
    parts.find(|part| part.starts_with(char::is_uppercase))
}
