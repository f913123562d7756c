//! Can a rule of correlation be meant?

use alloc::string::String;
use alloc::vec::Vec;

use model::candidate::{CorrelationRule, DETECTIONS_MAX, TITLE_MAX, Template};
use model::versioned::Versioned;

/// What a template may ask for.
pub const VARIABLES: [&str; 11] = [
    "title",
    "service",
    "severity",
    "ruleId",
    "signalCount",
    "detectionCount",
    "windowStart",
    "windowEnd",
    "timeWindow",
    "firstObservedAt",
    "lastObservedAt",
];
/// What an Incident is not called in a title.
pub const FORBIDDEN_WORDS: [&str; 5] = ["alert", "error", "job", "task", "guard"];

const MINUTES_MAX: u32 = 1440;
const DESCRIPTION_MAX: usize = 2048;

/// Rules that can be meant, sorted by name, one version of each.
#[derive(Debug, Clone, Default)]
pub struct CorrelationRules(Vec<CorrelationRule>);

impl CorrelationRules {
    /// These rules.
    ///
    /// # Errors
    /// The first rule that cannot be meant, or that is there in two versions.
    pub fn load(mut rules: Vec<CorrelationRule>) -> Result<Self, CorrelationError> {
        rules.sort_unstable_by_key(CorrelationRule::reference);
        let two = rules
            .iter()
            .zip(rules.iter().skip(1))
            .find(|(one, next)| one.id == next.id);
        let broken = rules.iter().find_map(|rule| Some((rule, problem(rule)?)));
        let two = two.map(|(_, next)| (next, CorrelationProblem::TwoVersions));
        if let Some((rule, problem)) = broken.or(two) {
            return Err(CorrelationError {
                rule: rule.reference(),
                problem,
            });
        }
        Ok(Self(rules))
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &CorrelationRule> {
        self.0.iter()
    }

    /// This version of this rule.
    pub fn get(&self, reference: &Versioned) -> Option<&CorrelationRule> {
        self.0.iter().find(|rule| rule.reference() == *reference)
    }
}

/// Why a rule cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule {rule} cannot be loaded: {problem}")]
pub struct CorrelationError {
    /// Which rule.
    pub rule: Versioned,
    /// What is wrong with it.
    pub problem: CorrelationProblem,
}

/// What can be wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrelationProblem {
    /// A text that people read is empty.
    #[error("`{field}` is empty")]
    EmptyText {
        /// Which.
        field: &'static str,
    },
    /// Its window is none.
    #[error("the window has 1 to {MINUTES_MAX} minutes")]
    Minutes,
    /// Its numbers contradict each other.
    #[error("1 <= minDetections <= maxDetections <= {DETECTIONS_MAX} does not hold")]
    Threshold,
    /// It has no key.
    #[error("there is no key field")]
    NoKeyField,
    /// A key is not common to the group.
    #[error("the key field `{field}` is not in `groupBy`")]
    KeyNotGrouped {
        /// Which.
        field: &'static str,
    },
    /// A text of its template is too short or too long.
    #[error("the template's `{field}` is empty or too long")]
    TemplateLength {
        /// Which.
        field: &'static str,
    },
    /// Its template asks for what nobody knows.
    #[error("the template asks for `{name}`, which is nothing")]
    UnknownVariable {
        /// For what.
        name: String,
    },
    /// Its title calls an Incident something else.
    #[error("the title says `{word}`")]
    ForbiddenWord {
        /// What.
        word: &'static str,
    },
    /// There is another version of it among the rules.
    #[error("there is another version of it")]
    TwoVersions,
}

fn problem(rule: &CorrelationRule) -> Option<CorrelationProblem> {
    let texts = [("description", &rule.description), ("owner", &rule.owner)];
    if let Some((field, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
        return Some(CorrelationProblem::EmptyText { field });
    }
    if !(1..=MINUTES_MAX).contains(&rule.window.minutes) {
        return Some(CorrelationProblem::Minutes);
    }
    let (least, most) = (rule.threshold.min_detections, rule.threshold.max_detections);
    let limit = u32::try_from(DETECTIONS_MAX).unwrap_or(u32::MAX);
    if least < 1 || least > most || most > limit {
        return Some(CorrelationProblem::Threshold);
    }
    if rule.key_fields.is_empty() {
        return Some(CorrelationProblem::NoKeyField);
    }
    if let Some(key) = rule.key_fields.iter().find(|key| !rule.group_by.contains(key)) {
        return Some(CorrelationProblem::KeyNotGrouped { field: key.as_str() });
    }
    rule.candidate_template.as_ref().and_then(template)
}

fn template(template: &Template) -> Option<CorrelationProblem> {
    let fits = |text: &str, max| !text.trim().is_empty() && text.chars().count() <= max;
    if !fits(&template.title, TITLE_MAX) {
        return Some(CorrelationProblem::TemplateLength { field: "title" });
    }
    if !fits(&template.description, DESCRIPTION_MAX) {
        return Some(CorrelationProblem::TemplateLength { field: "description" });
    }
    let unknown = [&template.title, &template.description]
        .into_iter()
        .find_map(|text| unknown(text));
    if let Some(name) = unknown {
        return Some(CorrelationProblem::UnknownVariable { name });
    }
    let title = template.title.to_ascii_lowercase();
    let mut words = title.split(|character: char| !character.is_ascii_alphanumeric());
    let forbidden = words.find_map(|word| FORBIDDEN_WORDS.into_iter().find(|forbidden| *forbidden == word));
    forbidden.map(|word| CorrelationProblem::ForbiddenWord { word })
}

/// What a text asks for that is no variable; a `{{` without an end is such.
fn unknown(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("{{") {
        let Some((name, after)) = behind.split_once("}}") else {
            return Some(behind.into());
        };
        if !VARIABLES.contains(&name) {
            return Some(name.into());
        }
        rest = after;
    }
    None
}
