//! What is each word of the contract called?
//!
//! A word that is added to one of these enums has no label, and this does not compile.

use model::incident::{CauseType, IncidentCategory, IncidentLifecycle};
use model::integrity::IntegrityStatus;
use model::limit::{Enforcement, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::policy::{EnforcementMode, RuleScope, RuleStatus, RuleType};
use model::run::{RunState, RunStatus};
use model::severity::Severity;
use model::window::ResetPeriod;
use strum::IntoEnumIterator;

use super::WordView;

/// Every word of an enum with its label, in the order of the enum.
fn all<T: IntoEnumIterator + Into<&'static str> + Copy>(label: fn(T) -> &'static str) -> Vec<WordView> {
    let words = T::iter().map(|word| WordView {
        word: word.into(),
        label: label(word),
    });
    words.collect()
}

/// The consoles have words of their own for it.
pub(super) fn severity() -> Vec<WordView> {
    let label = |severity: Severity| match severity {
        Severity::Sev1 => "Critical",
        Severity::Sev2 => "High",
        Severity::Sev3 => "Medium",
        Severity::Sev4 => "Low",
    };
    let words = Severity::iter().map(|severity| WordView {
        word: severity.word(),
        label: label(severity),
    });
    words.collect()
}

pub(super) fn lifecycle() -> Vec<WordView> {
    all(|word| match word {
        IncidentLifecycle::Active => "Active",
        IncidentLifecycle::Acked => "Acknowledged",
        IncidentLifecycle::Resolved => "Resolved",
    })
}

pub(super) fn category() -> Vec<WordView> {
    all(|word| match word {
        IncidentCategory::ExecutionFailure => "LLM Run Failure",
        IncidentCategory::BudgetExceeded => "Budget exceeded",
        IncidentCategory::RateLimit => "Rate Limit",
        IncidentCategory::ResourceExhaustion => "Resource Exhaustion",
        IncidentCategory::PolicyViolation => "Policy Rule Violation",
        IncidentCategory::Manual => "Stopped by Hand",
        IncidentCategory::CostAnomaly => "Unusual Cost",
    })
}

pub(super) fn cause_type() -> Vec<WordView> {
    all(|word| match word {
        CauseType::LlmRun => "LLM Run",
        CauseType::System => "System",
        CauseType::Human => "Person",
    })
}

pub(super) fn rule_type() -> Vec<WordView> {
    all(|word| match word {
        RuleType::Condition => "Condition",
        RuleType::PiiFilter => "Personal Data",
        RuleType::SafetyBasic => "Safety",
        RuleType::ContentAccuracy => "Content Accuracy",
        RuleType::PromptInjection => "Prompt Injection",
    })
}

pub(super) fn rule_scope() -> Vec<WordView> {
    all(|word| match word {
        RuleScope::Global => "Global",
        RuleScope::Tenant => "Tenant",
        RuleScope::Project => "Project",
        RuleScope::Agent => "Agent",
    })
}

pub(super) fn enforcement_mode() -> Vec<WordView> {
    all(|word| match word {
        EnforcementMode::DryRun => "Dry-run",
        EnforcementMode::Log => "Log",
        EnforcementMode::Warn => "Warn",
        EnforcementMode::Block => "Block",
    })
}

pub(super) fn rule_status() -> Vec<WordView> {
    all(|word| match word {
        RuleStatus::Active => "Active",
        RuleStatus::Retired => "Retired",
    })
}

pub(super) fn integrity_status() -> Vec<WordView> {
    all(|word| match word {
        IntegrityStatus::Verified => "Verified",
        IntegrityStatus::Degraded => "Degraded",
        IntegrityStatus::Failed => "Failed",
    })
}

pub(super) fn limit_category() -> Vec<WordView> {
    all(|word| match word {
        LimitCategory::Budget => "Budget Limit",
        LimitCategory::Rate => "Rate Limit",
        LimitCategory::Threshold => "Threshold Limit",
    })
}

pub(super) fn limit_type() -> Vec<WordView> {
    all(|word| match word {
        LimitType::CostUsd => "Cost (USD)",
        LimitType::TokensTotal => "Tokens",
        LimitType::TokensInput => "Input Tokens",
        LimitType::TokensOutput => "Output Tokens",
        LimitType::RequestsTotal => "Requests",
        LimitType::ConcurrentRuns => "LLM Runs at One Time",
        LimitType::RequestsPerSecond => "Requests per Second",
        LimitType::RequestsPerMinute => "Requests per Minute",
        LimitType::RequestsPerHour => "Requests per Hour",
        LimitType::TokensPerMinute => "Tokens per Minute",
        LimitType::TokensPerHour => "Tokens per Hour",
        LimitType::TokensPerRun => "Tokens per LLM Run",
        LimitType::CostUsdPerRun => "Cost (USD) per LLM Run",
        LimitType::LatencyMs => "Latency (ms)",
        LimitType::DurationMs => "Duration (ms)",
        LimitType::RetryCount => "Retries",
        LimitType::ErrorRatePct => "Error Rate (%)",
    })
}

pub(super) fn limit_scope() -> Vec<WordView> {
    all(|word| match word {
        LimitScope::Global => "Global",
        LimitScope::Tenant => "Tenant",
        LimitScope::Project => "Project",
        LimitScope::Agent => "Agent",
        LimitScope::Provider => "Provider",
    })
}

pub(super) fn enforcement() -> Vec<WordView> {
    all(|word| match word {
        Enforcement::Alert => "Notify",
        Enforcement::Warn => "Warn",
        Enforcement::Degrade => "Degrade",
        Enforcement::Queue => "Queue",
        Enforcement::Block => "Block",
        Enforcement::Reject => "Reject",
    })
}

pub(super) fn limit_status() -> Vec<WordView> {
    all(|word| match word {
        LimitStatus::Active => "Active",
        LimitStatus::Disabled => "Disabled",
    })
}

pub(super) fn reset_period() -> Vec<WordView> {
    all(|word| match word {
        ResetPeriod::Daily => "Daily",
        ResetPeriod::Weekly => "Weekly",
        ResetPeriod::Monthly => "Monthly",
        ResetPeriod::None => "Never",
    })
}

pub(super) fn run_status() -> Vec<WordView> {
    all(|word| match word {
        RunStatus::Queued => "Queued",
        RunStatus::Running => "Running",
        RunStatus::Retry => "Waiting to Retry",
        RunStatus::Succeeded => "Succeeded",
        RunStatus::Failed => "Failed",
        RunStatus::Aborted => "Aborted",
        RunStatus::Halted => "Halted",
        RunStatus::Crashed => "Crashed",
        RunStatus::Blocked => "Blocked",
    })
}

pub(super) fn run_state() -> Vec<WordView> {
    all(|word| match word {
        RunState::Live => "Live",
        RunState::Completed => "Completed",
    })
}
