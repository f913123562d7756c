//! What is a Policy Rule?

mod enforcement;
mod proposal;
mod rule;

use crate::wire::wire_enum;

pub use self::enforcement::Enforcement;
pub use self::proposal::{
    PREVENTION_CONFIDENCE, Prevention, PreventionOutcome, Proposal, ProposalStatus, ProposalType, ProposedBy,
    Provenance, Review,
};
pub use self::rule::{Definition, Retirement, Rule};

wire_enum! {
    /// Whose requests a Policy Rule applies to.
    RuleScope {
        /// Everyone on the installation; set by operators only.
        Global,
        /// The whole tenant.
        Tenant,
        /// One project of the tenant.
        Project,
        /// One agent of the tenant.
        Agent,
    }
}

impl RuleScope {
    /// Whether it needs the name of a project or an agent.
    pub const fn is_named(self) -> bool {
        matches!(self, Self::Project | Self::Agent)
    }
}

wire_enum! {
    /// What happens when a Policy Rule matches. Declared from mild to severe: of several matches the last decides.
    EnforcementMode {
        /// Count what it would have done, and tell.
        DryRun,
        /// Let it pass and record it.
        Log,
        /// Let it pass and say so in the answer.
        Warn,
        /// Refuse.
        Block,
    }
}

impl EnforcementMode {
    /// Whether a match refuses.
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Block)
    }

    /// What is recorded for a match.
    pub const fn action(self) -> EnforcementAction {
        match self {
            Self::DryRun => EnforcementAction::DryRun,
            Self::Log => EnforcementAction::Logged,
            Self::Warn => EnforcementAction::Warned,
            Self::Block => EnforcementAction::Blocked,
        }
    }
}

wire_enum! {
    /// What was done because a Policy Rule matched.
    EnforcementAction {
        /// The request was refused, or its answer was.
        Blocked,
        /// It passed, and the answer said so.
        Warned,
        /// It passed.
        Logged,
        /// It passed; the rule is being tried.
        DryRun,
    }
}

wire_enum! {
    /// Whether a Policy Rule applies. What is only proposed is a [`Proposal`].
    RuleStatus {
        /// It applies.
        Active,
        /// It is kept for the record, for good.
        Retired,
    }
}

wire_enum! {
    /// What a Policy Rule judges by.
    RuleType {
        /// Its condition.
        Condition,
        /// Personal data and keys.
        PiiFilter,
        /// Words of harm.
        SafetyBasic,
        /// Statements about what nobody knows.
        ContentAccuracy,
        /// Attempts to take over the model.
        PromptInjection,
    }
}

impl RuleType {
    /// Whether it needs a condition. All others match what their evaluator finds, and a condition narrows that down.
    pub const fn needs_condition(self) -> bool {
        matches!(self, Self::Condition)
    }

    /// Whether it can be judged there: statements are made in answers only.
    pub const fn fits(self, stage: Stage) -> bool {
        !matches!((self, stage), (Self::ContentAccuracy, Stage::Input))
    }
}

wire_enum! {
    /// Who made a Policy Rule.
    RuleSource {
        /// A person.
        Manual,
        /// The installation.
        System,
        /// The loop: it was born of an Incident.
        Learned,
    }
}

wire_enum! {
    /// When a Policy Rule is judged.
    Stage {
        /// Before the provider is called.
        Input,
        /// On its answer.
        Output,
    }
}

wire_enum! {
    /// What happens when a rule that is judged on answers finds something in a stream.
    OnStream {
        /// The stream ends with the sentence before the one in which it was found (BLOCK rules only).
        Block,
        /// The stream goes on, and its end says what was found.
        Annotate,
    }
}

#[cfg(test)]
mod tests;
