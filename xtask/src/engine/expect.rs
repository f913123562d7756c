//! Which findings does an `arch:expect` answer, and is every one of them in order?

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::budget::{self, Budgets};
use super::meta::{EXPECT, finding};
use super::{Date, Job, Ran};
use crate::model::{SourceFile, Span, Workspace};
use crate::registry;
use crate::rule::{Ctx, Family, Finding, Rule};

const MARK: &str = "arch:expect";
const SHORTEST_REASON: usize = 15;

/// Findings that are left, those that were exempt, and what the rule about exemptions looked at.
pub(super) struct Answered {
    pub(super) left: Vec<Finding>,
    pub(super) exempt: Vec<(Finding, String)>,
    pub(super) ran: Option<Ran>,
    pub(super) budgets: Budgets,
}

/// One directive.
struct Expect {
    rule: String,
    reason: String,
    /// Why it counts for nothing.
    fault: Option<String>,
    /// The directive itself.
    span: Span,
    /// What it covers: bytes of its file.
    covers: Range<usize>,
}

pub(super) fn apply(ctx: &Ctx<'_>, job: &Job<'_>, findings: Vec<Finding>) -> Answered {
    let expects = collect(ctx.workspace, job.today);
    let mut used = vec![false; expects.len()];
    let mut left = Vec::new();
    let mut exempt = Vec::new();
    for found in findings {
        let covering = expects.iter().position(|expect| {
            expect.fault.is_none()
                && expect.rule == found.rule
                && expect.span.path == found.primary.path
                && expect.covers.contains(&found.primary.start)
        });
        match covering.and_then(|at| Some((at, expects.get(at)?))) {
            Some((at, expect)) => {
                if let Some(used) = used.get_mut(at) {
                    *used = true;
                }
                exempt.push((found, expect.reason.clone()));
            }
            None => left.push(found),
        }
    }
    let ran: Vec<_> = job.rules.iter().map(|rule| rule.info().id).collect();
    for (expect, used) in expects.iter().zip(used) {
        let message = match &expect.fault {
            Some(fault) => fault.clone(),
            // A run of some rules cannot say that another rule's exemption is unused.
            None if used || !ran.contains(&expect.rule.as_str()) => continue,
            None => format!("nothing here breaks {}: the exemption is not needed", expect.rule),
        };
        left.push(finding(&EXPECT, expect.span.clone(), message, EXPECT.fix));
    }
    // What names no rule is a finding of its own, and no budget can be made for it.
    let named = expects.iter().filter(|expect| is_rule(&expect.rule));
    let directives = named.map(|expect| (expect.rule.as_str(), &expect.span));
    let budgets = budget::judge(job.config, directives, &mut left);
    Answered {
        left,
        exempt,
        ran: Some(Ran {
            info: &EXPECT,
            examined: BTreeMap::from([(String::new(), expects.len())]),
            off: None,
            data: budget::data(&budgets),
            took: std::time::Duration::ZERO,
        }),
        budgets,
    }
}

fn collect(workspace: &Workspace, today: Date) -> Vec<Expect> {
    let in_source = |source: &Arc<SourceFile>| {
        let mut expects = Vec::new();
        for comment in source.comments().iter().filter(|comment| !comment.doc) {
            let bytes = comment.range();
            let text = source.text.get(bytes.clone()).unwrap_or_default();
            // The directive begins the comment: prose may name it.
            let body = text.trim_start_matches(['/', '*', ' ']);
            if body.starts_with(MARK) {
                let covers = covered(source, comment.next_token(), bytes.start);
                expects.push(parse(body, Span::bytes(&source.path, bytes), covers, today));
            }
        }
        expects
    };
    let sources = workspace.sources.0.par_iter();
    let mut expects: Vec<_> = sources.flat_map_iter(in_source).collect();
    let manifests = workspace.files.with_extension("toml").map(|file| (file, "#"));
    let migrations = workspace.migrations().map(|file| (file, "--"));
    for ((path, text), sign) in manifests.chain(migrations) {
        expects.extend(in_lines(path, text, sign, today));
    }
    expects.sort_by(|a, b| a.span.cmp(&b.span));
    expects
}

