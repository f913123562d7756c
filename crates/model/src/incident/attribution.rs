//! What is an Incident put down to?

use alloc::string::String;

use crate::wire::wire_enum;

wire_enum! {
    /// What an Incident is put down to. There is no word for not knowing: see `domain::attribution`.
    Attribution {
        /// The model said what is not so.
        ModelHallucination,
        /// Several Policy Rules spoke about one call.
        PolicyConflict,
        /// What the call refers to was not there.
        ContextMissing,
        /// The provider, or what lies between, did not answer or answered with a failure.
        InfraTimeout,
        /// Money ran out.
        BudgetExceeded,
        /// Somebody asked for what may not be asked.
        UserMisuse,
    }
}

/// What an Incident is put down to, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attributed {
    /// What.
    pub to: Attribution,
    /// The rule that said so: the first one that matched.
    pub rule: String,
    /// Its version.
    pub rule_version: i64,
}
