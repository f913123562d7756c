//! How is it shown what is on record of an LLM Run?

use model::hold::Hold;
use model::run::{LogGap, Run};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::runs::{CostRecordView, RunView};

/// What is on record of an LLM Run: facts, and never what was asked or answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunLogsView {
    /// Which LLM Run.
    pub run_id: String,
    /// The id that joins everything that happened for the request.
    pub request_id: String,
    /// The LLM Run itself.
    pub llm_run: RunView,
    /// What was decided about it, oldest first.
    pub decisions: Vec<DecisionView>,
    /// What was set aside for it; null if it was refused.
    pub hold: Option<HoldLogView>,
    /// How often the provider was called; null while that may still change.
    pub upstream_attempts: Option<u32>,
    /// What it cost, oldest first.
    pub cost_records: Vec<CostRecordView>,
    /// What Policy Rules did about it, oldest first.
    pub enforcements: Vec<EnforcementView>,
    /// Which Limits it hit, oldest first.
    pub breaches: Vec<HitView>,
    /// What went wrong; null if nothing did.
    pub error: Option<RunErrorView>,
    /// The Incidents that it has led to.
    pub incident_ids: Vec<String>,
    /// What happened for its request, oldest first, with its own beginning and end.
    pub timeline: Vec<TimelineView>,
    /// Who governed its Incidents, oldest first.
    pub audit: Vec<AuditLogView>,
    /// What is not there, and why.
    pub missing: Vec<LogGapView>,
}

/// A decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionView {
    /// Its id.
    pub decision_id: String,
    /// Which engine decided.
    pub engine: String,
    /// Which version of it.
    pub engine_version: String,
    /// ALLOW, WARN or BLOCK.
    pub outcome: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
}

/// What was set aside for an LLM Run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldLogView {
    /// Its id.
    pub hold_id: String,
    /// PENDING, SETTLED, RELEASED or EXPIRED.
    pub status: &'static str,
    /// How much money, in exact nano-USD.
    pub held_nano_usd: String,
    /// How much of it was used, once that is settled.
    pub settled_nano_usd: Option<String>,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

impl From<Hold> for HoldLogView {
    fn from(of: Hold) -> Self {
        let Hold {
            id,
            tenant: _,
            status,
            decision: _,
            run: _,
            subject: _,
            requested,
            settled,
            // It names GLOBAL limits with amounts that are nobody's business.
            items: _,
            created_at,
            expires_at,
            ended_at,
        } = of;
        Self {
            hold_id: id.to_string(),
            status: status.as_str(),
            held_nano_usd: requested.cost.0.to_string(),
            settled_nano_usd: settled.map(|settled| settled.cost.0.to_string()),
            created_at,
            expires_at,
            ended_at,
        }
    }
}

/// What a Policy Rule did about an LLM Run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnforcementView {
    /// Which Policy Rule.
    pub rule_id: String,
    /// In which version.
    pub rule_version: u32,
    /// BLOCKED, WARNED, LOGGED or `DRY_RUN`.
    pub action_taken: &'static str,
    /// INPUT or OUTPUT.
    pub stage: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub triggered_at: Timestamp,
}

/// That a Limit was hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HitView {
    /// Which Limit.
    pub limit_id: String,
    /// BREACHED, EXHAUSTED, THROTTLED or VIOLATED.
    pub breach_type: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub breached_at: Timestamp,
}

/// What went wrong with an LLM Run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunErrorView {
    /// A stable word for it.
    pub error_code: String,
    /// The HTTP status of the provider, if it answered.
    pub http_status: Option<u16>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimelineView {
    /// Its id; null for the beginning and the end of the LLM Run, which are facts of its own.
    pub event_id: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// ACTIVITY, INCIDENTS, POLICIES, LIMITS, ANALYTICS, CONNECTIVITY or LOGS.
    pub source_domain: &'static str,
    /// What, such as `run_failed` or `incident_created`.
    pub event_type: String,
    /// To which thing.
    pub entity_id: String,
    /// In words.
    pub summary: String,
}

/// That somebody governed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditLogView {
    /// Its place in the audit ledger.
    pub seq: i64,
    /// What was done, such as `IncidentCreated`.
    pub event_type: &'static str,
    /// To which thing.
    pub entity_id: String,
    /// HUMAN, SYSTEM or AGENT.
    pub actor_type: &'static str,
    /// Who; null for the installation itself.
    pub actor_id: Option<String>,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// Its hash in the chain of the ledger.
    pub hash: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What is not on record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LogGapView {
    /// CONTENT, ATTEMPTS, DECISION, HOLD, END or `TOO_MANY`.
    pub code: &'static str,
    /// What that means.
    pub detail: &'static str,
}

impl From<LogGap> for LogGapView {
    fn from(gap: LogGap) -> Self {
        Self {
            code: gap.as_str(),
            detail: match gap {
                LogGap::Content => "What was asked and answered is not kept.",
                LogGap::Attempts => {
                    "Only the number of calls of the provider is kept, not what each one said."
                }
                LogGap::Decision => "The decision that let it run or refused it is not on record any more.",
                LogGap::Hold => "What was set aside for it is not on record any more.",
                LogGap::End => "It has not ended yet.",
                LogGap::TooMany => "There is more than is shown of a kind: 200.",
            },
        }
    }
}

/// What went wrong with an LLM Run, if something did.
pub fn error(run: &Run) -> Option<RunErrorView> {
    run.error_code.clone().map(|error_code| RunErrorView {
        error_code,
        http_status: run.http_status,
    })
}

/// Puts the beginning and the end of an LLM Run where they belong among what was told. Of one instant the LLM Run is
/// first: everything else follows from it.
pub fn timeline(run: &Run, told: Vec<TimelineView>) -> Vec<TimelineView> {
    let own = |timestamp, event_type: String, summary: String| TimelineView {
        event_id: None,
        timestamp,
        source_domain: "ACTIVITY",
        event_type,
        entity_id: run.id.to_string(),
        summary,
    };
    let mut all = Vec::new();
    if run.hold.is_some() {
        all.push(own(
            run.started_at,
            "run_started".to_owned(),
            "The LLM Run was authorised".to_owned(),
        ));
    }
    if let Some(at) = run.completed_at {
        let status = run.status.as_str();
        all.push(own(
            at,
            format!("run_{status}"),
            format!("The LLM Run ended: {status}"),
        ));
    }
    all.extend(told);
    all.sort_by_key(|one| one.timestamp);
    all
}
