//! Does any file pull in source from another crate behind cargo's back?

use crate::load;
use crate::model::{SourceFile, extension_of};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Tok;

/// `ARCH-ESCAPE-001`.
pub(super) struct Escapes;

const INFO: Info = Info {
    id: "ARCH-ESCAPE-001",
    title: "no source leaves its crate through `#[path]` or `include!`",
    family: Family::Layers,
    why: "They are the two spellings of a forbidden dependency that no manifest declares.",
    fix: "Depend on the crate, or move the file.",
    scope: "`#[path = \"…\"]`, also behind `cfg_attr`, and `include!`, `include_str!`, `include_bytes!`",
    needles: &["path", "include", "include_str", "include_bytes"],
};

impl Rule for Escapes {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for file in &ctx.workspace.sources {
            out.examined(&file.krate, 1);
            let dir = ctx
                .workspace
                .krate(&file.krate)
                .map(|krate| krate.dir.as_str())
                .unwrap_or_default();
            for at in file.hits(ctx.words, "path") {
                let attribute =
                    file.is(at + 1, b'=') && file.tok(at + 2) == Some(Tok::Str) && in_attribute(file, at);
                if attribute {
                    judge(file, dir, at, &literal(file, at + 2), "#[path]", out);
                }
            }
            for name in ["include", "include_str", "include_bytes"] {
                for at in file.hits(ctx.words, name) {
                    if file.is(at + 1, b'!')
                        && let Some(close) = file.closing(at + 2)
                    {
                        included(file, dir, at, close, out);
                    }
                }
            }
        }
    }
}

fn literal(file: &SourceFile, at: usize) -> String {
    let found = file
        .literals()
        .iter()
        .find(|literal| literal.tokens.contains(&at));
    found.map(|literal| literal.text.clone()).unwrap_or_default()
}

fn included(file: &SourceFile, dir: &str, at: usize, close: usize, out: &mut Sink<'_>) {
    let name = format!("{}!", file.word(at));
    let inner: Vec<_> = file
        .literals()
        .iter()
        .filter(|literal| (at..close).contains(&literal.tokens.start))
        .map(|literal| literal.text.as_str())
        .collect();
    let built = (at..close).any(|index| matches!(file.word(index), "concat" | "env"));
    match inner.as_slice() {
        // `include!(concat!(env!("OUT_DIR"), "/x.rs"))` is a build script's output.
        texts if texts.iter().any(|text| text.contains("OUT_DIR")) => {}
        [text] if !built => judge(file, dir, at, text, &name, out),
        texts if texts.iter().any(|text| text.contains("..")) => {
            judge(file, dir, at, &texts.concat(), &name, out);
        }
        _ => {}
    }
}

/// Whether the name is an attribute's own, also behind a condition: `#[path`, `#[cfg_attr(unix, path`.
fn in_attribute(file: &SourceFile, at: usize) -> bool {
    let hash = |open: usize| open > 0 && (file.is(open - 1, b'#') || file.is(open - 1, b'!'));
    if at > 0 && file.is(at - 1, b'[') {
        return hash(at - 1);
    }
    let start = at.saturating_sub(64);
    (start..at).any(|open| {
        file.is(open, b'[')
            && hash(open)
            && file.word(open + 1) == "cfg_attr"
            && file.closing(open).is_some_and(|close| close > at)
    })
}

fn judge(file: &SourceFile, dir: &str, at: usize, target: &str, what: &str, out: &mut Sink<'_>) {
    let source = what == "#[path]" || what == "include!";
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    // `concat!(env!("CARGO_MANIFEST_DIR"), "/…")` starts at the crate.
    let resolved = match target.split_once("CARGO_MANIFEST_DIR") {
        Some((_, rest)) => resolve(dir, rest.trim_start_matches('/')),
        None => resolve(folder, target),
    };
    let within = resolved
        .as_ref()
        .is_some_and(|path| dir.is_empty() || path.starts_with(&format!("{dir}/")));
    // Text and data of the repository may be embedded; Rust source of elsewhere may not.
    let rust = extension_of(target) == Some("rs") || source;
    if within || !rust {
        return;
    }
    let message = format!("`{what}` leaves the crate `{}`: {target}", file.krate);
    let remedy =
        "depend on the crate that owns the file, where the layer table applies, or move the file here";
    let finding =
        Finding::new(file.span(at), message, remedy).label("source of another crate, without an edge");
    let told = file.literals().iter().find(|literal| literal.tokens.start > at);
    out.report(match told {
        Some(told) => finding.also(told.span(file, 0..told.text.len()), "by this path"),
        None => finding,
    });
}

/// The path in the tree; `None` when it leads out of it.
fn resolve(folder: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    load::normal(folder, &target.replace('\\', "/"))
}
