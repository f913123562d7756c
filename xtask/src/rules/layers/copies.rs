//! Do clippy.toml and deny.toml forbid what the rule file forbids, and the other way round?

mod files;

use std::collections::{BTreeMap, BTreeSet};

use files::{Banned, Read, Wrapped};

use crate::config::{Config, Exception, Name, Outside};
use crate::model::{Broken, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-COPY-001`.
pub(super) struct Fences;
/// `ARCH-COPY-002`.
pub(super) struct Bans;

const FENCES: Info = Info {
    id: "ARCH-COPY-001",
    title: "deny.toml and the rule file fence the same outside crates",
    family: Family::Layers,
    why: "cargo-deny holds a fence on the whole graph, the rule file on every manifest line, also behind a feature. A \
          fence that only one of them knows is half a fence, and whoever loosens one does not see the other.",
    fix: "Write the fence into both files, with the same owners; what cargo-deny cannot hold is an `except` with its \
          reason.",
    scope: "entries with `wrappers` in deny.toml against [[outside]]; owners are compared as far as they are members",
    needles: &[],
};

const BANS: Info = Info {
    id: "ARCH-COPY-002",
    title: "clippy.toml bans what the rule file says, at a level that fails the build",
    family: Family::Layers,
    why: "One deleted line of clippy.toml opens the clock, the environment or a row lock to every crate, and nothing \
          else changes. A ban whose lint is not `deny` is a warning that nobody sees.",
    fix: "Write the ban into clippy.toml and into a [[ban]] of the rule file, and keep its lint at `deny`.",
    scope: "disallowed-methods, -types and -macros of clippy.toml against [[ban]], and [workspace.lints.clippy]",
    needles: &[],
};

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Crates of `[[outside]]` that deny.toml does not fence.
    except: Vec<Exception>,
}

impl Rule for Fences {
    fn info(&self) -> &'static Info {
        &FENCES
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(FENCES.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.outside.is_empty() {
            out.off("the rule file has no [[outside]]");
            return;
        }
        let Some(file) = Read::first(ctx.workspace, &files::DENY) else {
            out.off("there is no deny.toml");
            return;
        };
        let entries = match file.wrapped() {
            Ok(entries) => entries,
            Err(error) => return out.report(unreadable(&file, &error)),
        };
        let options: Options = ctx.options(&FENCES);
        let excepted = |name: &str| options.except.iter().find(|entry| entry.at.as_ref() == name);
        let mut fenced = BTreeSet::new();
        for outside in &ctx.config.outside {
            for name in &outside.crates {
                out.examined("", 1);
                fenced.insert(name.as_ref().as_str());
                let own: Vec<_> = entries
                    .iter()
                    .filter(|entry| entry.name == *name.as_ref())
                    .collect();
                for entry in &own {
                    compare(ctx, &file, outside, name, entry, out);
                }
                match (own.is_empty(), excepted(name.as_ref())) {
                    (true, None) => out.report(missing(ctx, &file, outside, name)),
                    (false, Some(entry)) => {
                        let message = format!("`{}` is fenced in {} now", name.as_ref(), file.path);
                        let span = ctx.config.span(&entry.at);
                        out.report(Finding::new(span, message, "remove the exception").label(&entry.why));
                    }
                    _ => {}
                }
            }
        }
        for entry in &options.except {
            if !fenced.contains(entry.at.as_ref().as_str()) {
                let message = format!("`{}` is no crate of [[outside]]", entry.at.as_ref());
                out.report(Finding::new(
                    ctx.config.span(&entry.at),
                    message,
                    "remove the exception",
                ));
            }
        }
        for entry in entries.iter().filter(|entry| !entry.wrappers.is_empty()) {
            out.examined("", 1);
            if !fenced.contains(entry.name.as_str()) {
                let message = format!(
                    "{} fences `{}`, and {} does not know it: {}",
                    file.path, entry.name, ctx.config.path, entry.reason
                );
                let remedy = format!(
                    "add an [[outside]] with crate = [\"{}\"] and its owners to {}",
                    entry.name, ctx.config.path
                );
                out.report(Finding::new(file.span(&entry.bytes), message, remedy));
            }
        }
    }
}

fn unreadable(file: &Read<'_>, error: &toml::de::Error) -> Finding {
    let message = format!("{} cannot be read: {}", file.path, error.message());
    let span = error
        .span()
        .map_or_else(|| Span::file(file.path), |bytes| file.span(&bytes));
    Finding::new(span, message, "correct the file; nothing in it holds before that")
}

fn missing(ctx: &Ctx<'_>, file: &Read<'_>, outside: &Outside, name: &Name) -> Finding {
    let message = format!(
        "{} fences `{}`, and {} does not: {}",
        ctx.config.path,
        name.as_ref(),
        file.path,
        outside.why
    );
    let owners: Vec<_> = owners(outside)
        .into_iter()
        .map(|owner| format!("\"{owner}\""))
        .collect();
    let remedy = format!(
        "add to `bans.deny` of {}: {{ crate = \"{}\", wrappers = [{}], reason = \"{}\" }}",
        file.path,
        name.as_ref(),
        owners.join(", "),
        outside.why
    );
    Finding::new(ctx.config.span(name), message, remedy)
}

fn owners(outside: &Outside) -> BTreeSet<&str> {
    let all = outside.only.iter().chain(&outside.dev);
    all.map(|name| name.as_ref().as_str()).collect()
}

/// Members among the wrappers are the owners; wrappers from elsewhere are cargo-deny's own matter.
fn compare(
    ctx: &Ctx<'_>,
    file: &Read<'_>,
    outside: &Outside,
    name: &Name,
    entry: &Wrapped,
    out: &mut Sink<'_>,
) {
    let ours = owners(outside);
    let members = entry.wrappers.iter().map(String::as_str);
    let theirs: BTreeSet<&str> = members
        .filter(|name| ctx.workspace.krate(name).is_some())
        .collect();
    if ours == theirs {
        return;
    }
    let list = |names: BTreeSet<&&str>| {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let mut parts = Vec::new();
    for (path, missing) in [
        (file.path, list(ours.difference(&theirs).collect())),
        (ctx.config.path.as_str(), list(theirs.difference(&ours).collect())),
    ] {
        if !missing.is_empty() {
            parts.push(format!("{path} does not let {missing} use it"));
        }
    }
    let message = format!(
        "two fences around `{}` differ: {}",
        name.as_ref(),
        parts.join("; ")
    );
    let finding =
        Finding::new(file.span(&entry.bytes), message, "give both the same owners").label(&entry.reason);
    out.report(finding.also(ctx.config.span(name), &outside.why));
}

impl Rule for Bans {
    fn info(&self) -> &'static Info {
        &BANS
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.ban.is_empty() {
            out.off("the rule file has no [[ban]]");
            return;
        }
        let Some(file) = Read::first(ctx.workspace, &files::CLIPPY) else {
            let message = format!("{} has bans, and there is no clippy.toml", ctx.config.path);
            out.report(Finding::new(Span::file("clippy.toml"), message, BANS.fix));
            out.examined("", 1);
            return;
        };
        let banned = match file.banned() {
            Ok(banned) => banned,
            Err(error) => return out.report(unreadable(&file, &error)),
        };
        let mut known: BTreeMap<&str, &Name> = BTreeMap::new();
        for ban in &ctx.config.ban {
            for path in &ban.paths {
                out.examined("", 1);
                if let Some(first) = known.insert(path.as_ref(), path) {
                    let message = format!("`{}` is banned twice", path.as_ref());
                    let finding = Finding::new(ctx.config.span(path), message, "remove one of the two");
                    out.report(finding.also(ctx.config.span(first), "first here"));
                }
                if !banned.iter().any(|entry| entry.path == *path.as_ref()) {
                    let message = format!("{} does not ban `{}`: {}", file.path, path.as_ref(), ban.why);
                    let remedy = format!(
                        "write {{ path = \"{}\", reason = \"…\" }} into {}, or take it off this list",
                        path.as_ref(),
                        file.path
                    );
                    out.report(Finding::new(ctx.config.span(path), message, remedy));
                }
            }
        }
        for entry in &banned {
            out.examined("", 1);
            judge(ctx, &file, entry, &known, out);
        }
        levels(ctx, &file, &banned, out);
    }
}

fn judge(ctx: &Ctx<'_>, file: &Read<'_>, entry: &Banned, known: &BTreeMap<&str, &Name>, out: &mut Sink<'_>) {
    if !known.contains_key(entry.path.as_str()) {
        let message = format!(
            "{} bans `{}`, and {} does not know it: {}",
            file.path, entry.path, ctx.config.path, entry.reason
        );
        let remedy = format!("add `{}` to a [[ban]] of {}", entry.path, ctx.config.path);
        out.report(Finding::new(file.span(&entry.bytes), message, remedy));
    }
    if entry.reason.trim().is_empty() {
        let message = format!("the ban of `{}` has no reason", entry.path);
        let remedy = "add `reason = \"…\"`: what to use instead";
        out.report(Finding::new(file.span(&entry.bytes), message, remedy));
    }
}

/// A ban is as strong as the level of its lint.
fn levels(ctx: &Ctx<'_>, file: &Read<'_>, banned: &[Banned], out: &mut Sink<'_>) {
    let manifest: toml::Table = ctx.workspace.text("Cargo.toml").parse().unwrap_or_default();
    let table = manifest
        .get("workspace")
        .and_then(|table| table.get("lints")?.get("clippy"));
    let wanted: BTreeSet<_> = banned.iter().map(|entry| entry.lint).collect();
    for lint in wanted {
        let value = table.and_then(|table| table.get(lint));
        let level = value.and_then(|value| value.get("level").unwrap_or(value).as_str());
        if !matches!(level, Some("deny" | "forbid")) {
            let given = level.map_or_else(|| "not set".to_owned(), |level| format!("`{level}`"));
            let message = format!(
                "clippy's `{lint}` is {given}: what {} bans there passes",
                file.path
            );
            let remedy = format!("write `{lint} = \"deny\"` into [workspace.lints.clippy]");
            out.report(Finding::new(Span::file("Cargo.toml"), message, remedy));
        }
    }
}
