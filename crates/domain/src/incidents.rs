//! Does a failed LLM Run open an Incident, and which?
//!
//! The table of failure codes says how bad a failure is and of which kind. From severity high on, a run that failed opens
//! an Incident; nothing below does, and a run that succeeded never does.

mod failure;

use alloc::format;
use alloc::string::String;

use model::id::{IncidentId, RunId, SignatureId, TenantId};
use model::incident::{CauseType, FailureCode, IncidentCategory, Signature};
use model::severity::Severity;

pub use self::failure::failure;

/// The engine's name in decision snapshots.
pub const NAME: &str = "incidents";
/// The engine's version; raised with every change of what it decides.
pub const VERSION: &str = "1";

/// The mildest severity that opens an Incident.
pub const OPENS_FROM: Severity = Severity::Sev2;

/// Everything the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct FailedRun<'a> {
    /// Whose run it was.
    pub tenant: TenantId,
    /// Which.
    pub run: RunId,
    /// How it failed, and what its request looked like.
    pub signature: &'a Signature,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Opening {
    /// Whether an Incident is opened.
    pub opens: bool,
    /// The id that it has: the same for the same run, so that a run told twice opens one.
    pub incident: IncidentId,
    /// How bad it is.
    pub severity: Severity,
    /// Of which kind.
    pub category: IncidentCategory,
    /// What people read.
    pub title: String,
    /// What caused it.
    pub cause_type: CauseType,
    /// Which failures are the same.
    pub signature: SignatureId,
    /// Which failures are the same but for the input.
    pub family: SignatureId,
}

/// Decides.
pub fn open(failed: &FailedRun<'_>) -> Opening {
    let code = failed.signature.failure.code;
    let severity = severity(code);
    Opening {
        opens: severity <= OPENS_FROM,
        incident: IncidentId::derive(failed.tenant, &format!("{}", failed.run)),
        severity,
        category: category(code),
        title: title(failed),
        cause_type: CauseType::LlmRun,
        signature: failed.signature.id(),
        family: failed.signature.family(),
    }
}

/// How bad a failure is.
pub const fn severity(code: FailureCode) -> Severity {
    match code {
        FailureCode::AgentCrash => Severity::Sev1,
        FailureCode::ExecutionTimeout | FailureCode::StepFailure | FailureCode::SkillError => Severity::Sev2,
        FailureCode::BudgetExceeded
        | FailureCode::RateLimitExceeded
        | FailureCode::ResourceExhaustion
        | FailureCode::RetryExhausted
        | FailureCode::Unknown => Severity::Sev3,
        FailureCode::Cancelled | FailureCode::ManualStop => Severity::Sev4,
    }
}

/// Of which kind a failure is.
pub const fn category(code: FailureCode) -> IncidentCategory {
    match code {
        FailureCode::ExecutionTimeout
        | FailureCode::AgentCrash
        | FailureCode::StepFailure
        | FailureCode::SkillError
        | FailureCode::RetryExhausted
        | FailureCode::Unknown => IncidentCategory::ExecutionFailure,
        FailureCode::BudgetExceeded => IncidentCategory::BudgetExceeded,
        FailureCode::RateLimitExceeded => IncidentCategory::RateLimit,
        FailureCode::ResourceExhaustion => IncidentCategory::ResourceExhaustion,
        FailureCode::Cancelled | FailureCode::ManualStop => IncidentCategory::Manual,
    }
}

/// The code that a report is about: the first one in the order of the table whose word stands in it, in any case.
pub fn code_in(report: &str) -> FailureCode {
    const CODES: [FailureCode; 10] = [
        FailureCode::ExecutionTimeout,
        FailureCode::AgentCrash,
        FailureCode::StepFailure,
        FailureCode::SkillError,
        FailureCode::BudgetExceeded,
        FailureCode::RateLimitExceeded,
        FailureCode::ResourceExhaustion,
        FailureCode::Cancelled,
        FailureCode::ManualStop,
        FailureCode::RetryExhausted,
    ];
    let report = report.to_ascii_uppercase();
    let named = CODES.into_iter().find(|code| report.contains(code.as_str()));
    named.unwrap_or(FailureCode::Unknown)
}

/// The first characters of an id that tell it from others at a glance: its prefix and eight more.
const ID_SHOWN: usize = 12;

fn title(failed: &FailedRun<'_>) -> String {
    let what = match failed.signature.failure.code {
        FailureCode::ExecutionTimeout => "Execution Timeout",
        FailureCode::AgentCrash => "Agent Crash",
        FailureCode::StepFailure => "Step Failure",
        FailureCode::SkillError => "Skill Failure",
        FailureCode::BudgetExceeded => "Budget Exceeded",
        FailureCode::RateLimitExceeded => "Rate Limit Exceeded",
        FailureCode::ResourceExhaustion => "Resource Exhaustion",
        FailureCode::Cancelled => "Cancelled",
        FailureCode::ManualStop => "Stopped by Hand",
        FailureCode::RetryExhausted => "Retries Exhausted",
        FailureCode::Unknown => "LLM Run Failed",
    };
    let run = format!("{}", failed.run);
    format!("{what}: LLM Run {}...", run.get(..ID_SHOWN).unwrap_or(&run))
}
