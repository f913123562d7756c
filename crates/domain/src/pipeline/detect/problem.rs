//! Why can a rule not be loaded?

use alloc::string::String;

use model::detection::CONDITIONS_MAX;
use model::versioned::Versioned;

/// Why a rule cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule {rule} cannot be loaded: {problem}")]
pub struct RuleError {
    /// Which rule.
    pub rule: Versioned,
    /// What is wrong with it.
    pub problem: RuleProblem,
}

/// What can be wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// A text that people read is empty.
    #[error("`{field}` is empty")]
    EmptyText {
        /// Which.
        field: String,
    },
    /// Its trace could not show all of them.
    #[error("it has more than {CONDITIONS_MAX} conditions")]
    TooManyConditions,
    /// Two conditions have one name.
    #[error("two conditions are called `{condition_id}`")]
    TwoConditions {
        /// Which.
        condition_id: String,
    },
    /// A condition compares with what its operator cannot.
    #[error("`{field}` is compared with something else than {expected}")]
    WrongValue {
        /// Which field it looks at.
        field: String,
        /// What the operator compares with.
        expected: &'static str,
    },
    /// A pattern is none, or takes too much memory.
    #[error("the pattern for `{field}` is not valid or too large")]
    InvalidPattern {
        /// Which field it looks at.
        field: String,
    },
    /// Nobody says why a number is the right one.
    #[error("nothing justifies {threshold} for `{field}`")]
    Unjustified {
        /// Which field is compared.
        field: String,
        /// With what.
        threshold: i64,
    },
    /// There is another version of it among the rules.
    #[error("there is another version of it")]
    TwoVersions,
}
