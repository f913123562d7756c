//! Does anything write to the terminal past the log?

use super::forbidden::is_macro;
use crate::config::{Config, Name};
use crate::model::Broken;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-PRINT-001`.
pub(super) struct Printed;

const INFO: Info = Info {
    id: "ARCH-PRINT-001",
    title: "nothing prints past the log",
    family: Family::Patterns,
    why: "What a library prints has no level, no request and no redaction, and it breaks the output of whoever pipes \
          it. clippy's print lints keep what is compiled here; this rule also reads what is switched off by cfg, and \
          the bodies of macros.",
    fix: "Use `tracing`; a command line writes to the handle that it was given.",
    scope: "print!, println!, eprint!, eprintln! in product code, under other names too; not in the crates and modules \
            of `except`. What tests print is clippy's matter",
    needles: &["print", "println", "eprint", "eprintln"],
};

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Crates or modules whose purpose is to print.
    except: Vec<Name>,
}

impl Rule for Printed {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        for name in options
            .except
            .iter()
            .filter(|name| !ctx.workspace.has_module(name.as_ref()))
        {
            let message = format!("`{}` is no crate or module", name.as_ref());
            out.report(Finding::new(
                ctx.config.span(name),
                message,
                "correct the name, or remove it",
            ));
        }
        for file in &ctx.workspace.sources {
            if file.is_test_file() {
                continue;
            }
            out.examined(&file.krate, 1);
            if file.is_in_any(&options.except) {
                continue;
            }
            for word in INFO.needles {
                let prints = |at: &usize| !file.in_tests(*at) && is_macro(file, *at);
                for at in file.hits(ctx.words, word).filter(prints) {
                    out.report(Finding::new(file.span(at), format!("`{word}!`"), INFO.fix));
                }
            }
        }
    }
}
