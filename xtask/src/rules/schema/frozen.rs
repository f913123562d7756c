//! Does a migration that a release has stay as it was?

use std::collections::BTreeSet;

use crate::config::Config;
use crate::lock::Lock;
use crate::model::{Span, Workspace};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{self, Dialect};

/// `ARCH-SCHEMA-010`.
pub(super) struct Frozen;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-010",
    title: "a migration that a release has is never changed",
    family: Family::Schema,
    why: "An installation that applied it never applies it again: its schema stays the old one, and nobody notices \
          until the first query that needs the new one.",
    fix: "Restore it and write a new migration. architecture.lock has the hash of each released migration.",
    scope: "up.sql and down.sql of migrations up to `[schema] released`",
    needles: &[],
};

const START: &str = "migration ";

impl Rule for Frozen {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(released) = &ctx.config.schema.released else {
            out.off("no release has a migration yet (`[schema] released`)");
            return;
        };
        let files = files(ctx.workspace, ctx.config);
        if files.is_empty() {
            let message = format!("there is no migration up to `{}`", released.as_ref());
            out.report(Finding::new(
                ctx.config.span(released),
                message,
                "correct the version",
            ));
        }
        for path in &files {
            out.examined("", 1);
            let now = hash(ctx.workspace.text(path));
            match accepted(ctx.lock, path) {
                Some(then) if then != now => {
                    let message = format!("`{path}` was changed after a release had it");
                    out.report(Finding::new(
                        Span::file(path),
                        message,
                        "restore it and write a new migration",
                    ));
                }
                Some(_) => {}
                None => {
                    let message = format!("architecture.lock has no hash of the released `{path}`");
                    let remedy = "run `cargo xtask check-layers --accept` and commit the lock";
                    out.report(Finding::new(Span::file(path), message, remedy));
                }
            }
        }
        let known = ctx.lock.facts.iter().filter_map(|fact| fact.strip_prefix(START));
        for path in known.filter_map(|fact| fact.split(' ').next()) {
            if !files.contains(path) {
                let message = format!("the released migration `{path}` is gone");
                let remedy = "restore it: installations have applied it";
                out.report(Finding::new(Span::file(&ctx.lock.path), message, remedy));
            }
        }
    }
}

/// The files of released migrations.
fn files(workspace: &Workspace, config: &Config) -> BTreeSet<String> {
    let Some(released) = &config.schema.released else {
        return BTreeSet::new();
    };
    let dirs = [&config.schema.sqlite, &config.schema.postgres];
    Dialect::ALL
        .iter()
        .zip(dirs)
        .filter_map(|(_, dir)| dir.as_ref())
        .flat_map(|dir| sql::migrations(workspace, dir.as_ref()))
        .filter(|migration| migration.version() <= released.as_ref().as_str())
        .flat_map(|migration| [migration.up, migration.down])
        .filter(|path| workspace.files.text(path).is_some())
        .collect()
}

fn accepted<'a>(lock: &'a Lock, path: &str) -> Option<&'a str> {
    let start = format!("{START}{path} ");
    lock.facts.iter().find_map(|fact| fact.strip_prefix(&start))
}

/// What `--accept` writes: a hash that was accepted once is never written anew.
pub(crate) fn released_facts(workspace: &Workspace, config: &Config) -> BTreeSet<String> {
    let lock = Lock::read(workspace, &config.path);
    let mut facts: BTreeSet<_> = lock
        .facts
        .iter()
        .filter(|fact| fact.starts_with(START))
        .cloned()
        .collect();
    for path in files(workspace, config) {
        if accepted(&lock, &path).is_none() {
            let hash = hash(workspace.text(&path));
            facts.insert(format!("{START}{path} {hash}"));
        }
    }
    facts
}

/// FNV-1a of the text, with line ends as git keeps them.
fn hash(text: &str) -> String {
    let bytes = text.bytes().filter(|byte| *byte != b'\r');
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}
