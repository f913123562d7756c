//! The report for people: what, where, why, and what to do.

use std::fmt::Write;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::Told;
use crate::engine::Outcome;
use crate::model::{Span, Workspace};
use crate::registry;
use crate::rule::{Finding, NO_RULE_FILE};

const WIDTH: usize = 110;

pub(crate) fn text(told: &Told<'_>) -> String {
    let mut text = String::new();
    let outcome = told.outcome;
    for broken in &outcome.broken {
        let _ = writeln!(text, "error[input]: {broken}\n");
    }
    for finding in &outcome.findings {
        text.push_str(&one(told.workspace, finding, told.colour));
        text.push_str("\n\n");
    }
    text.push_str(&off(outcome));
    let looked: usize = outcome.rules.iter().map(super::super::engine::Ran::total).sum();
    let _ = write!(
        text,
        "{}: {} rules looked at {looked} places, {}",
        told.title,
        outcome.rules.len(),
        count(outcome.findings.len(), "finding")
    );
    if !outcome.exempt.is_empty() {
        let _ = write!(text, ", {} exempt", outcome.exempt.len());
    }
    if !outcome.known.is_empty() {
        let _ = write!(text, ", {} in the baseline", outcome.known.len());
    }
    if !outcome.broken.is_empty() {
        let _ = write!(text, "; the input is broken, so this proves nothing");
    }
    text.push('\n');
    let budgets = outcome.budgets.iter();
    let budgets: Vec<_> = budgets
        .map(|(rule, budget)| format!("{rule} {} of {}", budget.used, budget.max))
        .collect();
    let (shown, claims) = (outcome.shown.found.len(), outcome.shown.claims);
    if claims > 0 {
        let _ = writeln!(
            text,
            "armed: {shown} of {claims} pairs of rule and crate found what was planted in this run"
        );
    }
    if !budgets.is_empty() {
        let _ = writeln!(text, "exemptions: {}", budgets.join(", "));
    }
    text
}

/// Rules that have nothing to do here, one line for each reason: a tree without a rule file has many of them.
fn off(outcome: &Outcome) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in &outcome.rules {
        let Some(why) = rule.off else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(rule.info.id),
            None => reasons.push((why, vec![rule.info.id])),
        }
    }
    if reasons.iter().any(|(why, _)| *why == NO_RULE_FILE) {
        let rules: usize = reasons.iter().map(|(_, ids)| ids.len()).sum();
        return format!(
            "off: {rules} rules ({NO_RULE_FILE}: they ask nothing until one says what is allowed)\n"
        );
    }
    let mut text = String::new();
    for (why, ids) in reasons {
        let _ = writeln!(text, "off: {} ({why})", ids.join(", "));
    }
    text
}

fn count(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// One finding with its excerpts.
pub(crate) fn one(workspace: &Workspace, finding: &Finding, colour: bool) -> String {
    let rule = registry::all()
        .into_iter()
        .find(|rule| rule.info().id == finding.rule);
    let why = rule.map_or("", |rule| rule.info().why);
    let title = Level::ERROR.primary_title(&finding.message).id(finding.rule);
    let mut group = Group::with_title(title);
    group = place(workspace, group, &finding.primary, &finding.label, true);
    for (span, label) in &finding.secondary {
        group = place(workspace, group, span, label, false);
    }
    let explain = format!("cargo xtask explain {}", finding.rule);
    group = group
        .element(Level::NOTE.with_name("why").message(why))
        .element(Level::HELP.with_name("fix").message(&finding.remedy))
        .element(Level::NOTE.with_name("run").message(&explain));
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(WIDTH).render(&[group])
}

fn place<'a>(
    workspace: &'a Workspace,
    group: Group<'a>,
    span: &'a Span,
    label: &'a str,
    primary: bool,
) -> Group<'a> {
    let text = workspace.text(&span.path);
    if span.is_file() || text.get(span.range()).is_none() {
        return group.element(Origin::path(&span.path));
    }
    let kind = if primary {
        AnnotationKind::Primary
    } else {
        AnnotationKind::Context
    };
    let annotation = kind.span(span.range());
    let annotation = if label.is_empty() {
        annotation
    } else {
        annotation.label(label)
    };
    group.element(
        Snippet::source(text)
            .path(&span.path)
            .line_start(1)
            .annotation(annotation),
    )
}
