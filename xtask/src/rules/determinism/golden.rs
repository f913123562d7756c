//! Does an engine say so when it decides otherwise than before?

use std::collections::{BTreeMap, BTreeSet};

use super::NONE;
use crate::config::{Config, Engine};
use crate::model::{SourceFile, Span, Workspace};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Tok, strings_text};

/// `ARCH-DET-007`.
pub(super) struct Versions;
/// `ARCH-DET-008`.
pub(super) struct Accepted;

const VERSIONS: Info = Info {
    id: "ARCH-DET-007",
    title: "an engine that decides otherwise has another version",
    family: Family::Determinism,
    why: "A replay asks whether today's code decides as it did. If two codes share a version, the answer is wrong and \
          nobody notices.",
    fix: "Raise the engine's VERSION, or restore what it decided; then accept with `cargo xtask check-layers --accept`.",
    scope: "every [[engine]]: its NAME and VERSION, and its golden snapshots against architecture.lock; modules with a \
            NAME and a VERSION that are not listed",
    needles: &[],
};

const ACCEPTED: Info = Info {
    id: "ARCH-DET-008",
    title: "versions and golden snapshots of engines are those that were accepted",
    family: Family::Determinism,
    why: "A new version of an engine is a decision, and a new snapshot binds it: both show as lines of the lock in \
          review.",
    fix: "Run `cargo xtask check-layers --accept` and commit architecture.lock.",
    scope: "every [[engine]]: its version and golden snapshots, against architecture.lock",
    needles: &[],
};

/// What is known about an engine.
struct Known<'a> {
    engine: &'a Engine,
    file: Option<&'a SourceFile>,
    /// The version and the token that says it.
    version: Option<(String, usize)>,
    name: bool,
    /// Golden files with their hashes.
    golden: BTreeMap<String, String>,
}

impl Known<'_> {
    fn module(&self) -> &str {
        self.engine.module.as_ref()
    }

    /// The lines that the lock should have.
    fn facts(&self) -> BTreeSet<String> {
        let version = self
            .version
            .iter()
            .map(|(version, _)| format!("engine {} {version}", self.module()));
        let golden = self
            .golden
            .iter()
            .map(|(path, hash)| format!("golden {} {path} {hash}", self.module()));
        version.chain(golden).collect()
    }

    fn version_span(&self) -> Option<Span> {
        Some(self.file?.span(self.version.as_ref()?.1))
    }
}

fn known<'a>(workspace: &Workspace, file: Option<&'a SourceFile>, engine: &'a Engine) -> Known<'a> {
    let path: &str = engine.golden.as_ref();
    let folder = format!("{path}/");
    let below = workspace.files.under(&folder);
    let files = below.chain(workspace.files.text(path).map(|_| path));
    Known {
        engine,
        file,
        version: file.and_then(|file| constant(file, "VERSION")),
        name: file.is_some_and(|file| constant(file, "NAME").is_some()),
        golden: files
            .map(|path| (path.to_owned(), hash(workspace.text(path))))
            .collect(),
    }
}

fn all<'a>(workspace: &'a Workspace, config: &'a Config) -> Vec<Known<'a>> {
    let of = |engine: &'a Engine| {
        let module: &str = engine.module.as_ref();
        let mut files = workspace.inside(std::slice::from_ref(&engine.module));
        let file = files.find(|file| is_module(file, module));
        known(workspace, file, engine)
    };
    config.engine.iter().map(of).collect()
}

fn is_module(file: &SourceFile, module: &str) -> bool {
    let depth = module.split("::").count() - 1;
    file.is_in(module) && file.module.len() == depth && !file.is_test_file()
}

/// The facts about engines that the lock should have.
pub(crate) fn facts(workspace: &Workspace, config: &Config) -> BTreeSet<String> {
    all(workspace, config).iter().flat_map(Known::facts).collect()
}

