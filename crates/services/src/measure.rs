//! What does the process count about its traffic?
//!
//! Every label is a word of ours or a name from the configuration, never a text of a client or of a provider: what
//! they send would make as many series as they like.

use std::sync::Arc;
use std::time::Duration;

use metrics::SharedString;
use model::amounts::Amounts;
use model::authority::AuthorityType;
use model::decision::Outcome;
use model::limit::{Consequence, LimitType};
use model::money::NanoUsd;
use model::promotion::Verdict;
use model::run::{Operation, Run, RunStatus};
use model::webhook::DeliveryStatus;

/// The codes of failures that are ours to choose.
const OWN_CODES: [&str; 7] = [
    "upstream_credential_rejected",
    "upstream_error",
    "upstream_incomplete",
    "upstream_malformed",
    "upstream_timeout",
    "upstream_too_large",
    "upstream_unreachable",
];

/// A provider said that it failed, in words of its own and under a status of success.
const REPORTED: &str = "upstream_reported";

/// A request was decided upon and, if it may run, held.
pub(crate) fn decided(outcome: Outcome) {
    metrics::counter!("plimsoll_limit_decisions_total", "outcome" => outcome.as_str()).increment(1);
}

/// What the pipeline has made of what was noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Signals that nobody had told of.
    pub signals: u64,
    /// What rules have found in them.
    pub detections: u64,
    /// What the gate let through, and so on: each is of one candidate.
    pub promoted: u64,
    /// What waits for a person.
    pub deferred: u64,
    /// What it did not let through.
    pub rejected: u64,
}

impl Counted {
    /// The gate has spoken about a candidate.
    pub(crate) fn decided(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Promote => self.promoted += 1,
            Verdict::Defer => self.deferred += 1,
            Verdict::Reject => self.rejected += 1,
        }
    }
}

/// The pipeline has made something of what was noticed, and that is committed.
pub(crate) fn pipeline(made: &Counted) {
    metrics::counter!("plimsoll_pipeline_signals_total").increment(made.signals);
    metrics::counter!("plimsoll_pipeline_detections_total").increment(made.detections);
    let candidates = made.promoted + made.deferred + made.rejected;
    metrics::counter!("plimsoll_pipeline_candidates_total").increment(candidates);
    for (decision, times) in [
        (Verdict::Promote, made.promoted),
        (Verdict::Defer, made.deferred),
        (Verdict::Reject, made.rejected),
    ] {
        metrics::counter!("plimsoll_pipeline_decisions_total", "decision" => decision.as_str())
            .increment(times);
    }
}

/// A signed request was looked at.
pub(crate) fn signature(outcome: &'static str) {
    metrics::counter!("plimsoll_signatures_total", "outcome" => outcome).increment(1);
}

/// An Incident came to be; the severity is a word of ours.
pub(crate) fn incident_created(severity: String) {
    metrics::counter!("plimsoll_incidents_created_total", "severity" => severity).increment(1);
}

/// An Incident went on to another state; all of it are words of ours.
pub(crate) fn incident_transition(from: String, to: String, authority: String) {
    metrics::counter!("plimsoll_incident_transitions_total", "from" => from, "to" => to, "authority" => authority)
        .increment(1);
}

/// Somebody wanted to change an Incident; how long that took, and whether it was changed.
pub(crate) fn incident_changed(took: Duration, is_changed: bool) {
    let result = if is_changed { "ok" } else { "refused" };
    metrics::histogram!("plimsoll_incident_transition_seconds", "result" => result)
        .record(took.as_secs_f64());
}

/// Something was done by this authority, and is committed: what broke the glass is counted.
pub(crate) fn done_by(authority: AuthorityType, action: &'static str) {
    if authority == AuthorityType::EmergencyOverride {
        metrics::counter!("plimsoll_emergency_overrides_total", "action" => action).increment(1);
    }
}

/// A message was tried: it has arrived, is tried again, or was given up.
pub(crate) fn delivery(status: DeliveryStatus) {
    let outcome = match status {
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Pending => "failed",
        DeliveryStatus::Dead => "dead",
    };
    metrics::counter!("plimsoll_webhook_deliveries_total", "outcome" => outcome).increment(1);
}

