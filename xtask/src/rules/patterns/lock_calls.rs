//! Does anything ask diesel for a lock?

use super::NO_SQL;
use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-SQL-003`.
pub(super) struct Calls;

const INFO: Info = Info {
    id: "ARCH-SQL-003",
    title: "diesel's locks are taken in the modules for locks only",
    family: Family::Patterns,
    why: "The locks of a text have their rule; the same lock as a method must not pass by it. clippy's ban of these \
          methods is the authority on what is compiled here; this rule also reads what is switched off by cfg, and \
          the bodies of macros.",
    fix: "Call a function of the modules in `sql.locks`.",
    scope: "calls and paths of product code: for_update, for_no_key_update, for_share, for_key_share, LockingDsl",
    needles: &[
        "for_update",
        "for_no_key_update",
        "for_share",
        "for_key_share",
        "LockingDsl",
    ],
};

impl Rule for Calls {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(places) = &ctx.config.sql else {
            out.off(NO_SQL);
            return;
        };
        for file in ctx.workspace.sources.iter().filter(|file| !file.is_test_file()) {
            out.examined(&file.krate, 1);
            if file.is_in_any(&places.locks) {
                continue;
            }
            for word in INFO.needles {
                for at in file.hits(ctx.words, word).filter(|at| !file.in_tests(*at)) {
                    if is_use(file, at) {
                        let message = format!("diesel's `{word}` outside of the modules in `sql.locks`");
                        out.report(Finding::new(file.span(at), message, INFO.fix));
                    }
                }
            }
        }
    }
}

/// A call or a part of a path, not a definition, a field or a local of the same name.
pub(super) fn is_use(file: &SourceFile, at: usize) -> bool {
    let before = at.wrapping_sub(1);
    let defined = matches!(file.word(before), "fn" | "let" | "mut" | "mod" | "struct");
    let called = file.is(at + 1, b'(') || file.is(at + 1, b':') && file.is(at + 2, b':');
    let path = file.is(before, b':') && file.is(before.wrapping_sub(1), b':');
    let leaf = file.is(before, b'{') || file.is(before, b',');
    let imported = leaf
        && (file.word(at + 1) == "as" || file.is(at + 1, b',') || file.is(at + 1, b'}'))
        && in_use(file, at);
    let qualified = file.word(before) == "as" && file.is(at + 1, b'>');
    !defined && (called || path || imported || qualified)
}

/// Whether the token stands in a `use` line.
fn in_use(file: &SourceFile, at: usize) -> bool {
    file.paths()
        .iter()
        .any(|path| path.import && path.tokens.contains(&at))
}
