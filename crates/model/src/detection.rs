//! What did a rule make of a signal, and what is a rule?

use alloc::string::String;
use alloc::vec::Vec;

use crate::id::{DetectionId, NormalizedSignalId, SignalId, TenantId};
use crate::incident::IncidentCategory;
use crate::json::Json;
use crate::score::Score;
use crate::signal::{Certainty, Grade, ResourceRef, SignalSource, SignalType};
use crate::time::Timestamp;
use crate::versioned::{Name, Semver, Versioned};
use crate::wire::wire_enum;

/// The most conditions of a rule: what its trace can show.
pub const CONDITIONS_MAX: usize = 20;
/// The most signals of one detection.
pub const SIGNALS_MAX: usize = 100;

wire_enum! {
    "snake_case";
    /// How a condition compares.
    Operator {
        /// The same value of the same kind.
        Equals,
        /// Anything else; also nothing.
        NotEquals,
        /// The text has this part.
        Contains,
        /// The text has not.
        NotContains,
        /// The text begins so.
        StartsWith,
        /// The text ends so.
        EndsWith,
        /// The number is more.
        GreaterThan,
        /// The number is less.
        LessThan,
        /// The number is at least this.
        GreaterThanOrEquals,
        /// The number is at most this.
        LessThanOrEquals,
        /// Something stands there that is not null.
        Exists,
        /// Nothing does, or null.
        NotExists,
        /// It is one of the list.
        In,
        /// It is none of the list.
        NotIn,
        /// The text matches the pattern.
        MatchesRegex,
    }
}

impl Operator {
    /// Whether it compares with a number that somebody chose.
    pub const fn is_threshold(self) -> bool {
        matches!(
            self,
            Self::GreaterThan | Self::LessThan | Self::GreaterThanOrEquals | Self::LessThanOrEquals
        )
    }
}

wire_enum! {
    /// What a rule said about a signal.
    RuleVerdict {
        /// It applies.
        Match,
        /// It does not.
        NoMatch,
    }
}

/// One condition. All conditions of a rule must hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// Its name within the rule.
    pub condition_id: String,
    /// Where it looks: a path within the normalised signal, such as `attributes.runId`.
    pub field: String,
    /// How it compares.
    pub operator: Operator,
    /// With what; null for `exists` and `not_exists`.
    #[serde(default = "null")]
    pub value: Json,
}

const fn null() -> Json {
    Json::Null
}

/// Which signals a rule looks at: any of each list, all lists; an empty list takes any.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SignalMatcher {
    /// Of which types.
    pub signal_types: Vec<SignalType>,
    /// From where.
    pub sources: Vec<SignalSource>,
    /// How bad.
    pub severities: Vec<Grade>,
    /// How sure.
    pub confidences: Vec<Certainty>,
}

/// Why a number is the right one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThresholdJustification {
    /// Of which field.
    pub field: String,
    /// The number.
    pub threshold: i64,
    /// Where it comes from.
    pub source: String,
    /// Why.
    pub rationale: String,
    /// Who answers for it.
    pub owner: String,
}

/// A rule that makes detections out of signals. A version never changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectionRule {
    /// Which rule.
    pub rule_id: Name,
    /// Which version of it.
    pub rule_version: Semver,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Of which kind an Incident is that it leads to.
    pub category: IncidentCategory,
    /// Which signals it looks at.
    #[serde(default)]
    pub signal_matcher: SignalMatcher,
    /// What must hold; nothing holds always.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How bad what it finds is; as bad as the signal if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_severity: Option<Grade>,
    /// How sure what it finds is.
    pub output_confidence: Certainty,
    /// Why its numbers are the right ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threshold_justifications: Vec<ThresholdJustification>,
}

impl DetectionRule {
    /// What it is called.
    pub fn reference(&self) -> Versioned {
        Versioned {
            id: self.rule_id.clone(),
            version: self.rule_version,
        }
    }
}

/// One step on the way to a verdict.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluationStep {
    /// Its place, from 0.
    pub step_index: u32,
    /// Which condition; `UNCONDITIONAL` for a rule that has none.
    pub condition_id: String,
    /// Where it looked.
    pub field: String,
    /// How it compared; none for `UNCONDITIONAL`.
    pub operator: Option<Operator>,
    /// What it asked for.
    pub expected: Json,
    /// What it found.
    pub actual: Json,
    /// Whether it holds.
    pub result: bool,
}

/// What one rule said about one signal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evaluation {
    /// Which rule.
    pub rule: Versioned,
    /// Which signal.
    pub normalized_signal_id: NormalizedSignalId,
    /// What it said.
    pub decision: RuleVerdict,
    /// Every step, also behind one that fails.
    pub evaluation_trace: Vec<EvaluationStep>,
}

/// What a rule found: never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Detection {
    /// Its id: see `domain::pipeline::ids::detection`.
    pub id: DetectionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which rule found it.
    pub rule: Versioned,
    /// Of which kind an Incident is that it leads to.
    pub category: IncidentCategory,
    /// In which signals, sorted; one or more.
    pub signal_ids: Vec<SignalId>,
    /// The same signals as the rule saw them, in the same order.
    pub normalized_signal_ids: Vec<NormalizedSignalId>,
    /// Which service it is about.
    pub service: String,
    /// Who noticed it.
    pub source: SignalSource,
    /// What kind of thing was noticed.
    pub signal_type: SignalType,
    /// What the producer calls it, of the earliest signal.
    pub dedupe_key: String,
    /// What people read, of the earliest signal.
    pub title: String,
    /// How bad it is.
    pub severity: Grade,
    /// How sure the rule is.
    pub certainty: Certainty,
    /// How sure the number of signals makes it: 1 for one signal that is enough by itself, else a tenth for each.
    pub confidence: Score,
    /// When the earliest signal was noticed.
    pub signal_timestamp: Timestamp,
    /// What the signals name, sorted, each once.
    pub resource_refs: Vec<ResourceRef>,
    /// How the rule came to it, for each signal.
    pub evaluations: Vec<Evaluation>,
    /// The version of this record: `v1`.
    pub detection_version: String,
    /// When it was found. No part of its identity.
    pub detected_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn the_words_of_rules_do_not_change() {
        let words: Vec<_> = Operator::iter().map(Operator::as_str).collect();
        assert_eq!(
            words.join(" "),
            "equals not_equals contains not_contains starts_with ends_with greater_than less_than \
             greater_than_or_equals less_than_or_equals exists not_exists in not_in matches_regex"
        );
        let words: Vec<_> = RuleVerdict::iter().map(RuleVerdict::as_str).collect();
        assert_eq!(words, ["MATCH", "NO_MATCH"]);
        let thresholds: Vec<_> = Operator::iter()
            .filter(|it| it.is_threshold())
            .map(Operator::as_str)
            .collect();
        assert_eq!(
            thresholds,
            [
                "greater_than",
                "less_than",
                "greater_than_or_equals",
                "less_than_or_equals"
            ]
        );
    }
}
