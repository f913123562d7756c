//! Can a rule be meant?

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::detection::{CONDITIONS_MAX, DetectionRule};
use model::json::Json;
use model::versioned::Versioned;

use super::condition::Loaded;
use super::problem::{RuleError, RuleProblem};

/// A rule that can be meant, with its patterns compiled.
#[derive(Debug, Clone)]
pub struct LoadedRule {
    rule: DetectionRule,
    conditions: Vec<Loaded>,
}

impl LoadedRule {
    /// The rule, if it can be meant.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn load(rule: DetectionRule) -> Result<Self, RuleError> {
        match conditions(&rule) {
            Ok(conditions) => Ok(Self { rule, conditions }),
            Err(problem) => Err(RuleError {
                rule: rule.reference(),
                problem,
            }),
        }
    }

    /// The rule as it was written.
    pub const fn rule(&self) -> &DetectionRule {
        &self.rule
    }

    pub(super) fn conditions(&self) -> impl Iterator<Item = &Loaded> {
        self.conditions.iter()
    }
}

/// Rules that can be meant, sorted by name, one version of each.
#[derive(Debug, Clone, Default)]
pub struct DetectionRules(Vec<LoadedRule>);

impl DetectionRules {
    /// These rules.
    ///
    /// # Errors
    /// The first rule that cannot be meant, or that is there in two versions.
    pub fn load(rules: Vec<DetectionRule>) -> Result<Self, RuleError> {
        let loaded: Result<Vec<_>, _> = rules.into_iter().map(LoadedRule::load).collect();
        let mut loaded = loaded?;
        loaded.sort_unstable_by_key(|rule| rule.rule.reference());
        for (one, next) in loaded.iter().zip(loaded.iter().skip(1)) {
            if one.rule.rule_id == next.rule.rule_id {
                return Err(RuleError {
                    rule: next.rule.reference(),
                    problem: RuleProblem::TwoVersions,
                });
            }
        }
        Ok(Self(loaded))
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &LoadedRule> {
        self.0.iter()
    }

    /// This version of this rule.
    pub fn get(&self, reference: &Versioned) -> Option<&LoadedRule> {
        self.0.iter().find(|rule| rule.rule.reference() == *reference)
    }
}

fn conditions(rule: &DetectionRule) -> Result<Vec<Loaded>, RuleProblem> {
    for (field, text) in [
        ("name", &rule.name),
        ("description", &rule.description),
        ("owner", &rule.owner),
    ] {
        if text.trim().is_empty() {
            return Err(RuleProblem::EmptyText { field: field.into() });
        }
    }
    for justification in &rule.threshold_justifications {
        let texts = [
            &justification.source,
            &justification.rationale,
            &justification.owner,
        ];
        if texts.iter().any(|text| text.trim().is_empty()) {
            let field = "thresholdJustifications".into();
            return Err(RuleProblem::EmptyText { field });
        }
    }
    if rule.conditions.len() > CONDITIONS_MAX {
        return Err(RuleProblem::TooManyConditions);
    }
    let mut names = BTreeSet::new();
    let twice = rule
        .conditions
        .iter()
        .find(|condition| !names.insert(&condition.condition_id));
    if let Some(condition) = twice {
        let condition_id = condition.condition_id.clone();
        return Err(RuleProblem::TwoConditions { condition_id });
    }
    let loaded: Result<Vec<_>, _> = rule.conditions.iter().map(Loaded::new).collect();
    let loaded = loaded?;
    let unjustified = loaded.iter().find_map(|condition| unjustified(rule, condition));
    unjustified.map_or(Ok(loaded), Err)
}

fn unjustified(rule: &DetectionRule, condition: &Loaded) -> Option<RuleProblem> {
    let condition = condition.written();
    let Json::Int(threshold) = condition.value else {
        return None;
    };
    let justified = rule
        .threshold_justifications
        .iter()
        .any(|given| given.field == condition.field && given.threshold == threshold);
    (condition.operator.is_threshold() && !justified).then(|| RuleProblem::Unjustified {
        field: condition.field.clone(),
        threshold,
    })
}
