//! Where do the numbers of this process go?

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use infra::config::Config;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::authority::AuthorityType;
use model::decision::Outcome;
use model::incident::IncidentState;
use model::limit::{Consequence, LimitType};
use model::money::NanoUsd;
use model::severity::Severity;

/// Upper bounds in seconds: from a refusal (under a millisecond) to a long stream.
const SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];

/// Money is counted in whole nano-USD, because a counter is a whole number, and shown in USD.
const COST_COUNTED: &str = "plimsoll_llm_cost_nano_usd_total";
const COST_SHOWN: &str = "plimsoll_llm_cost_usd_total";

/// The thresholds that can be passed, and what can follow: LLM Runs that have ended cannot be cut off.
const THRESHOLDS: [(LimitType, &[Consequence]); 4] = {
    use Consequence::{Abort, Alert, Incident};
    [
        (LimitType::LatencyMs, &[Alert, Incident, Abort]),
        (LimitType::DurationMs, &[Alert, Incident, Abort]),
        (LimitType::RetryCount, &[Alert, Incident, Abort]),
        (LimitType::ErrorRatePct, &[Alert, Incident]),
    ]
};

/// Where all metrics of the process are collected.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts collecting; once per process.
    pub(crate) fn install() -> Result<Self> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .context("the buckets of the metrics cannot be set")?
            .install_recorder()
            .context("the metrics cannot be collected")?;
        describe();
        metrics::gauge!("plimsoll_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // What has not happened yet is 0 and not absent, so that a rate knows where it began.
        metrics::counter!("plimsoll_errors_not_stored_total").increment(0);
        metrics::counter!("plimsoll_holds_expired_total").increment(0);
        metrics::counter!("plimsoll_integrity_failures_total").increment(0);
        metrics::counter!("plimsoll_policy_rules_skipped_total").increment(0);
        metrics::counter!("plimsoll_incidents_opened_total").increment(0);
        metrics::counter!("plimsoll_incidents_recurred_total").increment(0);
        for result in ["clean", "broken", "failed"] {
            metrics::counter!("plimsoll_incident_replays_total", "result" => result).increment(0);
        }
        of_principals();
        of_incidents();
        of_pipeline();
        metrics::counter!("plimsoll_policy_proposals_total").increment(0);
        metrics::gauge!("plimsoll_requests_in_flight").set(0.0);
        metrics::gauge!("plimsoll_requests_waiting").set(0.0);
        for outcome in ["served", "timeout", "left"] {
            metrics::counter!("plimsoll_queue_waits_total", "outcome" => outcome).increment(0);
        }
        for outcome in [Outcome::Allow, Outcome::Warn, Outcome::Block] {
            metrics::counter!("plimsoll_limit_decisions_total", "outcome" => outcome.as_str()).increment(0);
            metrics::counter!("plimsoll_policy_decisions_total", "outcome" => outcome.as_str()).increment(0);
        }
        for (limit_type, consequences) in THRESHOLDS {
            for consequence in consequences {
                metrics::counter!("plimsoll_thresholds_passed_total", "type" => limit_type.as_str(),
                    "consequence" => consequence.as_str())
                .increment(0);
            }
        }
        Ok(Self(handle))
    }

    /// What `/metrics` answers.
    pub(crate) fn render(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        let handle = self.0.clone();
        Arc::new(move || in_usd(&handle.render()))
    }

    /// Makes room: samples that wait are put into their buckets.
    pub(crate) fn tidy(&self) {
        self.0.run_upkeep();
    }
}

/// What the pipeline from signals to Incidents counts.
fn of_pipeline() {
    use metrics::describe_counter;

    metrics::counter!("plimsoll_cost_anomalies_total").increment(0);
    metrics::counter!("plimsoll_pipeline_signals_total").increment(0);
    metrics::counter!("plimsoll_pipeline_detections_total").increment(0);
    metrics::counter!("plimsoll_pipeline_candidates_total").increment(0);
    for decision in ["PROMOTE", "DEFER", "REJECT"] {
        metrics::counter!("plimsoll_pipeline_decisions_total", "decision" => decision).increment(0);
    }
    describe_counter!(
        "plimsoll_incidents_opened_total",
        "Incidents of failed LLM Runs, of Limits that were hit and of cost anomalies"
    );
    describe_counter!("plimsoll_incidents_recurred_total", "Failures added to one");
    describe_counter!(
        "plimsoll_cost_anomalies_total",
        "Costs that are not usual or not allowed"
    );
    describe_counter!("plimsoll_pipeline_signals_total", "Signals that came in");
    describe_counter!(
        "plimsoll_pipeline_detections_total",
        "What rules found in signals"
    );
    describe_counter!(
        "plimsoll_pipeline_candidates_total",
        "Candidates that the gate was asked about"
    );
    describe_counter!(
        "plimsoll_pipeline_decisions_total",
        "What the gate said, by decision"
    );
}

