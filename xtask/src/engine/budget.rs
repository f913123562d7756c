//! How many exemptions may each rule have, and how many has it?

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::meta::{EXPECT, finding};
use crate::config::Config;
use crate::model::Span;
use crate::rule::Finding;

/// Rules with exemptions or with room for some: how many there are, and how many may be.
pub(crate) type Budgets = BTreeMap<String, Budget>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Budget {
    pub(crate) used: usize,
    pub(crate) max: usize,
}

/// Compares the directives of the tree with `[exemptions]`, both ways: room that nobody needs is room for a violation.
pub(super) fn judge<'a>(
    config: &Config,
    directives: impl Iterator<Item = (&'a str, &'a Span)>,
    findings: &mut Vec<Finding>,
) -> Budgets {
    let allowed = config.exemptions.iter();
    let mut budgets: Budgets = allowed
        .map(|(rule, max)| (rule.clone(), Budget { used: 0, max: *max }))
        .collect();
    let mut last: BTreeMap<&str, &Span> = BTreeMap::new();
    for (rule, span) in directives {
        budgets.entry(rule.to_owned()).or_default().used += 1;
        last.insert(rule, span);
    }
    for (rule, Budget { used, max }) in &budgets {
        let (what, remedy, span) = match used.cmp(max) {
            Ordering::Greater => (
                "is one too many",
                "remove an exemption, or raise the number in [exemptions] of the rule file, where it is reviewed",
                last.get(rule.as_str()).copied().cloned(),
            ),
            Ordering::Less => (
                "leaves room for another",
                "lower the number in [exemptions]; without exemptions remove the line",
                Some(config.table_span(&["exemptions", rule])),
            ),
            Ordering::Equal => continue,
        };
        let message = format!("{rule} has {used} exemptions and may have {max}: this {what}");
        findings.push(finding(&EXPECT, span.unwrap_or_default(), message, remedy));
    }
    budgets
}

/// For programs that read the JSON report.
pub(super) fn data(budgets: &Budgets) -> serde_json::Value {
    let entries = budgets.iter().map(|(rule, budget)| {
        let entry = serde_json::json!({ "used": budget.used, "max": budget.max });
        (rule.clone(), entry)
    });
    serde_json::Value::Object(entries.collect())
}