/// The value of a constant of the module itself, and its token.
fn constant(file: &SourceFile, name: &str) -> Option<(String, usize)> {
    if !file.may_say(name) {
        return None;
    }
    let item = file
        .items()
        .iter()
        .find(|item| item.path == name && !file.in_tests(item.extent.start))?;
    let value = item
        .extent
        .clone()
        .find(|at| matches!(file.tok(*at), Some(Tok::Str | Tok::Number)))?;
    let text = match file.tok(value) {
        Some(Tok::Str) => strings_text(file.raw(value)),
        _ => file.raw(value).to_owned(),
    };
    Some((text, value))
}

/// FNV-1a of what was decided, without insta's header: it tells an accident, and review sees the rest.
fn hash(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let header = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    let decided = header.map_or(text, |(_, decided)| decided);
    for byte in decided.bytes().filter(|byte| *byte != b'\r') {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// What the lock says about an engine: its version, and its golden files.
fn accepted(ctx: &Ctx<'_>, module: &str) -> (Option<String>, BTreeMap<String, String>) {
    let starting = |start: String| {
        let facts = ctx.lock.facts.iter();
        facts.filter_map(move |fact| fact.strip_prefix(&start).map(str::to_owned))
    };
    let golden = starting(format!("golden {module} "));
    let pairs = golden.filter_map(|fact| {
        fact.rsplit_once(' ')
            .map(|(path, hash)| (path.to_owned(), hash.to_owned()))
    });
    (starting(format!("engine {module} ")).next(), pairs.collect())
}

/// Whether the version is the accepted one, or an earlier one, which was used before.
fn is_old(now: &str, accepted: &str) -> bool {
    match (now.parse::<u64>(), accepted.parse::<u64>()) {
        (Ok(now), Ok(accepted)) => now <= accepted,
        _ => now == accepted,
    }
}

impl Rule for Versions {
    fn info(&self) -> &'static Info {
        &VERSIONS
    }

    fn guards_lock(&self) -> bool {
        true
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(table) = &ctx.config.determinism else {
            out.off(NONE);
            return;
        };
        for known in all(ctx.workspace, ctx.config) {
            out.examined(known.file.map_or("", |file| &file.krate), 1 + known.golden.len());
            complete(ctx, &known, out);
            unchanged(ctx, &known, out);
        }
        for file in ctx
            .workspace
            .sources
            .iter()
            .filter(|file| !file.is_test_file() && file.is_in_any(&table.inside))
        {
            let listed = ctx
                .config
                .engine
                .iter()
                .any(|engine| is_module(file, engine.module.as_ref()));
            if listed || !file.may_say("VERSION") || constant(file, "NAME").is_none() {
                continue;
            }
            if let Some((_, at)) = constant(file, "VERSION") {
                let message = "an engine with a version, but without golden snapshots";
                let remedy = "list it as [[engine]] in the rule file, with its golden snapshots";
                out.report(Finding::new(file.span(at), message, remedy));
            }
        }
    }
}

fn complete(ctx: &Ctx<'_>, known: &Known<'_>, out: &mut Sink<'_>) {
    let module = known.module();
    // A module that does not exist is a finding of ARCH-TABLE-001.
    let Some(file) = known.file else { return };
    for (there, name) in [(known.name, "NAME"), (known.version.is_some(), "VERSION")] {
        if !there {
            let message = format!("the engine `{module}` has no `{name}`");
            let remedy =
                format!("add `pub const {name}: &str`: decision snapshots name the engine and its version");
            out.report(Finding::new(Span::file(&file.path), message, remedy));
        }
    }
    if known.golden.is_empty() {
        let message = format!("the engine `{module}` has no golden snapshots");
        let remedy = "add a test that writes what it decides to this folder, and commit the files";
        out.report(Finding::new(
            ctx.config.span(&known.engine.golden),
            message,
            remedy,
        ));
    }
    for path in known
        .golden
        .keys()
        .filter(|path| !is_read(ctx.workspace, file, path))
    {
        let message = format!(
            "no test of `{}` names the golden snapshot `{}`",
            file.krate,
            stem(path)
        );
        let remedy = "compare it in a test, or remove it: what nobody compares proves nothing";
        out.report(Finding::new(Span::file(path), message, remedy));
    }
}

/// The name of a snapshot: insta may put the module before it.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.split('.').next().unwrap_or(name);
    name.rsplit("__").next().unwrap_or(name)
}