/// Comment lines of manifests and migrations cover the next line.
fn in_lines(path: &str, text: &str, sign: &str, today: Date) -> Vec<Expect> {
    let mut found = Vec::new();
    if !text.contains(MARK) {
        return found;
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim().strip_prefix(sign).map(str::trim_start);
        if let Some(body) = body
            && body.starts_with(MARK)
        {
            let next = at + line.len();
            let rest = text.get(next..).unwrap_or_default();
            let covers = next..next + rest.find('\n').unwrap_or(rest.len());
            let span = Span::bytes(path, at..at + line.trim_end().len());
            found.push(parse(body, span, covers, today));
        }
        at += line.len();
    }
    found
}

/// A comment behind code covers its line; one above covers the next item or statement.
fn covered(source: &SourceFile, next: usize, comment: usize) -> Range<usize> {
    let line_start = source
        .text
        .get(..comment)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let before = source.text.get(line_start..comment).unwrap_or_default();
    if !before.trim().is_empty() {
        return line_start..comment;
    }
    let mut first = next;
    while source.is(first, b'#') {
        first = source.closing(first + 1).map_or(first + 2, |close| close + 1);
    }
    // `pub(crate) unsafe fn`: the item begins at its keyword.
    let item = source
        .items()
        .iter()
        .find(|item| (first..first + 8).contains(&item.extent.start));
    let same =
        item.filter(|item| !(first..item.extent.start).any(|at| source.is(at, b';') || source.is(at, b'=')));
    let end = same.map_or_else(|| statement_end(source, first), |item| item.extent.end);
    let span = source.span_of(next..end.max(next + 1));
    span.range()
}

fn statement_end(source: &SourceFile, first: usize) -> usize {
    let mut at = first;
    while let Some(token) = source.tok(at) {
        match token {
            crate::scan::Tok::P(b'(' | b'[' | b'{') => at = source.closing(at).unwrap_or(at),
            crate::scan::Tok::P(b';' | b',') => return at + 1,
            crate::scan::Tok::P(b')' | b']' | b'}') => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

fn is_rule(id: &str) -> bool {
    let mut all = registry::all().into_iter().map(Rule::info);
    all.any(|known| known.id == id && known.family != Family::Meta)
}

/// `arch:expect(RULE): reason; until=YYYY-MM-DD`
fn parse(body: &str, span: Span, covers: Range<usize>, today: Date) -> Expect {
    let body = body
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches("*/")
        .trim_end();
    let rest = body.strip_prefix(MARK).unwrap_or_default();
    let split = rest.strip_prefix('(').and_then(|rest| rest.split_once("):"));
    let (rule, rest) = split.unwrap_or(("", rest));
    let (reason, until) = rest.rsplit_once("; until=").unwrap_or((rest, ""));
    let reason = reason.trim();
    let known = is_rule(rule);
    let fault = match Date::parse(until.split_whitespace().next().unwrap_or_default()) {
        _ if split.is_none() => {
            Some("the exemption is not of the form `arch:expect(RULE): reason; until=…`".to_owned())
        }
        _ if !known => Some(format!("`{rule}` is no rule that can be exempted")),
        _ if reason.chars().count() < SHORTEST_REASON => {
            Some(format!("the reason has fewer than {SHORTEST_REASON} characters"))
        }
        None => Some("the exemption has no last day: `; until=YYYY-MM-DD`".to_owned()),
        Some(until) if until < today => Some(format!("the exemption ended on {until}")),
        Some(_) => None,
    };
    Expect {
        rule: rule.to_owned(),
        reason: reason.to_owned(),
        fault,
        span,
        covers,
    }
}
