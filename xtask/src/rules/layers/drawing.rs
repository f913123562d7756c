//! Does the document show the graph of today?

use crate::config::{Config, Name};
use crate::mermaid;
use crate::model::{Broken, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-GRAPH-001`.
pub(super) struct Drawing;

const INFO: Info = Info {
    id: "ARCH-GRAPH-001",
    title: "the graph in the document is the graph of the crates",
    family: Family::Layers,
    why: "Who reviews a change looks at the picture: one that shows last year's edges is believed all the same.",
    fix: "Run `cargo xtask check-layers --accept` and commit the document.",
    scope: "the Mermaid block between the markers of the document that the rule's options name, against the manifests",
    needles: &[],
};

const BEGIN: &str = "<!-- graph: begin; written by `cargo xtask check-layers --accept` -->";
const END: &str = "<!-- graph: end -->";

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    document: Option<Name>,
}

impl Rule for Drawing {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    // The command that mends the picture must not be stopped by it.
    fn guards_lock(&self) -> bool {
        false
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        let Some(path) = &options.document else {
            out.off("the rule file names no document with a graph");
            return;
        };
        let drawn = block(&mermaid::render(ctx.workspace));
        out.examined("", drawn.lines().count());
        let text = ctx.workspace.text(path.as_ref());
        let shown = text.split_once(BEGIN).and_then(|(before, rest)| {
            let (shown, _) = rest.split_once(END)?;
            Some((before.len() + BEGIN.len(), shown))
        });
        let Some((start, shown)) = shown else {
            let message = format!("`{}` has no graph between its markers", path.as_ref());
            let remedy = format!("write `{BEGIN}` and `{END}` where it belongs, and run the command");
            out.report(Finding::new(Span::file(path.as_ref()), message, remedy));
            return;
        };
        let mut at = start;
        for line in shown.split_inclusive('\n') {
            let span = Span::bytes(path.as_ref(), at..at + line.trim_end().len());
            at += line.len();
            if !drawn.lines().any(|now| now == line.trim_end()) {
                let message = format!("the graph shows `{}`, and that is not so", line.trim());
                out.report(Finding::new(span, message, INFO.fix).label("not in the manifests"));
            }
        }
        let lacking: Vec<_> = drawn
            .lines()
            .filter(|line| !shown.lines().any(|shown| shown.trim_end() == *line))
            .collect();
        let place = Span::bytes(path.as_ref(), start - BEGIN.len()..start);
        for line in &lacking {
            let message = format!("the graph does not show `{}`", line.trim());
            out.report(Finding::new(place.clone(), message, INFO.fix));
        }
        let same = |text: &str| text.lines().map(str::trim_end).eq(drawn.lines());
        if lacking.is_empty()
            && !same(shown)
            && shown
                .lines()
                .all(|line| drawn.lines().any(|now| now == line.trim_end()))
        {
            let message = "the graph has its lines in another order, or twice";
            out.report(Finding::new(place, message, INFO.fix));
        }
    }

    fn accepted(&self, ctx: &Ctx<'_>) -> Option<(String, String)> {
        let options: Options = ctx.options(&INFO);
        let path = options.document?.into_inner();
        let text = ctx.workspace.text(&path);
        let (before, rest) = text.split_once(BEGIN)?;
        let (_, after) = rest.split_once(END)?;
        let drawn = block(&mermaid::render(ctx.workspace));
        Some((path.clone(), format!("{before}{BEGIN}{drawn}{END}{after}")))
    }
}

fn block(drawing: &str) -> String {
    format!("\n\n```mermaid\n{drawing}```\n\n")
}