/// Those of signed requests.
fn of_principals() {
    const AUTHORITIES: [AuthorityType; 4] = [
        AuthorityType::AutoEngine,
        AuthorityType::HumanOperator,
        AuthorityType::OnCallSre,
        AuthorityType::EmergencyOverride,
    ];
    for outcome in ["accepted", "refused", "replayed"] {
        metrics::counter!("plimsoll_signatures_total", "outcome" => outcome).increment(0);
    }
    for authority in AUTHORITIES.map(AuthorityType::as_str) {
        for class in ["mutation", "read"] {
            metrics::counter!("plimsoll_principals_limited_total", "authority" => authority, "class" => class)
                .increment(0);
        }
    }
}

/// Those of Incidents, of what is told of them, and of the API.
fn of_incidents() {
    use IncidentState::{Archived, Cancelled, Closed, Mitigating, Open, Pending, Resolved};
    // Who makes each of the six steps as a rule; others appear when they happen.
    const STEPS: [(IncidentState, IncidentState, AuthorityType); 6] = [
        (Pending, Open, AuthorityType::AutoEngine),
        (Open, Mitigating, AuthorityType::OnCallSre),
        (Mitigating, Resolved, AuthorityType::OnCallSre),
        (Resolved, Closed, AuthorityType::OnCallSre),
        (Open, Cancelled, AuthorityType::OnCallSre),
        (Closed, Archived, AuthorityType::AutoEngine),
    ];
    for (from, to, authority) in STEPS {
        metrics::counter!("plimsoll_incident_transitions_total", "from" => from.as_str(), "to" => to.as_str(),
            "authority" => authority.as_str())
        .increment(0);
    }
    for action in ["report", "transition", "promotion", "signal", "kill-switch"] {
        metrics::counter!("plimsoll_emergency_overrides_total", "action" => action).increment(0);
    }
    for severity in [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4] {
        metrics::counter!("plimsoll_incidents_created_total", "severity" => severity.word()).increment(0);
    }
    for result in ["ok", "refused"] {
        let _empty = metrics::histogram!("plimsoll_incident_transition_seconds", "result" => result);
    }
    for outcome in ["keyed", "hit", "conflict", "in_progress"] {
        metrics::counter!("plimsoll_idempotency_total", "outcome" => outcome).increment(0);
    }
    for outcome in ["delivered", "failed", "dead"] {
        metrics::counter!("plimsoll_webhook_deliveries_total", "outcome" => outcome).increment(0);
    }
    for code in [
        "internal-error",
        "outcome-unknown",
        "overloaded",
        "storage-full",
        "storage-unavailable",
        "timed-out",
        "KILL_SWITCH_ACTIVE",
        "SERVICE_UNAVAILABLE",
    ] {
        metrics::counter!("plimsoll_api_errors_total", "code" => code).increment(0);
    }
    metrics::gauge!("plimsoll_outbox_lag_seconds").set(0.0);
}