/// Whether a test of the engine's crate has the name of the snapshot in a string.
fn is_read(workspace: &Workspace, engine: &SourceFile, path: &str) -> bool {
    let name = stem(path);
    let own = |file: &&SourceFile| file.krate == engine.krate && file.text.contains(name);
    workspace.sources.iter().filter(own).any(|file| {
        let mut names = file.literals().iter().filter(|literal| literal.text == name);
        names.any(|literal| file.in_tests(literal.tokens.start))
    })
}

fn unchanged(ctx: &Ctx<'_>, known: &Known<'_>, out: &mut Sink<'_>) {
    let (before, golden) = accepted(ctx, known.module());
    let (Some(before), Some((now, _))) = (before, &known.version) else {
        return;
    };
    if !is_old(now, &before) {
        return;
    }
    let module = known.module();
    for (path, hash) in &golden {
        let message = match known.golden.get(path) {
            Some(same) if same == hash && *now == before => continue,
            Some(_) if *now == before => {
                format!("`{module}` decides otherwise than accepted, and is still version {now}")
            }
            None if *now == before => {
                format!("a golden snapshot of `{module}` is gone, and it is still version {now}")
            }
            _ => format!("`{module}` is version {now} again; {before} was accepted"),
        };
        let place = if known.golden.contains_key(path) {
            Span::file(path)
        } else {
            ctx.config.span(&known.engine.golden)
        };
        let finding = Finding::new(place, message, VERSIONS.fix).label(format!("accepted: {path}"));
        out.report(match known.version_span() {
            Some(span) => finding.also(span, "its version"),
            None => finding,
        });
    }
}

impl Rule for Accepted {
    fn info(&self) -> &'static Info {
        &ACCEPTED
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.engine.is_empty() {
            out.off("the rule file has no [[engine]]");
            return;
        }
        if !ctx.lock.exists {
            out.off("there is no architecture.lock");
            return;
        }
        let mut wanted = BTreeSet::new();
        for known in all(ctx.workspace, ctx.config) {
            let (before, golden) = accepted(ctx, known.module());
            let facts = known.facts();
            out.examined(known.file.map_or("", |file| &file.krate), facts.len());
            let same = before.is_some() && known.version.as_ref().map(|(now, _)| now) == before.as_ref();
            for fact in facts.difference(&ctx.lock.facts) {
                // A changed snapshot of the same version is the other rule's finding.
                let path = fact.split(' ').nth(2).unwrap_or_default();
                if same && golden.contains_key(path) {
                    continue;
                }
                let span = if fact.starts_with("golden") {
                    Some(Span::file(path))
                } else {
                    known.version_span()
                };
                let span = span.unwrap_or_else(|| ctx.config.span(&known.engine.module));
                out.report(Finding::new(
                    span,
                    format!("not accepted yet: {fact}"),
                    ACCEPTED.fix,
                ));
            }
            wanted.extend(facts);
            if same {
                wanted.extend(
                    golden
                        .iter()
                        .map(|(path, hash)| format!("golden {} {path} {hash}", known.module())),
                );
            }
        }
        let old = |fact: &&String| fact.starts_with("engine ") || fact.starts_with("golden ");
        for fact in ctx.lock.facts.difference(&wanted).filter(old) {
            let span = ctx.lock.span(ctx.workspace, fact);
            out.report(Finding::new(
                span,
                format!("accepted, but gone: {fact}"),
                ACCEPTED.fix,
            ));
        }
    }
}
