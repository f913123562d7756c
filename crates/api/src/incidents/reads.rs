//! What do services read of Incidents?

use actix_web::HttpResponse;
use actix_web::http::header::ETAG;
use actix_web::web::{Data, Path};
use adapters::control::{
    ControlIncidentView, ControlPageView, ControlReplayView, ControlTimelineView, violations,
};
use model::incident::IncidentState;
use model::page::{Cursor, PageRequest};
use model::principal::PrincipalAction;
use model::severity::Severity;
use model::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use services::cursors::List;
use services::incidents::{self, Listed};
use services::principals;
use utoipa::IntoParams;

use super::bodies::is_name;
use super::id_of;
use crate::control_error::{ControlQuery, IncidentError};
use crate::paging;
use crate::signed::SignedRequest;
use crate::state::State;

/// The most Incidents, or events, of a page.
const LIMIT_MAX: u32 = 100;

/// The most events that are shown with a replay.
const REPLAY_EVENTS: u32 = 1_000;

/// Which piece of the events of an Incident.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimelineQuery {
    /// 1 to 100, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// What to list; of several all hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only this state, such as OPEN.
    state: Option<String>,
    /// Only this service.
    service: Option<String>,
    /// Only this severity: SEV1 to SEV4.
    severity: Option<String>,
    /// Only those that came to be then or later.
    created_after: Option<String>,
    /// Only those that came to be then or before.
    created_before: Option<String>,
    /// 1 to 100, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

fn invalid(name: &str, expected: &str) -> IncidentError {
    IncidentError::new(400, "INVALID_FILTERS", format!("`{name}` {expected}."))
        .with(json!({ "parameter": name }))
}

fn parsed<T: std::str::FromStr>(
    name: &str,
    text: Option<&String>,
    expected: &str,
) -> Result<Option<T>, IncidentError> {
    text.map(|text| text.parse().ok().ok_or_else(|| invalid(name, expected)))
        .transpose()
}

impl ListQuery {
    fn filter(&self) -> Result<Listed, IncidentError> {
        let time = "is not an RFC 3339 time with a zone";
        if self.service.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(invalid("service", "is not 1 to 256 visible characters"));
        }
        let filter = Listed {
            state: parsed::<IncidentState>(
                "state",
                self.state.as_ref(),
                "is not one of PENDING, OPEN, MITIGATING, RESOLVED, CLOSED, CANCELLED, ARCHIVED",
            )?,
            service: self.service.clone(),
            severity: parsed::<Severity>(
                "severity",
                self.severity.as_ref(),
                "is not one of SEV1, SEV2, SEV3, SEV4",
            )?,
            created_after: parsed::<Timestamp>("createdAfter", self.created_after.as_ref(), time)?,
            created_before: parsed::<Timestamp>("createdBefore", self.created_before.as_ref(), time)?,
        };
        match (filter.created_after, filter.created_before) {
            (Some(after), Some(before)) if after > before => {
                Err(invalid("createdAfter", "is after createdBefore"))
            }
            _ => Ok(filter),
        }
    }
}

fn limit(asked: Option<&str>) -> Result<u32, IncidentError> {
    match asked.map(str::parse) {
        None => Ok(paging::LIMIT_DEFAULT),
        Some(Ok(limit @ 1..=LIMIT_MAX)) => Ok(limit),
        Some(_) => Err(invalid("limit", "is not 1 to 100")),
    }
}

/// Where a page of Incidents ended: `<microseconds>.<id>`.
struct Place(Cursor);

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once('.').ok_or(())?;
        let at_micros = micros.parse().ok().ok_or(())?;
        let id: model::id::IncidentId = id.parse().ok().ok_or(())?;
        Ok(Self(Cursor {
            at_micros,
            id: id.to_string(),
        }))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.at_micros, self.0.id)
    }
}

fn admitted(signed: &SignedRequest, state: &State) -> Result<(), IncidentError> {
    signed.signed.require(PrincipalAction::Read)?;
    principals::admit(&state.cx, &signed.signed, PrincipalAction::Read, None)?;
    Ok(())
}

/// List Incidents in every state
#[utoipa::path(get, path = "/incidents", operation_id = "control_incidents", tag = "Incident control plane", security(("sigv4" = [])),
    params(ListQuery),
    responses((status = 200, description = "Incidents, newest first", body = ControlPageView),
              (status = 400, description = "A parameter is wrong"),
              (status = 401, description = "The signature is missing, wrong or late")))]
