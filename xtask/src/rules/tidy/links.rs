//! Does every relative link in the documents lead somewhere?

use crate::model::line_span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `TIDY-LINK-001`.
pub(super) struct Links;

const INFO: Info = Info {
    id: "TIDY-LINK-001",
    title: "a relative link in a document leads somewhere",
    family: Family::Tidy,
    why: "A dead link tells the reader that nobody reads the document.",
    fix: "Correct the path (it is relative to the document), or remove the link.",
    scope: "links in prose of every Markdown file; links into the web are not followed",
    needles: &[],
};

impl Rule for Links {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.workspace.files.with_extension("md").next().is_none() {
            out.off("there are no documents");
        }
        for (path, text) in ctx.workspace.files.with_extension("md") {
            out.examined("", 1);
            for (line, target) in targets(text) {
                let Some(resolved) = resolve(path, target) else {
                    continue;
                };
                if !ctx.workspace.files.exists(&resolved) {
                    let message = format!("the link to `{target}` leads nowhere");
                    out.report(Finding::new(line_span(path, text, line), message, INFO.fix));
                }
            }
        }
    }
}

/// Lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start();
        if fence.starts_with("```") || fence.starts_with("~~~") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// Inline code, with its line.
pub(super) fn code_spans(text: &str) -> Vec<(usize, &str)> {
    prose(text)
        .flat_map(|(number, line)| {
            let spans = line.split('`').skip(1).step_by(2);
            spans.map(move |span| (number, span))
        })
        .collect()
}

/// Targets of `[text](target)` and `[name]: target`, with their lines.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        if let Some((name, target)) = line.split_once("]: ")
            && name.starts_with('[')
        {
            found.push((number, target));
        }
        // Even pieces are outside of backticks, but a link's text may hold code.
        for piece in line.split("](").skip(1) {
            if let Some((target, _)) = piece.split_once(')') {
                found.push((number, target));
            }
        }
    }
    found
}

/// The path inside the repository; `None` for what is not a path.
fn resolve(from: &str, target: &str) -> Option<String> {
    let target = target.split_whitespace().next()?;
    let target = target.split('#').next()?;
    if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.split('/').collect(),
    };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            // A link out of the repository resolves to something that does not exist.
            ".." if parts.is_empty() => return Some("..".to_owned()),
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let files = [("docs/a.md", text), ("docs/b.md", ""), ("src/c.rs", "")];
        crate::rule::testing::brief(&Links, &files)
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "[b](b.md#part) [c](../src/c.rs \"title\") [dir](../src) [root](/docs/b.md)\n\
                    [web](https://example.org) [mail](mailto:a@example.org) [here](#part)\n\
                    ![image](b.md)\n\n[name]: b.md\n";
        assert_eq!(findings(text), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_findings() {
        let text = "[gone](gone.md)\n\n[`code`](../docs/gone.md)\n[out](../../x.md)\n\n[n]: no.md\n";
        let expected = [1, 3, 4, 6].map(|line| format!("docs/a.md:{line}"));
        assert_eq!(findings(text), expected);
    }

    #[test]
    fn fenced_code_is_not_prose() {
        assert!(findings("```md\n[gone](gone.md)\n```\n").is_empty());
        assert_eq!(code_spans("`a` b `c`\n```\n`d`\n```\n"), [(1, "a"), (1, "c")]);
    }
}
