//! Is there a test of who may call each route?

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::routing::{NEEDLES, Route, routes};
use crate::config::{Config, Exception, Name};
use crate::model::{Broken, SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Tok;

/// `ARCH-CONTRACT-006`.
pub(super) struct Authorised;

const INFO: Info = Info {
    id: "ARCH-CONTRACT-006",
    title: "every route is in the table of who may call it, and in the OpenAPI document",
    family: Family::Contract,
    why: "A route that no test knows is open until somebody tries: every tenant's data is one forgotten argument \
          away.",
    fix: "Add the route to the table of the test, with who may call it; `open` lists routes for everybody.",
    scope: "routes that source of `crates` registers, the table in `table`, operations of the OpenAPI document",
    needles: &NEEDLES,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Crates that register routes.
    crates: Vec<Name>,
    /// The test file with tuples `("METHOD", "/path", …)`.
    table: Option<Name>,
    /// Paths that everybody may call.
    open: Vec<Exception>,
    /// Paths that the OpenAPI document leaves out.
    undocumented: Vec<Exception>,
}

/// `METHOD /path` and where it is said.
type Named = BTreeMap<String, Span>;

impl Rule for Authorised {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        let Some(table) = &options.table else {
            out.off("the rule file names no table of routes");
            return;
        };
        let source = ctx
            .workspace
            .sources
            .iter()
            .find(|file| file.path == *table.as_ref());
        let Some(source) = source else {
            let message = format!("there is no test file `{}`", table.as_ref());
            let remedy = "add the test that calls every route as everybody who may not";
            out.report(Finding::new(ctx.config.span(table), message, remedy));
            return;
        };
        let listed = listed(source);
        let registered = registered(ctx, &options, out);
        compare(ctx, &options, &registered, &listed, out);
        documented(ctx, &options, &registered, out);
    }
}

/// The routes of all crates that register some.
fn registered(ctx: &Ctx<'_>, options: &Options, out: &mut Sink<'_>) -> Named {
    let mut all = Named::new();
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
            for Route { method, path, token } in routes(file, ctx.words) {
                out.examined(&krate.name, 1);
                if let Some(method) = method.filter(|_| path.starts_with('/')) {
                    all.entry(format!("{method} {path}"))
                        .or_insert_with(|| file.span(token));
                } else {
                    let message =
                        "this route could not be read: its method or its whole path is not written here";
                    let remedy = "write the whole path and the methods at one place, without `scope`";
                    out.report(Finding::new(file.span(token), message, remedy));
                }
            }
        }
    }
    all
}

/// Tuples that begin with a method and a path.
fn listed(file: &SourceFile) -> Named {
    let text = |at: usize| file.raw(at).trim_matches('"').to_owned();
    let mut all = Named::new();
    for at in 0..file.tokens.list.len() {
        let tuple = file.is(at, b'(')
            && file.tok(at + 1) == Some(Tok::Str)
            && file.is(at + 2, b',')
            && file.tok(at + 3) == Some(Tok::Str);
        if !tuple {
            continue;
        }
        let (method, path) = (text(at + 1), text(at + 3));
        let is_method = method.len() > 2 && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_method && path.starts_with('/') {
            all.insert(format!("{method} {path}"), file.span_of(at + 1..at + 4));
        }
    }
    all
}

fn path_of(route: &str) -> &str {
    route.split_once(' ').map_or(route, |(_, path)| path)
}

fn compare(ctx: &Ctx<'_>, options: &Options, registered: &Named, listed: &Named, out: &mut Sink<'_>) {
    let open = |path: &str| options.open.iter().any(|known| known.at.as_ref() == path);
    let table = options
        .table
        .as_ref()
        .map(|table| table.as_ref().as_str())
        .unwrap_or_default();
    for (route, span) in registered {
        match (listed.get(route), open(path_of(route))) {
            (None, false) => {
                let message = format!("no test says who may call {route}");
                let remedy = format!("add it to the table in {table}, with who may");
                out.report(Finding::new(span.clone(), message, remedy));
            }
            (Some(entry), true) => {
                let message = format!("{route} is for everybody by the rule file, and not by the table");
                let remedy = "remove it from one of the two";
                out.report(Finding::new(entry.clone(), message, remedy));
            }
            _ => {}
        }
    }
    for (route, span) in listed
        .iter()
        .filter(|(route, _)| !registered.contains_key(*route))
    {
        let message = format!("the table has {route}, which nothing registers");
        out.report(Finding::new(span.clone(), message, "remove the line"));
    }
    let paths: BTreeSet<_> = registered.keys().map(|route| path_of(route)).collect();
    for known in options.open.iter().chain(&options.undocumented) {
        let (name, span) = (known.at.as_ref().as_str(), ctx.config.span(&known.at));
        if !paths.contains(name) {
            let message = format!("nothing registers `{name}`");
            let remedy = "remove it from the rule file, so that the list stays true";
            out.report(Finding::new(span, message, remedy));
        } else if known.why.trim().len() < 10 {
            let message = format!("`{name}` has no reason");
            out.report(Finding::new(span, message, "say in `why` why it may be so"));
        }
    }
}

/// The document has every route, and no other one.
fn documented(ctx: &Ctx<'_>, options: &Options, registered: &Named, out: &mut Sink<'_>) {
    let Some(Ok(document)) = ctx.document() else {
        return;
    };
    let operations = document.operations();
    let names: BTreeSet<_> = operations.iter().map(crate::openapi::Operation::name).collect();
    let left_out = |path: &str| options.undocumented.iter().any(|known| known.at.as_ref() == path);
    for (route, span) in registered {
        if !names.contains(route) && !left_out(path_of(route)) {
            let message = format!("the OpenAPI document does not have {route}");
            let remedy =
                "describe the handler and name it in the document, or list the path in `undocumented`";
            out.report(Finding::new(span.clone(), message, remedy));
        }
    }
    for operation in operations
        .iter()
        .filter(|operation| !registered.contains_key(&operation.name()))
    {
        let message = format!("the document has {}, which nothing registers", operation.name());
        let remedy = "register the route, or remove it from the document";
        out.report(Finding::new(
            document.span(operation.range.clone()),
            message,
            remedy,
        ));
    }
}