/// What each name means; docs/metrics.md says it at length.
fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_incidents();
    describe_counter!("http_requests_total", "Answers by route, method and status");
    describe_histogram!("http_request_duration_seconds", "Time until the answer begins");
    describe_gauge!("plimsoll_build_info", "1, with the version as a label");
    describe_counter!(
        "plimsoll_errors_not_stored_total",
        "Errors that were logged but not stored"
    );
    describe_counter!("plimsoll_holds_expired_total", "Holds that nobody ended in time");
    describe_counter!(
        "plimsoll_signatures_total",
        "Signed requests, by what became of their signatures"
    );
    describe_counter!(
        "plimsoll_principals_limited_total",
        "Requests of principals beyond the rate of their authority"
    );
    describe_counter!(
        "plimsoll_incident_replays_total",
        "Incidents made again from their events, by whether they are what those say"
    );
    describe_counter!(
        "plimsoll_policy_proposals_total",
        "Proposals that were made of failures"
    );
    describe_counter!(
        "plimsoll_integrity_failures_total",
        "Limits that were found not to match their histories"
    );
    describe_counter!(
        "plimsoll_limit_decisions_total",
        "Decisions of checks and of the gateway"
    );
    describe_counter!(
        "plimsoll_llm_runs_total",
        "LLM Runs that have ended or were refused"
    );
    describe_counter!("plimsoll_llm_tokens_total", "Tokens as settled");
    describe_counter!(COST_COUNTED, "Cost as settled");
    describe_counter!(
        "plimsoll_thresholds_passed_total",
        "Thresholds that LLM Runs have passed, by type and consequence"
    );
    describe_gauge!("plimsoll_requests_in_flight", "LLM Runs whose hold is open");
    describe_gauge!(
        "plimsoll_requests_waiting",
        "Requests that wait for room under a Limit"
    );
    describe_counter!(
        "plimsoll_queue_waits_total",
        "Requests that waited for room, by how that ended"
    );
    describe_counter!(
        "plimsoll_policy_decisions_total",
        "What Policy Rules said, by outcome"
    );
    describe_counter!(
        "plimsoll_policy_rules_skipped_total",
        "Policy Rules that could not be judged and had no effect"
    );
    describe_counter!(
        "plimsoll_upstream_errors_total",
        "LLM Runs that failed at a provider"
    );
}

/// The same of Incidents, of what is told of them, and of the API.
fn describe_incidents() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "plimsoll_incidents_created_total",
        "Incidents that came to be, by severity"
    );
    describe_counter!(
        "plimsoll_emergency_overrides_total",
        "What was done by EMERGENCY_OVERRIDE, by what it was"
    );
    describe_counter!(
        "plimsoll_incident_transitions_total",
        "Steps of Incidents from state to state, by authority"
    );
    describe_histogram!(
        "plimsoll_incident_transition_seconds",
        "How long it took to change an Incident, or to refuse that"
    );
    describe_counter!(
        "plimsoll_idempotency_total",
        "Requests with an idempotency key, and what became of the key"
    );
    describe_counter!(
        "plimsoll_api_errors_total",
        "Problems that the API has answered, by code"
    );
    describe_counter!(
        "plimsoll_webhook_deliveries_total",
        "Attempts to send a message to a webhook, by how they ended"
    );
    describe_gauge!(
        "plimsoll_outbox_lag_seconds",
        "How long the oldest message waits for its place"
    );
}

/// The page of metrics with its money in USD, digit for digit.
fn in_usd(page: &str) -> String {
    let mut shown = String::with_capacity(page.len());
    for line in page.lines() {
        let counted = line.strip_prefix(COST_COUNTED).and_then(|rest| {
            let (labels, value) = rest.rsplit_once(' ')?;
            Some((labels, NanoUsd(value.parse().ok()?)))
        });
        match counted {
            Some((labels, nano)) => {
                // Writing to a `String` cannot fail.
                write!(shown, "{COST_SHOWN}{labels} {}", nano.to_usd_string()).ok();
            }
            None => shown.push_str(&line.replace(COST_COUNTED, COST_SHOWN)),
        }
        shown.push('\n');
    }
    shown
}

/// Sets up the logs as configured.
pub(crate) fn start_logs(config: &Config) -> Result<()> {
    infra::telemetry::init(config.log.format, &config.log.level).context("the logs cannot be set up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_in_usd_to_the_last_digit_and_nothing_else_is_changed() {
        let page = "# HELP plimsoll_llm_cost_nano_usd_total Cost as settled\n\
                    # TYPE plimsoll_llm_cost_nano_usd_total counter\n\
                    plimsoll_llm_cost_nano_usd_total{provider=\"a b\"} 9007199254740993\n\n\
                    plimsoll_llm_runs_total{provider=\"a b\"} 5\n";
        let shown = "# HELP plimsoll_llm_cost_usd_total Cost as settled\n\
                     # TYPE plimsoll_llm_cost_usd_total counter\n\
                     plimsoll_llm_cost_usd_total{provider=\"a b\"} 9007199.254740993\n\n\
                     plimsoll_llm_runs_total{provider=\"a b\"} 5\n";
        assert_eq!(in_usd(page), shown);
    }
}
