//! Is what somebody wants as a Policy Rule one?

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use model::policy::{Definition, RuleType};
use model::text::is_hidden;

use super::condition::{Compiled, Problem, compile};
use super::context::Context;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Which field, in the words of the API.
    pub field: &'static str,
    /// What it should be.
    pub detail: String,
    /// The problem and its place, if the field is the condition and it does not compile.
    pub condition: Option<Problem>,
}

/// The compiled condition of a definition, if it has one, or everything that is wrong with the definition.
///
/// # Errors
/// All problems at once, in the order of the fields.
pub fn validate(definition: &Definition) -> Result<Option<Compiled>, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut wrong = |field, detail: &str| {
        problems.push(FieldProblem {
            field,
            detail: detail.to_string(),
            condition: None,
        });
    };
    let length = definition.name.trim().chars().count();
    if length == 0 || length > 256 || definition.name.chars().any(is_hidden) {
        wrong("name", "1 to 256 characters, none of them invisible");
    }
    let description = definition.description.as_ref();
    if description.is_some_and(|text| text.chars().count() > 1024 || text.contains('\0')) {
        wrong("description", "at most 1024 characters");
    }
    if !definition.rule_type.fits(definition.stage) {
        wrong("stage", "a CONTENT_ACCURACY rule judges answers: OUTPUT");
    }
    if definition.rule_type == RuleType::Condition && definition.condition.is_none() {
        wrong("condition", "a CONDITION rule needs one");
    }
    if definition.scope.is_named() != definition.scope_id.is_some() {
        wrong("scope_id", "needed for PROJECT and AGENT, and for nothing else");
    }
    let scope_id = definition.scope_id.as_ref();
    if scope_id.is_some_and(|id| id.parse::<model::id::Slug>().is_err()) {
        wrong(
            "scope_id",
            "1 to 64 characters out of letters, digits, `.`, `_` and `-`",
        );
    }
    let compiled = definition.condition.as_deref().map(compile).transpose();
    let compiled = compiled.unwrap_or_else(|found| {
        problems.extend(found.into_iter().map(|problem| FieldProblem {
            field: "condition",
            detail: problem.message.clone(),
            condition: Some(problem),
        }));
        None
    });
    if problems.is_empty() {
        Ok(compiled)
    } else {
        Err(problems)
    }
}

/// Whether a rule would refuse whatever its owner asks for: one of the whole tenant or installation whose condition asks
/// about nothing and does not fail to hold. A condition that cannot be judged refuses too.
pub fn refuses_everything(definition: &Definition, condition: Option<&Compiled>) -> bool {
    let whole = definition.rule_type == RuleType::Condition && !definition.scope.is_named();
    let always = |condition: &Compiled| {
        condition.asks_nothing() && !matches!(condition.holds(&Context::default()), Ok(false))
    };
    whole && definition.mode.refuses() && condition.is_some_and(always)
}

#[cfg(test)]
mod tests {
    use model::permille::Permille;
    use model::policy::{EnforcementMode, OnStream, RuleScope, Stage};

    use super::*;

    fn definition() -> Definition {
        Definition {
            name: "no shells".to_string(),
            description: None,
            rule_type: RuleType::Condition,
            stage: Stage::Input,
            condition: Some("'shell' in tools".to_string()),
            min_confidence: Permille::new(600),
            scope: RuleScope::Tenant,
            scope_id: None,
            mode: EnforcementMode::Block,
            on_stream: OnStream::Block,
        }
    }

    #[test]
    fn every_problem_of_a_definition_is_named() {
        assert!(validate(&definition()).is_ok_and(|compiled| compiled.is_some()));
        let bad = Definition {
            name: "\u{200b}".to_string(),
            description: Some("x".repeat(1025)),
            rule_type: RuleType::ContentAccuracy,
            condition: Some("tool == 1".to_string()),
            scope: RuleScope::Agent,
            ..definition()
        };
        let problems = validate(&bad).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["name", "description", "stage", "scope_id", "condition"]);
        assert!(problems.last().is_some_and(|last| last.condition.is_some()));
    }

    #[test]
    fn a_block_rule_of_everybody_that_asks_about_nothing_refuses_everything() {
        let said = |source: &str| Definition {
            condition: Some(source.to_string()),
            ..definition()
        };
        let refuses = |of: &Definition| refuses_everything(of, validate(of).unwrap().as_ref());
        for everything in ["true", "1 < 2", "'a' in ['a']", "1 / 0 == 1"] {
            assert!(refuses(&said(everything)), "{everything}");
        }
        for something in ["false", "1 > 2", "run.stream", "'shell' in tools"] {
            assert!(!refuses(&said(something)), "{something}");
        }
        let tried = Definition {
            mode: EnforcementMode::DryRun,
            ..said("true")
        };
        let agent = Definition {
            scope: RuleScope::Agent,
            scope_id: Some("crawler".to_string()),
            ..said("true")
        };
        let filter = Definition {
            rule_type: RuleType::PiiFilter,
            ..said("true")
        };
        assert!(!refuses(&tried) && !refuses(&agent) && !refuses(&filter));
    }

    #[test]
    fn a_condition_is_needed_by_condition_rules_only() {
        let without = |rule_type| Definition {
            rule_type,
            condition: None,
            ..definition()
        };
        assert!(validate(&without(RuleType::PiiFilter)).is_ok_and(|compiled| compiled.is_none()));
        assert_eq!(
            validate(&without(RuleType::Condition)).unwrap_err()[0].field,
            "condition"
        );
        let named = Definition {
            scope_id: Some("a b".to_string()),
            ..definition()
        };
        let fields: Vec<_> = validate(&named).unwrap_err().iter().map(|it| it.field).collect();
        assert_eq!(fields, ["scope_id", "scope_id"]);
    }
}
