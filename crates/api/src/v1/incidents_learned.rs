//! `/api/v1/incidents`: what can be learned from them.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::learnings::{InsightView, LearningsView, ResolutionSummaryView, SimilarIncidentView};
use adapters::customer::patterns::{
    Counted, FailuresView, PatternView, PatternsView, RecurringFailureView, RecurringGroupView,
    RecurringView, named, per_day,
};
use adapters::number::Thousandths;
use adapters::problem::Problem;
use model::id::IncidentId;
use serde::Deserialize;
use services::incidents::learnings::{Insight, Learnings, WINDOW_DAYS, learnings as read_learnings};
use services::incidents::patterns::{Failures, Pattern, patterns as read_patterns};
use services::incidents::recurring::{Asked, ComesBack, Group, recurring as read_recurring};
use utoipa::IntoParams;

use super::incidents::incident_error;
use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// What to look at.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatternsQuery {
    /// The hours to look back over: 1 to 168, default 24.
    #[param(value_type = Option<u32>)]
    window_hours: Option<String>,
    /// The most of each kind: 1 to 50, default 10.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecurringQuery {
    /// The days to look back over: 1 to 90, default 30.
    #[param(value_type = Option<u32>)]
    baseline_days: Option<String>,
    /// How often it has to have happened: 2 to 1000, default 3.
    #[param(value_type = Option<u32>)]
    recurrence_threshold: Option<String>,
    /// The most of each kind: 1 to 100, default 20.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

/// A number within bounds.
fn number(name: &str, text: Option<&str>, (least, most, default): (u16, u16, u16)) -> Result<u16, ApiError> {
    let Some(text) = text else { return Ok(default) };
    let number: Option<u16> = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| ApiError::parameter(name, &format!("must be {least} to {most}")))
}

fn pattern(of: &Pattern) -> PatternView {
    PatternView {
        pattern_type: of.pattern_type.as_str(),
        category: of.category.map(model::incident::IncidentCategory::as_str),
        severity: of.severity.map(model::severity::Severity::word),
        llm_run_id: of.run.map(|run| run.to_string()),
        count: of.incidents.len(),
        confidence: Thousandths(of.confidence),
        first_seen_at: of.first_at,
        last_seen_at: of.last_at,
        cost_cents: of.cost.to_cents_half_up(),
        cost_nano_usd: of.cost.0.to_string(),
        incident_ids: named(&of.incidents),
    }
}

fn failures(of: &Failures) -> FailuresView {
    let counted = Counted {
        signature_id: of.signature.to_string(),
        counts: (of.incidents, of.open),
        seen: (of.first_at, of.last_at),
        cost: of.cost,
        rule_id: of.rule.map(|rule| rule.to_string()),
    };
    FailuresView::of(counted, &of.latest)
}

