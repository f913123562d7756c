//! Does one condition hold?

use alloc::boxed::Box;

use model::detection::{Condition, EvaluationStep, Operator};
use model::json::Json;
use regex::{Regex, RegexBuilder};

use super::problem::RuleProblem;

/// The longest pattern, in bytes.
const PATTERN_MAX: usize = 256;
/// The most memory that a pattern takes, in bytes.
const PATTERN_MEMORY_MAX: usize = 65_536;

/// A condition that can be meant.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    condition: Condition,
    pattern: Option<Box<Regex>>,
}

impl Loaded {
    /// The condition, if its value is of the kind that its operator compares with.
    pub(super) fn new(condition: &Condition) -> Result<Self, RuleProblem> {
        let field = || condition.field.clone();
        if condition.field.is_empty() || condition.condition_id.is_empty() {
            return Err(RuleProblem::EmptyText { field: field() });
        }
        let expected = match (condition.operator, &condition.value) {
            (Operator::Equals | Operator::NotEquals, Json::List(_) | Json::Map(_)) => Some("a single value"),
            (
                Operator::Contains
                | Operator::NotContains
                | Operator::StartsWith
                | Operator::EndsWith
                | Operator::MatchesRegex,
                Json::Text(_),
            )
            | (Operator::In | Operator::NotIn, Json::List(_))
            | (Operator::Exists | Operator::NotExists, Json::Null)
            | (Operator::Equals | Operator::NotEquals, _) => None,
            (Operator::Exists | Operator::NotExists, _) => Some("no value"),
            (Operator::In | Operator::NotIn, _) => Some("a list"),
            (operator, Json::Int(_)) if operator.is_threshold() => None,
            (operator, _) if operator.is_threshold() => Some("a whole number"),
            _ => Some("a text"),
        };
        if let Some(expected) = expected {
            return Err(RuleProblem::WrongValue {
                field: field(),
                expected,
            });
        }
        let pattern = match (condition.operator, &condition.value) {
            (Operator::MatchesRegex, Json::Text(written)) => {
                Some(Box::new(pattern(written, &condition.field)?))
            }
            _ => None,
        };
        Ok(Self {
            condition: condition.clone(),
            pattern,
        })
    }

    /// The condition as it was written.
    pub(super) const fn written(&self) -> &Condition {
        &self.condition
    }

    /// The step of the trace.
    pub(super) fn step(&self, place: usize, document: &Json) -> EvaluationStep {
        let actual = document.at(&self.condition.field);
        EvaluationStep {
            step_index: u32::try_from(place).unwrap_or(u32::MAX),
            condition_id: self.condition.condition_id.clone(),
            field: self.condition.field.clone(),
            operator: Some(self.condition.operator),
            expected: self.condition.value.clone(),
            actual: actual.cloned().unwrap_or(Json::Null),
            result: self.holds(actual),
        }
    }

    fn holds(&self, actual: Option<&Json>) -> bool {
        let expected = &self.condition.value;
        let texts = |compare: fn(&str, &str) -> bool| match (actual, expected) {
            (Some(Json::Text(actual)), Json::Text(expected)) => compare(actual, expected),
            _ => false,
        };
        let numbers = |compare: fn(&i64, &i64) -> bool| match (actual, expected) {
            (Some(Json::Int(actual)), Json::Int(expected)) => compare(actual, expected),
            _ => false,
        };
        let listed = || match expected {
            Json::List(entries) => actual.is_some_and(|actual| entries.contains(actual)),
            _ => false,
        };
        match self.condition.operator {
            Operator::Equals => actual == Some(expected),
            Operator::NotEquals => actual != Some(expected),
            Operator::Contains => texts(|actual, expected| actual.contains(expected)),
            Operator::NotContains => texts(|actual, expected| !actual.contains(expected)),
            Operator::StartsWith => texts(|actual, expected| actual.starts_with(expected)),
            Operator::EndsWith => texts(|actual, expected| actual.ends_with(expected)),
            Operator::GreaterThan => numbers(i64::gt),
            Operator::LessThan => numbers(i64::lt),
            Operator::GreaterThanOrEquals => numbers(i64::ge),
            Operator::LessThanOrEquals => numbers(i64::le),
            Operator::Exists => actual.is_some_and(|actual| *actual != Json::Null),
            Operator::NotExists => actual.is_none_or(|actual| *actual == Json::Null),
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::MatchesRegex => match (actual, &self.pattern) {
                (Some(Json::Text(actual)), Some(pattern)) => pattern.is_match(actual),
                _ => false,
            },
        }
    }
}

fn pattern(written: &str, field: &str) -> Result<Regex, RuleProblem> {
    let refused = || RuleProblem::InvalidPattern { field: field.into() };
    if written.len() > PATTERN_MAX {
        return Err(refused());
    }
    let built = RegexBuilder::new(written)
        .size_limit(PATTERN_MEMORY_MAX)
        .dfa_size_limit(PATTERN_MEMORY_MAX)
        .nest_limit(16)
        .build();
    built.ok().ok_or_else(refused)
}
