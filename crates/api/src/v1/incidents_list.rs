//! `/api/v1/incidents`: which Incidents there are, and what one of them cost.

use std::fmt;
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::cost_impact::{CostImpactView, Known};
use adapters::customer::incidents::{IncidentPageView, IncidentView};
use adapters::problem::Problem;
use model::id::IncidentId;
use model::incident::{CauseType, IncidentLifecycle};
use model::page::{Cursor, PageRequest};
use model::severity::Severity;
use model::time::Timestamp;
use serde::Deserialize;
use services::cursors::List;
use services::incidents::cost_impact::{CostImpact, cost_impact as read_cost_impact};
use services::incidents::{self, Shown};
use utoipa::IntoParams;

use super::incidents::incident_error;
use crate::actor::ReadActor;
use crate::paging;
use crate::problem::ApiError;
use crate::query::{Query, word};
use crate::state::State;
use crate::text;

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// ACTIVE: only those that are not over, acknowledged or not. RESOLVED: only those that are.
    topic: Option<String>,
    /// Only ACTIVE, ACKED or RESOLVED.
    lifecycle_state: Option<String>,
    /// Only `critical`, `high`, `medium` or `low`.
    severity: Option<String>,
    /// Only this category, such as `EXECUTION_FAILURE`.
    category: Option<String>,
    /// Only `LLM_RUN`, SYSTEM or HUMAN.
    cause_type: Option<String>,
    /// Only those of this agent or product feature.
    service: Option<String>,
    /// Only those opened then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<String>,
    /// Only those opened then or before.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<String>,
    /// true: those that were put away as well.
    #[param(value_type = Option<bool>)]
    include_archived: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// Where a page of Incidents ended: `<microseconds>.<Incident id>`.
struct Place(Cursor);

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once('.').ok_or(())?;
        let at_micros = micros.parse().ok().ok_or(())?;
        let id: IncidentId = id.parse().ok().ok_or(())?;
        Ok(Self(Cursor {
            at_micros,
            id: id.to_string(),
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.at_micros, self.0.id)
    }
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let wrong = || ApiError::parameter(name, "must be a time such as 2026-01-17T00:00:00Z");
    text.map(|text| text.parse().ok().ok_or_else(wrong)).transpose()
}

fn filter(query: &ListQuery) -> Result<Shown, ApiError> {
    let is_over = match query.topic.as_deref() {
        None => None,
        Some("ACTIVE") => Some(false),
        Some("RESOLVED") => Some(true),
        Some(_) => return Err(ApiError::parameter("topic", "must be one of ACTIVE, RESOLVED")),
    };
    let lifecycle: Option<IncidentLifecycle> = word(
        "lifecycle_state",
        query.lifecycle_state.as_deref(),
        "ACTIVE, ACKED, RESOLVED",
    )?;
    let severity = query.severity.as_deref().map(|text| {
        let known = Severity::of_word(text);
        known.ok_or_else(|| ApiError::parameter("severity", "must be one of critical, high, medium, low"))
    });
    let cause_type: Option<CauseType> = word(
        "cause_type",
        query.cause_type.as_deref(),
        "LLM_RUN, SYSTEM, HUMAN",
    )?;
    let created_after = time("created_after", query.created_after.as_deref())?;
    let created_before = time("created_before", query.created_before.as_deref())?;
    if created_after
        .zip(created_before)
        .is_some_and(|(after, before)| after > before)
    {
        return Err(ApiError::parameter(
            "created_after",
            "must not be after `created_before`",
        ));
    }
    text::parameter("category", query.category.as_deref())?;
    text::parameter("service", query.service.as_deref())?;
    Ok(Shown {
        // Its topic is known, and the topics have an index.
        is_over: is_over.or(lifecycle.map(|lifecycle| lifecycle == IncidentLifecycle::Resolved)),
        lifecycle,
        severity: severity.transpose()?,
        category: query.category.clone(),
        cause_type,
        service: query.service.clone(),
        created_after,
        created_before,
        with_archived: word(
            "include_archived",
            query.include_archived.as_deref(),
            "true, false",
        )?
        .unwrap_or(false),
    })
}

/// List Incidents
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "list_incidents", tag = "Incidents", params(ListQuery),
    responses((status = 200, description = "Incidents, newest first", body = IncidentPageView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let filter = filter(&query)?;
    let pages = List {
        name: "incidents",
        owner: tenant,
        filter: format!("{filter:?}"),
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let after = paging::position::<Place>(&state, &pages, query.cursor.as_deref()).await?;
    let page = PageRequest {
        limit,
        after: after.map(|Place(cursor)| cursor),
    };
    let page = incidents::visible(&state.cx, tenant, filter, page).await?;
    let next_cursor = paging::next(&state, &pages, page.next.map(Place)).await?;
    Ok(HttpResponse::Ok().json(IncidentPageView {
        items: page.items.into_iter().map(IncidentView::from).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

fn known(of: CostImpact) -> Known {
    let (total, savings) = (of.total(), of.savings);
    Known {
        incident_id: of.incident.to_string(),
        failed: (of.failed.runs, of.failed.cost),
        other: (of.other.runs, of.other.cost),
        recovery: (of.recovery.runs, of.recovery.cost),
        total: (total.runs, total.cost),
        savings: savings.cost,
        is_recovered: of.is_recovered,
        missing: of.missing,
    }
}

/// What an Incident cost
#[utoipa::path(get, path = "/api/v1/incidents/{incident_id}/cost-impact", operation_id = "incident_cost_impact",
    tag = "Incidents", params(("incident_id" = String, Path)),
    responses((status = 200, description = "What it cost, as far as that is on record", body = CostImpactView),
              (status = 404, description = "There is no such Incident", body = Problem)))]
pub(crate) async fn cost_impact(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: IncidentId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = read_cost_impact(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(incident_error)?;
    Ok(HttpResponse::Ok().json(CostImpactView::from(known(found))))
}