/// What Incidents have in common
#[utoipa::path(get, path = "/api/v1/incidents/patterns", operation_id = "incident_patterns", tag = "Incidents",
    params(PatternsQuery),
    responses((status = 200, description = "Of the last hours; at most the 5,000 newest are looked at", body = PatternsView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn patterns(
    actor: ReadActor,
    state: Data<State>,
    query: Query<PatternsQuery>,
) -> Result<HttpResponse, ApiError> {
    let hours = i64::from(number(
        "window_hours",
        query.window_hours.as_deref(),
        (1, 168, 24),
    )?);
    let most = number("limit", query.limit.as_deref(), (1, 50, 10))?;
    let found = read_patterns(&state.cx, actor.0.tenant_id(), hours, most.into()).await?;
    Ok(HttpResponse::Ok().json(PatternsView {
        window_hours: hours,
        patterns: found.patterns.iter().map(pattern).collect(),
        failures: found.failures.iter().map(failures).collect(),
        incidents_examined: found.looked_at,
        complete: !found.is_cut,
        generated_at: found.at,
    }))
}

fn group(of: &Group, days: i64) -> RecurringGroupView {
    RecurringGroupView {
        category: of.category.as_str(),
        resolution_method: of.method.map(model::incident::ResolutionMethod::as_str),
        total: of.total,
        distinct_days: of.distinct_days,
        occurrences_per_day: per_day(of.total, days),
        first_occurrence: of.first_at,
        last_occurrence: of.last_at,
        recent_incident_ids: named(&of.recent),
    }
}

fn comes_back(of: &ComesBack) -> RecurringFailureView {
    RecurringFailureView {
        signature_id: of.signature.to_string(),
        total: of.total,
        times_resolved: of.times_over,
        times_come_back: of.times_back,
        first_occurrence: of.first_at,
        last_occurrence: of.last_at,
        cost_cents: of.cost.to_cents_half_up(),
        cost_nano_usd: of.cost.0.to_string(),
        answered_by_rule_id: of.rule.map(|rule| rule.to_string()),
        recent_incident_ids: named(&of.recent),
    }
}

/// Which Incidents come back
#[utoipa::path(get, path = "/api/v1/incidents/recurring", operation_id = "recurring_incidents", tag = "Incidents",
    params(RecurringQuery),
    responses((status = 200, description = "Of the last days; at most the 5,000 newest are looked at", body = RecurringView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn recurring(
    actor: ReadActor,
    state: Data<State>,
    query: Query<RecurringQuery>,
) -> Result<HttpResponse, ApiError> {
    let days = i64::from(number(
        "baseline_days",
        query.baseline_days.as_deref(),
        (1, 90, 30),
    )?);
    let threshold = query.recurrence_threshold.as_deref();
    let threshold = usize::from(number("recurrence_threshold", threshold, (2, 1_000, 3))?);
    let most = usize::from(number("limit", query.limit.as_deref(), (1, 100, 20))?);
    let asked = Asked {
        days,
        threshold,
        most,
    };
    let found = read_recurring(&state.cx, actor.0.tenant_id(), asked).await?;
    Ok(HttpResponse::Ok().json(RecurringView {
        baseline_days: days,
        recurrence_threshold: threshold,
        items: found.groups.iter().map(|of| group(of, days)).collect(),
        failures: found.failures.iter().map(comes_back).collect(),
        incidents_examined: found.looked_at,
        complete: !found.is_cut,
        generated_at: found.at,
    }))
}

/// What was learned, in words; `of` is how many Incidents are like it.
fn words(insight: &Insight, of: usize) -> String {
    match insight {
        Insight::Prevented(rule) => format!("Policy Rule {rule} refuses this failure before it runs."),
        Insight::Proposed(proposal) => {
            format!("Proposal {proposal} for a Policy Rule against this failure waits to be reviewed.")
        }
        Insight::SameMethod(method, same) => {
            format!(
                "{same} of {of} similar Incidents were resolved by the same method: {}.",
                method.as_str()
            )
        }
        Insight::TriedAgain(again) => {
            format!("In {again} of {of} similar Incidents an LLM Run tried again what had failed.")
        }
        Insight::TimeToResolution(ms) => {
            format!(
                "Similar Incidents were over after {} seconds on average.",
                ms / 1_000
            )
        }
        Insight::MostAreResolved(over) => format!("{over} of {of} similar Incidents are resolved."),
        Insight::FewAreResolved(over) => format!("Only {over} of {of} similar Incidents are resolved."),
    }
}

fn learned(of: Learnings) -> LearningsView {
    let known = of.similar.len();
    let insights = of.learned.into_iter().map(|learned| InsightView {
        insight_type: learned.insight.insight_type().as_str(),
        description: words(&learned.insight, known),
        confidence: Thousandths(learned.confidence),
        supporting_incident_ids: named(&learned.from),
    });
    let insights = insights.collect();
    let similar = of.similar.into_iter();
    let similar =
        similar.map(|one| SimilarIncidentView::of(one.similarity, one.incident, one.is_tried_again));
    LearningsView {
        incident_id: of.incident.id.to_string(),
        resolution_summary: ResolutionSummaryView::of(&of.incident, of.is_tried_again),
        similar_incidents: similar.collect(),
        insights,
        window_days: WINDOW_DAYS,
        complete: !of.is_cut,
        generated_at: of.at,
    }
}

/// What can be learned from an Incident
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}/learnings", operation_id = "incident_learnings",
    tag = "Incidents", params(("incident_id" = String, Path)),
    responses((status = 200, description = "How it ended, and what those that are like it say", body = LearningsView),
              (status = 404, description = "There is no such Incident", body = Problem)))]
pub(crate) async fn learnings(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: IncidentId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = read_learnings(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(incident_error)?;
    Ok(HttpResponse::Ok().json(learned(found)))
}
