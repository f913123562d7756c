//! Who switches clippy's bans off?

use std::collections::BTreeSet;

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
            _types or _macros, or a group that holds them (all, style)",
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
        let mut used = BTreeSet::new();
        for file in ctx.workspace.sources.iter().filter(|file| !file.is_test_file()) {
            out.examined(&file.krate, 1);
            let owner = lists.iter().find(|name| file.is_in(name.as_ref()));
            for word in INFO.needles {
                for at in file.hits(ctx.words, word).filter(|at| !file.in_tests(*at)) {
                    let Some(level) = level(file, at) else { continue };
                    if let Some(owner) = owner {
                        used.insert(owner.as_ref().as_str());
                        continue;
                    }
                    let message = format!("`{level}(clippy::{word})` lifts the bans of clippy.toml here");
                    let remedy = "call the module that owns what is banned, or add this one to `lifted` of its [[ban]]";
                    out.report(Finding::new(file.span(at), message, remedy).label("lifted"));
                }
            }
        }
        for name in lists.iter().filter(|name| !used.contains(name.as_ref().as_str())) {
            let message = format!("nothing in `{}` lifts a ban", name.as_ref());
            out.report(Finding::new(ctx.config.span(name), message, "remove the entry"));
        }
    }
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