pub(crate) async fn list(
    signed: SignedRequest,
    state: Data<State>,
    query: ControlQuery<ListQuery>,
) -> Result<HttpResponse, IncidentError> {
    admitted(&signed, &state)?;
    let query = query.0;
    let filter = query.filter()?;
    let tenant = signed.signed.tenant_id();
    let list = List {
        name: "control_incidents",
        owner: tenant,
        filter: format!("{filter:?}"),
    };
    let limit = limit(query.limit.as_deref())?;
    let after = paging::position::<Place>(&state, &list, query.cursor.as_deref())
        .await
        .map_err(IncidentError::filters)?;
    let page = PageRequest {
        limit,
        after: after.map(|Place(cursor)| cursor),
    };
    let page = incidents::list(&state.cx, tenant, filter, page).await?;
    let next_cursor = paging::next(&state, &list, page.next.map(Place)).await?;
    Ok(HttpResponse::Ok().json(ControlPageView {
        has_more: next_cursor.is_some(),
        next_cursor,
        items: page.items.into_iter().map(Into::into).collect(),
    }))
}

/// Get an Incident in any state
#[utoipa::path(get, path = "/incidents/{incident_id}", operation_id = "control_incident",
    tag = "Incident control plane", security(("sigv4" = [])), params(("incident_id" = String, Path)),
    responses((status = 200, description = "The Incident; its version is the ETag", body = ControlIncidentView),
              (status = 404, description = "There is no such Incident")))]
pub(crate) async fn get(
    signed: SignedRequest,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, IncidentError> {
    admitted(&signed, &state)?;
    let found = incidents::get(&state.cx, signed.signed.tenant_id(), id_of(&id)?).await?;
    let tag = format!("\"{}\"", found.version);
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, tag))
        .json(ControlIncidentView::from(found)))
}

/// What happened to an Incident, with the hashes
#[utoipa::path(get, path = "/incidents/{incident_id}/timeline", operation_id = "control_incident_timeline",
    tag = "Incident control plane", security(("sigv4" = [])), params(("incident_id" = String, Path), TimelineQuery),
    responses((status = 200, description = "A page of its events, oldest first", body = ControlTimelineView),
              (status = 400, description = "A parameter is wrong"),
              (status = 404, description = "There is no such Incident")))]
pub(crate) async fn timeline(
    signed: SignedRequest,
    state: Data<State>,
    id: Path<String>,
    query: ControlQuery<TimelineQuery>,
) -> Result<HttpResponse, IncidentError> {
    admitted(&signed, &state)?;
    let TimelineQuery { limit: size, cursor } = query.0;
    let found = incidents::get(&state.cx, signed.signed.tenant_id(), id_of(&id)?).await?;
    let list = List {
        name: "control_incident_timeline",
        owner: found.tenant,
        filter: found.id.to_string(),
    };
    let size = limit(size.as_deref())?;
    let behind = paging::position::<i64>(&state, &list, cursor.as_deref())
        .await
        .map_err(IncidentError::filters)?;
    let mut events = incidents::events(&state.cx, (found.tenant, found.id), behind, size + 1).await?;
    let more = events.len() > usize::try_from(size).unwrap_or(usize::MAX);
    if more {
        events.pop();
    }
    let shown_to = events.last().filter(|_| more).map(|event| event.seq);
    let next_cursor = paging::next(&state, &list, shown_to).await?;
    Ok(HttpResponse::Ok().json(ControlTimelineView {
        items: events.into_iter().map(Into::into).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

/// Make an Incident again from its events alone
#[utoipa::path(get, path = "/incidents/{incident_id}/replay", operation_id = "replay_incident",
    tag = "Incident control plane", security(("sigv4" = [])), params(("incident_id" = String, Path)),
    responses((status = 200, description = "The Incident as its events say it is", body = ControlReplayView),
              (status = 404, description = "There is no such Incident"),
              (status = 409, description = "It is not what its events say: every mismatch is in the details")))]
pub(crate) async fn replay(
    signed: SignedRequest,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, IncidentError> {
    admitted(&signed, &state)?;
    let id = id_of(&id)?;
    let found = incidents::replay::one(&state.cx, signed.signed.tenant_id(), id).await?;
    if !found.replay.is_clean() {
        return Err(IncidentError::new(
            409,
            "REPLAY_INTEGRITY_VIOLATION",
            "The Incident is not what its events say.",
        )
        .with(violations(&found.replay.violations)));
    }
    let of = (found.tenant, found.id);
    let mut events = incidents::events(&state.cx, of, None, REPLAY_EVENTS).await?;
    // What has happened since is not what was played.
    events.truncate(found.replay.events);
    Ok(HttpResponse::Ok().json(ControlReplayView::of(found.replay, events, id.to_string())))
}