/// A principal did something too often.
pub(crate) fn rate_limited(authority: AuthorityType, mutation: bool) {
    let class = if mutation { "mutation" } else { "read" };
    metrics::counter!("plimsoll_principals_limited_total", "authority" => authority.as_str(), "class" => class)
        .increment(1);
}

/// The Policy Rules have judged a request or an answer, and passed over the `skipped` ones.
pub(crate) fn judged(outcome: Outcome, skipped: usize) {
    metrics::counter!("plimsoll_policy_decisions_total", "outcome" => outcome.as_str()).increment(1);
    let broken = u64::try_from(skipped).unwrap_or(u64::MAX);
    if broken > 0 {
        metrics::counter!("plimsoll_policy_rules_skipped_total").increment(broken);
    }
}

/// An LLM Run, or the share of them that fails, was found to be over a threshold.
pub(crate) fn passed(limit_type: LimitType, consequence: Consequence) {
    metrics::counter!("plimsoll_thresholds_passed_total", "type" => limit_type.as_str(),
        "consequence" => consequence.as_str())
    .increment(1);
}

/// One more request waits for room under a QUEUE limit.
pub(crate) fn waits() {
    metrics::gauge!("plimsoll_requests_waiting").increment(1.0);
}

/// One request waits no more.
pub(crate) fn waits_no_more() {
    metrics::gauge!("plimsoll_requests_waiting").decrement(1.0);
}

/// A request has waited for room: `served`, `timeout` (none came in time), or `left` (its client did).
pub(crate) fn waited(outcome: &'static str) {
    metrics::counter!("plimsoll_queue_waits_total", "outcome" => outcome).increment(1);
}

/// The number of requests whose books are open has changed.
pub(crate) fn in_flight(change: f64) {
    metrics::gauge!("plimsoll_requests_in_flight").increment(change);
}

/// A limit or a Policy Rule refused an LLM Run.
pub(crate) fn blocked(provider: &str, operation: Operation) {
    run_ended(&shared(provider), operation, RunStatus::Blocked);
}

/// An LLM Run has ended; `used` and `cost` are what is settled.
pub(crate) fn ended(provider: &str, run: &Run, used: Option<Amounts>, cost: Option<NanoUsd>) {
    let provider = shared(provider);
    run_ended(&provider, run.operation, run.status);
    if let Some(used) = used {
        for (kind, tokens) in [("input", used.input_tokens), ("output", used.output_tokens)] {
            let tokens = u64::try_from(tokens).unwrap_or(0);
            metrics::counter!("plimsoll_llm_tokens_total", "provider" => provider.clone(), "type" => kind)
                .increment(tokens);
        }
    }
    if let Some(cost) = cost {
        // Counters are whole numbers, so that money is exact here too; the page of metrics shows it in USD.
        let nano = u64::try_from(cost.0).unwrap_or(0);
        metrics::counter!("plimsoll_llm_cost_nano_usd_total", "provider" => provider.clone()).increment(nano);
    }
    if run.status == RunStatus::Failed {
        let code = failure(run);
        metrics::counter!("plimsoll_upstream_errors_total", "provider" => provider, "code" => code)
            .increment(1);
    }
}

fn run_ended(provider: &SharedString, operation: Operation, status: RunStatus) {
    metrics::counter!("plimsoll_llm_runs_total", "provider" => provider.clone(),
        "operation" => operation.as_str(), "status" => status.as_str())
    .increment(1);
}

/// What went wrong, in one of a bounded number of words.
fn failure(run: &Run) -> SharedString {
    let code = run.error_code.as_deref().unwrap_or_default();
    match (OWN_CODES.iter().find(|own| **own == code), run.http_status) {
        (Some(own), _) => SharedString::const_str(own),
        (None, Some(status @ 300..=599)) => format!("upstream_status_{status}").into(),
        (None, _) => SharedString::const_str(REPORTED),
    }
}

/// A label that is written down once for all series of a run.
fn shared(provider: &str) -> SharedString {
    Arc::<str>::from(provider).into()
}
