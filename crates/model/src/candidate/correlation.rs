//! Which detections belong together?

use alloc::string::String;
use alloc::vec::Vec;

use crate::signal::{Grade, SignalSource, SignalType};
use crate::versioned::{Name, Semver, Versioned};
use crate::wire::wire_enum;

wire_enum! {
    /// Where a window begins.
    Alignment {
        /// At whole multiples of its length since 1970: `[n·d, (n+1)·d)`.
        Fixed,
        /// So that it ends with the detection that is looked at: `(t−d, t]`.
        Sliding,
    }
}

wire_enum! {
    /// To what the start of a window is cut before it goes into a key (UTC).
    Truncation {
        /// The minute.
        Minute,
        /// The hour.
        Hour,
        /// The day.
        Day,
    }
}

wire_enum! {
    "camelCase";
    /// What detections may have in common.
    GroupKey {
        /// The service.
        Service,
        /// Who noticed it.
        Source,
        /// The rule that found it.
        RuleId,
        /// What kind of thing was noticed.
        SignalType,
        /// How bad it is.
        Severity,
        /// The minute.
        IdentityWindow,
        /// What the producer calls it.
        DedupeKey,
    }
}

wire_enum! {
    /// Which detection gives a candidate its name.
    PrimarySelection {
        /// The worst; of those the earliest; of those the one with the smallest id.
        HighestSeverityThenEarliestThenLexical,
    }
}

/// Which detections a rule looks at: any of each list, all lists; an empty list takes any.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DetectionFilter {
    /// Found by which rules, whatever their versions.
    pub rule_ids: Vec<Name>,
    /// Noticed by whom.
    pub sources: Vec<SignalSource>,
    /// Of which types.
    pub signal_types: Vec<SignalType>,
    /// About which services.
    pub services: Vec<String>,
    /// How bad.
    pub severities: Vec<Grade>,
}

/// In which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// How long, in minutes: 1 to 1440.
    pub minutes: u32,
    /// Where it begins.
    pub alignment: Alignment,
    /// To what its start is cut.
    pub truncation: Truncation,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Threshold {
    /// Fewer make no candidate.
    pub min_detections: u32,
    /// Of more, the worst are taken; at most 100.
    pub max_detections: u32,
}

/// What people read. `{{title}}` (of the primary detection), `{{service}}`, `{{severity}}`, `{{ruleId}}`, `{{signalCount}}`, `{{detectionCount}}`,
/// `{{windowStart}}`, `{{windowEnd}}`, `{{timeWindow}}`, `{{firstObservedAt}}` and `{{lastObservedAt}}` are replaced.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// The title, 1 to 200 characters.
    pub title: String,
    /// What stands below it, 1 to 2048 characters.
    pub description: String,
    /// Words to find it under.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A rule that makes candidates out of detections. A version never changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CorrelationRule {
    /// Which rule.
    pub id: Name,
    /// Which version of it.
    pub version: Semver,
    /// What it is for.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Which detections it looks at.
    #[serde(default)]
    pub filters: DetectionFilter,
    /// In which time.
    pub window: Window,
    /// What the detections of one candidate have in common.
    pub group_by: Vec<GroupKey>,
    /// What of that goes into the key of the candidate, beside the window; 1 or more.
    pub key_fields: Vec<GroupKey>,
    /// How many.
    pub threshold: Threshold,
    /// Which detection gives the candidate its name.
    pub primary_selection: PrimarySelection,
    /// What people read; a title made of severity, rule and number if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_template: Option<Template>,
    /// The policy that the promotion of its candidates is judged by.
    pub policy: Versioned,
}

impl CorrelationRule {
    /// What it is called.
    pub fn reference(&self) -> Versioned {
        Versioned {
            id: self.id.clone(),
            version: self.version,
        }
    }
}
