//! Who switches clippy's bans off?

use std::collections::BTreeSet;

use crate::config::Name;
use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-COPY-003`.
pub(super) struct Lifted;

const INFO: Info = Info {
    id: "ARCH-COPY-003",
    title: "clippy's bans are switched off in the modules of [[ban]] only",
    family: Family::Layers,
    why: "One attribute above a function lifts every ban of clippy.toml in it, and clippy is content: the attribute is \
          where the one clock becomes two.",
    fix: "Call the module that owns what is banned; a new owner is added to `lifted` of its [[ban]], where it is \
          reviewed.",
    scope: "attributes of product code, through cfg_attr and macro bodies too, that name clippy::disallowed_methods, \
            _types or _macros, or a group that holds them (all, style); in the modules of `lifted` every path that a \
            ban names",
    needles: &[
        "disallowed_methods",
        "disallowed_types",
        "disallowed_macros",
        "style",
        "all",
    ],
};

impl Rule for Lifted {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.ban.is_empty() {
            out.off("the rule file has no [[ban]]");
            return;
        }
        let lists: Vec<_> = ctx.config.ban.iter().flat_map(|ban| &ban.lifted).collect();
        let mut lifted = BTreeSet::new();
        for file in ctx.workspace.sources.iter().filter(|file| !file.is_test_file()) {
            out.examined(&file.krate, 1);
            let owner = lists.iter().any(|name| file.is_in(name.as_ref()));
            for word in INFO.needles {
                for at in file.hits(ctx.words, word).filter(|at| !file.in_tests(*at)) {
                    let Some(level) = level(file, at) else { continue };
                    if owner {
                        let owners = lists.iter().map(|name| name.as_ref().as_str());
                        lifted.extend(owners.filter(|name| file.is_in(name)));
                        continue;
                    }
                    let message = format!("`{level}(clippy::{word})` lifts the bans of clippy.toml here");
                    let remedy = "call the module that owns what is banned, or add this one to `lifted` of its [[ban]]";
                    out.report(Finding::new(file.span(at), message, remedy).label("lifted"));
                }
            }
        }
        let used = strays(ctx, &lifted, out);
        for (at, ban) in ctx.config.ban.iter().enumerate() {
            for name in &ban.lifted {
                let message = if !lifted.contains(name.as_ref().as_str()) {
                    format!("nothing in `{}` lifts a ban", name.as_ref())
                } else if used.contains(&(at, name.as_ref())) {
                    continue;
                } else {
                    format!("`{}` lifts this ban and uses nothing of it", name.as_ref())
                };
                out.report(Finding::new(ctx.config.span(name), message, "remove the entry"));
            }
        }
    }
}

/// Reports what modules use that lift a ban for something else: the attribute lifts all of them, and clippy is content.
/// Returns which entries of `lifted` are needed, by the number of their ban.
fn strays<'a>(ctx: &Ctx<'a>, lifted: &BTreeSet<&str>, out: &mut Sink<'_>) -> BTreeSet<(usize, &'a str)> {
    let mut used = BTreeSet::new();
    let product = ctx.workspace.sources.iter().filter(|file| !file.is_test_file());
    for file in product.filter(|file| lifted.iter().any(|name| file.is_in(name))) {
        let paths = file
            .paths()
            .iter()
            .filter(|path| !file.in_tests(path.tokens.start));
        let paths: Vec<_> = paths.collect();
        for (at, ban) in ctx.config.ban.iter().enumerate() {
            let owners: Vec<_> = ban
                .lifted
                .iter()
                .filter(|name| file.is_in(name.as_ref()))
                .collect();
            for banned in &ban.paths {
                let named = paths.iter().filter(|path| path.is_under(banned.as_ref()));
                let named: Vec<_> = named.collect();
                if !named.is_empty() || calls(file, banned.as_ref()) {
                    used.extend(owners.iter().map(|name| (at, Name::as_ref(name).as_str())));
                }
                if !owners.is_empty() {
                    continue;
                }
                for path in named {
                    let module = crate_and_module(file);
                    let message = format!(
                        "`{module}` lifts the bans of clippy.toml for something else, and names `{}`: {}",
                        path.text(),
                        ban.why
                    );
                    let remedy = match ban.lifted.as_slice() {
                        [] => "leave it to nobody: no module may use it".to_owned(),
                        some => format!("call {}", listed(some)),
                    };
                    let finding = Finding::new(file.span_of(path.tokens.clone()), message, remedy);
                    out.report(
                        finding
                            .label("no [[ban]] lifts this here")
                            .also(ctx.config.span(banned), "banned here"),
                    );
                }
            }
        }
    }
    used
}

/// Whether a method of the name that is banned is called; of whose, tokens cannot say.
fn calls(file: &SourceFile, banned: &str) -> bool {
    let method = banned.rsplit("::").next().unwrap_or_default();
    (0..file.tokens.list.len()).any(|at| file.is(at, b'.') && file.word(at + 1) == method)
}

fn crate_and_module(file: &SourceFile) -> String {
    let mut parts = vec![file.krate.as_str()];
    parts.extend(file.module.iter().map(String::as_str));
    parts.join("::")
}

fn listed(names: &[Name]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(" or ")
}

/// The level that an attribute gives to clippy's lint at a token, if it is one that weakens it.
fn level(file: &SourceFile, at: usize) -> Option<&str> {
    let before = at.checked_sub(3)?;
    let path = file.word(before) == "clippy" && file.is(before + 1, b':') && file.is(before + 2, b':');
    if !path || file.is(at + 1, b':') {
        return None;
    }
    // Back to the parenthesis that holds the list, and the level in front of it.
    let mut open = before;
    while !file.is(open, b'(') {
        if file.is(open, b'[') || file.is(open, b';') || file.is(open, b'{') {
            return None;
        }
        open = open.checked_sub(1)?;
    }
    let level = file.word(open.checked_sub(1)?);
    ["allow", "expect", "warn"].contains(&level).then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    fn places(text: &str) -> Vec<String> {
        let rules = "[[ban]]\npaths = [\"std::env::var\"]\nwhy = \"x\"\n";
        testing::brief(
            &Lifted,
            &[("architecture.toml", rules), ("crates/a/src/lib.rs", text)],
        )
    }

    #[test]
    fn every_way_to_lift_a_ban_is_found() {
        for text in [
            "#![allow(clippy::disallowed_methods)]",
            "#[expect(clippy::disallowed_types, reason = \"x\")] fn f() {}",
            "#[expect(unused, clippy::pedantic, clippy :: disallowed_macros)] fn f() {}",
            "#[cfg_attr(unix, allow(clippy::style))] fn f() {}",
            "#[warn(clippy::all)] fn f() {}",
            "macro_rules! m { () => { #[allow(clippy::r#disallowed_methods)] fn f() {} } }",
        ] {
            assert_eq!(places(text), ["crates/a/src/lib.rs:1"], "{text}");
        }
    }

    #[test]
    fn what_lifts_nothing_is_left_alone() {
        for text in [
            "#![deny(clippy::disallowed_methods)]",
            "#[forbid(clippy::all)] fn f() {}",
            "#[allow(clippy::pedantic)] fn all() { clippy::all(); x.style() }",
            "// #[allow(clippy::disallowed_methods)]\nconst A: &str = \"allow(clippy::disallowed_methods)\";",
            "#[cfg(test)] mod tests { #[allow(clippy::disallowed_methods)] fn f() {} }",
        ] {
            assert!(places(text).is_empty(), "{text}");
        }
    }
}
